//! A start with a lot of both: `rows` retained messages and as many queued ones; from exec to the first answered subscription.

use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use ebbtide_protocol::QoS;

use super::{Figures, ensure_soon};
use crate::broker::Broker;
use crate::load::{Link, clean, disk, kept, publish, receive};

const PAYLOAD: &[u8] = &[b'x'; 128];
const WINDOW: usize = 1000;

pub fn run(rows: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut broker = filled(rows)?;
    figures.bytes("disk", disk(&broker.data_dir())?);
    let start = Instant::now();
    broker.crash_and_restart()?;
    answer(&broker)?;
    let answered = start.elapsed();
    figures.time("after SIGKILL: exec to the first answer", answered);
    ensure_soon(answered)?;
    let start = Instant::now();
    broker.restart()?;
    let stopped = start.elapsed();
    answer(&broker)?;
    let answered = start.elapsed();
    figures.time("SIGTERM, end, exec to the first answer", answered);
    figures.time("of this, until it was ready", stopped);
    ensure_soon(answered)?;
    Ok(figures)
}

/// A broker with so many retained messages, and as many that wait for a session that is away.
pub fn filled(rows: usize) -> Result<Broker> {
    let broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("queued/#", QoS::AtLeastOnce)?;
    drop(link);
    for (kind, retain) in [("retained", true), ("queued", false)] {
        let name = format!("publisher of {kind}");
        publish(broker.mqtt(), &name, rows, WINDOW, retain, |number| {
            (format!("{kind}/{number}"), Bytes::from_static(PAYLOAD))
        })?;
    }
    Ok(broker)
}

/// Asks for a retained message, and waits for it.
pub fn answer(broker: &Broker) -> Result<()> {
    let (mut link, _) = Link::connect(broker.mqtt(), clean("reader"))?;
    link.subscribe("retained/7", QoS::AtMostOnce)?;
    receive(&mut link, 1)?;
    Ok(())
}
