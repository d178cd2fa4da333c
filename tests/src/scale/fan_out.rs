//! Messages for many sessions that are away: `rows` sessions, a thousand messages for all of them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;

use super::{Figures, ensure_small, ensure_soon};
use crate::broker::Broker;
use crate::load::{Link, Process, disk, kept, publish, receive};

const MESSAGES: usize = 1000;
const PAYLOAD: &[u8] = &[b'x'; 256];
const WINDOW: usize = 100;

pub fn run(sessions: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut broker = Broker::start()?;
    for number in 0..sessions {
        let (mut link, _) = Link::connect(broker.mqtt(), kept(&format!("session-{number}")))?;
        link.subscribe("news", QoS::AtLeastOnce)?;
    }
    let deliveries = sessions * MESSAGES;
    let before = Process(broker.id()).resident()?;
    let cpu_before = Process(broker.id()).cpu()?;
    let published = publish(broker.mqtt(), "publisher", MESSAGES, WINDOW, false, |_| {
        ("news".to_owned(), PAYLOAD.into())
    })?;
    figures.rate("publish, deliveries queued", deliveries, published.took);
    let cpu = Process(broker.id()).cpu()?.saturating_sub(cpu_before);
    let cpu_each = cpu / u32::try_from(MESSAGES)?;
    figures.time("processor time for each message", cpu_each);
    let grown = Process(broker.id()).resident()?.saturating_sub(before);
    figures.bytes("memory, grown by", grown);
    figures.bytes_each("memory for each waiting delivery", grown, deliveries);
    ensure_small(grown, deliveries)?;
    figures.bytes("disk", disk(&broker.data_dir())?);

    let start = Instant::now();
    broker.crash_and_restart()?;
    let started = start.elapsed();
    figures.time("after SIGKILL: exec to ready", started);
    ensure_soon(started)?;
    let mut took = Duration::ZERO;
    for number in 0..sessions {
        let start = Instant::now();
        let (mut link, present) = Link::connect(broker.mqtt(), kept(&format!("session-{number}")))?;
        ensure!(present, "session {number} is gone");
        receive(&mut link, MESSAGES)?;
        took += start.elapsed();
    }
    figures.rate("drain, one session after the other", deliveries, took);
    figures.bytes("disk after the drain", disk(&broker.data_dir())?);
    Ok(figures)
}
