//! The client machine at the broker: it knows when a snapshot is complete, once, after its last message, and without a guess.

mod world;

use std::num::NonZeroU16;

use ebbtide_protocol::{
    Packet, ReasonCode, TopicFilter,
    client::{Client as Machine, Event, Options, SubscriptionChange, SubscriptionHandle},
    packet::{Connect, SubscriptionOptions},
};
use world::{Client, World, clean, kept, snapshots::*};

/// An application, its machine, and its connection.
struct App {
    machine: Machine,
    line: Client,
    /// Payloads, and `granted` and `complete` with the handle's place among those of the test.
    seen: Vec<String>,
    handles: Vec<SubscriptionHandle>,
}

impl App {
    fn new(world: &mut World, connect: Connect) -> Self {
        let mut app = Self {
            machine: Machine::new(0, Options::new(connect)),
            line: world.open(),
            seen: Vec::new(),
            handles: Vec::new(),
        };
        app.machine.handle_open(0);
        app.run(world);
        app
    }

    /// The connection is cut; the next one is opened at once.
    fn reconnect(&mut self, world: &mut World) {
        world.cut(self.line);
        self.machine.handle_closed(0, "cut");
        let due = self.machine.poll_timeout().expect("a next attempt");
        self.machine.handle_timeout(due);
        self.line = world.open();
        self.machine.handle_open(due);
        self.run(world);
    }

    fn subscribe(&mut self, filter: &str, options: SubscriptionOptions) {
        let filter = TopicFilter::new(filter).expect("a filter");
        let handle = self.machine.subscribe(filter, options);
        self.handles.push(handle.expect("there is room"));
    }

    /// Until nobody has anything to say. No time passes, so nothing can be guessed.
    fn run(&mut self, world: &mut World) {
        while self.step(world) {}
    }

    /// What is sent is committed and answered.
    fn step(&mut self, world: &mut World) -> bool {
        let mut is_moving = false;
        while let Some(packet) = self.machine.poll_packet(0) {
            assert_ne!(packet, Packet::PingReq, "it has to guess");
            world.send(self.line, packet);
            is_moving = true;
        }
        world.commit();
        for packet in world.received(self.line) {
            self.machine.handle_packet(0, packet);
            is_moving = true;
        }
        while let Some(event) = self.machine.poll_event() {
            self.note(event);
        }
        is_moving
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Message { message, .. } => {
                let payload = String::from_utf8_lossy(&message.payload);
                let topic = message.topic.as_str();
                self.seen.push(format!("{topic} {payload}"));
            }
            Event::Subscription { handle, change, .. } => {
                let what = match change {
                    SubscriptionChange::Granted(_) => "granted",
                    SubscriptionChange::SnapshotComplete { inferred: false } => "complete",
                    other => panic!("{other:?}"),
                };
                let place = self.handles.iter().position(|one| *one == handle);
                self.seen
                    .push(format!("{what} {}", place.expect("one of them")));
            }
            _ => {}
        }
    }

    fn take_seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seen)
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn whole(count: usize) -> Vec<String> {
    [
        texts(&["granted 0"]),
        values(0..count),
        texts(&["complete 0"]),
    ]
    .concat()
}

#[test]
fn it_knows_whatever_the_qos_and_the_session() {
    for connect in [clean("a"), kept("a"), slow("a")] {
        for options in [AT_MOST_ONCE, AT_LEAST_ONCE] {
            for count in [0, 3, MANY] {
                let mut world = World::new();
                retain(&mut world, count);
                let mut app = App::new(&mut world, connect.clone());
                app.subscribe("r/#", options);
                app.run(&mut world);
                assert_eq!(app.take_seen(), whole(count));
            }
        }
    }
}

#[test]
fn it_knows_when_something_has_gone_meanwhile() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (publisher, _) = world.connect(clean("p"));
    let mut app = App::new(&mut world, slow("a"));
    app.subscribe("r/#", AT_LEAST_ONCE);
    app.step(&mut world);
    set(&mut world, publisher, MANY - 1, "");
    app.run(&mut world);
    let gone = format!("{} ", topic(MANY - 1));
    let expected = [whole(MANY - 1), vec![gone]].concat();
    assert_eq!(app.take_seen(), expected);
}

/// With Retain As Published live messages look like retained ones.
#[test]
fn live_messages_are_not_taken_for_the_snapshot() {
    let as_published = SubscriptionOptions {
        retain_as_published: true,
        ..AT_LEAST_ONCE
    };
    let mut world = World::new();
    retain(&mut world, 3);
    let (publisher, _) = world.connect(clean("p"));
    let mut app = App::new(&mut world, slow("a"));
    app.subscribe("r/#", as_published);
    app.run(&mut world);
    assert_eq!(app.take_seen(), whole(3));
    for _ in 0..3 {
        set(&mut world, publisher, 0, "live");
    }
    // These are under way when the filter is used again.
    app.subscribe("r/#", as_published);
    app.run(&mut world);
    let live = format!("{} live", topic(0));
    let seen = app.take_seen();
    assert_eq!(seen.iter().filter(|one| **one == live).count(), 3 + 1);
    assert_eq!(
        seen[seen.len() - 4..],
        [vec![live], values(1..3), texts(&["complete 1"])].concat()
    );
}

#[test]
fn it_knows_again_after_an_interruption() {
    let mut world = World::new();
    retain(&mut world, MANY);
    for connect in [
        slow("a"),
        Connect {
            receive_maximum: NonZeroU16::new(1),
            ..kept("b")
        },
    ] {
        let mut app = App::new(&mut world, connect);
        app.subscribe("r/#", AT_LEAST_ONCE);
        app.step(&mut world);
        app.reconnect(&mut world);
        let seen = app.take_seen();
        let complete = seen.iter().filter(|one| *one == "complete 0");
        assert_eq!(complete.count(), 1, "{seen:?}");
        let tail = [values(0..MANY), texts(&["complete 0"])].concat();
        assert_eq!(seen[seen.len() - tail.len()..], tail);
    }
}

/// Each has an identifier of its own, so none gets into the way of another.
#[test]
fn it_knows_of_each_of_many_subscriptions() {
    let mut world = World::new();
    retain(&mut world, 30);
    let mut app = App::new(&mut world, slow("a"));
    for n in 0..30 {
        app.subscribe(&topic(n), AT_LEAST_ONCE);
    }
    app.run(&mut world);
    let seen = app.take_seen();
    for n in 0..30 {
        let message = seen.iter().position(|one| *one == values(n..n + 1)[0]);
        assert_eq!(seen[message.expect("it came") + 1], format!("complete {n}"));
    }
}

#[test]
fn a_refused_subscription_is_not_complete() {
    let mut world = World::with(ebbtide_broker::Limits {
        topic_levels_max: 2,
        ..Default::default()
    });
    let mut app = App::new(&mut world, clean("a"));
    let filter = TopicFilter::new("a/b/c").expect("a filter");
    let refused = app.machine.subscribe(filter, AT_MOST_ONCE);
    let refused = refused.expect("there is room");
    let mut changes = Vec::new();
    while let Some(packet) = app.machine.poll_packet(0) {
        world.send(app.line, packet);
        world.commit();
        for packet in world.received(app.line) {
            app.machine.handle_packet(0, packet);
        }
        while let Some(event) = app.machine.poll_event() {
            changes.push(event);
        }
    }
    let change = SubscriptionChange::Refused(ReasonCode::TopicFilterInvalid);
    let [
        Event::Subscription {
            handle,
            change: told,
            diagnostics,
        },
    ] = &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((*handle, *told), (refused, change));
    let said = diagnostics.as_ref().and_then(|d| d.reason_string.as_ref());
    assert!(said.is_some_and(|text| !text.is_empty()), "it says why");
}
