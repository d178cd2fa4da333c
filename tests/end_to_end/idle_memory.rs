//! What a client has sent and received is not held while it is idle.

use anyhow::Result;
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::memory::Watch;
use ebbtide_tests::peer::{Peer, Transport, clean, publish};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the broker needs for itself: the store's cache, stacks, what the allocator keeps.
const OWN: usize = 24 * MIB;
const CLIENTS: usize = 100;
const PAYLOAD: usize = MIB / 2;

/// One after the other, each alone with a message as large: whoever kept its buffers would keep half a mebibyte.
#[test]
fn a_large_message_leaves_nothing_behind() -> Result<()> {
    for transport in [Transport::Tcp, Transport::WebSocket] {
        for receives in [false, true] {
            let broker = Broker::start()?;
            let watch = Watch::begin(&broker)?;
            let mut publisher = Peer::clean(&broker, "publisher")?;
            let mut idle = Vec::new();
            for number in 0..CLIENTS {
                let (mut peer, _) =
                    Peer::connect(&broker, transport, clean(&format!("idle-{number}")))?;
                let large = publish("large", vec![0; PAYLOAD], QoS::AtMostOnce, 1)?;
                if receives {
                    peer.subscribe(&["large"], QoS::AtMostOnce)?;
                    publisher.publish(large)?;
                    peer.message()?;
                    peer.send(&ebbtide_tests::peer::unsubscribe("large")?)?;
                    peer.receive()?;
                } else {
                    peer.publish(large)?;
                }
                peer.ping()?;
                idle.push(peer);
            }
            watch.expect_below(CLIENTS * 16 * KIB + OWN)?;
        }
    }
    Ok(())
}
