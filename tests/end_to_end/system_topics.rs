//! The state of the broker below `$SYS/broker/`, as tools for Mosquitto read it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::wire::Wire;

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
    // The values of now, then those that change; the reader is one of them.
    while values.get("$SYS/broker/clients/connected") != Some(&"1".to_owned())
        || !values.contains_key("$SYS/broker/uptime")
    {
        let packet = reader.packet()?.context("the connection ended")?;
        let (topic, payload) = value(&packet)?;
        values.insert(topic, payload);
    }
    ensure!(values["$SYS/broker/version"].starts_with("ebbtide version "));
    ensure!(
        values.contains_key("$SYS/broker/load/bytes/sent/15min"),
        "{values:?}"
    );
    ensure!(
        values.contains_key("$SYS/broker/publish/messages/dropped"),
        "{values:?}"
    );
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
