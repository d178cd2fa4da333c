//! A batch that has been written: who lets go of its messages last, and what becomes of its memory.

use std::{
    sync::{Arc, Mutex},
    task::{Wake, Waker},
};

use bytes::Bytes;
use ebbtide_protocol::{QoS, TopicName};
use ebbtide_store::{Accept, Message, Properties, Queue, Recipient, WallTime};

use super::*;

fn message() -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new("t").expect("valid"),
        payload: Bytes::from_static(b"payload"),
        qos: QoS::AtLeastOnce,
        retain: false,
        accepted_at: WallTime(1),
        properties: Properties::default(),
    })
}

fn accept(sequence: u64, message: &Arc<Message>) -> Operation {
    let recipient = Recipient {
        session: Incarnation(1),
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    };
    Operation::Accept(Accept {
        queued: Some(Queue {
            sequence: Sequence(sequence),
            message: Arc::clone(message),
            recipients: [recipient].into(),
        }),
        retained: None,
        inbound: None,
    })
}

/// Notes how many have hold of a message when it is woken.
struct Witness {
    message: Arc<Message>,
    holds: Mutex<Vec<usize>>,
}

impl Wake for Witness {
    fn wake(self: Arc<Self>) {
        let holds = Arc::strong_count(&self.message);
        self.holds.lock().expect("nobody panicked").push(holds);
    }
}

#[test]
fn who_is_woken_has_the_last_hold_on_a_message() {
    let journal = Journal::default();
    let witness = Arc::new(Witness {
        message: message(),
        holds: Mutex::default(),
    });
    let ticket = journal.submit(accept(1, &witness.message));
    journal.wake_when_durable(ticket, &Waker::from(Arc::clone(&witness)));
    let batch = journal.take().expect("one operation");
    assert_eq!(Arc::strong_count(&witness.message), 2);
    journal.finish(batch);
    assert!(journal.is_durable(ticket));
    assert_eq!(*witness.holds.lock().expect("nobody panicked"), [1]);
}

#[test]
fn the_memory_of_a_batch_is_used_again() {
    let journal = Journal::default();
    let message = message();
    journal.submit_all((1..=100).map(|n| accept(n, &message)));
    journal.finish(journal.take().expect("operations"));
    journal.submit(accept(101, &message));
    let next = journal.take().expect("one operation");
    assert_eq!(next.operations.len(), 1);
    assert!(journal.state.lock().queue.capacity() >= 100);
}

/// What a burst has taken is not held on to.
#[test]
fn the_memory_of_a_huge_batch_is_given_back() {
    let journal = Journal::default();
    let message = message();
    let operations = SPARE_OPERATIONS_MAX + 1;
    journal.submit_all((0..operations).map(|n| accept(n as u64, &message)));
    journal.finish(journal.take().expect("operations"));
    assert_eq!(journal.state.lock().spare.capacity(), 0);
}

/// Would fail if a set that is not shared counted for nothing.
#[test]
fn an_operation_holds_its_recipients_with_all_their_identifiers() {
    let journal = Journal::default();
    let mut operation = accept(1, &message());
    if let Operation::Accept(Accept {
        queued: Some(queue),
        ..
    }) = &mut operation
    {
        let mut recipients = queue.recipients.to_vec();
        recipients[0].subscription_identifiers = vec![1; 100_000];
        queue.recipients = recipients.into();
    }
    journal.submit(operation);
    assert!(journal.queue_bytes() > 400_000, "{}", journal.queue_bytes());
}
