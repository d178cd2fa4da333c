//! One run of the load generator against one broker.

use anyhow::{Result, anyhow, bail};

use super::{Peer, Row};
use crate::load::{Found, generate};

/// A fresh broker, the load, what it found.
pub fn measure(peer: &Peer, row: &Row, seconds: f64) -> Result<Found> {
    if row.qos > peer.qos_max {
        bail!("it has no QoS {}", row.qos);
    }
    if row.needs_shared() && !peer.has_shared {
        bail!("it has no shared subscriptions");
    }
    let running = peer.start()?;
    let url = match row.websocket {
        true => &running.websocket,
        false => &running.mqtt,
    };
    let (qos, pid) = (row.qos.to_string(), running.pid.to_string());
    let words = row.arguments.iter().copied();
    let words = words.chain([
        "--protocol",
        "3.1.1",
        "--url",
        url,
        "--qos",
        &qos,
        "--pid",
        &pid,
    ]);
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    if !row.ends {
        words.extend(["--duration-s".to_owned(), seconds.to_string()]);
    }
    generate(&[], &words).map_err(|error| {
        // The port is another one in each run.
        let why = error.to_string().replace(&format!("{url}: "), "");
        anyhow!(why)
    })
}
