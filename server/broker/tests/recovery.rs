//! What a broker makes of the rows of a store, and what it holds on to meanwhile: no more than what waits needs.

mod world;

use std::sync::{Arc, Weak};

use ebbtide_broker::{Limits, Now, Recovery};
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, packet::Ack};
use ebbtide_store::{
    FlowRow, FlowStage, Incarnation, Recipient, RecipientSet, Row, Sequence, SessionRow, WallTime,
};

use world::{World, kept};

const SESSIONS: u64 = 300;

fn session(number: u64) -> Row {
    Row::Session(SessionRow {
        incarnation: Incarnation(number),
        client_id: format!("client {number}").into(),
        user: None,
        session_expiry_interval: u32::MAX,
        disconnected_at: Some(WallTime(0)),
        next_packet_id: PacketId::MIN,
        maybe_sent: Sequence(0),
    })
}

/// Those with a number up to `last`.
fn recipients(last: u64) -> RecipientSet {
    let recipient = |number| Recipient {
        session: Incarnation(number),
        qos: QoS::ExactlyOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    };
    (1..=last).map(recipient).collect()
}

/// Each session left a message later than the one before: no two messages wait for the same sessions.
#[test]
fn recipient_sets_are_let_go_of_as_they_come() {
    let mut recovery = Recovery::new(Limits::default(), 1);
    (1..=SESSIONS).for_each(|number| recovery.row(session(number)));
    // The first one has a message under way.
    recovery.row(Row::Flow(FlowRow {
        session: Incarnation(1),
        sequence: Sequence(7),
        packet_id: PacketId::MIN,
        stage: FlowStage::Sent,
    }));
    let mut sets: Vec<Weak<[Recipient]>> = Vec::new();
    let (mut held_most, mut waiting) = (0, 0);
    for number in 1..=SESSIONS {
        let recipients = recipients(number);
        waiting += recipients.len();
        sets.push(Arc::downgrade(&recipients));
        recovery.row(Row::Queued {
            sequence: Sequence(number),
            expires_at: None,
            size_bytes: 10,
            recipients,
        });
        let held = sets.iter().filter_map(Weak::upgrade);
        held_most = held_most.max(held.map(|set| set.len()).sum::<usize>());
    }
    assert_eq!(held_most, 0, "recipients of {waiting} that wait");
    let broker = recovery.finish(Now::default());
    assert_eq!(broker.stats().waiting, SESSIONS);
    let first = broker
        .session("client 1", Now::default())
        .expect("is there");
    assert_eq!((first.queue_messages, first.in_flight), (SESSIONS - 1, 1));
    let last = broker.session("client 300", Now::default());
    assert_eq!(last.expect("is there").queue_messages, 1);
}

/// Only the message says how it is delivered, and it comes behind what is under way.
#[test]
fn what_is_under_way_goes_on_at_its_qos() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let (client, _) = world.connect(kept("s"));
        world.subscribe(client, "t", qos);
        let (publisher, _) = world.connect(kept("p"));
        world.publish(publisher, 1, "t", "x", QoS::ExactlyOnce, false);
        world.commit();
        assert_eq!(world.received(client).len(), 1);
        world.crash();
        let (back, _) = world.connect(kept("s"));
        let packets = world.received(back);
        let [Packet::Publish(publish)] = &packets[..] else {
            panic!("unexpected {packets:?}")
        };
        assert_eq!((publish.qos, publish.dup), (qos, true));
        let id = publish.packet_id.expect("it has one");
        let ack = Ack::new(id, ReasonCode::Success);
        match qos {
            QoS::ExactlyOnce => {
                world.send(back, Packet::PubRec(ack));
                world.commit();
                let released = Packet::PubRel(Ack::new(id, ReasonCode::Success));
                assert_eq!(world.received(back), [released]);
            }
            _ => {
                world.send(back, Packet::PubAck(ack));
                world.commit();
                assert_eq!(world.received(back), []);
                assert_eq!(world.broker.stats().waiting, 0);
            }
        }
    }
}
