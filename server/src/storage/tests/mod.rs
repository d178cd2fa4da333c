//! The writer thread on a disk that fails and fills up: what was acknowledged stays, and the broker goes on without a restart.

mod client;
mod disk;
mod full;

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ebbtide_broker::{Limits, NoRoom};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName,
    packet::{Connect, MessageProperties, Publish, Subscribe, Subscription, SubscriptionOptions},
};
use ebbtide_store::{Incarnation, Row, Sequence, Store, StoreError};

use self::{client::Client, disk::Disk};
use super::{Reader, Source, Storage};
use crate::{clock::Clock, events::Events};

const RESERVE: u64 = 1_000_000;

struct Running {
    storage: Storage,
    disk: Disk,
    clock: Clock,
    events: Events,
}

impl Running {
    fn start() -> Self {
        Self::start_on(Disk::default())
    }

    fn start_on(disk: Disk) -> Self {
        let clock = Clock::start();
        let events = Events::default();
        let storage = Storage::start_at(Source {
            access: None,
            place: Box::new(disk.clone()),
            limits: Limits::default(),
            presence: None,
            relaxed_commit: None,
            disk_reserve_bytes: RESERVE,
            clock,
            events: events.clone(),
        });
        Self {
            storage: storage.expect("starts"),
            disk,
            clock,
            events,
        }
    }

    fn connect(&self, id: &str) -> Client {
        self.enter(id, None).expect("comes in")
    }

    fn enter(&self, id: &str, expiry: Option<u32>) -> Result<Client, ReasonCode> {
        let connect = Connect {
            client_id: id.into(),
            session_expiry_interval: expiry,
            ..Connect::default()
        };
        Client::connect(self.storage.current(), self.clock, connect)
    }

    /// Waits until the broker says so of what has to be kept.
    fn wait_for(&self, no_room: Option<NoRoom>) {
        let until = Instant::now() + client::DEADLINE;
        while self.storage.current().no_room() != no_room {
            assert!(Instant::now() < until, "never {no_room:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn retained(topic: &str, payload: &str) -> Packet {
    publish(topic, payload, true)
}

fn publish(topic: &str, payload: &str, retain: bool) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain,
        topic: Some(TopicName::new(topic).expect("a topic")),
        packet_id: Some(PacketId::MIN),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }))
}

fn subscribe(filter: &str) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new(filter).expect("a filter"),
            options: SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                ..SubscriptionOptions::default()
            },
        }],
    })
}

/// The reason of the next PUBACK; `None`: the connection ended without one.
fn puback(client: &mut Client) -> Option<ReasonCode> {
    loop {
        match client.next()? {
            Packet::PubAck(ack) => return Some(ack.reason),
            Packet::Disconnect(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// The retained messages on a disk.
fn kept(disk: &Disk) -> BTreeMap<String, String> {
    let store = disk.copy().open_store().expect("opens");
    let mut kept = BTreeMap::new();
    store
        .recover(&mut |row| {
            if let Row::Retained(row) = row {
                let payload = String::from_utf8_lossy(&row.message.payload).into_owned();
                kept.insert(row.message.topic.as_str().to_owned(), payload);
            }
        })
        .expect("recovers");
    kept
}

#[test]
fn whatever_step_fails_nothing_acknowledged_is_lost_and_it_heals() {
    // EIO, ENOSPC, and EROFS: a system that has lost faith in its disk makes it read-only.
    let kinds = [
        ErrorKind::Other,
        ErrorKind::StorageFull,
        ErrorKind::ReadOnlyFilesystem,
    ];
    for how in kinds {
        for tears in [false, true] {
            // Until the steps of one commit are all behind.
            for step in 0.. {
                if !fails_at(step, how, tears) {
                    assert!(step >= 3, "a commit has more than {step} steps");
                    break;
                }
            }
        }
    }
}

/// `false`: nothing failed, the publish was through before.
fn fails_at(step: usize, how: ErrorKind, tears: bool) -> bool {
    let running = Running::start();
    let mut publisher = running.connect("p");
    let mut bystander = running.connect("b");
    bystander.send(subscribe("live"));
    assert!(matches!(bystander.next(), Some(Packet::SubAck(_))));
    publisher.send(retained("a", "1"));
    assert_eq!(
        puback(&mut publisher),
        Some(ReasonCode::NoMatchingSubscribers)
    );

    running.disk.fail_after(step, how, tears);
    publisher.send(retained("a", "2"));
    let acknowledged = puback(&mut publisher);
    if acknowledged.is_some() {
        running.disk.heal();
        assert_eq!(kept(&running.disk)["a"], "2");
        return false;
    }
    assert_eq!(publisher.closed(), Some(ReasonCode::ServerBusy));
    assert_eq!(running.storage.current().no_room(), Some(NoRoom::Failed));
    // What nobody keeps goes on.
    let mut live = running.connect("l");
    live.send(publish("live", "x", false));
    assert_eq!(puback(&mut live), Some(ReasonCode::Success));
    assert!(matches!(bystander.next(), Some(Packet::Publish(_))));
    // What has to be kept is refused.
    live.send(retained("b", "1"));
    assert_eq!(puback(&mut live), Some(ReasonCode::QuotaExceeded));
    assert_eq!(
        running.enter("k", Some(60)).err(),
        Some(ReasonCode::QuotaExceeded)
    );
    // A retained value is read from memory.
    live.send(subscribe("a"));
    assert!(matches!(live.next(), Some(Packet::SubAck(_))));
    assert!(matches!(live.next(), Some(Packet::Publish(_))));

    running.disk.heal();
    running.wait_for(None);
    live.send(retained("b", "2"));
    loop {
        match live.next() {
            Some(Packet::PubAck(ack)) => break assert!(!ack.reason.is_error()),
            Some(Packet::Publish(_)) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(bystander.look(), None);
    assert_eq!(bystander.closed(), None);
    // A kill at this moment: memory said "2", so the disk must too.
    let kept = kept(&running.disk);
    assert_eq!((&*kept["a"], &*kept["b"]), ("2", "2"));
    assert!(running.storage.finish());
    true
}

#[test]
fn it_is_tried_again_with_pauses_however_often_it_is_woken() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    running.disk.fail_after(0, ErrorKind::Other, false);
    running.disk.set_away(true);
    let failed_at = Instant::now();
    publisher.send(retained("a", "1"));
    assert_eq!(puback(&mut publisher), None);
    while failed_at.elapsed() < Duration::from_millis(500) {
        // As everything does that is queued.
        let writer = &running.storage.writer;
        writer.thread().unpark();
        thread::sleep(Duration::from_millis(1));
    }
    let tried = running.disk.openings();
    // 100 ms, then 200 ms more, then 400 ms more.
    let least_ms = 100 * ((1 << tried) - 1);
    let elapsed_ms = failed_at.elapsed().as_millis();
    assert!(least_ms <= elapsed_ms, "{tried} times in {elapsed_ms} ms");
    running.disk.set_away(false);
    running.disk.heal();
    running.wait_for(None);
}

#[test]
fn whoever_listens_is_told_that_it_fails_and_works_again() {
    let running = Running::start();
    let mut listener = running.events.listen().expect("nobody listens yet");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let mut next = || {
        let told = runtime.block_on(async {
            loop {
                match listener.next().await {
                    Some(told) if told.name == "store" => return told,
                    Some(_) => {}
                    None => panic!("it ended"),
                }
            }
        });
        let event: ebbtide_api::Event = serde_json::from_str(&told.data).expect("an event");
        match event {
            ebbtide_api::Event::Store { state, .. } => state,
            other => panic!("{other:?}"),
        }
    };
    let mut publisher = running.connect("p");
    running.disk.fail_after(0, ErrorKind::Other, false);
    publisher.send(retained("a", "1"));
    assert_eq!(next(), ebbtide_api::StoreState::Failed);
    running.disk.heal();
    assert_eq!(next(), ebbtide_api::StoreState::Working);
}

#[test]
fn a_stop_while_it_is_broken_says_so() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    running.disk.fail_after(0, ErrorKind::Other, false);
    publisher.send(retained("a", "1"));
    assert_eq!(puback(&mut publisher), None);
    assert!(!running.storage.finish());
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_disk_that_does_not_answer() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    let held = running.disk.held();
    let until_the_end = held.lock().expect("nobody has panicked");
    running.disk.fail_after(0, ErrorKind::Other, false);
    publisher.send(retained("a", "1"));
    assert_eq!(puback(&mut publisher), None);
    let until = Instant::now() + client::DEADLINE;
    while running.disk.openings() == 0 {
        assert!(Instant::now() < until, "not opened again");
        thread::sleep(Duration::from_millis(2));
    }
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(running.storage.finish_within(Duration::ZERO)));
    assert_eq!(receiver.recv_timeout(client::DEADLINE), Ok(false));
    drop(until_the_end);
}

/// The next attempt would be up to ten seconds later, and nobody waits for that.
#[test]
fn a_stop_after_the_disk_has_healed_writes_what_waits() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    running.disk.fail_after(0, ErrorKind::Other, false);
    running.disk.set_away(true);
    publisher.send(retained("a", "1"));
    assert_eq!(puback(&mut publisher), None);
    // The pause after a few attempts is a long one.
    let until = Instant::now() + client::DEADLINE;
    while running.disk.openings() < 3 {
        assert!(Instant::now() < until, "not opened again");
        thread::sleep(Duration::from_millis(2));
    }
    running.disk.set_away(false);
    running.disk.heal();
    let disk = running.disk.clone();
    assert!(running.storage.finish());
    assert_eq!(kept(&disk)["a"], "1");
}

#[test]
fn another_store_in_its_place_is_used_and_everybody_comes_anew() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    publisher.send(retained("a", "1"));
    assert!(puback(&mut publisher).is_some());
    let mut bystander = running.connect("b");
    let (_, old_reader) = running.storage.current().get();
    running.disk.fail_after(0, ErrorKind::Other, false);
    publisher.send(retained("a", "2"));
    assert_eq!(puback(&mut publisher), None);
    running.disk.replace();
    running.disk.heal();
    assert!(matches!(bystander.next(), Some(Packet::Disconnect(_))));
    assert_eq!(bystander.closed(), Some(ReasonCode::ServerShuttingDown));
    running.wait_for(None);
    assert_eq!(running.storage.current().generation(), 1);
    assert_eq!(running.connect("n").broker().stats().retained, 0);
    // It could ask for a number that is another client's message there.
    let read = |reader: &Reader| reader.read(Incarnation(1), &[Sequence(1)], 1);
    assert!(matches!(read(&old_reader), Err(StoreError::NeedsReopen)));
    let (_, reader) = running.storage.current().get();
    assert!(read(&reader).is_ok());
}

/// A disk that was made from a snapshot: this very store, as it was before something that was acknowledged.
#[test]
fn the_store_of_yesterday_is_another_one() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    publisher.send(retained("a", "1"));
    assert!(puback(&mut publisher).is_some());
    let yesterday = running.disk.copy();
    publisher.send(retained("a", "2"));
    assert!(puback(&mut publisher).is_some());
    let mut bystander = running.connect("b");
    running.disk.fail_after(0, ErrorKind::Other, false);
    publisher.send(retained("b", "1"));
    assert_eq!(puback(&mut publisher), None);
    running.disk.become_like(&yesterday);
    running.disk.heal();
    assert!(matches!(bystander.next(), Some(Packet::Disconnect(_))));
    running.wait_for(None);
    assert_eq!(running.storage.current().generation(), 1);
    // What everybody sees is what the disk has.
    let mut reader = running.connect("n");
    reader.send(subscribe("#"));
    assert!(matches!(reader.next(), Some(Packet::SubAck(_))));
    let Some(Packet::Publish(found)) = reader.next() else {
        panic!("nothing retained");
    };
    assert_eq!(&*found.payload, b"1");
    let kept = kept(&running.disk);
    assert_eq!((kept.len(), &*kept["a"]), (1, "1"));
}

#[test]
fn another_store_that_fails_while_it_is_recovered_does_not_get_the_old_batch() {
    for steps in 0..12 {
        let running = Running::start();
        let mut publisher = running.connect("p");
        running.disk.fail_after(0, ErrorKind::Other, false);
        publisher.send(retained("a", "1"));
        assert_eq!(puback(&mut publisher), None);
        running.disk.replace();
        running.disk.fail_after(steps, ErrorKind::Other, false);
        let seen = running.disk.openings();
        let until = Instant::now() + client::DEADLINE;
        // One attempt is over, whatever came of it.
        while running.disk.openings() < seen + 2 && running.storage.current().generation() == 0 {
            assert!(Instant::now() < until, "not opened again");
            thread::sleep(Duration::from_millis(2));
        }
        running.disk.heal();
        while running.storage.current().generation() == 0 {
            assert!(Instant::now() < until, "not replaced");
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(kept(&running.disk), BTreeMap::new(), "{steps}");
    }
}

#[test]
fn a_full_disk_is_refused_before_it_fails_and_noticed_when_it_has_room() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    running.disk.set_free_bytes(RESERVE);
    running.wait_for(Some(NoRoom::Full));
    publisher.send(retained("a", "1"));
    assert_eq!(puback(&mut publisher), Some(ReasonCode::QuotaExceeded));
    assert_eq!(kept(&running.disk), BTreeMap::new());
    running.disk.set_free_bytes(RESERVE * 2);
    running.wait_for(None);
    publisher.send(retained("a", "2"));
    assert_eq!(
        puback(&mut publisher),
        Some(ReasonCode::NoMatchingSubscribers)
    );
}

#[test]
fn what_is_removed_makes_room_on_a_full_disk() {
    let running = Running::start();
    let mut publisher = running.connect("p");
    let payload = "x".repeat(RESERVE as usize);
    publisher.send(retained("large", &payload));
    assert!(puback(&mut publisher).is_some());
    running.disk.set_free_bytes(RESERVE / 2);
    running.wait_for(Some(NoRoom::Full));
    publisher.send(retained("small", "1"));
    assert_eq!(puback(&mut publisher), Some(ReasonCode::QuotaExceeded));
    publisher.send(retained("large", ""));
    assert_eq!(
        puback(&mut publisher),
        Some(ReasonCode::NoMatchingSubscribers)
    );
    running.wait_for(None);
    publisher.send(retained("small", "2"));
    assert_eq!(
        puback(&mut publisher),
        Some(ReasonCode::NoMatchingSubscribers)
    );
}

/// A transaction copies pages before it changes them: what has room in parts has none as a whole.
#[test]
fn a_batch_that_does_not_fit_at_once_is_committed_in_parts() {
    const MANY: usize = 1_000;
    let running = Running::start();
    let mut publisher = running.connect("p");
    running.disk.limit_transactions(800_000);
    // The first is on its way to the disk; behind it gather the others.
    running.disk.hold(|| {
        for number in 0..MANY {
            publisher.send(retained(&format!("topic/{number}"), &"x".repeat(1_000)));
        }
    });
    running.wait_for(Some(NoRoom::Failed));
    assert_eq!(puback(&mut publisher), None);
    running.wait_for(None);
    assert_eq!(kept(&running.disk).len(), MANY);
    assert!(running.storage.finish());
}

#[test]
fn a_start_on_a_full_disk_is_no_ready_one() {
    let disk = Disk::default();
    drop(Running::start_on(disk.clone()));
    disk.set_free_bytes(0);
    let running = Running::start_on(disk);
    assert_eq!(running.storage.current().no_room(), Some(NoRoom::Full));
    assert!(running.disk.steps() > 0);
}
