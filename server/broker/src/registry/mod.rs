//! Which session belongs to which client id, and who holds it [MQTT-3.1.3-2].
//!
//! A session is a value: away, it rests here; otherwise exactly one connection owns it. Whoever comes with the same
//! client id asks the owner to hand it over and waits to be woken.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use ebbtide_protocol::ByteString;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    Limit, Monotonic,
    command::{COMMANDS_MAX, Command, Reply},
    ended::Ended,
    inspect::{ConnectionInfo, Holder, Seen},
    route::mailbox::Mailbox,
    session::Session,
};

#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// What was here a moment ago.
    pub ended: Ended,
    slots: Mutex<Slots>,
    newcomers: Mutex<Newcomers>,
}

#[derive(Debug, Default)]
struct Slots {
    slots: HashMap<ByteString, Slot>,
    /// How many of them each user has, and how many connections.
    users: HashMap<Option<ByteString>, Count>,
}

/// What one user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    sessions: usize,
    connections: usize,
}

/// The most that one user may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerUser {
    pub sessions_max: usize,
    pub connections_max: usize,
}

impl Slots {
    fn change(&mut self, user: &Option<ByteString>, change: impl FnOnce(&mut Count)) {
        let count = match self.users.get_mut(user) {
            Some(count) => count,
            None => self.users.entry(user.clone()).or_default(),
        };
        change(count);
        if *count == Count::default() {
            self.users.remove(user);
        }
    }

    fn insert(&mut self, client_id: ByteString, session: Box<Session>) {
        let user = session.user.clone();
        if self.slots.insert(client_id, Slot::Away(session)).is_none() {
            self.change(&user, |count| count.sessions += 1);
        }
    }

    fn remove(&mut self, client_id: &ByteString) -> Option<Slot> {
        let slot = self.slots.remove(client_id)?;
        let user = match &slot {
            Slot::Away(session) => session.user.clone(),
            Slot::Live { owner, .. } => owner.user.clone(),
        };
        self.change(&user, |count| count.sessions -= 1);
        Some(slot)
    }
}

/// Connections that have no client id yet, so that the end of the server reaches them too.
#[derive(Debug, Default)]
struct Newcomers {
    wakers: FxHashMap<Newcomer, Waker>,
    last: u64,
}

/// A connection without a client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Newcomer(u64);

#[derive(Debug)]
enum Slot {
    Away(Box<Session>),
    Live {
        owner: Arc<Control>,
        next: Option<Arc<Control>>,
    },
}

/// The letter box of one connection for everything but messages.
#[derive(Debug)]
pub(crate) struct Control {
    pub user: Option<ByteString>,
    /// Of its session, once it has one: to be looked at.
    mailbox: OnceLock<Arc<Mailbox>>,
    /// The same; never, if the session is only borrowed.
    connection: OnceLock<ConnectionInfo>,
    waker: Waker,
    /// It counts among the connections of its user.
    is_counted: AtomicBool,
    state: Mutex<ControlState>,
}

#[derive(Debug, Default)]
struct ControlState {
    /// Another connection wants the session.
    is_evicted: bool,
    handed: Option<Option<Box<Session>>>,
    commands: Vec<(Command, Reply)>,
}

/// Who is to carry out a command.
#[derive(Debug)]
pub(crate) enum Found {
    /// There is no such session.
    Nothing,
    /// Whoever asked: the session is away. To be given back by [`Registry::release`].
    Away(Box<Loan>),
    /// The connection that owns it.
    Asked,
    /// That one has too much to do.
    Busy(Reply),
}

/// A session that was away, for as long as a command takes.
#[derive(Debug)]
pub(crate) struct Loan {
    pub client_id: ByteString,
    pub session: Box<Session>,
    /// Holds its place.
    pub control: Arc<Control>,
    pub command: Command,
    pub reply: Reply,
}

/// What a claim to a client id gives.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nobody holds it; here is what rested.
    Granted(Option<Box<Session>>),
    /// The owner has been asked; [`Control::take_handed`] has it after a wake-up.
    Asked,
    /// It belongs to another user.
    Refused,
    /// The user has as many of these as it may.
    TooMany(Limit),
}

impl Control {
    pub fn new(user: Option<ByteString>, waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            user,
            mailbox: OnceLock::new(),
            connection: OnceLock::new(),
            waker,
            is_counted: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// It has got its session.
    pub fn show(&self, mailbox: &Arc<Mailbox>, connection: ConnectionInfo) {
        // A connection gets one session.
        let _ = self.mailbox.set(Arc::clone(mailbox));
        let _ = self.connection.set(connection);
    }

    /// What it is to do for others with its session.
    pub fn take_commands(&self) -> Vec<(Command, Reply)> {
        std::mem::take(&mut self.state.lock().commands)
    }

    /// Whether another connection wants the session.
    pub fn is_evicted(&self) -> bool {
        self.state.lock().is_evicted
    }

    /// The session that was claimed: outer `None` until the former owner has let go.
    pub fn take_handed(&self) -> Option<Option<Box<Session>>> {
        self.state.lock().handed.take()
    }

    fn evict(&self) {
        self.state.lock().is_evicted = true;
        self.waker.wake_by_ref();
    }

    fn hand(&self, session: Option<Box<Session>>) {
        self.state.lock().handed = Some(session);
        self.waker.wake_by_ref();
    }
}

impl Registry {
    /// A connection that has not said who it is. To be ended by [`Registry::leave`].
    pub fn enter(&self, waker: Waker) -> Newcomer {
        let mut newcomers = self.newcomers.lock();
        newcomers.last += 1;
        let newcomer = Newcomer(newcomers.last);
        newcomers.wakers.insert(newcomer, waker);
        newcomer
    }

    /// It is known by its client id from now on, or gone.
    pub fn leave(&self, newcomer: Newcomer) {
        self.newcomers.lock().wakers.remove(&newcomer);
    }

    pub fn claim(
        &self,
        client_id: &ByteString,
        claimant: &Arc<Control>,
        per_user: PerUser,
    ) -> Claim {
        let mut slots = self.slots.lock();
        let count = slots.users.get(&claimant.user).copied();
        let Count {
            sessions,
            connections,
        } = count.unwrap_or_default();
        let is_full = connections >= per_user.connections_max;
        let claim = match slots.slots.entry(client_id.clone()) {
            Entry::Vacant(entry) => {
                if sessions >= per_user.sessions_max {
                    return Claim::TooMany(Limit::SessionsPerUserMax);
                }
                if is_full {
                    return Claim::TooMany(Limit::ConnectionsPerUserMax);
                }
                entry.insert(Slot::Live {
                    owner: Arc::clone(claimant),
                    next: None,
                });
                slots.change(&claimant.user, |count| count.sessions += 1);
                Claim::Granted(None)
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Slot::Away(session) if session.user != claimant.user => return Claim::Refused,
                Slot::Live { owner, .. } if owner.user != claimant.user => return Claim::Refused,
                Slot::Away(_) if is_full => return Claim::TooMany(Limit::ConnectionsPerUserMax),
                Slot::Away(_) => {
                    let live = Slot::Live {
                        owner: Arc::clone(claimant),
                        next: None,
                    };
                    match entry.insert(live) {
                        Slot::Away(session) => Claim::Granted(Some(session)),
                        Slot::Live { .. } => unreachable!("matched above"),
                    }
                }
                Slot::Live { owner, next } => {
                    // Who waited before is overtaken in turn.
                    if let Some(overtaken) = next.replace(Arc::clone(claimant)) {
                        overtaken.evict();
                    }
                    owner.evict();
                    // Its forerunner goes: the limit is not passed for long.
                    Claim::Asked
                }
            },
        };
        claimant.is_counted.store(true, Ordering::Relaxed);
        slots.change(&claimant.user, |count| count.connections += 1);
        claim
    }

    /// The owner lets go: the session, if it goes on, passes to who waits, or rests. `true`: nobody holds it now.
    pub fn release(
        &self,
        client_id: &ByteString,
        owner: &Arc<Control>,
        session: Option<Box<Session>>,
    ) -> bool {
        let mut slots = self.slots.lock();
        if owner.is_counted.swap(false, Ordering::Relaxed) {
            slots.change(&owner.user, |count| count.connections -= 1);
        }
        let Some(Slot::Live {
            owner: holder,
            next,
        }) = slots.slots.get_mut(client_id)
        else {
            return false;
        };
        if Arc::ptr_eq(holder, owner) {
            // What it has not done, nobody does: who asked is told.
            drop(owner.take_commands());
            match (next.take(), session) {
                (Some(next), session) => {
                    *holder = Arc::clone(&next);
                    next.hand(session);
                    false
                }
                (None, Some(session)) => {
                    slots.insert(client_id.clone(), session);
                    true
                }
                (None, None) => {
                    slots.remove(client_id);
                    true
                }
            }
        } else {
            false
        }
    }

    /// From now on it is handed nothing. What it has been handed before, it still has to let go of.
    pub fn stop_waiting(&self, client_id: &ByteString, waiting: &Arc<Control>) {
        if let Some(Slot::Live { next, .. }) = self.slots.lock().slots.get_mut(client_id) {
            next.take_if(|next| Arc::ptr_eq(next, waiting));
        }
    }

    /// Puts a recovered session to rest.
    pub fn recover(&self, session: Box<Session>) {
        self.slots.lock().insert(session.client_id.clone(), session);
    }

    /// Takes a session that has rested too long [MQTT-4.1.0-2], never one that is connected [MQTT-4.1.0-1]. A timer of an
    /// earlier absence finds a later time in it.
    pub fn take_expired(&self, client_id: &ByteString, now: Monotonic) -> Option<Box<Session>> {
        let mut slots = self.slots.lock();
        match slots.slots.get(client_id)? {
            Slot::Away(session) if session.expires_at.is_some_and(|at| at <= now) => {}
            _ => return None,
        }
        match slots.remove(client_id)? {
            Slot::Away(session) => Some(session),
            Slot::Live { .. } => unreachable!("looked at above"),
        }
    }

    /// Whether this client has a session.
    pub fn has(&self, client_id: &str) -> bool {
        self.slots.lock().slots.contains_key(client_id)
    }

    /// Finds out who carries out a command for the session of this client.
    pub fn find(&self, client_id: &str, command: Command, reply: Reply) -> Found {
        let mut slots = self.slots.lock();
        let Some((client_id, _)) = slots.slots.get_key_value(client_id) else {
            return Found::Nothing;
        };
        let client_id = client_id.clone();
        let Some(slot) = slots.slots.get_mut(&client_id) else {
            return Found::Nothing;
        };
        let user = match slot {
            Slot::Away(session) => session.user.clone(),
            Slot::Live { owner, .. } => {
                let mut state = owner.state.lock();
                if state.commands.len() >= COMMANDS_MAX {
                    return Found::Busy(reply);
                }
                state.commands.push((command, reply));
                drop(state);
                owner.waker.wake_by_ref();
                return Found::Asked;
            }
        };
        // Who comes for it meanwhile waits to be handed it, as by a connection.
        let control = Control::new(user, Waker::noop().clone());
        let live = Slot::Live {
            owner: Arc::clone(&control),
            next: None,
        };
        let Slot::Away(session) = std::mem::replace(slot, live) else {
            unreachable!("looked at above")
        };
        let _ = control.mailbox.set(Arc::clone(&session.mailbox));
        Found::Away(Box::new(Loan {
            client_id,
            session,
            control,
            command,
            reply,
        }))
    }

    /// Looks at a session.
    pub fn inspect<T>(&self, client_id: &str, look: impl FnOnce(Seen<'_>) -> T) -> Option<T> {
        let slots = self.slots.lock();
        let (client_id, slot) = slots.slots.get_key_value(client_id)?;
        seen(client_id, slot).map(look)
    }

    /// Looks at all sessions, in no order. Nobody connects meanwhile.
    pub fn inspect_all(&self, mut look: impl FnMut(Seen<'_>)) {
        for (client_id, slot) in &self.slots.lock().slots {
            if let Some(seen) = seen(client_id, slot) {
                look(seen);
            }
        }
    }

    /// Those whose session belongs to that user.
    pub fn client_ids_of(&self, user: &str) -> Vec<ByteString> {
        let slots = self.slots.lock();
        let owned = slots.slots.iter().filter(|(_, slot)| {
            let owner = match slot {
                Slot::Away(session) => &session.user,
                Slot::Live { owner, .. } => &owner.user,
            };
            owner.as_deref() == Some(user)
        });
        owned.map(|(client_id, _)| client_id.clone()).collect()
    }

    /// Wakes every connection.
    pub fn wake_all(&self) {
        for waker in self.newcomers.lock().wakers.values() {
            waker.wake_by_ref();
        }
        for slot in self.slots.lock().slots.values() {
            if let Slot::Live { owner, next } = slot {
                owner.waker.wake_by_ref();
                if let Some(next) = next {
                    next.waker.wake_by_ref();
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        self.slots.lock().slots.len()
    }
}

#[cfg(test)]
mod tests;

fn seen<'a>(client_id: &'a ByteString, slot: &'a Slot) -> Option<Seen<'a>> {
    let holder = match slot {
        Slot::Away(session) => Holder::Nobody(session),
        Slot::Live { owner, .. } => Holder::Connection {
            user: &owner.user,
            mailbox: owner.mailbox.get()?,
            info: owner.connection.get(),
        },
    };
    Some(Seen { client_id, holder })
}
