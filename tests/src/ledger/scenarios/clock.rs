//! The broker is killed and comes back under another wall clock, as on a gateway without a battery: by libfaketime.

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::{QoS, Version};

use super::peer::{Memory, Peer, kept, transient};
use crate::broker::Broker;

/// Days from now, each start. Back, and forward by more than ten years: no session was really away for that long. (Forward
/// by less is time that has passed, for all that anybody can know.)
const CLOCKS: [i64; 5] = [-30, 20 * 365, -400, -5000, 0];

/// Sessions that expire after an hour and those that never do, with their subscriptions and what waits for them: all is
/// there under each clock. `library` is libfaketime.
pub fn clock_jumps(broker: &mut Broker, library: &str) -> Result<()> {
    let address = broker.mqtt();
    let mut hourly = kept(Version::V5, "hourly");
    hourly.session_expiry_interval = Some(3600);
    let connects = [
        hourly,
        kept(Version::V5, "for-ever"),
        kept(Version::V3_1_1, "old"),
    ];
    let mut memories: Vec<Memory> = connects.iter().map(|_| Memory::default()).collect();
    for (connect, memory) in connects.iter().zip(&mut memories) {
        let (mut client, _) = Peer::connect(address, connect.clone())?;
        client.subscribe(memory, "clock/t", QoS::ExactlyOnce)?;
        client.disconnect()?;
    }
    let (mut publisher, _) = Peer::connect(address, transient(Version::V5, "publisher"))?;
    publisher.publish_once(1, "clock/t", "before all")?;
    let mut expected = vec!["before all".to_owned()];
    for days in CLOCKS {
        broker.kill()?;
        let offset = format!("{days:+}d");
        broker.set_environment(&[
            ("LD_PRELOAD", library),
            ("FAKETIME", &offset),
            // Deadlines within a run are none of a wall clock's business.
            ("DONT_FAKE_MONOTONIC", "1"),
        ]);
        let said = broker.log().len();
        broker.start_again()?;
        let day = day_after(days)?;
        ensure!(
            broker.log()[said..].contains(&day),
            "the broker does not live on {day}:\n{}",
            &broker.log()[said..]
        );
        let (mut publisher, _) = Peer::connect(address, transient(Version::V5, "publisher"))?;
        let text = format!("at {offset}");
        publisher.publish_once(1, "clock/t", &text)?;
        expected.push(text.clone());
        for (connect, memory) in connects.iter().zip(&mut memories) {
            let (mut client, present) = Peer::connect(address, connect.clone())?;
            let name = &connect.client_id;
            ensure!(present, "at {offset} the session of {name} is gone");
            client.take_until(memory, &text)?;
            ensure!(
                memory.texts == expected,
                "at {offset} {name} has got {:?}",
                memory.texts
            );
            client.disconnect()?;
        }
    }
    Ok(())
}

/// The date so many days from today, as `date` knows it.
fn day_after(days: i64) -> Result<String> {
    let output = std::process::Command::new("date")
        .args(["--utc", "--date", &format!("{days} days"), "+%Y-%m-%d"])
        .output()
        .context("starting date")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
