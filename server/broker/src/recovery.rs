//! From the rows of a store to a running broker.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

use arc_swap::ArcSwap;
use ebbtide_protocol::{ByteString, QoS, TopicFilter};
use ebbtide_store::{
    FlowRow, FlowStage, GroupRow, Incarnation, Marks, Operation, Recipient, RetainedRow, Row,
    Sequence, SessionRow, SubscriptionRow, WallTime, WillRow,
};
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    Broker, Journal, Limits, Now,
    event::Observer,
    expiry,
    fates::Fates,
    inspect::RecentLosses,
    numbers::Numbers,
    plausible,
    presence::{Presence, PresenceTopic},
    registry::Registry,
    route::{
        excess::Excess,
        group::Group,
        index::Index,
        mailbox::{Mailbox, Unsent},
        retained::Retained,
    },
    rules::{Book, Rules},
    session::{Session, Subscribed, Subscriptions, flows::Flows},
    shared::Shared,
    stats::Counters,
    timers::{Timer, Timers},
    wills::{Wills, will_delay_ms},
};

/// A broker on its way up: takes the rows that a store recovers, in the store's order.
#[derive(Debug)]
pub struct Recovery {
    limits: Limits,
    seed: u64,
    marks: Marks,
    sessions: FxHashMap<Incarnation, (Session, Option<WallTime>)>,
    flows: Vec<FlowRow>,
    /// What these are about, and the QoS of its delivery: the message says that, when it comes.
    in_flight: FxHashMap<(Incarnation, Sequence), QoS>,
    index: Index,
    groups: FxHashMap<Incarnation, Arc<Group>>,
    /// Whose rows are to be written.
    new_groups: Vec<GroupRow>,
    /// The tree of them is built at the end.
    retained: Vec<RetainedRow>,
    expiring: Vec<RetainedRow>,
    expiring_queued: Vec<(Sequence, WallTime)>,
    wills: Vec<WillRow>,
    journal: Journal,
    last_sequence: Sequence,
    presence: Option<PresenceTopic>,
    observer: Option<Arc<dyn Observer>>,
    rules: Option<Rules>,
}

impl Recovery {
    /// Starts empty. `seed` makes the client ids that the broker assigns differ between runs.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            seed,
            marks: Marks::default(),
            sessions: FxHashMap::default(),
            flows: Vec::new(),
            in_flight: FxHashMap::default(),
            index: Index::default(),
            groups: FxHashMap::default(),
            new_groups: Vec::new(),
            retained: Vec::new(),
            expiring: Vec::new(),
            expiring_queued: Vec::new(),
            wills: Vec::new(),
            journal: Journal::default(),
            last_sequence: Sequence(0),
            presence: None,
            observer: None,
            rules: None,
        }
    }

    /// Somebody watches what happens from then on.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// From the start these rules decide who may do what. Without any, everybody may do anything.
    pub fn guard(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    /// The broker is to keep presence there.
    pub fn keep_presence(&mut self, topic: PresenceTopic) {
        self.presence = Some(topic);
    }

    /// Takes one row.
    pub fn row(&mut self, row: Row) {
        match row {
            Row::Marks(marks) => self.marks = marks,
            // What it means is decided outside, and given to `guard`.
            Row::Access(_) => {}
            Row::Session(row) => self.session(row),
            Row::Subscription {
                session,
                subscription,
            } => {
                if self.sessions.contains_key(&session) {
                    self.subscription(session, subscription);
                }
            }
            Row::Group(row) => {
                self.insert_group(row);
            }
            Row::Inbound { session, packet_id } => {
                if let Some((session, _)) = self.sessions.get_mut(&session) {
                    session.inbound.insert(packet_id);
                }
            }
            Row::Dropped(row) => {
                if let Some((session, _)) = self.sessions.get(&row.session) {
                    session.mailbox.losses.recover(row);
                }
            }
            Row::Will(will) => self.wills.push(*will),
            Row::Retained(row) => {
                if row.message.expires_at().is_some() {
                    self.expiring.push(row.clone());
                }
                self.retained.push(row);
            }
            Row::Queued {
                sequence,
                recipients,
                size_bytes,
                expires_at,
            } => {
                self.last_sequence = self.last_sequence.max(sequence);
                self.expiring_queued
                    .extend(expires_at.map(|expires_at| (sequence, expires_at)));
                self.journal
                    .recovered(sequence, recipients.len(), size_bytes);
                for recipient in &*recipients {
                    self.waits(recipient, sequence, size_bytes);
                }
            }
            Row::Flow(flow) => {
                if self.sessions.contains_key(&flow.session) {
                    // Without its message nobody knows.
                    let qos = QoS::AtLeastOnce;
                    self.in_flight.insert((flow.session, flow.sequence), qos);
                    self.flows.push(flow);
                }
            }
        }
    }

    /// A session or a group waits for a message. What is under way waits no longer.
    fn waits(&mut self, recipient: &Recipient, sequence: Sequence, bytes: u64) {
        let owner = recipient.session;
        if let Some(group) = self.groups.get(&owner) {
            group.recover(sequence, bytes);
        } else if let Some(qos) = self.in_flight.get_mut(&(owner, sequence)) {
            *qos = recipient.qos;
        } else if let Some((session, _)) = self.sessions.get(&owner) {
            session.mailbox.recover(sequence, bytes);
        }
    }

    /// Sessions that had a connection count as disconnected from now on; their wills and expiry run. The first batch of
    /// the journal has to be committed before connections are taken.
    #[must_use]
    pub fn finish(mut self, now: Now) -> Broker {
        self.begin_exchanges();
        self.watch_queued(now);
        let numbers = Numbers::new(self.marks, &self.journal);
        let ended = self.end_groups();
        let counters = Counters::default();
        let retained = self.correct_retained(&counters, now);
        let last_sequence = self.last_sequence;
        let sessions = mem::take(&mut self.sessions);
        let expiring = mem::take(&mut self.expiring);
        let wills = mem::take(&mut self.wills);
        let shared = self.share(numbers, retained, counters, now);
        if shared.presence.as_ref().is_some_and(Presence::is_stale) {
            shared.timers.set(now.monotonic, Timer::Presence);
        }
        for row in expiring {
            expiry::watch(&shared.timers, &row.message, now);
        }
        expiry::watch_first(&shared, now);
        for group in ended {
            group.end(&shared);
        }
        let (newest, superseded) = newest_of_each(sessions);
        for session in superseded {
            session.end(&shared);
        }
        let mut expiries: FxHashMap<Incarnation, Option<u64>> = FxHashMap::default();
        for (session, disconnected_at) in newest {
            let incarnation = session.incarnation;
            let left_ms = rest(&shared, session, disconnected_at, last_sequence, now);
            expiries.insert(incarnation, left_ms);
        }
        for row in wills {
            recover_will(&shared, row, &expiries, now);
        }
        Broker { shared }
    }

    /// All messages have come: it is known how each is delivered.
    fn begin_exchanges(&mut self) {
        for flow in mem::take(&mut self.flows) {
            let about = (flow.session, flow.sequence);
            let qos = match flow.stage {
                FlowStage::Released => QoS::ExactlyOnce,
                FlowStage::Sent => self.in_flight[&about],
            };
            if let Some((session, _)) = self.sessions.get_mut(&flow.session) {
                session
                    .flows
                    .insert(flow.packet_id, Some(flow.sequence), qos, flow.stage);
            }
        }
    }

    /// What waits, and has an end that makes sense.
    fn watch_queued(&mut self, now: Now) {
        for (sequence, expires_at) in mem::take(&mut self.expiring_queued) {
            if plausible::is_expiry(expires_at, now.wall) {
                self.journal.recovered_expiry(sequence, expires_at);
            }
        }
        for (_, sequence) in mem::take(&mut self.in_flight).into_keys() {
            self.journal.recovered_exchange(sequence);
        }
    }

    /// Writes the rows of those that begin anew; gives those that nobody is in, which are out of the index.
    fn end_groups(&mut self) -> Vec<Arc<Group>> {
        let new_groups = mem::take(&mut self.new_groups).into_iter();
        self.journal.submit_all(new_groups.map(Operation::PutGroup));
        let groups = mem::take(&mut self.groups).into_values();
        groups
            .filter(|group| group.has_no_members())
            .map(|group| self.index.remove_group(&group))
            .collect()
    }

    /// The tree of retained messages; those whose times make no sense have other ones there and in `expiring`.
    fn correct_retained(&mut self, counters: &Counters, now: Now) -> Retained {
        let mut retained = Retained::of(mem::take(&mut self.retained));
        for row in &mut self.expiring {
            if plausible::correct(&mut row.message, now.wall, now.wall) {
                counters.implausible();
                retained.set(row.clone());
            }
        }
        retained
    }

    fn share(
        self,
        numbers: Numbers,
        retained: Retained,
        counters: Counters,
        now: Now,
    ) -> Arc<Shared> {
        let presence = self.presence;
        let presence = presence.map(|topic| Presence::recover(topic, &retained));
        Arc::new(Shared {
            limits: ArcSwap::from_pointee(self.limits),
            registry: Registry::default(),
            index: RwLock::new(self.index),
            numbers: Mutex::new(numbers),
            retained: RwLock::new(retained),
            recent_sets: Mutex::default(),
            wills: Wills::default(),
            rules: self.rules.map(Book::new),
            timers: Timers::default(),
            journal: self.journal,
            counters,
            abandoned: Mutex::default(),
            excess: Excess::default(),
            is_short_of_memory: AtomicBool::new(false),
            recent_losses: RecentLosses::default(),
            started: now.wall,
            presence,
            observer: self.observer,
            stopping: OnceLock::new(),
            seed: self.seed,
            assigned: AtomicU64::new(0),
        })
    }

    fn subscription(&mut self, session: Incarnation, row: SubscriptionRow) {
        let group = (row.filter.share().is_some()).then(|| self.group(&row.filter));
        let Some((session, _)) = self.sessions.get_mut(&session) else {
            return;
        };
        let subscriber = session.subscriber(&row);
        match &group {
            Some(group) => self.index.join(group, subscriber),
            None => {
                self.index.insert(row.filter.pattern(), subscriber);
            }
        }
        if row.retained_owed {
            session.mailbox.recover_owed(row.filter.clone());
        }
        session.subscribe(Subscribed {
            row,
            generation: 0,
            group,
        });
    }

    /// The group that shares this filter. If its row is lost, it begins anew.
    fn group(&mut self, filter: &TopicFilter) -> Arc<Group> {
        if let Some(group) = self.index.group(filter) {
            return Arc::clone(group);
        }
        // Above all numbers in use; the journal's first operation is to reserve more.
        let number = self.marks.incarnation.max(Incarnation(1));
        self.marks.incarnation = number.next();
        let row = GroupRow {
            group: number,
            filter: filter.clone(),
        };
        self.new_groups.push(row.clone());
        self.insert_group(row)
    }

    fn insert_group(&mut self, row: GroupRow) -> Arc<Group> {
        let group = Arc::new(Group::new(row.group, row.filter, &self.limits));
        group.keep();
        self.index.insert_group(&group);
        self.groups.insert(group.number, Arc::clone(&group));
        group
    }

    fn session(&mut self, row: SessionRow) {
        let client_id = row.client_id.clone();
        let mailbox = Mailbox::new(row.incarnation, client_id, true, &self.limits);
        mailbox.park([], Vec::new(), 0, None);
        let mut flows = Flows::default();
        flows.recover_mark(row.next_packet_id);
        let session = Session {
            incarnation: row.incarnation,
            client_id: row.client_id,
            user: row.user,
            session_expiry_interval: row.session_expiry_interval,
            kept: true,
            subscriptions: Subscriptions::default(),
            subscription_bytes: 0,
            generation: 0,
            // What waits may be from subscriptions that are gone.
            identifier_max: u32::MAX,
            mailbox: Arc::new(mailbox),
            flows,
            inbound: FxHashSet::default(),
            maybe_sent: row.maybe_sent,
            expires_at: None,
            disconnected_at: None,
            fates: Fates::default(),
            rights: None,
        };
        self.sessions
            .insert(row.incarnation, (session, row.disconnected_at));
    }
}

/// The session waits for its client, from its end on or from now; gives how long it still lives, if not for ever.
fn rest(
    shared: &Shared,
    mut session: Session,
    disconnected_at: Option<WallTime>,
    last_sequence: Sequence,
    now: Now,
) -> Option<u64> {
    session.mailbox.set_in_flight(session.flows.lowest());
    session.count(Unsent::default());
    session.disconnected_at = Some(disconnected_at.unwrap_or(now.wall));
    if disconnected_at.is_none() {
        session.maybe_sent = last_sequence;
        let row = session.row(Some(now.wall));
        shared.journal.submit(Operation::PutSession(row));
    }
    let away_ms = match disconnected_at {
        Some(at) => plausible::elapsed_ms(at, now.wall).unwrap_or_else(|| {
            shared.counters.implausible();
            0
        }),
        None => 0,
    };
    let left_ms = session
        .expires_after_ms()
        .map(|expires| expires.saturating_sub(away_ms));
    if let Some(left_ms) = left_ms {
        let expires_at = now.monotonic.plus_ms(left_ms);
        session.expires_at = Some(expires_at);
        let timer = Timer::Session(session.client_id.clone());
        shared.timers.set(expires_at, timer);
    }
    shared.registry.recover(Box::new(session));
    left_ms
}

/// A will whose connection was there at the crash is due after its delay from now, at the latest with the session.
fn recover_will(
    shared: &Shared,
    row: WillRow,
    expiries: &FxHashMap<Incarnation, Option<u64>>,
    now: Now,
) {
    let WillRow {
        session,
        ref will,
        due_at,
        ..
    } = row;
    let left_ms = expiries.get(&session).copied().unwrap_or(Some(0));
    let delay_ms = match due_at {
        Some(due_at) if due_at <= now.wall => match plausible::elapsed_ms(due_at, now.wall) {
            Some(_) => 0,
            // It has been away for no time, as its session has.
            None => {
                shared.counters.implausible();
                will_delay_ms(will, left_ms)
            }
        },
        // A clock that was wrong does not make it wait longer than it asked for.
        Some(due_at) => {
            let delay_ms = u64::from(will.delay_interval) * 1000;
            due_at.0.saturating_sub(now.wall.0).min(delay_ms)
        }
        None => will_delay_ms(will, left_ms),
    };
    if due_at.is_none() {
        let due_at = Some(WallTime(now.wall.0 + delay_ms));
        let row = WillRow {
            due_at,
            ..row.clone()
        };
        shared.journal.submit(Operation::PutWill(row.into()));
    }
    let due = now.monotonic.plus_ms(delay_ms);
    shared.wills.recover(row, due);
    shared.timers.set(due, Timer::Will(session));
}

type Recovered = (Session, Option<WallTime>);

/// The last session of each client id, and those that a crash kept from being removed before it; both in the order of
/// their numbers.
fn newest_of_each(sessions: FxHashMap<Incarnation, Recovered>) -> (Vec<Recovered>, Vec<Session>) {
    let mut ordered: Vec<Recovered> = sessions.into_values().collect();
    ordered.sort_unstable_by_key(|(session, _)| session.incarnation);
    let mut last: HashMap<ByteString, Incarnation> = HashMap::new();
    for (session, _) in &ordered {
        last.insert(session.client_id.clone(), session.incarnation);
    }
    let (newest, superseded): (Vec<_>, Vec<_>) = ordered
        .into_iter()
        .partition(|(session, _)| last.get(&session.client_id) == Some(&session.incarnation));
    let superseded = superseded.into_iter().map(|(session, _)| session);
    (newest, superseded.collect())
}
