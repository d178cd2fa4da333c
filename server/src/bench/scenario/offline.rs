//! Sessions that are away: what is published for all of them, and how fast it reaches them when they are back.

use std::{io, rc::Rc, time::Duration};

use ebbtide_protocol::QoS;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use super::{Stage, connect::CONNECTING_MAX, outcome, stall::unless_stalled};
use crate::bench::{
    endpoint::{Run, Subscriber},
    link::{Link, Session},
    report::Report,
    template::Template,
};
use crate::progress::Unit;

/// How often it is looked whether all have come.
const LOOK: Duration = Duration::from_millis(1);

/// All of a run have the same topic, and no other run has it.
fn topic(stage: &Stage<'_>) -> String {
    format!("bench/offline/{}", stage.settings.client_prefix)
}

pub async fn play(stage: &Stage<'_>) -> io::Result<Report> {
    let settings = stage.settings;
    if settings.qos == QoS::AtMostOnce {
        let why = "nothing of QoS 0 waits for a session that is away: give --qos 1";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let (sessions, messages) = (settings.sessions, settings.messages);
    leave(stage, sessions).await?;
    let before = stage.look();
    let published = publish(stage, messages).await?;
    let waiting = stage.look();
    let (first, drained) = drain(stage, sessions, messages).await?;
    let after = stage.look();

    let mut report = Report::new("offline");
    end_sessions(stage, sessions, &mut report).await;
    let mut published_per_s = messages as f64 / published.as_secs_f64();
    if let Some(more) = settings.publish {
        // After all else: what it leaves in the broker's memory is not to be measured.
        match publish_only(stage, more, &mut report).await {
            Ok(took) => published_per_s = more as f64 / took.as_secs_f64(),
            Err(error) => report.remarks.push(format!("--publish: {error}")),
        }
    }
    let deliveries = (sessions * messages) as f64;
    report.note("published_per_s", published_per_s);
    report.note("queued_per_s", published_per_s * sessions as f64);
    let held = waiting.since(before, deliveries);
    stage.note_memory(&mut report, "bytes_per_delivery", held, 1.0);
    let kept = waiting.since(before, messages as f64);
    kept.note_cpu(&mut report, "message");
    kept.note_written(&mut report, "message");
    report.note("drain_first_ms", first.as_secs_f64() * 1e3);
    report.note("drained_per_s", deliveries / drained.as_secs_f64());
    let drain = after.since(waiting, deliveries);
    drain.note_cpu(&mut report, "drained");
    drain.note_written(&mut report, "drained");
    Ok(report)
}

/// For sessions that never come back.
async fn publish_only(
    stage: &Stage<'_>,
    messages: usize,
    report: &mut Report,
) -> io::Result<Duration> {
    let sessions = stage.settings.sessions;
    leave(stage, sessions).await?;
    let published = publish(stage, messages).await;
    end_sessions(stage, sessions, report).await;
    published
}

/// Ends the sessions that were away.
pub(super) async fn end_sessions(stage: &Stage<'_>, sessions: usize, report: &mut Report) {
    let ids = (0..sessions).map(|number| id(stage, number));
    stage.end_sessions(report, ids).await;
}

/// So many sessions subscribe and go away.
pub(super) async fn leave(stage: &Stage<'_>, sessions: usize) -> io::Result<()> {
    for number in 0..sessions {
        stage
            .progress
            .show("subscribed", Unit::Rows, number as u64, sessions as u64);
        let mut link = connect(stage, number, Session::New).await?;
        link.subscribe(&topic(stage), stage.settings.qos).await?;
        link.disconnect().await?;
    }
    Ok(())
}

async fn connect(stage: &Stage<'_>, number: usize, session: Session) -> io::Result<Link> {
    let id = id(stage, number);
    Link::connect(stage.dialer, stage.settings.version, &id, session).await
}

fn id(stage: &Stage<'_>, number: usize) -> String {
    format!("{}-away-{number}", stage.settings.client_prefix)
}

/// Publishes to all of them, and gives how long it took until everything was acknowledged.
pub(super) async fn publish(stage: &Stage<'_>, messages: usize) -> io::Result<Duration> {
    let settings = stage.settings;
    let template = Template::new(
        &topic(stage),
        settings.payload_bytes,
        settings.qos,
        false,
        settings.version,
    )?;
    super::publish::publish(stage, "published", vec![template], messages).await
}

/// Until the first delivery and until the last.
async fn drain(
    stage: &Stage<'_>,
    sessions: usize,
    messages: usize,
) -> io::Result<(Duration, Duration)> {
    let run = Rc::new(Run::new());
    let mut tasks = JoinSet::new();
    // All of them come at once, and each begins to read when it is in.
    let mut links = stream::iter(0..sessions)
        .map(|number| connect(stage, number, Session::Kept))
        .buffer_unordered(CONNECTING_MAX);
    while let Some(link) = links.try_next().await? {
        tasks.spawn_local(Subscriber::new(link, Rc::clone(&run)).run());
    }
    drop(links);
    let expected = (sessions * messages) as u64;
    let came = || run.tally.counts().received;
    let work = async {
        while came() < expected {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                // A client that is sent away is told at once, and not as one for which nothing comes.
                Some(ended) = tasks.join_next() => outcome(ended)?,
            }
        }
        Ok(run.start.elapsed())
    };
    let last = unless_stalled(stage, "delivered", came, expected, work).await?;
    tasks.abort_all();
    Ok((run.tally.first().unwrap_or(last), last))
}
