//! A broker is killed with messages retained and waiting, and started again: how long until a client has the first retained message.
//!
//! It is a child of the generator, for only who starts a process knows when it began.

use std::{
    cell::Cell,
    io,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ebbtide_protocol::QoS;

use super::{Stage, offline, retained};
use crate::bench::{
    link::{ANSWER_MAX, Link, Session},
    report::Report,
};

/// The broker has to be there by then.
const START_MAX: Duration = Duration::from_secs(60);
/// How often a client tries to get in.
const RETRY: Duration = Duration::from_millis(1);

pub async fn play(stage: &Stage<'_>) -> io::Result<Report> {
    let settings = stage.settings;
    if settings.qos == QoS::AtMostOnce {
        let why = "nothing of QoS 0 waits for a session that is away: give --qos 1";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let count = settings.messages;
    let mut broker = Broker::start(stage).await?;
    broker.link(stage, "first").await?.disconnect().await?;
    retained::set(stage, "set", count, settings.payload_bytes).await?;
    offline::leave(stage, 1).await?;
    offline::publish(stage, count).await?;
    broker.kill()?;

    // Looked at before the time begins.
    nobody_is_there(stage).await?;
    let start = Instant::now();
    let mut broker = Broker::spawn(stage)?;
    let mut link = broker.link(stage, "again").await?;
    let connected = start.elapsed();
    link.ask_to_subscribe(&retained::topic(count / 2), settings.qos)?;
    link.flush().await?;
    let came = Cell::new(0);
    let answer = async {
        while came.get() == 0 {
            retained::next(&mut link, settings.qos, |_| came.set(1)).await?;
        }
        Ok(start.elapsed())
    };
    let answered = tokio::time::timeout(ANSWER_MAX, answer).await;
    let answered = answered.unwrap_or_else(|_| {
        let why = "the broker is back, and gives no retained message though it had acknowledged all: it does not keep them over a SIGKILL";
        Err(io::Error::other(why))
    })?;

    let mut report = Report::new("restart");
    report.note("start_to_connected_ms", connected.as_secs_f64() * 1e3);
    report.note("start_to_first_retained_ms", answered.as_secs_f64() * 1e3);
    // The next round is to find as much as this one did. The session ends first: when the last retained message is acknowledged as taken
    // away, its end is on the disk as well.
    offline::end_sessions(stage, 1, &mut report).await;
    retained::take_away(stage, count, &mut report).await;
    broker.kill()?;
    Ok(report)
}

/// Killed when it is dropped.
struct Broker(Child);

/// A broker that is there would be filled and measured in place of the one that is started, which finds its port taken and ends.
async fn nobody_is_there(stage: &Stage<'_>) -> io::Result<()> {
    if !stage.dialer.is_answered().await {
        return Ok(());
    }
    let why = "somebody listens there already, who would be measured instead of the broker that --start begins: stop that one, or \
               give --url and --start another port";
    Err(io::Error::new(io::ErrorKind::AddrInUse, why))
}

impl Broker {
    async fn start(stage: &Stage<'_>) -> io::Result<Self> {
        nobody_is_there(stage).await?;
        Self::spawn(stage)
    }

    fn spawn(stage: &Stage<'_>) -> io::Result<Self> {
        let command = stage.settings.start.as_deref().unwrap_or_default();
        let mut shell = Command::new("sh");
        // Not a child of the shell: that one would be killed, and the broker would go on.
        shell.args(["-c", &format!("exec {command}")]);
        shell.stdin(Stdio::null()).stdout(Stdio::null());
        shell.stderr(Stdio::null());
        Ok(Self(shell.spawn()?))
    }

    /// A client that is in, as soon as one can be.
    async fn link(&mut self, stage: &Stage<'_>, name: &str) -> io::Result<Link> {
        let end = Instant::now() + START_MAX;
        let id = format!("{}-{name}", stage.settings.client_prefix);
        loop {
            if let Some(status) = self.0.try_wait()? {
                let why = format!("the broker that --start began has ended: {status}");
                return Err(io::Error::other(why));
            }
            match Link::connect(stage.dialer, stage.settings.version, &id, Session::Clean).await {
                Ok(link) => return Ok(link),
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// As `kill -9` does; it is gone then.
    fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.kill();
    }
}
