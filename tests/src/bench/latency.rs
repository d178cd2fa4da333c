//! How long one durable publish takes, beside one durable insert of redb.

use std::time::Duration;

use anyhow::{Context, Result};
use ebbtide_protocol::QoS;

use super::raw::{self, Way};
use crate::broker::Broker;
use crate::load::{Link, kept, publish};

const PAYLOAD: &[u8] = &[b'x'; 256];

pub fn run(short: bool) -> Result<()> {
    let count = if short { 50 } else { 5_000 };
    let broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("bench", QoS::AtLeastOnce)?;
    drop(link);
    let published = publish(broker.mqtt(), "publisher", count, 1, false, |_| {
        ("bench".to_owned(), PAYLOAD.into())
    })?;
    let mut latencies = published.latencies;
    latencies.sort_unstable();
    let raw_time = Duration::from_millis(if short { 100 } else { 3_000 });
    let raw = raw::insert(Way::Insert, PAYLOAD.len(), 1, raw_time)?;
    println!("| p50 | p99 | redb itself, mean |\n|---:|---:|---:|");
    println!(
        "| {:.2} ms | {:.2} ms | {:.2} ms |",
        ms(*latencies.get(count / 2).context("half of them")?),
        ms(*latencies.get(count * 99 / 100).context("99 %")?),
        1000.0 / raw
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
