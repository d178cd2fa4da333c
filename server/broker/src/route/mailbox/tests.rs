//! Spilled numbers: they leave with their bytes, and the lowest of them is known, in order or not.

use std::sync::Arc;

use bytes::Bytes;
use ebbtide_protocol::{TopicName, packet::SubscriptionOptions};
use ebbtide_store::{Message, Properties, WallTime};
use ecow::EcoVec;

use super::*;

fn delivery(sequence: u64) -> Delivery {
    Delivery {
        message: Arc::new(Message {
            topic: TopicName::new("t").expect("a topic"),
            payload: Bytes::new(),
            qos: QoS::AtLeastOnce,
            retain: false,
            accepted_at: WallTime(0),
            properties: Properties::default(),
        }),
        sequence: Some(Sequence(sequence)),
        qos: QoS::AtLeastOnce,
        retain: false,
        dup: false,
        is_snapshot: false,
        subscription_identifiers: EcoVec::new(),
        lease: None,
    }
}

fn spilling_above(outgoing_bytes_max: usize) -> Limits {
    Limits {
        outgoing_bytes_max,
        ..Limits::default()
    }
}

/// The rest of a snapshot, numbered behind what waits after it, and nothing else.
fn out_of_order() -> Mailbox {
    let mailbox = Mailbox::new(Incarnation(1), "a".into(), true, &spilling_above(0));
    mailbox.park([], vec![Sequence(9), Sequence(3)], 0, None);
    assert!(!mailbox.state.lock().is_sorted);
    assert_eq!(mailbox.lowest(), Some(Sequence(3)));
    mailbox
}

#[test]
fn what_waits_is_in_order_again_when_what_was_not_has_left() {
    let mailbox = out_of_order();
    assert_eq!(
        mailbox
            .catch_up(2, |_| 0, &mut Snapshots::default(), Revision(0))
            .len(),
        2
    );
    mailbox.push(delivery(12), None, usize::MAX, Monotonic(0));
    assert!(!mailbox.is_spilling());
    mailbox.push(delivery(13), None, usize::MAX, Monotonic(0));
    assert!(mailbox.is_spilling() && mailbox.state.lock().is_sorted);
    assert_eq!(mailbox.lowest(), Some(Sequence(12)));
}

#[test]
fn what_was_not_in_order_may_come_back() {
    let mailbox = out_of_order();
    let taken = mailbox.catch_up(2, |_| 0, &mut Snapshots::default(), Revision(0));
    mailbox.push(delivery(12), None, usize::MAX, Monotonic(0));
    mailbox.park([], taken, 0, None);
    assert_eq!(mailbox.lowest(), Some(Sequence(3)));
    let taken = mailbox.catch_up(3, |_| 0, &mut Snapshots::default(), Revision(0));
    assert_eq!(taken, [Sequence(9), Sequence(3), Sequence(12)]);
}

#[test]
fn numbers_and_their_bytes_are_taken_together() {
    let mailbox = Mailbox::new(Incarnation(1), "a".into(), true, &spilling_above(0));
    mailbox.recover(Sequence(1), 10);
    mailbox.recover(Sequence(2), 20);
    let size_of = |taken: &[Sequence]| {
        assert!(mailbox.state.is_locked(), "a publisher may look now");
        assert_eq!(taken, [Sequence(1)]);
        10
    };
    let taken = mailbox.catch_up(1, size_of, &mut Snapshots::default(), Revision(0));
    assert_eq!((taken.len(), mailbox.waiting()), (1, (1, 20)));
    assert!(mailbox.is_spilling(), "there is more");
}

/// One that is away, with a message and what so many subscriptions are owed.
fn owed(count: usize) -> Mailbox {
    let mailbox = Mailbox::new(Incarnation(1), "a".into(), true, &Limits::default());
    mailbox.recover(Sequence(1), 0);
    for number in 0..count {
        let filter = TopicFilter::new(format!("f/{number}")).expect("a filter");
        mailbox.recover_owed(filter);
    }
    mailbox
}

/// What its owner makes of these.
fn snapshots(filters: BTreeSet<TopicFilter>) -> Snapshots {
    let snapshot = |filter| Snapshot {
        filter,
        options: SubscriptionOptions::default(),
        identifier: None,
        generation: 1,
        revision: Revision(0),
        number: 0,
        after_reply: 0,
        position: None,
        is_complete: false,
    };
    filters.into_iter().map(snapshot).collect()
}

/// Would fail if each snapshot were made, or only looked at, while nobody can publish.
#[test]
fn a_session_goes_live_at_once_however_much_it_is_owed() {
    const MANY: usize = 20_000;
    let mailbox = owed(MANY);
    let filters = mailbox.begin_catch_up(1).expect("it spills");
    assert_eq!(filters.len(), MANY);
    let mut snapshots = snapshots(filters);
    let made = snapshots.mail.as_slices().0.as_ptr();
    let taken = mailbox.catch_up(1, |_| 0, &mut snapshots, Revision(7));
    assert_eq!(taken, [Sequence(1)]);
    assert!(!mailbox.is_spilling() && snapshots.is_empty());
    assert_eq!(mailbox.state.lock().queue.as_slices().0.as_ptr(), made);

    mailbox.push(delivery(2), None, usize::MAX, Monotonic(0));
    let mut mail = VecDeque::new();
    mailbox.take_queue(&mut mail, usize::MAX);
    assert_eq!(
        mail.pop_back().and_then(|last| last.sequence()),
        Some(Sequence(2))
    );
    assert_eq!(mail.len(), MANY);
    for one in &mail {
        let Mail::Snapshot(snapshot) = one else {
            panic!("{one:?}")
        };
        assert_eq!((snapshot.revision, snapshot.number), (Revision(7), 1));
    }
    assert_eq!(mailbox.state.lock().snapshot_bytes, 0);
}

#[test]
fn what_is_owed_stays_so_if_more_comes_before_it_is_live() {
    let mailbox = owed(2);
    let filters = mailbox.begin_catch_up(1).expect("it spills");
    mailbox.push(delivery(2), None, usize::MAX, Monotonic(0));
    let mut unused = snapshots(filters.clone());
    let taken = mailbox.catch_up(1, |_| 0, &mut unused, Revision(7));
    assert_eq!(taken, [Sequence(1)]);
    assert!(mailbox.is_spilling() && !unused.is_empty());
    mailbox.owe(unused);
    assert_eq!(mailbox.begin_catch_up(0), Some(BTreeSet::new()), "not yet");
    assert_eq!(mailbox.begin_catch_up(1), Some(filters));
}

/// Would fail if it went live without: while its owner waits for the lock a full queue drops what would have been left.
#[test]
fn what_is_owed_stays_so_if_the_rest_is_dropped_before_it_is_known_to_be_the_last() {
    let mailbox = owed(2);
    mailbox.recover(Sequence(2), 0);
    let filters = mailbox.begin_catch_up(1).expect("it spills");
    assert!(filters.is_empty(), "there is more than one part");
    assert!(mailbox.pop_expired(|_| true, |_| 0, |_, _, _| {}));
    let taken = mailbox.catch_up(1, |_| 0, &mut Snapshots::default(), Revision(7));
    assert_eq!((taken.len(), mailbox.is_spilling()), (1, true));
    let filters = mailbox.begin_catch_up(1).expect("it is not live yet");
    assert_eq!(filters.len(), 2);
    let taken = mailbox.catch_up(1, |_| 0, &mut snapshots(filters), Revision(7));
    assert!(taken.is_empty() && !mailbox.is_spilling());
}
