//! Presence that the broker keeps, across a real kill.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::wire::Wire;

/// Subscribes to `p/#` at QoS 0.
const SUBSCRIBE: &[u8] = b"\x82\x09\x00\x01\x00\x00\x03p/#\x00";

/// The next entry: topic and payload together, as text.
fn entry(wire: &mut Wire) -> Result<String> {
    let packet = wire.packet()?.context("the connection ended")?;
    ensure!(packet[0] >> 4 == 3, "no PUBLISH: {packet:02x?}");
    Ok(String::from_utf8_lossy(&packet).into_owned())
}

#[test]
fn who_was_there_when_the_broker_was_killed_is_offline_after_its_start() -> Result<()> {
    let mut broker = Broker::start_with(&["--presence-topic", "p/{client}"])?;
    let _lamp = Wire::connect(broker.mqtt(), "lamp")?;
    broker.crash_and_restart()?;
    let mut watcher = Wire::connect(broker.mqtt(), "watcher")?;
    watcher.send(SUBSCRIBE)?;
    watcher.packet()?.context("SUBACK")?;
    let mut seen = String::new();
    // The watcher itself is there, and the lamp has gone; in which order they come does not matter.
    while !(seen.contains("watcher") && seen.contains("broker restart")) {
        seen += &entry(&mut watcher)?;
    }
    let mut lamp = Wire::connect(broker.mqtt(), "lamp")?;
    let back = entry(&mut watcher)?;
    ensure!(back.contains("lamp") && back.contains("online"), "{back}");
    // DISCONNECT 0x00.
    lamp.send(b"\xe0\x00")?;
    let gone = entry(&mut watcher)?;
    ensure!(
        gone.contains("offline") && gone.contains("disconnect"),
        "{gone}"
    );
    Ok(())
}

#[test]
fn the_entry_of_a_client_that_is_gone_can_be_deleted() -> Result<()> {
    let broker = Broker::start_with(&["--presence-topic", "p/{client}"])?;
    let mut watcher = Wire::connect(broker.mqtt(), "watcher")?;
    watcher.send(SUBSCRIBE)?;
    watcher.packet()?.context("SUBACK")?;
    entry(&mut watcher)?;
    for client in ["lamp", "fan"] {
        let mut gone = Wire::connect(broker.mqtt(), client)?;
        gone.send(b"\xe0\x00")?;
        while !entry(&mut watcher)?.contains("offline") {}
    }
    let delete = |path: &str| api(broker.http(), "DELETE", path, None);
    let (status, problem) = delete("/api/v1/retained/p/watcher")?;
    ensure!(status == 403, "it is connected: {status} {problem}");
    let (status, summary) = delete("/api/v1/retained/p/lamp")?;
    ensure!(status == 200 && summary["count"] == 1, "{status} {summary}");
    // Nobody could publish it again.
    ensure!(summary.get("deleted").is_none(), "{summary}");
    let cleared = entry(&mut watcher)?;
    ensure!(
        cleared.contains("p/lamp") && !cleared.contains("status"),
        "{cleared}"
    );
    let (status, summary) = delete("/api/v1/retained?filter=p/%23")?;
    ensure!(status == 200 && summary["count"] == 1, "{status} {summary}");
    ensure!(summary["kept"] == 1, "{summary}");
    Ok(())
}
