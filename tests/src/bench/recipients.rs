//! What a message costs that waits for N sessions: it is written once, whatever N is.

use anyhow::Result;
use ebbtide_protocol::QoS;

use crate::broker::Broker;
use crate::load::{Link, Process, disk, kept, publish};

const PAYLOAD: &[u8] = &[b'x'; 256];
const WINDOW: usize = 100;

pub fn run(short: bool) -> Result<()> {
    println!(
        "| sessions | published, /s | broker CPU for each message | bytes on disk for each message |\n\
         |---:|---:|---:|---:|"
    );
    let (sizes, messages): (&[usize], usize) = if short {
        (&[1, 10], 200)
    } else {
        (&[1, 100, 10_000], 10_000)
    };
    for &sessions in sizes {
        let broker = Broker::start()?;
        for number in 0..sessions {
            let (mut link, _) = Link::connect(broker.mqtt(), kept(&format!("away-{number}")))?;
            link.subscribe("bench", QoS::AtLeastOnce)?;
        }
        let process = Process(broker.id());
        let (cpu, bytes) = (process.cpu()?, disk(&broker.data_dir())?);
        let published = publish(broker.mqtt(), "publisher", messages, WINDOW, false, |_| {
            ("bench".to_owned(), PAYLOAD.into())
        })?;
        let cpu = process.cpu()?.saturating_sub(cpu);
        let bytes = disk(&broker.data_dir())?.saturating_sub(bytes);
        println!(
            "| {sessions} | {:.0} | {:.1} µs | {:.0} |",
            messages as f64 / published.took.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / messages as f64,
            bytes as f64 / messages as f64
        );
    }
    Ok(())
}
