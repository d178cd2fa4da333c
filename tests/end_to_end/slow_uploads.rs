//! A packet that comes slowly is no silence, however it comes.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, QoS};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::peer::{Peer, Transport, clean, publish};

const PAYLOAD: usize = 12 * 1024;
const PIECE: usize = 2 * 1024;
/// After one and a half of it a client is silent. All the pieces take twice as long.
const KEEP_ALIVE_S: u16 = 4;
/// A machine that stands still for four seconds is none of the broker's matter.
const PAUSE: Duration = Duration::from_secs(2);

/// [MQTT-3.1.2-22]
#[test]
fn each_piece_of_a_large_packet_is_a_sign_of_life() -> Result<()> {
    let broker = Broker::start()?;
    std::thread::scope(|scope| {
        let uploads = [Transport::Tcp, Transport::WebSocket].map(|transport| {
            let broker = &broker;
            scope.spawn(move || upload(broker, transport))
        });
        uploads.into_iter().try_for_each(|upload| {
            let panicked = |_| anyhow::anyhow!("an upload has panicked");
            upload.join().map_err(panicked)?
        })
    })
}

fn upload(broker: &Broker, transport: Transport) -> Result<()> {
    let connect = Connect {
        keep_alive: KEEP_ALIVE_S,
        ..clean(&format!("{transport:?}"))
    };
    let (mut peer, _) = Peer::connect(broker, transport, connect)?;
    let message = publish("t", vec![0; PAYLOAD], QoS::AtLeastOnce, 1)?;
    let packet = Packet::Publish(Box::new(message));
    let packet = peer.encode(&packet);
    let bytes = match transport {
        Transport::Tcp => packet.to_vec(),
        Transport::WebSocket => frame(&packet)?,
    };
    for piece in bytes.chunks(PIECE) {
        peer.socket().write_all(piece)?;
        sleep(PAUSE);
    }
    let answer = peer.receive()?;
    ensure!(
        matches!(answer, Packet::PubAck(_)),
        "{transport:?}: {answer:?}"
    );
    Ok(())
}

/// One binary frame, with a mask of zeros.
fn frame(payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = vec![0x82, 0x80 | 126];
    frame.extend(u16::try_from(payload.len())?.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(payload);
    Ok(frame)
}
