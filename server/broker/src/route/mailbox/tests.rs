//! Spilled numbers: they leave with their bytes, and the lowest of them is known, in order or not.

use std::sync::Arc;

use bytes::Bytes;
use ebbtide_protocol::TopicName;
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
    assert_eq!(mailbox.catch_up(2, |_| 0, |_| None).len(), 2);
    mailbox.push(delivery(12), None, usize::MAX, Monotonic(0));
    assert!(!mailbox.is_spilling());
    mailbox.push(delivery(13), None, usize::MAX, Monotonic(0));
    assert!(mailbox.is_spilling() && mailbox.state.lock().is_sorted);
    assert_eq!(mailbox.lowest(), Some(Sequence(12)));
}

#[test]
fn what_was_not_in_order_may_come_back() {
    let mailbox = out_of_order();
    let taken = mailbox.catch_up(2, |_| 0, |_| None);
    mailbox.push(delivery(12), None, usize::MAX, Monotonic(0));
    mailbox.park([], taken, 0, None);
    assert_eq!(mailbox.lowest(), Some(Sequence(3)));
    let taken = mailbox.catch_up(3, |_| 0, |_| None);
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
    let taken = mailbox.catch_up(1, size_of, |_| None);
    assert_eq!((taken.len(), mailbox.waiting()), (1, (1, 20)));
    assert!(mailbox.is_spilling(), "there is more");
}
