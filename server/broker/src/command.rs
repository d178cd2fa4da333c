//! What can be asked of one session, or done to it, from outside, whoever owns it.
//!
//! A session that is away is borrowed for the moment, as a connection would own it. That of a connection is that
//! connection's alone: the command goes into its letter box and is carried out in its next turn. A command whose connection
//! ends before is lost, which is said: then somebody else owns the session, or nobody.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use ebbtide_protocol::{ByteString, TopicName};
use ebbtide_store::Sequence;
use parking_lot::Mutex;

use crate::{
    Broker, Event, Now, SessionEnd, durability,
    inspect::{Known, QueuePart, SubscriptionPart, known, queue, subscriptions},
    journal::Ticket,
    registry::{Found, Registry},
    route::mailbox::Unsent,
    session::Session,
    shared::Shared,
    timers::Timer,
};

/// How many wait for one connection.
pub(crate) const COMMANDS_MAX: usize = 16;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// So many subscriptions, ascending by filter, beginning behind `after`.
    Subscriptions {
        /// A filter as the client gave it.
        after: Option<String>,
        /// How many.
        count: usize,
    },
    /// So many of the messages that are under way or wait, the next first.
    Queue {
        /// So many are left out.
        offset: usize,
        /// How many.
        count: usize,
    },
    /// What is known of messages of this topic.
    Why {
        /// The topic.
        topic: TopicName,
    },
    /// Drops messages that wait, about so many at a time: none that came after `up_to`, and none that has a packet id, but
    /// for QoS 1 while the client is away.
    Purge {
        /// See [`Broker::last_sequence`].
        up_to: Sequence,
        /// How many.
        count: usize,
    },
    /// Ends the connection with 0x98.
    Disconnect,
    /// Ends the session, and its connection if it has one.
    Delete,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// To `Subscriptions`.
    Subscriptions(SubscriptionPart),
    /// To `Queue`.
    Queue(QueuePart),
    /// To `Why`.
    Known(Known),
    /// To `Purge`.
    Purged {
        /// How many: none means that no more are to be had.
        count: u64,
        /// It is on disk with this one.
        ticket: Ticket,
    },
    /// To `Disconnect`: the connection is over.
    Disconnected,
    /// To `Disconnect`: there was none.
    NotConnected,
    /// To `Delete`: it is on disk with this one.
    Deleted(Ticket),
}

/// Why nothing became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The connection that was to do it has ended. To be asked again.
    Lost,
    /// So many commands wait for the connection that it takes no more.
    Busy,
}

/// A command under way; ready when there is an outcome.
#[derive(Debug)]
pub struct Pending(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    outcome: Option<Result<Outcome, NotDone>>,
    waker: Option<Waker>,
}

/// Where the outcome goes.
#[derive(Debug)]
pub(crate) struct Reply(Arc<Mutex<Slot>>);

impl Pending {
    pub(crate) fn new() -> (Self, Reply) {
        let slot = Arc::default();
        (Self(Arc::clone(&slot)), Reply(slot))
    }
}

impl Future for Pending {
    type Output = Result<Outcome, NotDone>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.lock();
        match slot.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Reply {
    pub fn tell(self, outcome: Outcome) {
        self.settle(Ok(outcome));
    }

    fn settle(&self, outcome: Result<Outcome, NotDone>) {
        let mut slot = self.0.lock();
        if slot.outcome.is_none() {
            slot.outcome = Some(outcome);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.settle(Err(NotDone::Lost));
    }
}

impl Broker {
    /// Has a command carried out; `None`: this client has no session.
    #[must_use]
    pub fn command(&self, client_id: &str, command: Command, now: Now) -> Option<Pending> {
        let (pending, reply) = Pending::new();
        let shared = &*self.shared;
        match shared.registry.find(client_id, command, reply) {
            Found::Nothing => return None,
            Found::Asked => {}
            Found::Busy(reply) => reply.settle(Err(NotDone::Busy)),
            Found::Away(loan) => {
                let (session, outcome) = carry_out(loan.session, loan.command, shared, now);
                let expires_at = session.as_ref().and_then(|session| session.expires_at);
                let client_id = loan.client_id;
                let registry: &Registry = &shared.registry;
                registry.release(&client_id, &loan.control, session);
                // It may have gone off meanwhile, and then nobody had the session to end it.
                if let Some(expires_at) = expires_at {
                    shared
                        .timers
                        .ensure(expires_at, Timer::Session(client_id.clone()));
                }
                if matches!(outcome, Outcome::Deleted(_)) {
                    shared.tell(now, || deleted(client_id));
                }
                loan.reply.tell(outcome);
            }
        }
        Some(pending)
    }

    /// The number of the newest message that was kept.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.shared.numbers.lock().last_sequence()
    }
}

/// An operator has deleted a session.
pub(crate) fn deleted(client_id: ByteString) -> Event {
    Event::SessionEnded {
        client_id,
        why: SessionEnd::Deleted,
    }
}

/// On a session that is away.
fn carry_out(
    mut session: Box<Session>,
    command: Command,
    shared: &Shared,
    now: Now,
) -> (Option<Box<Session>>, Outcome) {
    let outcome = match command {
        Command::Subscriptions { after, count } => {
            Outcome::Subscriptions(subscriptions(&session, after.as_deref(), count))
        }
        Command::Queue { offset, count } => {
            Outcome::Queue(queue::part(&session, None, shared, offset, count))
        }
        Command::Why { topic } => Outcome::Known(known(&session, &topic, shared)),
        Command::Purge { up_to, count } => {
            let gone = session.purge_exchanges(shared, up_to, now.wall)
                + session.purge(shared, up_to, count, None, now.wall);
            session.count(Unsent::default());
            Outcome::Purged {
                count: gone,
                ticket: durability::outcome(shared.journal.last()),
            }
        }
        Command::Disconnect => Outcome::NotConnected,
        Command::Delete => {
            // The will goes when the session does, whatever its delay [MQTT-3.1.2-8].
            shared.wills.fire(shared, session.incarnation, now);
            let timer = Timer::Session(session.client_id.clone());
            shared.timers.remove(&timer);
            session.end(shared);
            let ticket = durability::outcome(shared.journal.last());
            return (None, Outcome::Deleted(ticket));
        }
    };
    (Some(session), outcome)
}
