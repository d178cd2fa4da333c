//! Many retained messages.

use std::time::Instant;

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;

use super::{Figures, ensure_soon};
use crate::broker::Broker;
use crate::load::{Link, Process, clean, disk, publish, receive};

const PAYLOAD: &[u8] = &[b'x'; 128];
const WINDOW: usize = 1000;

pub fn run(rows: usize) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut broker = Broker::start()?;
    let before = Process(broker.id()).resident()?;
    let published = publish(broker.mqtt(), "publisher", rows, WINDOW, true, |number| {
        let (site, device) = (number / 1000, number % 1000);
        (format!("site/{site}/device/{device}"), PAYLOAD.into())
    })?;
    figures.rate("publish, QoS 1, acknowledged", rows, published.took);
    let grown = Process(broker.id()).resident()?.saturating_sub(before);
    figures.bytes("memory, grown by", grown);
    figures.bytes_each("memory for each", grown, rows);
    figures.bytes("disk", disk(&broker.data_dir())?);
    look_up(&mut figures, &broker, rows, "")?;

    let start = Instant::now();
    broker.crash_and_restart()?;
    let started = start.elapsed();
    figures.time("after SIGKILL: exec to ready", started);
    ensure_soon(started)?;
    look_up(&mut figures, &broker, rows, "after SIGKILL: ")?;
    Ok(figures)
}

fn look_up(figures: &mut Figures, broker: &Broker, rows: usize, when: &str) -> Result<()> {
    let (mut link, _) = Link::connect(broker.mqtt(), clean("reader"))?;
    let start = Instant::now();
    link.subscribe("site/0/device/7", QoS::AtLeastOnce)?;
    receive(&mut link, 1)?;
    figures.time(&format!("{when}one topic, to its value"), start.elapsed());
    let (mut link, _) = Link::connect(broker.mqtt(), clean("reader of all"))?;
    link.subscribe("site/#", QoS::AtLeastOnce)?;
    let received = receive(&mut link, rows)?;
    ensure!(received.first <= received.last);
    figures.time(
        &format!("{when}all by wildcard, to the first"),
        received.first,
    );
    figures.time(
        &format!("{when}all by wildcard, to the last"),
        received.last,
    );
    Ok(())
}
