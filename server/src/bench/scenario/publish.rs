//! So many messages of one client in a closed loop: those that are retained, and those for sessions that are away.

use std::{io, rc::Rc, time::Duration};

use ebbtide_protocol::QoS;

use super::{Stage, stall::unless_stalled};
use crate::bench::{
    endpoint::{Publisher, Publishing, Run},
    link::{Link, Session},
    template::Template,
};

/// How long it took until all are acknowledged; at QoS 0 until all are written. `what` is shown meanwhile.
pub async fn publish(
    stage: &Stage<'_>,
    what: &'static str,
    templates: Vec<Template>,
    count: usize,
) -> io::Result<Duration> {
    let settings = stage.settings;
    let id = format!("{}-pub", settings.client_prefix);
    let link = Link::connect(stage.dialer, settings.version, &id, Session::Clean).await?;
    let run = Rc::new(Run::new());
    run.limit.set(Some(count as u64));
    let publishing = Publishing {
        templates,
        qos: settings.qos,
        window: settings.window,
        pace: None,
    };
    let done = || match settings.qos {
        QoS::AtMostOnce => run.tally.counts().sent,
        _ => run.tally.counts().acknowledged,
    };
    let work = Publisher::new(link, publishing, Rc::clone(&run)).run();
    unless_stalled(stage, what, done, count as u64, work).await?;
    let took = run.start.elapsed();
    match run.tally.counts().refused {
        0 => Ok(took),
        refused => {
            let why = format!("the broker refused {refused} of them");
            Err(io::Error::other(why))
        }
    }
}
