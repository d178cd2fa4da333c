//! How fast a session gets what it missed.

use anyhow::Result;
use ebbtide_protocol::QoS;

use crate::broker::Broker;
use crate::load::{Link, kept, publish, receive};

const PAYLOAD: &[u8] = &[b'x'; 256];
const WINDOW: usize = 1000;

pub fn run(short: bool) -> Result<()> {
    let messages = if short { 1_000 } else { 100_000 };
    let broker = Broker::start()?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    link.subscribe("bench", QoS::AtLeastOnce)?;
    drop(link);
    publish(broker.mqtt(), "publisher", messages, WINDOW, false, |_| {
        ("bench".to_owned(), PAYLOAD.into())
    })?;
    let (mut link, _) = Link::connect(broker.mqtt(), kept("away"))?;
    let received = receive(&mut link, messages)?;
    println!("| messages | to the first | delivered and acknowledged, /s |\n|---:|---:|---:|");
    println!(
        "| {messages} | {:.1} ms | {:.0} |",
        received.first.as_secs_f64() * 1000.0,
        messages as f64 / received.last.as_secs_f64()
    );
    Ok(())
}
