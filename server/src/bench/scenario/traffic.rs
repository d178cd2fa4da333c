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

use super::{Scenario, Stage, cost::Cost, outcome, stall::LOOK};
use crate::bench::{
    endpoint::{Publisher, Publishing, Run, Subscriber},
    link::{Link, Session},
    options::Settings,
    pace::{Beat, Moments, Pace},
    report::Report,
    template::Template,
};
use crate::progress::Unit;

/// Nothing came for so long: nothing more will. Longer than a broker may stall, for what comes late is not lost.
const QUIET: Duration = Duration::from_secs(3);
/// With a rate: so long after the end what was due before it may still leave.
const DUE_MAX: Duration = Duration::from_secs(2);
/// The part of one core above which the generator may be what bounds the rate.
const BUSY: f64 = 0.95;
/// And if it never gets quiet, this is the end: what has not come by then may still be on its way.
const DRAIN_MAX: Duration = Duration::from_secs(60);
const QUANTILES: [(&str, f64); 4] = [
    ("latency_p50_ms", 0.5),
    ("latency_p99_ms", 0.99),
    ("latency_p999_ms", 0.999),
    ("latency_max_ms", 1.0),
];

/// Who publishes where, and who hears it.
struct Plan {
    /// Those of each publisher, in turn.
    topics: Vec<Vec<String>>,
    filters: Vec<String>,
    /// Deliveries of each message.
    fan: u64,
}

impl Plan {
    /// `prefix`: what all topics begin with, up to their last level. `each`: topics of a publisher; if several, below one of its own.
    fn new(
        scenario: Scenario,
        prefix: &str,
        publishers: usize,
        subscribers: usize,
        each: usize,
    ) -> Self {
        let own = |count: usize| {
            (0..count).map(|number| match each {
                1 => vec![format!("{prefix}{number}")],
                _ => (0..each)
                    .map(|at| format!("{prefix}{number}/{at}"))
                    .collect(),
            })
        };
        match scenario {
            Scenario::FanOut => Self {
                topics: vec![vec![format!("{prefix}all")]; publishers],
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
                filters: (0..publishers.max(1))
                    .map(|number| match each {
                        1 => format!("{prefix}{number}"),
                        _ => format!("{prefix}{number}/+"),
                    })
                    .collect(),
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
    let plan = Plan::new(scenario, &prefix, publishers, subscribers, settings.topics);
    let run = Rc::new(Run::new());
    let mut tasks = JoinSet::new();
    let session = if settings.persistent {
        Session::New
    } else {
        Session::Clean
    };
    let subscriber_id = |number| format!("{}-sub-{number}", settings.client_prefix);
    let count = plan.filters.len();
    for (number, filter) in plan.filters.iter().enumerate() {
        (stage.progress).show("subscribed", Unit::Rows, number as u64, count as u64);
        let id = subscriber_id(number);
        let mut link = Link::connect(stage.dialer, settings.version, &id, session).await?;
        link.subscribe(filter, settings.qos).await?;
        tasks.spawn_local(Subscriber::new(link, Rc::clone(&run)).run());
    }
    let publishing = publish(stage, &plan, &run, &mut tasks).await?;
    let measured = measure(scenario, stage, &run, plan.fan, &publishing, &mut tasks).await;
    tasks.shutdown().await;
    let mut report = measured?;
    if publishing.window < settings.window && settings.qos != QoS::AtMostOnce {
        report.remarks.push(format!(
            "the broker takes {} unacknowledged messages of each client, so that is the window",
            publishing.window
        ));
    }
    if settings.persistent {
        stage
            .end_sessions(&mut report, (0..count).map(subscriber_id))
            .await;
    }
    Ok(report)
}

/// Those who publish.
struct Publishers {
    /// With a rate: when they should.
    moments: Vec<Moments>,
    window: usize,
}

/// They begin when all of them are there.
async fn publish(
    stage: &Stage<'_>,
    plan: &Plan,
    run: &Rc<Run>,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<Publishers> {
    let settings = stage.settings;
    let mut links = Vec::new();
    for number in 0..plan.topics.len() {
        let id = format!("{}-pub-{number}", settings.client_prefix);
        let link = Link::connect(stage.dialer, settings.version, &id, Session::Clean).await?;
        links.push(link);
    }
    let mut publishers = Publishers {
        moments: Vec::new(),
        window: settings.window,
    };
    let mut paces = Vec::new().into_iter();
    if let Some(rate) = settings.rate {
        let (beat, all) = Beat::new(run.start, rate, links.len());
        publishers.moments = all.iter().map(Pace::moments).collect();
        paces = all.into_iter();
        tasks.spawn_local(beat.keep());
    }
    let Settings { qos, version, .. } = *settings;
    let template =
        |topic: &String| Template::new(topic, settings.payload_bytes, qos, false, version);
    for (link, topics) in links.into_iter().zip(&plan.topics) {
        publishers.window = publishers.window.min(link.receive_maximum);
        let publishing = Publishing {
            templates: topics.iter().map(template).collect::<io::Result<_>>()?,
            qos,
            window: settings.window,
            pace: paces.next(),
        };
        tasks.spawn_local(Publisher::new(link, publishing, Rc::clone(run)).run());
    }
    Ok(publishers)
}

async fn measure(
    scenario: Scenario,
    stage: &Stage<'_>,
    run: &Run,
    fan: u64,
    publishers: &Publishers,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<Report> {
    wait(stage, run, stage.settings.warm_up, tasks).await?;
    let tally = &run.tally;
    let (before, began, used) = (tally.counts(), run.start.elapsed(), stage.look());
    tally.measure_from(run.now_ns());
    wait(stage, run, stage.settings.duration, tasks).await?;
    tally.measure_until(run.now_ns());
    let ended = run.start.elapsed();
    run.end.set(Some(ended));
    let counts = tally.counts().since(before);
    let took = ended - began;
    let cost = stage.look().since(used, counts.received.max(1) as f64);
    let owed = || {
        publishers
            .moments
            .iter()
            .flat_map(|at| at.owed(began, ended))
    };
    let due = Instant::now() + DUE_MAX;
    // After Ctrl-C nothing is waited for, and so nobody would have a turn.
    while owed().next().is_some() && Instant::now() < due && !stage.interrupt.has_come() {
        wait(stage, run, LOOK, tasks).await?;
    }
    run.is_ending.set(true);
    let is_quiet = drain(stage, run, fan, tasks).await?;
    // What never left has waited at least until now, for each of those who should have it.
    let now = run.start.elapsed();
    let unsent = owed()
        .inspect(|at| tally.waited(nanoseconds(now.saturating_sub(*at)), fan))
        .count();
    let all = tally.counts();

    let mut report = Report::new(scenario.name());
    let per_s = |count: u64| count as f64 / took.as_secs_f64();
    report.note("published_per_s", per_s(counts.sent));
    report.note("delivered_per_s", per_s(counts.received));
    note_cost(&mut report, cost, took);
    let quantiles = QUANTILES.map(|(_, quantile)| quantile);
    let latency = tally.latency_ms(&quantiles).unwrap_or_default();
    for ((name, _), value) in QUANTILES.iter().zip(latency) {
        report.note(name, value);
    }
    let expected = all.sent * fan;
    note_missing(&mut report, expected.saturating_sub(all.received), is_quiet);
    let surplus = all.received.saturating_sub(expected);
    report.note("surplus", surplus as f64);
    if surplus > 0 {
        let remark = "there is a surplus: the broker has delivered twice, or others publish to these topics; as many that are lost would not show";
        report.remarks.push(remark.to_owned());
    }
    report.note("refused", all.refused as f64);
    if stage.settings.rate.is_some() {
        report.note("unsent", unsent as f64);
    }
    if stage.interrupt.has_come() {
        let seconds = took.as_secs_f64();
        report.remarks.push(format!(
            "interrupted after {seconds:.1} s that were measured"
        ));
    }
    Ok(report)
}

fn note_cost(report: &mut Report, cost: Cost, took: Duration) {
    cost.note_cpu(report, "delivery");
    if let Some((before, after)) = cost.broker() {
        report.note("broker_memory_mb", after.resident_bytes as f64 / 1e6);
        let written = after.written_bytes_since(before);
        report.note("broker_written_mb", written.map(|bytes| bytes / 1e6));
    }
    let is_busy = |cpu_us| cpu_us > BUSY * took.as_secs_f64() * 1e6;
    if cost.generator_cpu_us().is_some_and(is_busy) {
        let remark = "the generator, which is one thread, had no time left: the broker may do more than this";
        report.remarks.push(remark.to_owned());
    }
}

/// Lost is only what does not come though the broker has come to rest.
fn note_missing(report: &mut Report, missing: u64, is_quiet: bool) {
    if is_quiet || missing == 0 {
        return report.note("lost", missing as f64);
    }
    report.note("undelivered", missing as f64);
    report.remarks.push(format!(
        "the broker was still delivering {} s after the end, and was not waited for any longer: what is undelivered may have been \
         on its way, or lost, and is in no latency",
        DRAIN_MAX.as_secs()
    ));
}

/// Lets the others work, and shows how far they are; an error of one of them is that of the run.
async fn wait(
    stage: &Stage<'_>,
    run: &Run,
    time: Duration,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<()> {
    let mut end = pin!(tokio::time::sleep(time));
    let mut interrupted = pin!(stage.interrupt.wait());
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            () = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(LOOK) => {
                let received = run.tally.counts().received;
                stage.progress.show("delivered", Unit::Rows, received, 0);
            }
            Some(ended) = tasks.join_next() => {
                outcome(ended)?;
                return Err(io::Error::other("a client ended before the run did"));
            }
        }
    }
}

/// Until all has come, or nothing comes any more; no longer than a minute: not, if it still came then.
async fn drain(
    stage: &Stage<'_>,
    run: &Run,
    fan: u64,
    tasks: &mut JoinSet<io::Result<()>>,
) -> io::Result<bool> {
    let end = Instant::now() + DRAIN_MAX;
    let mut seen = (run.tally.counts(), Instant::now());
    while Instant::now() < end {
        let counts = run.tally.counts();
        let is_acknowledged =
            stage.settings.qos == QoS::AtMostOnce || counts.acknowledged >= counts.sent;
        if is_acknowledged && counts.received >= counts.sent * fan {
            return Ok(true);
        }
        if counts != seen.0 {
            seen = (counts, Instant::now());
        } else if seen.1.elapsed() > QUIET {
            return Ok(true);
        }
        stage
            .progress
            .show("delivered", Unit::Rows, counts.received, 0);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
            // Publishers are done now; a connection that ends takes with it what has not come.
            Some(ended) = tasks.join_next() => outcome(ended)?,
        }
    }
    Ok(false)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_waited_for_is_not_called_lost() {
        for (missing, is_quiet, name) in [
            (7, true, "lost"),
            (0, true, "lost"),
            (7, false, "undelivered"),
            // An acknowledgement may be all that does not come.
            (0, false, "lost"),
        ] {
            let mut report = Report::new("fan-out");
            note_missing(&mut report, missing, is_quiet);
            let figures: Vec<_> = report.figures.iter().collect();
            assert_eq!(figures, [(&name.to_owned(), &(missing as f64).into())]);
            let is_told = report.remarks.iter().any(|remark| remark.contains("60 s"));
            assert_eq!(is_told, name == "undelivered");
        }
    }

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
