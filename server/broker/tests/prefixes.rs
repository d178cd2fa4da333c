//! A store that keeps only the first operations of a batch, as one without transactions might: whatever the number, the broker
//! recovers, and what was acknowledged before is there.

mod world;

use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, SubscriptionOptions},
};
use ebbtide_store::Store as _;
use world::*;

/// Where the broker dies: after so many operations of that batch.
#[derive(Clone, Copy, Debug)]
struct Death {
    batch: usize,
    operations: usize,
}

/// A broker on its way to its death, and what its clients have been told.
struct Life {
    world: World,
    death: Death,
    batch: usize,
    /// How many operations each batch had.
    lengths: Vec<usize>,
    is_over: bool,
    acknowledged: Vec<u16>,
    /// A client with a will is in.
    has_will: bool,
}

impl Life {
    /// Everything that waits, as far as it goes.
    fn commit(&mut self) {
        while !self.is_over
            && let Some(batch) = self.world.broker.journal().take()
        {
            let operations = &batch.operations;
            self.lengths.push(operations.len());
            let is_last = self.batch == self.death.batch;
            let end = match is_last {
                true => self.death.operations.min(operations.len()),
                false => operations.len(),
            };
            let stored = self.world.store.commit(&operations[..end]);
            stored.expect("a store in memory does not fail");
            if is_last {
                self.is_over = true;
                return;
            }
            self.batch += 1;
            self.world.broker.journal().committed(&batch);
            self.world.settle();
        }
    }

    fn listen(&mut self, client: Client) {
        for packet in self.world.received(client) {
            match packet {
                Packet::PubAck(ack) | Packet::PubRec(ack) => {
                    self.acknowledged.push(ack.packet_id.get());
                }
                Packet::ConnAck(_) | Packet::SubAck(_) | Packet::PubComp(_) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

/// Whoever publishes numbers its messages from 1: they are their payloads.
fn live(death: Death) -> Life {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::ExactlyOnce);
    world.cut(subscriber);
    world.commit();
    let mut life = Life {
        world,
        death,
        batch: 0,
        lengths: Vec::new(),
        is_over: false,
        acknowledged: Vec::new(),
        has_will: false,
    };
    let publisher = life.world.open();
    let connect = Packet::Connect(Box::new(kept("p")));
    life.world.send(publisher, connect);
    life.commit();
    let mut id = 0;
    for round in 0..3 {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
            id += 1;
            let mut packet = publish(id, "t", &id.to_string(), qos);
            packet.retain = id % 2 == 0;
            life.world
                .send(publisher, Packet::Publish(Box::new(packet)));
        }
        let options = SubscriptionOptions::default();
        let filter = format!("mine/{round}");
        life.world.send(publisher, subscribe(100, &filter, options));
        life.commit();
        life.listen(publisher);
        let released = Ack::new(packet_id(id - 1), ReasonCode::Success);
        life.world.send(publisher, Packet::PubRel(released));
        life.commit();
        life.listen(publisher);
    }
    let client = life.world.open();
    let mut connect = kept("w");
    connect.will = Some(will("t", "will", 0));
    life.world.send(client, Packet::Connect(Box::new(connect)));
    life.commit();
    life.has_will = matches!(life.world.received(client)[..], [Packet::ConnAck(_)]);
    life
}

fn check(mut life: Life) {
    let death = life.death;
    let world = &mut life.world;
    world.crash();
    // The wills of those who were there are due.
    world.pass_ms(0);
    world.commit();
    let (subscriber, connack) = world.connect(kept("s"));
    assert!(connack.session_present, "{death:?}");
    let mut found = world.take_texts(subscriber);
    let had_will = found.last().is_some_and(|last| last == "will");
    found.truncate(found.len() - usize::from(had_will));
    assert!(had_will || !life.has_will, "{death:?}: the will is lost");
    // Without a gap, in order, once each; and all that was acknowledged.
    let expected: Vec<String> = (1..=found.len()).map(|id| id.to_string()).collect();
    assert_eq!(found, expected, "{death:?}");
    let acknowledged = life.acknowledged.iter().max().copied().unwrap_or(0);
    assert!(
        found.len() >= usize::from(acknowledged),
        "{death:?}: {found:?}"
    );
    // The value of the topic is at least as new as the last that was acknowledged.
    let (reader, _) = world.connect(clean("r"));
    world.subscribe(reader, "t", QoS::AtMostOnce);
    let value: Vec<u16> = world
        .take_texts(reader)
        .iter()
        .map(|text| text.parse().expect("a number"))
        .collect();
    let newest = value.first().copied().unwrap_or(0);
    // The even ones are retained.
    assert!(newest >= acknowledged & !1, "{death:?}: {newest}");
    assert!(
        usize::from(newest) <= found.len(),
        "{death:?}: {newest} is from nowhere"
    );
}

#[test]
fn the_broker_recovers_from_every_prefix_of_every_batch() {
    let never = Death {
        batch: usize::MAX,
        operations: 0,
    };
    let whole = live(never);
    assert_eq!(whole.acknowledged.len(), 9);
    assert!(whole.has_will);
    let lengths = whole.lengths.clone();
    check(whole);
    assert!(lengths.iter().any(|length| *length > 3), "{lengths:?}");
    for (batch, length) in lengths.into_iter().enumerate() {
        for operations in 0..=length {
            check(live(Death { batch, operations }));
        }
    }
}
