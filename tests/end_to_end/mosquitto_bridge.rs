//! A bridge of Mosquitto, set up as its manual says, between Mosquitto and this broker.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::packet::Publish;
use ebbtide_protocol::{Packet, QoS};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::peer::{Peer, clean, publish};
use ebbtide_tests::tools::{self, Tool};
use tempfile::TempDir;

use crate::from_mosquitto::Mosquitto;

const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the bridge is there and has subscribed.
fn is_connected(broker: &Broker) -> Result<()> {
    let started = Instant::now();
    loop {
        let (_, page) = api(broker.http(), "GET", "/api/v1/sessions", None)?;
        let mut sessions = page["sessions"].as_array().into_iter().flatten();
        if sessions.any(|session| session["subscriptions"] == 1) {
            return Ok(());
        }
        ensure!(started.elapsed() < DEADLINE, "{page}\n{}", broker.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn message(peer: &mut Peer, topic: &str) -> Result<Publish> {
    loop {
        let message = peer.message()?;
        if message.topic.as_ref().context("a topic")?.as_str() == topic {
            return Ok(message);
        }
    }
}

#[test]
fn messages_go_through_a_bridge_both_ways() -> Result<()> {
    if !tools::present(&[Tool::MosquittoBroker]) {
        return Ok(());
    }
    for more in [
        "",
        "bridge_protocol_version mqttv31\n",
        "bridge_protocol_version mqttv50\n",
    ] {
        let broker = Broker::start()?;
        let folder = TempDir::new()?;
        // It waits so long after the answer that makes it drop the bit.
        let conf = format!(
            "connection there\naddress {}\ntopic # both\nrestart_timeout 1\n{more}",
            broker.mqtt()
        );
        let mosquitto = Mosquitto::start(folder.path(), &format!("allow_anonymous true\n{conf}"))?;
        is_connected(&broker)?;
        let mut here = Peer::clean(&broker, "here")?;
        let mut there = Peer::at(mosquitto.address)?;
        there.send(&Packet::Connect(Box::new(clean("there"))))?;
        ensure!(matches!(there.receive()?, Packet::ConnAck(_)));
        here.subscribe(&["to-here"], QoS::AtLeastOnce)?;
        there.subscribe(&["to-there"], QoS::AtLeastOnce)?;
        there.publish(publish("to-here", "1", QoS::AtLeastOnce, 4)?)?;
        ensure!(&message(&mut here, "to-here")?.payload[..] == b"1");
        here.publish(publish("to-there", "2", QoS::AtLeastOnce, 4)?)?;
        ensure!(&message(&mut there, "to-there")?.payload[..] == b"2");
    }
    Ok(())
}
