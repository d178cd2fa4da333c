//! The rows of the comparison: what `ebbtide bench` is asked for, which of its figures count, and the line to cross.
//!
//! All of them speak MQTT 3.1.1: not every peer knows 5.0.

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// A rate.
    More,
    /// A time, or memory.
    Less,
}

/// One of the figures that the load generator prints.
#[derive(Debug)]
pub struct Figure {
    /// Its name in the JSON.
    pub key: &'static str,
    /// As the table has it, with its unit.
    pub title: &'static str,
    /// Which way is better.
    pub better: Better,
}

/// What a figure has to come to.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    /// So many times Mosquitto's, at least or at most.
    Ratio(f64),
    /// The same, of another broker's.
    RatioTo(&'static str, f64),
    /// This value, at least or at most.
    Value(f64),
    /// It is shown, and nothing is asked of it.
    None,
}

/// A scenario with its figures.
#[derive(Debug)]
pub struct Row {
    /// As it is asked for.
    pub name: &'static str,
    /// As the table has it.
    pub title: &'static str,
    /// The words after `ebbtide bench`.
    pub arguments: &'static [&'static str],
    /// Over WebSockets.
    pub websocket: bool,
    /// Ends by itself, and not after some seconds.
    pub ends: bool,
    /// QoS 2 is not everywhere.
    pub qos: u8,
    /// What is looked at.
    pub figures: &'static [(Figure, Line)],
}

impl Row {
    /// They are not everywhere either.
    pub fn needs_shared(&self) -> bool {
        self.arguments.first() == Some(&"shared")
    }
}

const DELIVERED: Figure = Figure {
    key: "delivered_per_s",
    title: "delivered, /s",
    better: Better::More,
};
const CPU: Figure = Figure {
    key: "broker_cpu_us_per_delivery",
    title: "broker CPU for each, µs",
    better: Better::Less,
};
const GENERATOR: Figure = Figure {
    key: "generator_cpu_us_per_delivery",
    title: "generator CPU for each, µs",
    better: Better::Less,
};
/// As [`CPU`] and [`GENERATOR`], of those who connect.
const CONNECTION_CPU: (Figure, Line) = cpu("broker_cpu_us_per_connection", CPU.title);
const CONNECTION_GENERATOR: (Figure, Line) =
    cpu("generator_cpu_us_per_connection", GENERATOR.title);
const LOST: Figure = Figure {
    key: "lost",
    title: "lost",
    better: Better::Less,
};

macro_rules! traffic {
    ($name:literal, $title:literal, $qos:literal, $websocket:literal, $rate:literal, $cpu:literal, [$($word:literal),*]) => {
        Row {
            name: $name,
            title: $title,
            arguments: &[$($word),*],
            websocket: $websocket,
            ends: false,
            qos: $qos,
            figures: &[
                (DELIVERED, Line::Ratio($rate)),
                (CPU, Line::Ratio($cpu)),
                (GENERATOR, Line::None),
                (LOST, Line::Value(0.0)),
            ],
        }
    };
}

macro_rules! latency {
    ($name:literal, $title:literal, $ratio:literal, [$($word:literal),*]) => {
        Row {
            name: $name,
            title: $title,
            arguments: &["p2p", "--rate", "5000", $($word),*],
            websocket: false,
            ends: false,
            qos: 1,
            figures: &[
                (figure("latency_p50_ms", "p50, ms", Better::Less), Line::Ratio($ratio)),
                (figure("latency_p99_ms", "p99, ms", Better::Less), Line::Ratio($ratio)),
                (CPU, Line::None),
                (GENERATOR, Line::None),
            ],
        }
    };
}

/// All of them, in the order in which they are measured.
pub const ROWS: [Row; 20] = [
    traffic!("p2p-0", "p2p 10×10, QoS 0", 0, false, 12.0, 0.13, ["p2p"]),
    traffic!("p2p-1", "p2p 10×10, QoS 1", 1, false, 7.5, 0.16, ["p2p"]),
    traffic!("p2p-2", "p2p 10×10, QoS 2", 2, false, 8.0, 0.15, ["p2p"]),
    traffic!(
        "fan-out-100-0",
        "fan-out 1→100, QoS 0",
        0,
        false,
        4.0,
        0.25,
        ["fan-out"]
    ),
    traffic!(
        "fan-out-100-1",
        "fan-out 1→100, QoS 1",
        1,
        false,
        4.0,
        0.30,
        ["fan-out"]
    ),
    traffic!(
        "fan-out-1000-0",
        "fan-out 1→1000, QoS 0",
        0,
        false,
        7.0,
        0.16,
        ["fan-out", "--subscribers", "1000"]
    ),
    traffic!(
        "fan-out-1000-1",
        "fan-out 1→1000, QoS 1",
        1,
        false,
        5.0,
        0.20,
        ["fan-out", "--subscribers", "1000"]
    ),
    traffic!(
        "fan-in-0",
        "fan-in 100→1, QoS 0",
        0,
        false,
        5.0,
        0.18,
        ["fan-in"]
    ),
    traffic!(
        "fan-in-1",
        "fan-in 100→1, QoS 1",
        1,
        false,
        6.5,
        0.15,
        ["fan-in"]
    ),
    Row {
        name: "shared-1",
        title: "shared 100→10, QoS 1",
        arguments: &["shared"],
        websocket: false,
        ends: false,
        qos: 1,
        figures: &[
            (DELIVERED, Line::None),
            (CPU, Line::None),
            (GENERATOR, Line::None),
            (LOST, Line::None),
        ],
    },
    traffic!(
        "ws-p2p-0",
        "p2p 10×10, ws, QoS 0",
        0,
        true,
        2.5,
        0.4,
        ["p2p"]
    ),
    traffic!(
        "ws-p2p-1",
        "p2p 10×10, ws, QoS 1",
        1,
        true,
        5.0,
        0.3,
        ["p2p"]
    ),
    traffic!(
        "ws-fan-out-0",
        "fan-out 1→100, ws, QoS 0",
        0,
        true,
        4.5,
        0.4,
        ["fan-out"]
    ),
    latency!("latency", "latency at 5,000 msg/s, QoS 1", 1.0, []),
    latency!(
        "latency-one-by-one",
        "latency at 5,000 msg/s, QoS 1, one by one",
        1.0,
        ["--tick-us", "0"]
    ),
    latency!(
        "latency-persistent",
        "latency at 5,000 msg/s, QoS 1, persistent subscribers",
        2.0,
        ["--persistent"]
    ),
    Row {
        name: "retained",
        title: "100,000 retained of 128 bytes, QoS 1",
        arguments: &["retained", "--payload-bytes", "128"],
        websocket: false,
        ends: true,
        qos: 1,
        figures: &[
            (
                figure("set_per_s", "set, /s", Better::More),
                Line::Ratio(1.0),
            ),
            (
                figure("set_per_s", "the same beside NATS", Better::More),
                Line::RatioTo("NATS", 5.0),
            ),
            (
                figure("wildcard_first_ms", "by wildcard, first, ms", Better::Less),
                Line::Value(5.0),
            ),
            (
                figure("wildcard_last_ms", "last, ms", Better::Less),
                Line::Value(200.0),
            ),
            (
                figure("look_up_p50_ms", "exact look-up p50, ms", Better::Less),
                Line::Value(0.05),
            ),
            (
                figure(
                    "broker_memory_bytes_per_message",
                    "memory for each, bytes",
                    Better::Less,
                ),
                Line::Value(500.0),
            ),
            cpu("broker_cpu_us_per_set", "broker CPU for each set, µs"),
            cpu("generator_cpu_us_per_set", "generator CPU for each set, µs"),
        ],
    },
    Row {
        name: "offline",
        title: "100 sessions away × 1,000 messages, QoS 1",
        arguments: &["offline", "--publish", "10000"],
        websocket: false,
        ends: true,
        qos: 1,
        figures: &[
            (
                figure("published_per_s", "published, /s", Better::More),
                Line::Value(100_000.0),
            ),
            // For all sessions together: a message that is written once counts a hundred times.
            (
                figure("queued_per_s", "queued, /s", Better::More),
                Line::None,
            ),
            (
                figure("drained_per_s", "drained, /s", Better::More),
                Line::Value(1_000_000.0),
            ),
            (
                figure(
                    "broker_memory_bytes_per_delivery",
                    "memory for each waiting, bytes",
                    Better::Less,
                ),
                Line::Value(16.0),
            ),
            cpu(
                "broker_cpu_us_per_drained",
                "broker CPU for each drained, µs",
            ),
            cpu(
                "generator_cpu_us_per_drained",
                "generator CPU for each drained, µs",
            ),
        ],
    },
    connect(
        "connect-tcp",
        "5,000 connect at once, one subscription each, tcp",
        false,
        &[
            (
                figure("connected_per_s", "connected, /s", Better::More),
                Line::Value(20_000.0),
            ),
            (
                figure(
                    "broker_memory_kb_per_connection",
                    "memory when idle, kB",
                    Better::Less,
                ),
                Line::Value(4.096),
            ),
            CONNECTION_CPU,
            CONNECTION_GENERATOR,
        ],
    ),
    connect(
        "connect-ws",
        "5,000 connect at once, one subscription each, ws",
        true,
        &[
            (
                figure("connected_per_s", "connected, /s", Better::More),
                Line::Value(15_000.0),
            ),
            (
                figure(
                    "broker_memory_kb_per_connection",
                    "memory when idle, kB",
                    Better::Less,
                ),
                Line::Value(6.144),
            ),
            CONNECTION_CPU,
            CONNECTION_GENERATOR,
        ],
    ),
];

const fn figure(key: &'static str, title: &'static str, better: Better) -> Figure {
    Figure { key, title, better }
}

/// Nothing is asked of it.
const fn cpu(key: &'static str, title: &'static str) -> (Figure, Line) {
    (figure(key, title, Better::Less), Line::None)
}

const fn connect(
    name: &'static str,
    title: &'static str,
    websocket: bool,
    figures: &'static [(Figure, Line)],
) -> Row {
    Row {
        name,
        title,
        arguments: &["connect", "--connections", "5000"],
        websocket,
        ends: true,
        qos: 0,
        figures,
    }
}
