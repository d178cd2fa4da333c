//! What clients find when the broker has crashed and they are back at once.

mod world;

use ebbtide_protocol::{Packet, QoS, ReasonCode, packet::Ack};
use world::*;

/// The timer of a session that expired while the broker was down has not come when the first client is there.
#[test]
fn a_return_right_after_a_start_does_not_revive_what_has_expired() {
    for (away_ms, is_there) in [(9_000, true), (10_001, false)] {
        let mut world = World::new();
        let mut connect = kept("s");
        connect.session_expiry_interval = Some(10);
        let (client, _) = world.connect(connect.clone());
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.cut(client);
        world.commit();
        world.set_wall_ms(1_000_000 + away_ms);
        world.crash();
        let (_, connack) = world.connect(connect);
        assert_eq!(connack.session_present, is_there, "away for {away_ms} ms");
        let (publisher, _) = world.connect(clean("p"));
        world.send(
            publisher,
            Packet::Publish(Box::new(publish(1, "t", "x", QoS::AtLeastOnce))),
        );
        world.commit();
        let expected = match is_there {
            true => ReasonCode::Success,
            false => ReasonCode::NoMatchingSubscribers,
        };
        assert!(
            world
                .answers(publisher)
                .contains(&Packet::PubAck(Ack::new(packet_id(1), expected))),
            "its subscription goes with it"
        );
    }
}
