//! Clean start over a stored session, and the kill right after CONNACK: what was deleted does not come back.

use std::time::Duration;

use anyhow::{Result, ensure};
use ebbtide_protocol::{QoS, Version};

use super::peer::{Memory, Peer, kept, transient};
use crate::ledger::server::Server;

/// A session with a subscription and a backlog is replaced by a clean one, kept or not; then the broker dies.
pub fn clean_start_over_a_stored_session(server: &mut Server, run: &str) -> Result<()> {
    for (version, stays) in [
        (Version::V5, true),
        (Version::V5, false),
        (Version::V3_1_1, false),
    ] {
        let name = format!("{run}-{version}-{stays}");
        let (old, new) = (format!("{name}/old"), format!("{name}/new"));
        let mut memory = Memory::default();
        let (mut client, present) = Peer::connect(server.address(), kept(version, &name))?;
        ensure!(!present, "{name}: a session of an unknown client");
        client.subscribe(&mut memory, &old, QoS::ExactlyOnce)?;
        client.disconnect()?;
        let publisher =
            || Peer::connect(server.address(), transient(version, &format!("{name}-p")));
        publisher()?.0.publish(1, &old, "backlog")?;

        let mut clean = match stays {
            true => kept(version, &name),
            false => transient(version, &name),
        };
        clean.clean_start = true;
        let (client, present) = Peer::connect(server.address(), clean)?;
        ensure!(!present, "{name}: Session Present after a clean start");
        server.kill()?;
        server.restart()?;
        drop(client);

        let (mut client, present) = Peer::connect(server.address(), kept(version, &name))?;
        ensure!(
            present == stays,
            "{name}: Session Present is {present} after the kill"
        );
        client.subscribe(&mut memory, &new, QoS::ExactlyOnce)?;
        let publisher =
            || Peer::connect(server.address(), transient(version, &format!("{name}-p")));
        let (mut publisher, _) = publisher()?;
        publisher.publish(1, &old, "to the old subscription")?;
        publisher.publish(2, &new, "to the new subscription")?;
        client.take_until(&mut memory, "to the new subscription")?;
        client.take_for(&mut memory, Duration::from_millis(100))?;
        ensure!(
            memory.texts == ["to the new subscription"],
            "{name}: {:?} came",
            memory.texts
        );
    }
    Ok(())
}
