//! The curves: what there is more and more of, how much of it, and which load is measured beside it.

use anyhow::{Context, Result};
use bytes::Bytes;

use super::{Plan, crowd};
use crate::broker::Broker;
use crate::load::{Figures, generate, publish};

/// One curve.
pub struct Curve {
    /// As it is asked for.
    pub name: &'static str,
    /// Above the table and the picture.
    pub title: &'static str,
    /// What there is more and more of.
    pub axis: &'static str,
    /// Every bit of it is work for each message, so that a straight line is what is hoped for; of anything else, a level one.
    pub is_work: bool,
    points: &'static [usize],
    quick: &'static [usize],
    /// The first is what a unit costs the broker, µs of processor time; the second is a rate.
    pub figures: &'static [Figure],
    /// Measures one point.
    pub measure: fn(point: usize, plan: &Plan) -> Result<Figures>,
}

/// One of the figures of a point.
pub struct Figure {
    /// Its name among those of the load generator.
    pub key: &'static str,
    /// As the table has it, with its unit.
    pub title: &'static str,
}

impl Curve {
    /// Where it is measured.
    pub fn points(&self, quick: bool) -> &'static [usize] {
        if quick { self.quick } else { self.points }
    }
}

const TRAFFIC: &[Figure] = &[
    Figure {
        key: "broker_cpu_us_per_delivery",
        title: "broker CPU per message, µs",
    },
    Figure {
        key: "delivered_per_s",
        title: "delivered, /s",
    },
];

const PAYLOAD: &[Figure] = &[
    Figure {
        key: "broker_cpu_us_per_delivery",
        title: "broker CPU per message, µs",
    },
    Figure {
        key: "delivered_per_s",
        title: "delivered, /s",
    },
    Figure {
        key: "broker_cpu_us_per_kib",
        title: "broker CPU per KiB, µs",
    },
];

const RETAINED: &[Figure] = &[
    Figure {
        key: "broker_cpu_us_per_set",
        title: "broker CPU per set, µs",
    },
    Figure {
        key: "set_per_s",
        title: "set and on disk, /s",
    },
    Figure {
        key: "look_up_p50_ms",
        title: "one looked up, p50, ms",
    },
    Figure {
        key: "wildcard_us_each",
        title: "all by wildcard, µs each",
    },
];

/// All of them.
pub const ALL: [Curve; 8] = [
    Curve {
        name: "connections",
        title: "p2p 10×10 at QoS 0, beside connections that are idle",
        axis: "idle connections",
        is_work: false,
        points: &[0, 100, 1_000, 4_000, 9_000, 18_000],
        quick: &[0, 200],
        figures: TRAFFIC,
        measure: connections,
    },
    Curve {
        name: "subscriptions",
        title: "p2p 10×10 at QoS 0, a thousand topics each, beside subscriptions to other topics",
        axis: "other subscriptions",
        is_work: false,
        points: &[0, 1_000, 10_000, 100_000, 300_000, 1_000_000],
        quick: &[0, 5_000],
        figures: TRAFFIC,
        measure: subscriptions,
    },
    Curve {
        name: "retained",
        title: "retained messages at QoS 1, on disk when acknowledged",
        axis: "retained messages",
        is_work: false,
        points: &[1_000, 10_000, 100_000, 300_000, 1_000_000],
        quick: &[1_000, 5_000],
        figures: RETAINED,
        measure: retained,
    },
    Curve {
        name: "beside-retained",
        title: "p2p 10×10 at QoS 0, beside retained messages",
        axis: "retained messages",
        is_work: false,
        points: &[0, 1_000, 10_000, 100_000, 1_000_000],
        quick: &[0, 5_000],
        figures: TRAFFIC,
        measure: beside_retained,
    },
    Curve {
        name: "levels",
        title: "p2p 10×10 at QoS 0, by the depth of the topics",
        axis: "levels of the topic",
        is_work: true,
        points: &[1, 2, 4, 8, 16, 32, 64, 128],
        quick: &[1, 128],
        figures: TRAFFIC,
        measure: levels,
    },
    Curve {
        name: "payload",
        title: "p2p 10×10 at QoS 0, by the size of the payload",
        axis: "bytes of payload",
        is_work: true,
        points: &[
            16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576,
        ],
        quick: &[16, 65_536],
        figures: PAYLOAD,
        measure: payload,
    },
    Curve {
        name: "publishers",
        title: "publishers to one topic with one subscriber, QoS 1, ten unacknowledged each",
        axis: "publishers",
        is_work: false,
        points: &[1, 3, 10, 30, 100, 300, 1_000],
        quick: &[1, 30],
        figures: TRAFFIC,
        measure: publishers,
    },
    Curve {
        name: "cores",
        title: "p2p 10×10 at QoS 0, the broker on one core and on two, the generator on the last one",
        axis: "cores of the broker",
        is_work: true,
        points: &[1, 2],
        quick: &[1, 2],
        figures: TRAFFIC,
        measure: cores,
    },
];

/// The load against a broker, and what it finds.
fn traffic(broker: &Broker, plan: &Plan, wrapper: &[&str], words: &[&str]) -> Result<Figures> {
    let common = [
        "--url".to_owned(),
        format!("mqtt://{}", broker.mqtt()),
        "--pid".to_owned(),
        broker.id().to_string(),
        "--warm-up-s".to_owned(),
        if plan.quick { "0.2" } else { "1" }.to_owned(),
        "--duration-s".to_owned(),
        plan.seconds.to_string(),
    ];
    let words = words.iter().map(|&word| word.to_owned());
    let found = generate(wrapper, &words.chain(common).collect::<Vec<_>>())?;
    Ok(found.figures)
}

fn connections(point: usize, plan: &Plan) -> Result<Figures> {
    // All of them come from one address.
    let free = [
        "--connections-per-address-max",
        "0",
        "--connect-rate-per-address-max",
        "0",
    ];
    let broker = Broker::start_with(&free)?;
    let _idle = crowd::idle(&broker, point)?;
    traffic(&broker, plan, &[], &["p2p"])
}

fn subscriptions(point: usize, plan: &Plan) -> Result<Figures> {
    let broker = Broker::start()?;
    let _idle = crowd::subscribed(&broker, point)?;
    // Far more than the broker remembers the subscribers of: the index is what is measured.
    traffic(&broker, plan, &[], &["p2p", "--topics", "1000"])
}

fn retained(point: usize, plan: &Plan) -> Result<Figures> {
    let broker = Broker::start()?;
    let count = point.to_string();
    let words = [
        "retained",
        "--qos",
        "1",
        "--window",
        "1000",
        "--messages",
        &count,
    ];
    let mut figures = traffic(&broker, plan, &[], &words)?;
    let all_ms = figures.get("wildcard_last_ms").copied();
    let each = all_ms.context("how long all took")? * 1e3 / point as f64;
    figures.insert("wildcard_us_each".to_owned(), each);
    Ok(figures)
}

fn beside_retained(point: usize, plan: &Plan) -> Result<Figures> {
    let broker = Broker::start()?;
    publish(broker.mqtt(), "crowd", point, 1_000, true, |number| {
        let topic = format!("bench/p2p/retained-{number}");
        (topic, Bytes::from_static(&[b'x'; 128]))
    })?;
    traffic(&broker, plan, &[], &["p2p"])
}

fn levels(point: usize, plan: &Plan) -> Result<Figures> {
    let words = ["p2p", "--topic-levels", &point.to_string()];
    traffic(&Broker::start()?, plan, &[], &words)
}

fn payload(point: usize, plan: &Plan) -> Result<Figures> {
    let words = ["p2p", "--payload-bytes", &point.to_string()];
    let mut figures = traffic(&Broker::start()?, plan, &[], &words)?;
    let each = figures.get("broker_cpu_us_per_delivery").copied();
    let each = each.context("what a message took")? * 1024.0 / point as f64;
    figures.insert("broker_cpu_us_per_kib".to_owned(), each);
    Ok(figures)
}

fn publishers(point: usize, plan: &Plan) -> Result<Figures> {
    let count = point.to_string();
    // At QoS 0 what a thousand publishers send would fill the sockets, and nothing would be measured but how long they take.
    let mut words = vec!["fan-out", "--publishers", &count, "--subscribers", "1"];
    words.extend(["--qos", "1", "--window", "10"]);
    traffic(&Broker::start()?, plan, &[], &words)
}

fn cores(point: usize, plan: &Plan) -> Result<Figures> {
    let all = std::thread::available_parallelism()?.get();
    let last = all.saturating_sub(1);
    let own = format!("{}-{last}", (last + 1).saturating_sub(point));
    let own = if point == 1 { "0".to_owned() } else { own };
    let broker = Broker::start_by(&["taskset", "--cpu-list", &own], &[])?;
    let generator = ["taskset", "--cpu-list", &last.to_string()];
    traffic(&broker, plan, &generator, &["p2p"])
}
