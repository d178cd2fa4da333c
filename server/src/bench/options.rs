//! What may be typed after `ebbtide bench`, and what it comes to for a scenario.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ebbtide_protocol::{QoS, Version};

use super::{numbers, pace::Rate, scenario::Scenario, target::Target};
use crate::{cli::LoginFlags, tls::Trust};

/// Retained messages, unless another number is asked for.
const RETAINED: usize = 100_000;
/// Messages for sessions that are away.
const OFFLINE: usize = 1_000;

/// A load for any MQTT broker.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// What is done.
    #[arg(value_enum)]
    pub scenario: Scenario,

    /// The broker: `mqtt://`, `mqtts://`, `ws://` or `wss://`, `[USER[:PASSWORD]@]HOST[:PORT]`, and behind it the path of a WebSocket
    /// (Ebbtide: /mqtt).
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    pub url: Target,

    /// A second broker: both take turns, and the table shows the ratio.
    #[arg(long, value_name = "URL")]
    pub compare: Option<Target>,

    /// The process of the broker, on this machine: then its processor time, memory and writes are shown as well.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// The process of the second broker.
    #[arg(long, value_name = "PID", requires = "compare")]
    pub compare_pid: Option<u32>,

    /// Who may have signed the broker's certificate: a PEM file, for `mqtts` and `wss`. Default: those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    pub cafile: Option<PathBuf>,

    /// A certificate of the clients with its chain (PEM), for `mqtts` and `wss`.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    #[command(flatten)]
    pub login: LoginFlags,

    /// The command that starts the broker (restart), which the broker becomes: it is killed by its process number. It is given to
    /// the shell.
    #[arg(long, value_name = "COMMAND", required_if_eq("scenario", "restart"), conflicts_with_all = ["pid", "compare"])]
    pub start: Option<String>,

    /// How often everything is done; the table shows medians.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Prints a JSON object for each run instead of the table.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    load: Load,
}

/// How much of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
struct Load {
    /// Of publishing and subscribing.
    #[arg(long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    /// The protocol: `5` or `3.1.1`.
    #[arg(long, value_name = "VERSION", default_value = "5", value_parser = version)]
    protocol: Version,

    /// Bytes of each payload; the first eight carry the time, for the latency.
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = numbers::payload_bytes)]
    payload_bytes: usize,

    /// Levels of the topics (p2p, fan-out, fan-in, shared).
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    topic_levels: u16,

    /// Topics of each publisher, which it takes in turn (p2p, fan-in, shared); if several, they have a level more.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = numbers::topics)]
    topics: usize,

    /// Publishers. Default: 10; for fan-out 1, for fan-in and shared 100; for p2p as many as subscribers, if those are given.
    #[arg(long, value_name = "COUNT", value_parser = numbers::clients)]
    publishers: Option<usize>,

    /// Subscribers. Default: as many as publishers, and for p2p nothing else; for fan-out 100, for fan-in 1, for shared 10.
    #[arg(long, value_name = "COUNT", value_parser = numbers::clients)]
    subscribers: Option<usize>,

    /// Unacknowledged publishes of each publisher, at QoS 1 and 2.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = numbers::window)]
    window: usize,

    /// Messages a second of all publishers together, at fixed moments: latencies count from when a message should have left.
    /// Not given: as many as the broker takes.
    #[arg(long, value_name = "RATE", value_parser = numbers::rate, allow_negative_numbers = true)]
    rate: Option<f64>,

    /// With a rate: messages of so many microseconds leave together, as from a program with a clock that ticks. 0: one by one, for which the
    /// generator wakes each time, and takes more than a quick broker.
    #[arg(long, value_name = "MICROSECONDS", default_value = "1000", value_parser = numbers::tick, requires = "rate")]
    tick_us: Duration,

    /// The subscribers' sessions are kept.
    #[arg(long)]
    persistent: bool,

    /// Seconds before anything is measured.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = numbers::seconds, allow_negative_numbers = true)]
    warm_up_s: Duration,

    /// Seconds that are measured.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = numbers::some_seconds, allow_negative_numbers = true)]
    duration_s: Duration,

    /// Clients that come, 256 of them under way at a time (connect).
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = numbers::clients)]
    connections: usize,

    /// Sessions that are away (offline).
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = numbers::clients)]
    sessions: usize,

    /// Messages (retained, offline, restart). Default: 100,000 retained, 1,000 for the sessions that are away; for restart as many of both, for one session.
    #[arg(long, value_name = "COUNT", value_parser = numbers::messages)]
    messages: Option<usize>,

    /// Messages by which the rate of publishing is measured (offline), for sessions that never come back: those of --messages may be over
    /// too soon. Default: those of --messages.
    #[arg(long, value_name = "COUNT", value_parser = numbers::messages)]
    publish: Option<usize>,
}

/// What a scenario needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub qos: QoS,
    pub version: Version,
    pub payload_bytes: usize,
    pub topic_levels: u16,
    pub topics: usize,
    publishers: Option<usize>,
    subscribers: Option<usize>,
    pub window: usize,
    pub rate: Option<Rate>,
    pub persistent: bool,
    pub warm_up: Duration,
    pub duration: Duration,
    pub connections: usize,
    pub sessions: usize,
    pub messages: usize,
    pub publish: Option<usize>,
    pub start: Option<String>,
    /// The broker's process has not grown by this load before: only then does it show what something takes.
    pub is_first: bool,
    /// No other run has clients of these names.
    pub client_prefix: String,
}

impl Arguments {
    /// Whom to trust, and what to show.
    pub fn trust(&self) -> Trust<'_> {
        Trust {
            authorities: self.cafile.as_deref(),
            identity: self.cert.as_deref().zip(self.key.as_deref()),
            any_name: false,
        }
    }

    /// What clap cannot see.
    ///
    /// # Errors
    /// What does not go together, and what would.
    pub fn check(&self) -> Result<(), String> {
        let people = self.load.publishers.zip(self.load.subscribers);
        match people {
            Some((publishers, subscribers))
                if self.scenario == Scenario::P2p && publishers != subscribers =>
            {
                Err(format!(
                    "p2p has a subscriber for each publisher, so {publishers} and {subscribers} cannot be: give --publishers \
                     or --subscribers alone, or the scenario fan-out, fan-in or shared"
                ))
            }
            _ => Ok(()),
        }
    }

    /// `run`: a word that no other run has.
    pub fn settings(&self, run: &str, round: u32) -> Settings {
        let load = &self.load;
        let messages = match self.scenario {
            Scenario::Offline => OFFLINE,
            _ => RETAINED,
        };
        Settings {
            qos: QoS::from_bits(load.qos).unwrap_or_default(),
            version: load.protocol,
            payload_bytes: load.payload_bytes,
            topic_levels: load.topic_levels,
            topics: load.topics,
            publishers: load.publishers,
            subscribers: load.subscribers,
            window: load.window,
            rate: load.rate.map(|per_s| Rate {
                per_s,
                tick: load.tick_us,
            }),
            persistent: load.persistent,
            warm_up: load.warm_up_s,
            duration: load.duration_s,
            connections: load.connections,
            sessions: load.sessions,
            messages: load.messages.unwrap_or(messages),
            publish: load.publish,
            start: self.start.clone(),
            is_first: round == 1,
            client_prefix: format!("bench-{run}"),
        }
    }
}

impl Settings {
    /// How many publishers and subscribers.
    pub fn people(&self, scenario: Scenario) -> (usize, usize) {
        let publishers = self.publishers.unwrap_or(match scenario {
            Scenario::FanOut => 1,
            Scenario::FanIn | Scenario::Shared => 100,
            _ => self.subscribers.unwrap_or(10),
        });
        let subscribers = self.subscribers.unwrap_or(match scenario {
            Scenario::FanOut => 100,
            Scenario::FanIn => 1,
            Scenario::Shared => 10,
            _ => publishers,
        });
        (publishers, subscribers)
    }
}

fn version(typed: &str) -> Result<Version, &'static str> {
    match typed {
        "5" | "5.0" => Ok(Version::V5),
        "3.1.1" | "3" => Ok(Version::V3_1_1),
        _ => Err("give 5 or 3.1.1"),
    }
}
