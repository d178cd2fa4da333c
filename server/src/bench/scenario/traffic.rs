//! Messages from publishers to subscribers who are there: p2p, fan-out, fan-in and shared differ in who hears whom only.
//!
//! After a warm-up everything is counted for the measured time; then publishing ends, and what is still on its way has a
//! moment to arrive, so that what never comes is known to be lost.

use std::{
    io,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use ebbtide_protocol::QoS;
use tokio::task::JoinSet;

use super::{Scenario, Stage, stall::LOOK};
use crate::bench::{
    endpoint::{Publisher, Publishing, Run, Subscriber},
    link::{Link, Session, Template},
    pace::{Bell, Pace},
    process::Usage,
    report::Report,
    tally::Counts,
};
use crate::progress::Unit;

/// Nothing came for so long: nothing more will.
const QUIET: Duration = Duration::from_millis(500);
/// And if it never gets quiet, this is the end.
const DRAIN_MAX: Duration = Duration::from_secs(60);
const QUANTILES: [(&str, f64); 4] = [
    ("latency_p50_ms", 0.5),
    ("latency_p99_ms", 0.99),
    ("latency_p999_ms", 0.999),
    ("latency_max_ms", 1.0),
];

/// Who publishes where, and who hears it.
struct Plan {
    topics: Vec<String>,
    filters: Vec<String>,
    /// Deliveries of each message.
    fan: u64,
}

impl Plan {
    /// `prefix`: what all topics begin with, up to their last level.
    fn new(scenario: Scenario, prefix: &str, publishers: usize, subscribers: usize) -> Self {
        let own = |count: usize| (0..count).map(|number| format!("{prefix}{number}"));
        match scenario {
            Scenario::FanOut => Self {
                topics: vec![format!("{prefix}all"); publishers],
                filters: vec![format!("{prefix}all"); subscribers],
                fan: subscribers as u64,
            },
            Scenario::FanIn => Self {
                topics: own(publishers).collect(),
                filters: vec![format!("{prefix}#"); subscribers],
                fan: subscribers as u64,
            },
            Scenario::Shared => Self {
                topics: own(publishers).collect(),
                filters: vec![format!("$share/bench/{prefix}#"); subscribers],
                fan: 1,
            },
            _ => Self {
                topics: own(publishers.max(1)).collect(),
                filters: own(publishers.max(1)).collect(),
                fan: 1,
            },
        }
    }
}

/// `bench/p2p/`, and more levels or fewer.
fn prefix(scenario: Scenario, levels: u16) -> String {
    let names = ["bench", scenario.name()].into_iter();
    let names = names.chain(std::iter::repeat("level"));
    let above = usize::from(levels).saturating_sub(1);
    names.take(above).map(|name| format!("{name}/")).collect()
}

pub async fn play(scenario: Scenario, stage: &Stage<'_>) -> io::Result<Report> {
    let settings = stage.settings;
    let (publishers, subscribers) = settings.people(scenario);
    let prefix = prefix(scenario, settings.topic_levels);
    let plan = Plan::new(scenario, &prefix, publishers, subscribers);
    let run = Rc::new(Run::new());
    let mut tasks = JoinSet::new();
    let session = if settings.persistent {
        Session::New
    } else {
        Session::Clean
    };
    for (number, filter) in plan.filters.iter().enumerate() {
        let id = format!("{}-sub-{number}", settings.client_prefix);
        let mut link = Link::connect(stage.dialer, settings.version, &id, session).await?;
        link.subscribe(filter, settings.qos).await?;
        tasks.spawn_local(Subscriber::new(link, Rc::clone(&run)).run());
    }
    let bell = Bell::new();
    for (number, topic) in plan.topics.iter().enumerate() {
        let id = format!("{}-pub-{number}", settings.client_prefix);
        let link = Link::connect(stage.dialer, settings.version, &id, Session::Clean).await?;
        let publishing = Publishing {
            template: Template::new(
                topic,
                settings.payload_bytes,
                settings.qos,
                false,
                settings.version,
            )?,
            qos: settings.qos,
            window: settings.window,
            pace: settings.interval(plan.topics.len()).map(|(between, each)| {
                let offset = run.start.elapsed() + between * number as u32;
                Pace::new(run.start, offset, each, bell.clone())
            }),
        };
        tasks.spawn_local(Publisher::new(link, publishing, Rc::clone(&run)).run());
    }
    let report = measure(scenario, stage, &run, plan.fan, &mut tasks).await;
    tasks.abort_all();
    report
}

async fn measure(
    scenario: Scenario,
    stage: &Stage<'_>,
    run: &Run,
    fan: u64,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<Report> {
    wait(stage, run, stage.settings.warm_up, tasks).await?;
    let tally = &run.tally;
    let (before, began, used) = (tally.counts(), Instant::now(), stage.usage());
    tally.measure(true);
    wait(stage, run, stage.settings.duration, tasks).await?;
    tally.measure(false);
    let counts = tally.counts().since(before);
    let took = began.elapsed();
    let used = stage.usage().zip(used);
    run.is_ending.set(true);
    drain(run, fan, stage.settings.qos).await;
    let all = tally.counts();

    let mut report = Report::new(scenario.name());
    let per_s = |count: u64| count as f64 / took.as_secs_f64();
    report.note("published_per_s", per_s(counts.sent));
    report.note("delivered_per_s", per_s(counts.received));
    note_usage(&mut report, used, counts);
    let quantiles = QUANTILES.map(|(_, quantile)| quantile);
    let latency = tally.latency_ms(&quantiles).unwrap_or_default();
    for ((name, _), value) in QUANTILES.iter().zip(latency) {
        report.note(name, value);
    }
    let expected = all.sent * fan;
    report.note("lost", expected.saturating_sub(all.received) as f64);
    report.note("refused", all.refused as f64);
    Ok(report)
}

fn note_usage(report: &mut Report, used: Option<(Usage, Usage)>, counts: Counts) {
    let Some((after, before)) = used else {
        return;
    };
    let cpu = after.cpu.saturating_sub(before.cpu);
    let each_us = cpu.as_secs_f64() * 1e6 / counts.received.max(1) as f64;
    report.note("broker_cpu_us_per_delivery", each_us);
    report.note("broker_memory_mb", after.resident_bytes as f64 / 1e6);
    let written = after.written_bytes.saturating_sub(before.written_bytes);
    report.note("broker_written_mb", written as f64 / 1e6);
}

/// Lets the others work, and shows how far they are; an error of one of them is that of the run.
async fn wait(
    stage: &Stage<'_>,
    run: &Run,
    time: Duration,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<()> {
    let mut end = pin!(tokio::time::sleep(time));
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            () = tokio::time::sleep(LOOK) => {
                let received = run.tally.counts().received;
                stage.progress.show("delivered", Unit::Rows, received, 0);
            }
            Some(ended) = tasks.join_next() => return match ended {
                Ok(Ok(())) => Err(io::Error::other("a client ended before the run did")),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    }
}

/// Until all has come, or nothing comes any more.
async fn drain(run: &Run, fan: u64, qos: QoS) {
    let end = Instant::now() + DRAIN_MAX;
    let mut seen = (run.tally.counts(), Instant::now());
    while Instant::now() < end {
        let counts = run.tally.counts();
        let is_acknowledged = qos == QoS::AtMostOnce || counts.acknowledged >= counts.sent;
        if is_acknowledged && counts.received >= counts.sent * fan {
            return;
        }
        if counts != seen.0 {
            seen = (counts, Instant::now());
        } else if seen.1.elapsed() > QUIET {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Stage<'_> {
    pub(super) fn usage(&self) -> Option<Usage> {
        self.process?.usage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_as_many_levels_as_asked_for() {
        for (levels, topic) in [
            (1, "7"),
            (2, "bench/7"),
            (3, "bench/p2p/7"),
            (5, "bench/p2p/level/level/7"),
        ] {
            assert_eq!(format!("{}7", prefix(Scenario::P2p, levels)), topic);
        }
    }
}
