//! A broker that goes quiet ends the run with an error: a load never waits for ever. Until then the progress is shown.
//!
//! What counts is progress, not time: a slow broker may take as long as it likes.

use std::{
    io,
    pin::pin,
    time::{Duration, Instant},
};

use super::Stage;
use crate::progress::Unit;

/// With nothing new for as long, it is over.
const STALL: Duration = Duration::from_secs(20);
/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// The outcome of `work`, unless its `progress` stands still for too long. `what` is shown with it, and `expected`: what it would come to.
pub async fn unless_stalled<T>(
    stage: &Stage<'_>,
    what: &'static str,
    progress: impl Fn() -> u64,
    expected: u64,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut work = pin!(work);
    let mut seen = (progress(), Instant::now());
    loop {
        if let Ok(outcome) = tokio::time::timeout(LOOK, &mut work).await {
            return outcome;
        }
        let now = progress();
        stage.progress.show(what, Unit::Rows, now, expected);
        if now != seen.0 {
            seen = (now, Instant::now());
        } else if seen.1.elapsed() > STALL {
            let seconds = STALL.as_secs();
            let why = format!("{now} of {expected} {what}, and for {seconds} s nothing more");
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
    }
}
