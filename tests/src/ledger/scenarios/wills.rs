//! Wills when the broker is killed: of clients whose sessions it does not keep, and with a delay.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ebbtide_protocol::{QoS, Version};

use super::peer::{Memory, Peer, kept, transient, with_will};
use crate::ledger::server::Server;

const QUIET: Duration = Duration::from_millis(300);

/// The kill comes right after the CONNACK of clients that nothing else on disk tells of. Who said DISCONNECT in time is
/// spared. After another kill nothing comes again.
pub fn wills_of_transient_clients(server: &mut Server, run: &str) -> Result<()> {
    let watch = format!("{run}/wills/#");
    let witness = kept(Version::V5, &format!("{run}-witness"));
    let mut memory = Memory::default();
    let (mut client, _) = Peer::connect(server.address(), witness.clone())?;
    client.subscribe(&mut memory, &watch, QoS::ExactlyOnce)?;
    client.disconnect()?;
    let testator = |name: &str, version, retain| {
        let connect = transient(version, &format!("{run}-{name}"));
        let topic = format!("{run}/wills/{name}");
        Peer::connect(
            server.address(),
            with_will(connect, &topic, &format!("{name} is gone"), retain, 0),
        )
    };
    for version in [Version::V3_1_1, Version::V5] {
        testator(&format!("polite-{version}"), version, true)?
            .0
            .disconnect()?;
    }
    // Its PUBACK says that what came before it is on disk.
    let (mut publisher, _) = Peer::connect(
        server.address(),
        transient(Version::V5, &format!("{run}-p")),
    )?;
    publisher.publish(1, &format!("{run}/wills/none"), "the polite have left")?;
    let mut expected = vec!["the polite have left".to_owned()];
    let mut connected = Vec::new();
    for version in [Version::V3_1_1, Version::V5] {
        for retain in [false, true] {
            let name = format!("{version}-{retain}");
            connected.push(testator(&name, version, retain)?.0);
            expected.push(format!("{name} is gone"));
        }
    }
    for _ in 0..2 {
        server.kill()?;
        server.restart()?;
    }
    drop(connected);

    let (mut client, present) = Peer::connect(server.address(), witness)?;
    ensure!(present, "the witness's session is gone");
    client.take_for(&mut memory, QUIET)?;
    // Those of one kill are in no order.
    memory.texts.sort();
    expected.sort();
    ensure!(memory.texts == expected, "{:?} came", memory.texts);

    let mut retained = Memory::default();
    let (mut reader, _) = Peer::connect(
        server.address(),
        transient(Version::V5, &format!("{run}-r")),
    )?;
    reader.subscribe(&mut retained, &watch, QoS::ExactlyOnce)?;
    reader.take_for(&mut retained, QUIET)?;
    retained.texts.sort();
    ensure!(
        retained.texts == ["3.1.1-true is gone", "5.0-true is gone"],
        "{:?} is retained",
        retained.texts
    );
    Ok(())
}

/// Two kills within the delay: it comes once, not before its time; not if the client is back; at the latest with the
/// session.
pub fn wills_with_delay(server: &mut Server, run: &str) -> Result<()> {
    let mut memory = Memory::default();
    let witness = kept(Version::V5, &format!("{run}-witness"));
    let (mut client, _) = Peer::connect(server.address(), witness.clone())?;
    client.subscribe(&mut memory, &format!("{run}/wills/#"), QoS::ExactlyOnce)?;
    let testator = |name: &str, delay_s, expiry_s| {
        let mut connect = kept(Version::V5, &format!("{run}-{name}"));
        connect.session_expiry_interval = Some(expiry_s);
        let topic = format!("{run}/wills/{name}");
        with_will(connect, &topic, name, false, delay_s)
    };
    let back = testator("back in time", 3600, u32::MAX);
    let connects = [
        back.clone(),
        testator("after its delay", 2, u32::MAX),
        testator("with its session", 3600, 2),
        testator("much later", 3600, u32::MAX),
    ];
    let address = server.address();
    let connected: Result<Vec<_>> = connects
        .into_iter()
        .map(|connect| Peer::connect(address, connect))
        .collect();
    server.kill()?;
    let killed = Instant::now();
    server.restart()?;
    drop(connected);
    server.kill()?;
    server.restart()?;
    let (returned, present) = Peer::connect(address, back)?;
    ensure!(present, "the session of the one that is back is gone");
    let (mut client, present) = Peer::connect(address, witness)?;
    ensure!(present, "the witness's session is gone");
    while memory.texts.len() < 2 && killed.elapsed() < Duration::from_secs(20) {
        let before = memory.texts.len();
        client.take_for(&mut memory, Duration::from_millis(50))?;
        let came = &memory.texts[before..];
        ensure!(
            came.is_empty() || killed.elapsed() >= Duration::from_secs(2),
            "{came:?} came {:?} after the kill",
            killed.elapsed()
        );
    }
    client.take_for(&mut memory, QUIET)?;
    memory.texts.sort();
    ensure!(
        memory.texts == ["after its delay", "with its session"],
        "{:?} came",
        memory.texts
    );
    returned.disconnect()
}
