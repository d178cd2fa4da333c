//! What can be done to a broker, a file each.

mod connect;
mod cost;
mod offline;
mod publish;
mod restart;
mod retained;
mod stall;
mod traffic;

use std::io;

use tokio::task::JoinError;

use super::{
    interrupt::Interrupt,
    link::{Link, Session},
    options::Settings,
    process::Process,
    report::Report,
    target::Dialer,
};
use crate::progress::{Progress, Unit};

/// Plays one scenario once.
pub struct Stage<'a> {
    pub dialer: &'a Dialer,
    pub settings: &'a Settings,
    pub process: Option<Process>,
    pub progress: &'a Progress,
    pub interrupt: &'a Interrupt,
}

impl Stage<'_> {
    /// Ends sessions that the broker would keep, and would keep every message for that comes later.
    async fn end_sessions(&self, report: &mut Report, ids: impl ExactSizeIterator<Item = String>) {
        let count = ids.len() as u64;
        for (number, id) in ids.enumerate() {
            self.progress
                .show("ended", Unit::Rows, number as u64, count);
            let ending = async {
                let version = self.settings.version;
                let link = Link::connect(self.dialer, version, &id, Session::Clean).await?;
                link.disconnect().await
            };
            if let Err(error) = ending.await {
                let remark = format!("sessions are left in the broker: {error}");
                return report.remarks.push(remark);
            }
        }
    }
}

/// How a client that has a task ended.
fn outcome(ended: Result<io::Result<()>, JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// As many publishers as subscribers, a topic for each pair.
    P2p,
    /// One publisher, a topic, many subscribers.
    FanOut,
    /// Many publishers, a topic each, one subscriber to all.
    FanIn,
    /// Many publishers, and subscribers that share the load ($share).
    Shared,
    /// All connect and subscribe to a topic each, 256 of them under way at a time; then what an idle connection takes.
    Connect,
    /// Retained messages: setting them, reading all by a wildcard, looking up single ones.
    Retained,
    /// Sessions go away, messages are published for all of them, and all come back.
    Offline,
    /// The broker, which is started by `--start`, is killed with messages retained and waiting, and started again: how long until it
    /// gives the first retained message.
    Restart,
}

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Self::P2p => "p2p",
            Self::FanOut => "fan-out",
            Self::FanIn => "fan-in",
            Self::Shared => "shared",
            Self::Connect => "connect",
            Self::Retained => "retained",
            Self::Offline => "offline",
            Self::Restart => "restart",
        }
    }

    /// It has figures already when it is told to end.
    pub fn can_end_early(self) -> bool {
        matches!(self, Self::P2p | Self::FanOut | Self::FanIn | Self::Shared)
    }

    /// Against a broker that is there.
    pub async fn play(self, stage: &Stage<'_>) -> io::Result<Report> {
        match self {
            Self::P2p | Self::FanOut | Self::FanIn | Self::Shared => {
                traffic::play(self, stage).await
            }
            Self::Connect => connect::play(stage).await,
            Self::Retained => retained::play(stage).await,
            Self::Offline => offline::play(stage).await,
            Self::Restart => restart::play(stage).await,
        }
    }
}
