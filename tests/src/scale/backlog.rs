//! Many messages for one session that is away.

use std::time::Instant;

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;

use super::{Figures, ensure_small, ensure_soon};
use crate::broker::Broker;
use crate::load::{Link, Process, Published, disk, file_bytes, kept, publish, receive};

const PAYLOAD: &[u8] = &[b'x'; 1024];
const WINDOW: usize = 1000;
/// How often as much goes through the store after the first time: more than twice what the file has room for at first, which redb doubles
/// as it fills.
const MORE_ROUNDS: usize = 3;

pub fn run(rows: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("backlog/#", QoS::AtLeastOnce)?;
    drop(link);
    let before = Process(broker.id()).resident()?;
    let published = fill(&broker, rows)?;
    figures.rate("publish, QoS 1, acknowledged", rows, published.took);
    let grown = Process(broker.id()).resident()?.saturating_sub(before);
    figures.bytes("memory, grown by", grown);
    figures.bytes_each("memory for each waiting delivery", grown, rows);
    ensure_small(grown, rows)?;
    figures.bytes("disk", disk(&broker.data_dir())?);

    let start = Instant::now();
    broker.crash_and_restart()?;
    let started = start.elapsed();
    figures.time("after SIGKILL: exec to ready", started);
    ensure_soon(started)?;
    let (mut link, present) = Link::connect(broker.mqtt(), kept("away"))?;
    ensure!(present, "the session is gone");
    let received = receive(&mut link, rows)?;
    figures.time("after SIGKILL: to the first message", received.first);
    figures.rate("drain, acknowledged", rows, received.last);
    drop(link);
    figures.bytes("disk after the drain", disk(&broker.data_dir())?);
    // What was freed is used again, or the file would grow with all that ever went through it. Which of the free pages are taken, and so
    // how many of them the file system has given, is another matter.
    let before = file_bytes(&broker.data_dir())?;
    for round in 1..=MORE_ROUNDS {
        fill(&broker, rows)?;
        let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
        receive(&mut link, rows)?;
        if round == 1 {
            figures.bytes("disk after the same once more", disk(&broker.data_dir())?);
        }
    }
    let after = file_bytes(&broker.data_dir())?;
    figures.bytes("length of the files", before);
    figures.bytes("the same after three more such rounds", after);
    ensure!(after == before, "freed pages are not used again");
    Ok(figures)
}

fn fill(broker: &Broker, rows: usize) -> Result<Published> {
    publish(broker.mqtt(), "publisher", rows, WINDOW, false, |number| {
        (format!("backlog/{}", number % 10), PAYLOAD.into())
    })
}
