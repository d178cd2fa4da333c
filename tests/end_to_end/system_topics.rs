//! The state of the broker below `$SYS/broker/`, as tools for Mosquitto read it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::wire::Wire;

/// For all that is expected to have been there.
const DEADLINE: Duration = Duration::from_secs(30);

/// Subscribes to all of them at QoS 0.
const SUBSCRIBE: &[u8] = b"\x82\x0c\x00\x01\x00\x00\x06$SYS/#\x00";

/// Topic and payload of a PUBLISH at QoS 0 without properties.
fn value(packet: &[u8]) -> Result<(String, String)> {
    let start = if packet[1] < 128 { 2 } else { 3 };
    let end = start + 2 + usize::from(u16::from_be_bytes([packet[start], packet[start + 1]]));
    ensure!(packet[0] >> 4 == 3 && packet[end] == 0, "{packet:02x?}");
    let topic = String::from_utf8(packet[start + 2..end].to_vec())?;
    Ok((topic, String::from_utf8(packet[end + 1..].to_vec())?))
}

#[test]
fn the_state_of_the_broker_is_there_and_keeps_up() -> Result<()> {
    let broker = Broker::start_with(&["--sys-interval", "1"])?;
    let mut reader = Wire::connect(broker.mqtt(), "reader")?;
    reader.send(SUBSCRIBE)?;
    reader.packet()?.context("SUBACK")?;
    let mut values = BTreeMap::new();
    let wanted = [
        ("version", "ebbtide version "),
        ("uptime", ""),
        // The reader is one of them, once a tick has come since.
        ("clients/connected", "1"),
        ("load/bytes/sent/15min", ""),
        ("publish/messages/dropped", "0"),
    ];
    let started = Instant::now();
    // The values of now and those that change, in any order.
    while !wanted.iter().all(|(name, begins)| {
        let found: Option<&String> = values.get(&format!("$SYS/broker/{name}"));
        found.is_some_and(|found| found.starts_with(begins))
    }) {
        ensure!(started.elapsed() < DEADLINE, "{values:?}");
        let packet = reader.packet()?.context("the connection ended")?;
        let (topic, payload) = value(&packet)?;
        values.insert(topic, payload);
    }
    Ok(())
}

#[test]
fn they_can_be_turned_off() -> Result<()> {
    let broker = Broker::start_with(&["--sys-interval", "0"])?;
    let mut reader = Wire::connect(broker.mqtt(), "reader")?;
    reader.send(SUBSCRIBE)?;
    reader.packet()?.context("SUBACK")?;
    // What is retained comes before what is asked later.
    reader.ping()
}
