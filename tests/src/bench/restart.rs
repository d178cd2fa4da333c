//! How soon a broker that was killed answers again: from exec to a retained message for the first who asks.

use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use ebbtide_protocol::QoS;

use crate::broker::Broker;
use crate::load::{Link, clean, kept, publish, receive};

const PAYLOAD: &[u8] = &[b'x'; 128];
const WINDOW: usize = 1000;
const KILLS: usize = 5;
const ANSWERED_MS_MAX: f64 = 200.0;

pub fn run(short: bool) -> Result<()> {
    let rows = if short { 1_000 } else { 100_000 };
    let mut broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("queued/#", QoS::AtLeastOnce)?;
    drop(link);
    for (kind, retain) in [("retained", true), ("queued", false)] {
        let name = format!("publisher of {kind}");
        publish(broker.mqtt(), &name, rows, WINDOW, retain, |number| {
            (format!("{kind}/{number}"), Bytes::from_static(PAYLOAD))
        })?;
    }
    let mut took_ms = Vec::new();
    for _ in 0..KILLS {
        broker.kill()?;
        let start = Instant::now();
        broker.start_again()?;
        let (mut link, _) = Link::connect(broker.mqtt(), clean("reader"))?;
        link.subscribe("retained/7", QoS::AtMostOnce)?;
        receive(&mut link, 1)?;
        took_ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    took_ms.sort_by(f64::total_cmp);
    let median = took_ms[KILLS / 2];
    println!(
        "| retained | queued | to the first answer, median of {KILLS} | from | to | line |\n|---:|---:|---:|---:|---:|---:|"
    );
    println!(
        "| {rows} | {rows} | {median:.0} ms | {:.0} ms | {:.0} ms | {ANSWERED_MS_MAX:.0} ms |",
        took_ms[0],
        took_ms[KILLS - 1]
    );
    ensure!(
        median <= ANSWERED_MS_MAX,
        "{median:.0} ms to the first answer: at most {ANSWERED_MS_MAX:.0} are promised"
    );
    Ok(())
}
