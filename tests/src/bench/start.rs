//! How long a start takes, by how much is on disk.

use std::time::Instant;

use anyhow::Result;
use ebbtide_protocol::QoS;

use crate::broker::Broker;
use crate::load::{Link, disk, kept, publish};

const PAYLOAD: &[u8] = &[b'x'; 256];
const WINDOW: usize = 1000;

pub fn run(short: bool) -> Result<()> {
    println!("| messages on disk | MiB | exec to ready |\n|---:|---:|---:|");
    let sizes: &[usize] = if short {
        &[0, 1_000]
    } else {
        &[0, 10_000, 100_000, 1_000_000]
    };
    for &messages in sizes {
        let mut broker = Broker::start()?;
        let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
        link.subscribe("bench", QoS::AtLeastOnce)?;
        drop(link);
        publish(broker.mqtt(), "publisher", messages, WINDOW, false, |_| {
            ("bench".to_owned(), PAYLOAD.into())
        })?;
        let mib = disk(&broker.data_dir())? as f64 / f64::from(1 << 20);
        let start = Instant::now();
        broker.crash_and_restart()?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        println!("| {messages} | {mib:.0} | {ms:.0} ms |");
    }
    Ok(())
}
