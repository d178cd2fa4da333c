//! Retained messages: how fast they are set, all of them read by a wildcard, and single ones looked up.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    time::{Duration, Instant},
};

use ebbtide_protocol::QoS;

use super::{Stage, publish::publish, stall::unless_stalled};
use crate::bench::{
    endpoint::receive,
    frame::Frame,
    link::{Link, Session, is_granted},
    options::Settings,
    report::{Report, median},
    template::Template,
};

/// Single topics that are looked up, at most.
const LOOK_UPS: usize = 2_000;
/// No more are looked up after as long: some brokers read through all topics for each.
const LOOK_UP_TIME: Duration = Duration::from_secs(10);

pub async fn play(stage: &Stage<'_>) -> io::Result<Report> {
    let settings = stage.settings;
    let count = settings.messages;
    let mut report = Report::new("retained");
    let before = stage.look();
    let set = set(stage, "set", count, settings.payload_bytes).await?;
    let cost = stage.look().since(before, count as f64);
    report.note("set_per_s", count as f64 / set.as_secs_f64());
    stage.note_memory(&mut report, "bytes_per_message", cost, 1.0);
    cost.note_cpu(&mut report, "set");
    cost.note_written(&mut report, "set");
    // A broker that cannot do one of these is still measured in the others.
    match read_all(stage, count).await {
        Ok((first, last)) => {
            report.note("wildcard_first_ms", first.as_secs_f64() * 1e3);
            report.note("wildcard_last_ms", last.as_secs_f64() * 1e3);
        }
        Err(error) => report.remarks.push(format!("not read: {error}")),
    }
    match look_up(stage, count).await {
        Ok(median_ms) => report.note("look_up_p50_ms", median_ms),
        Err(error) => report.remarks.push(format!("not looked up: {error}")),
    }
    take_away(stage, count, &mut report).await;
    Ok(report)
}

/// An empty payload takes a message away (section 3.3.1.3).
pub(super) async fn take_away(stage: &Stage<'_>, count: usize, report: &mut Report) {
    if let Err(error) = set(stage, "taken away", count, 0).await {
        let remark = format!("retained messages are left in the broker: {error}");
        report.remarks.push(remark);
    }
}

pub(super) fn topic(number: usize) -> String {
    format!("bench/retained/{number}")
}

/// How long until all are acknowledged; at QoS 0 until all are written.
pub(super) async fn set(
    stage: &Stage<'_>,
    what: &'static str,
    count: usize,
    payload_bytes: usize,
) -> io::Result<Duration> {
    let Settings { qos, version, .. } = *stage.settings;
    let template = |number| Template::new(&topic(number), payload_bytes, qos, true, version);
    let templates = (0..count).map(template).collect::<io::Result<_>>()?;
    publish(stage, what, templates, count).await
}

/// Until the first and until the last.
async fn read_all(stage: &Stage<'_>, count: usize) -> io::Result<(Duration, Duration)> {
    let Settings { qos, version, .. } = *stage.settings;
    let id = format!("{}-all", stage.settings.client_prefix);
    let mut link = Link::connect(stage.dialer, version, &id, Session::Clean).await?;
    let (came, mut first) = (Cell::new(0), None);
    let reading = async {
        link.ask_to_subscribe("bench/retained/#", qos)?;
        let start = Instant::now();
        link.flush().await?;
        while came.get() < count as u64 {
            next(&mut link, qos, |_| {
                first.get_or_insert_with(|| start.elapsed());
                came.update(|came| came + 1);
            })
            .await?;
        }
        Ok((first.unwrap_or_default(), start.elapsed()))
    };
    unless_stalled(stage, "read", || came.get(), count as u64, reading).await
}

/// The median of single subscriptions, each to its message, milliseconds.
async fn look_up(stage: &Stage<'_>, count: usize) -> io::Result<Option<f64>> {
    let id = format!("{}-one", stage.settings.client_prefix);
    let mut link = Link::connect(stage.dialer, stage.settings.version, &id, Session::Clean).await?;
    let came = Cell::new(0);
    let looking = async {
        let mut times_ms = Vec::with_capacity(LOOK_UPS);
        let begin = Instant::now();
        for turn in 0..LOOK_UPS {
            if begin.elapsed() > LOOK_UP_TIME {
                break;
            }
            // Spread over all of them.
            let number = turn * 7919 % count;
            link.ask_to_subscribe(&topic(number), QoS::AtMostOnce)?;
            let start = Instant::now();
            link.flush().await?;
            let mut has_come = false;
            while !has_come {
                next(&mut link, QoS::AtMostOnce, |_| has_come = true).await?;
            }
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
            came.update(|came| came + 1);
        }
        Ok(median(times_ms))
    };
    unless_stalled(stage, "looked up", || came.get(), LOOK_UPS as u64, looking).await
}

/// What comes next, after a SUBSCRIBE with this QoS: it may be refused.
pub(super) async fn next(link: &mut Link, qos: QoS, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut answer = None;
    poll_fn(|context| {
        link.poll_frames(context, |frame, output| match frame {
            Frame::SubAck { reason } => answer = Some(reason),
            frame => receive(frame, output, &mut take),
        })
    })
    .await?;
    if let Some(granted) = answer {
        is_granted(granted, qos)?;
    }
    link.flush().await
}
