//! What has no room at once, and what a full disk has taken though it said no.

use std::{
    io::ErrorKind,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ebbtide_broker::NoRoom;
use ebbtide_protocol::{PacketId, QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Message, Operation, Properties, Queue, Recipient, RedbStore, Sequence,
    SessionRow, Store, WallTime,
};

use super::{Running, client, disk::Disk, kept, puback, retained};

/// So much a transaction may write: not as much as to remove every second of `MANY` messages.
const TRANSACTION_BYTES: usize = 300_000;
const MANY: u64 = 8_000;
/// A session that is there.
const OWNER: Incarnation = Incarnation(1_000_000);

fn message(sequence: u64, recipient: Incarnation) -> Operation {
    let message = Message {
        topic: TopicName::new("t").expect("a topic"),
        payload: Bytes::from(vec![0; 200]),
        qos: QoS::AtLeastOnce,
        retain: false,
        accepted_at: WallTime(1),
        properties: Properties::default(),
    };
    let recipient = Recipient {
        session: recipient,
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    };
    Operation::Accept(Accept {
        queued: Some(Queue {
            sequence: Sequence(sequence),
            message: Arc::new(message),
            recipients: [recipient].into(),
        }),
        retained: None,
        inbound: None,
    })
}

/// Every second message belongs to a session that has ended.
fn orphan(store: &RedbStore) {
    let gone = Incarnation(OWNER.0 + 1);
    let session = SessionRow {
        incarnation: OWNER,
        client_id: "owner".into(),
        user: None,
        session_expiry_interval: u32::MAX,
        disconnected_at: None,
        next_packet_id: PacketId::MIN,
        maybe_sent: Sequence(0),
    };
    let sessions = [Operation::PutSession(session)];
    let messages = (0..MANY).map(|n| message(1_000_000 + n, [OWNER, gone][n as usize % 2]));
    let all: Vec<_> = sessions.into_iter().chain(messages).collect();
    store.commit(&all).expect("there is room yet");
}

/// How many messages recovery still has to remove.
fn orphans(disk: &Disk) -> u64 {
    let store = disk.copy().open_store().expect("opens");
    store.recover(&mut |_| {}).expect("recovers").swept
}

#[test]
fn a_start_removes_in_parts_what_has_no_room_at_once() {
    let disk = Disk::default();
    orphan(&disk.open_store().expect("opens"));
    assert_eq!(orphans(&disk), MANY / 2);
    disk.limit_transactions(TRANSACTION_BYTES);
    let running = Running::start_on(disk);
    assert_eq!(orphans(&running.disk), 0);
    let mut publisher = running.connect("p");
    publisher.send(retained("a", "1"));
    assert!(puback(&mut publisher).is_some());
}

/// Else it would fail for as long as the disk is full, and what would make room would never be written.
#[test]
fn a_store_that_is_opened_again_does_so_too() {
    let running = Running::start();
    let (_, reader) = running.storage.current().get();
    let store = reader.file().expect("it works").expect("a file");
    orphan(&store);
    drop((store, reader));
    running.disk.limit_transactions(TRANSACTION_BYTES);
    let mut publisher = running.connect("p");
    publisher.send(retained("large", &"x".repeat(2 * TRANSACTION_BYTES)));
    running.wait_for(Some(NoRoom::Failed));
    let until = Instant::now() + client::DEADLINE;
    while orphans(&running.disk) > 0 {
        assert!(Instant::now() < until, "they stay");
        thread::sleep(Duration::from_millis(20));
    }
    running.disk.limit_transactions(usize::MAX);
    running.wait_for(None);
    assert_eq!(kept(&running.disk).len(), 1);
}

/// A part of it that is applied again could leave what never was, if the broker were killed before the next.
#[test]
fn a_commit_that_is_there_though_it_failed_is_not_made_again() {
    let mut landed = 0;
    for step in 0.. {
        let running = Running::start();
        let mut publisher = running.connect("p");
        publisher.send(retained("a", "1"));
        assert!(puback(&mut publisher).is_some());
        running.disk.fail_after(step, ErrorKind::StorageFull, false);
        publisher.send(retained("a", "2"));
        if puback(&mut publisher).is_some() {
            break;
        }
        let failed = running.disk.copy();
        running.disk.heal();
        running.wait_for(None);
        let has_landed = kept(&failed)["a"] == "2";
        landed += usize::from(has_landed);
        let stamps = failed.open_store().expect("opens").stamps();
        let healed = running.disk.copy().open_store().expect("opens");
        assert_eq!(stamps.include(&healed), has_landed, "step {step}");
        assert_eq!(kept(&running.disk)["a"], "2");
    }
    assert!(landed > 0, "a commit is there before its last step");
}
