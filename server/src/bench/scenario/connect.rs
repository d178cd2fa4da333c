//! Everybody comes at once: how long it takes until all are in and subscribed, and what they take while nothing happens.

use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Stage, stall::unless_stalled};
use crate::bench::{
    link::{Link, Session},
    report::Report,
};

/// How many are on their way at a time: more would overflow the queue of the listener. The help and the documents name the number.
pub(super) const CONNECTING_MAX: usize = 256;
/// The broker has come to rest.
const SETTLE: Duration = Duration::from_secs(1);

pub async fn play(stage: &Stage<'_>) -> io::Result<Report> {
    let settings = stage.settings;
    let count = settings.connections;
    let before = stage.look();
    let start = Instant::now();
    let came = Cell::new(0);
    let came = &came;
    let connecting = stream::iter(0..count)
        .map(|number| async move {
            let id = format!("{}-{number}", settings.client_prefix);
            let mut link =
                Link::connect(stage.dialer, settings.version, &id, Session::Clean).await?;
            link.subscribe(&format!("bench/connect/{number}"), settings.qos)
                .await?;
            came.update(|came| came + 1);
            io::Result::Ok(link)
        })
        .buffer_unordered(CONNECTING_MAX)
        .try_collect::<Vec<Link>>();
    let progress = || came.get();
    let links = unless_stalled(stage, "connected", progress, count as u64, connecting).await?;
    let took = start.elapsed();
    tokio::time::sleep(SETTLE).await;
    let cost = stage.look().since(before, count as f64);

    let mut report = Report::new("connect");
    report.note("connected_per_s", count as f64 / took.as_secs_f64());
    cost.note_cpu(&mut report, "connection");
    stage.note_memory(&mut report, "kb_per_connection", cost, 1e3);
    // Their end is work for the broker as well, and not that of the round which comes next.
    stream::iter(links)
        .for_each_concurrent(CONNECTING_MAX, |link| async {
            // One that the broker has ended already has nothing to say.
            let _ = link.disconnect().await;
        })
        .await;
    tokio::time::sleep(SETTLE).await;
    Ok(report)
}
