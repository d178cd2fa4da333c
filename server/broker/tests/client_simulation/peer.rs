//! A process around a durable client machine: feeds it from the store, stores its journal, and dies when it is told to.
//!
//! It does what an application of the machine has to do, and nothing cleverer.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU16,
};

use bytes::BytesMut;
use ebbtide_protocol::{
    Packet, Version,
    client::{
        Action, Client, Error, Event, JournalEntry, Options, Session, Stage, State,
        SubscriptionChange,
    },
    codec::{Decoder, Role, encode},
    packet::Connect,
};

use super::{
    history::ConnectionId,
    life::Life,
    random::Random,
    store::{Row, RowStage, Sequence, Store},
    wire::Wire,
};

/// Has room for all but what CONNACK says beyond the standard.
const NAMELESS_BYTES_MAX: u32 = 64;

/// Who a peer is, in all its lives.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: &'static str,
    pub filter: Option<&'static str>,
    pub expiry_s: u32,
    pub receive_maximum: u16,
    /// It refreshes its subscription on each connection.
    pub refreshes: bool,
    /// Commits are immediate, and nothing happens to it but the broker's crashes.
    pub is_steady: bool,
    /// CONNACK has room for the name of the session.
    pub hears_names: bool,
}

pub struct Peer {
    pub profile: Profile,
    pub store: Store,
    pub wire: Wire,
    pub life: Option<Life>,
    pub next: Sequence,
    lives: u64,
    /// Taken back by its application before it left.
    pub cancelled: BTreeSet<Sequence>,
    pub stored: BTreeMap<Sequence, Row>,
    pub sessions: Vec<Session>,
    /// Told as settled although the store still has it.
    pub settled_too_early: Option<Sequence>,
    /// The store was thrown away, and the server has not been heard since.
    pub is_evicted: bool,
    /// It has called a session evicted, and nothing was.
    pub cries_wolf: bool,
    /// The server has the subscription, as far as packets tell.
    pub is_subscribed: bool,
    /// Some ids of received messages are of a session that is gone.
    pub has_stale_ids: bool,
    /// What CONNACK has said, until somebody looks.
    pub session_present: Option<bool>,
}

/// What a peer asks of its surroundings.
pub enum Wish {
    Open,
    Close,
    Send(BytesMut),
}

impl Peer {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            store: Store::default(),
            wire: Wire::default(),
            life: None,
            next: 1,
            lives: 0,
            cancelled: BTreeSet::new(),
            stored: BTreeMap::new(),
            sessions: Vec::new(),
            settled_too_early: None,
            is_evicted: false,
            cries_wolf: false,
            is_subscribed: false,
            has_stale_ids: false,
            session_present: None,
        }
    }

    /// A new process begins with what the store has.
    pub fn start(&mut self, now_ms: u64, seed: u64) {
        self.lives += 1;
        let profile = &self.profile;
        let mut options = Options::new(Connect {
            version: Version::V5,
            client_id: profile.name.into(),
            keep_alive: 10,
            session_expiry_interval: Some(profile.expiry_s),
            receive_maximum: NonZeroU16::new(profile.receive_maximum),
            topic_alias_maximum: 4,
            maximum_packet_size: (!profile.hears_names).then_some(NAMELESS_BYTES_MAX),
            ..Connect::default()
        });
        options.seed = seed.wrapping_add(self.lives);
        options.durable = true;
        options.has_session = self.store.has_session;
        options.session_name = self.store.session_name.clone();
        options.is_unsure = self.store.is_unsure;
        options.backoff.cap_ms = 4_000;
        options.connect_timeout_ms = 3_000;
        options.ping_timeout_ms = 3_000;
        let mut client = Client::idle(options);
        let (mut fed, mut unfed) = (BTreeMap::new(), BTreeSet::new());
        for (sequence, row) in &self.store.rows {
            let (packet_id, stage) = match row.stage {
                RowStage::Unsent => {
                    unfed.insert(*sequence);
                    continue;
                }
                RowStage::Sent(packet_id) => (packet_id, Stage::Sent),
                RowStage::Released(packet_id) => (packet_id, Stage::Released),
            };
            let (message, delivery) = row.outgoing(*sequence);
            let handle = client
                .restore_outgoing(message, delivery, packet_id, stage)
                .expect("the store has no packet id twice");
            fed.insert(handle, *sequence);
        }
        for packet_id in &self.store.inbound {
            client.restore_incoming(*packet_id);
        }
        let mut restored = Vec::new();
        for (identifier, (filter, used)) in &self.store.subscriptions {
            restored.push(client.restore_subscription(*identifier, filter.clone(), *used));
        }
        client.start(now_ms);
        let mut life = Life {
            client,
            connection: None,
            seen: fed.keys().copied().collect(),
            fed,
            unfed,
            writing: VecDeque::new(),
            decoder: Decoder::new(Role::Client, u32::MAX),
            watched: BytesMut::new(),
            input: BytesMut::new(),
            resubscribe_at_ms: None,
            subscription: None,
        };
        // As a page does: a use of its own first, and then the one of the page before goes.
        life.subscribe(&self.profile);
        for handle in restored {
            life.client.unsubscribe(handle);
        }
        self.wire.holds = false;
        self.life = Some(life);
    }

    /// The process dies; of what it was storing a prefix is there.
    pub fn crash(&mut self, random: &mut Random) {
        let Some(life) = self.life.take() else { return };
        let kept = random.below(life.writing.len() + 1);
        if self.wire.is_told {
            println!("        {kept} of {:?} are kept", life.writing);
        }
        for (_, batch) in life.writing.iter().take(kept) {
            for entry in &batch.entries {
                // Nobody is left to cancel anything.
                let _ = self.store.apply(entry, |handle| life.fed[&handle]);
            }
        }
        self.wire.crashes(&self.store);
        self.wire.is_unwitnessed &= self.store.has_session && !life.has_restarted(kept);
    }

    /// The application wants something published.
    pub fn publish(&mut self, row: Row) -> Sequence {
        let sequence = self.next;
        self.next += 1;
        self.stored.insert(sequence, row.clone());
        self.store.rows.insert(sequence, row);
        if let Some(life) = &mut self.life {
            life.unfed.insert(sequence);
        }
        sequence
    }

    /// The application takes a publish back, if the store calls it unsent.
    pub fn cancel(&mut self, sequence: Sequence) {
        let unsent = |row: &Row| row.stage == RowStage::Unsent;
        if !self.store.rows.get(&sequence).is_some_and(unsent) {
            return;
        }
        self.store.rows.remove(&sequence);
        self.cancelled.insert(sequence);
        let Some(life) = &mut self.life else { return };
        life.unfed.remove(&sequence);
        let fed = life.fed.iter().find(|(_, fed)| **fed == sequence);
        // The others are found gone when they are about to leave.
        if sequence.is_multiple_of(2)
            && let Some((handle, _)) = fed
            && !life.seen.contains(handle)
        {
            life.client.cancel(*handle);
        }
    }

    /// Bytes of the server.
    pub fn receive(&mut self, now_ms: u64, bytes: &[u8]) -> Result<(), String> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        life.watched.extend_from_slice(bytes);
        while let Some(packet) = life
            .decoder
            .decode(&mut life.watched)
            .map_err(|violation| format!("{violation:?}"))?
        {
            self.wire.gets(&packet, &self.store);
            if let Packet::ConnAck(connack) = &packet
                && !connack.reason.is_error()
            {
                self.session_present = Some(connack.session_present);
                self.is_subscribed &= self.store.knows(connack);
            }
            if let Packet::SubAck(suback) = &packet
                && !suback.reasons[0].is_error()
            {
                self.is_subscribed = true;
            }
        }
        life.input.extend_from_slice(bytes);
        life.client.handle_input(now_ms, &mut life.input);
        Ok(())
    }

    /// The transport is open.
    pub fn opened(&mut self, now_ms: u64, connection: ConnectionId) {
        if let Some(life) = &mut self.life {
            life.connection = Some(connection);
            life.decoder = Decoder::new(Role::Client, u32::MAX);
            life.decoder.set_version(Version::V5);
            life.watched.clear();
            life.input.clear();
            life.client.handle_open(now_ms);
        }
    }

    /// The transport is gone, and not by this peer.
    pub fn closed(&mut self, now_ms: u64) {
        if let Some(life) = &mut self.life {
            if life.connection.take().is_some() {
                self.wire.loses_connection();
            }
            life.client.handle_closed(now_ms, "gone");
        }
    }

    /// Stores what is due.
    pub fn store_due(&mut self, now_ms: u64) {
        let Some(life) = &mut self.life else { return };
        while let Some((_, batch)) = life.writing.pop_front_if(|(due_ms, _)| *due_ms <= now_ms) {
            if self.wire.is_told {
                println!("        stored: {:?}", batch.entries);
            }
            for entry in &batch.entries {
                if let Err(gone) = self.store.apply(entry, |handle| life.fed[&handle]) {
                    life.client.cancel(gone);
                }
                if matches!(entry, JournalEntry::Restarted { .. }) {
                    self.wire.is_unwitnessed = false;
                }
            }
            life.client.handle_committed(batch.ticket);
        }
    }

    pub fn hold(&mut self, holds: bool) {
        if let Some(life) = &mut self.life {
            self.wire.holds = holds;
            life.client.hold_acknowledgements(holds);
        }
    }

    /// What the application does, once in a while, with the machine as a whole.
    pub fn life(&mut self) -> Option<&mut Client> {
        self.life.as_mut().map(|life| &mut life.client)
    }

    pub fn connection(&self) -> Option<ConnectionId> {
        self.life.as_ref()?.connection
    }

    /// The process ends in order: what is being stored is stored, and what it has not begun to store is lost all the
    /// same.
    pub fn stop(&mut self) {
        self.store_due(u64::MAX);
        self.life = None;
        self.wire.crashes(&self.store);
    }

    /// Does what there is to do; what it wants of its surroundings, in order.
    pub fn turn(&mut self, now_ms: u64, random: &mut Random) -> Result<Vec<Wish>, String> {
        let mut wishes = Vec::new();
        loop {
            let before = wishes.len();
            let mut is_busy = self.take_events(now_ms);
            self.feed();
            self.write(now_ms, &mut wishes)?;
            let Some(life) = &mut self.life else {
                return Ok(wishes);
            };
            while let Some(batch) = life.client.poll_journal() {
                is_busy = true;
                life.keep(batch, now_ms, &self.profile, random);
            }
            if self.profile.is_steady {
                self.store_due(now_ms);
            }
            let Some(life) = &mut self.life else {
                return Ok(wishes);
            };
            while let Some(action) = life.client.poll_action() {
                match action {
                    Action::Open => wishes.push(Wish::Open),
                    Action::Close => {
                        if life.connection.take().is_some() {
                            self.wire.loses_connection();
                        }
                        wishes.push(Wish::Close);
                    }
                }
            }
            if !is_busy && before == wishes.len() {
                return Ok(wishes);
            }
        }
    }

    fn take_events(&mut self, now_ms: u64) -> bool {
        let Some(life) = &mut self.life else {
            return false;
        };
        let mut any = false;
        while let Some(event) = life.client.poll_event() {
            any = true;
            match event {
                Event::State(State::Online { session }) => {
                    let is_evicted = std::mem::take(&mut self.is_evicted);
                    self.cries_wolf |= session == Session::Evicted && !is_evicted;
                    self.sessions.push(session);
                }
                Event::State(State::Offline { .. } | State::NeedsAuth { .. }) => {
                    life.take_back(&self.store.rows);
                }
                Event::Acked { handle, result, .. } => {
                    let sequence = life.fed.get(&handle).copied();
                    let is_end = result != Err(Error::Closed);
                    if let Some(sequence) = sequence.filter(|_| is_end)
                        && self.store.rows.contains_key(&sequence)
                    {
                        self.settled_too_early = Some(sequence);
                    }
                }
                Event::Subscription {
                    change: SubscriptionChange::Refused(_),
                    ..
                } => life.resubscribe_at_ms = Some(now_ms + 500),
                _ => {}
            }
        }
        if life.resubscribe_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            life.resubscribe_at_ms = None;
            if let Some(handle) = life.subscription.take() {
                life.client.unsubscribe(handle);
            }
            life.subscribe(&self.profile);
            any = true;
        }
        any
    }

    /// What is unsent goes to the machine, in order, as much as it wants.
    fn feed(&mut self) {
        let Some(life) = &mut self.life else { return };
        for _ in 0..life.client.wanted() {
            let Some(sequence) = life.unfed.pop_first() else {
                return;
            };
            let (message, delivery) = self.store.rows[&sequence].outgoing(sequence);
            let published = life.client.publish_with(message, delivery);
            life.fed.insert(published.expect("it is wanted"), sequence);
        }
    }

    fn write(&mut self, now_ms: u64, wishes: &mut Vec<Wish>) -> Result<(), String> {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        if life.connection.is_none() {
            return Ok(());
        }
        let mut output = BytesMut::new();
        while let Some(packet) = life.client.poll_packet(now_ms) {
            self.wire.sends(&packet, &self.store)?;
            encode(&packet, Version::V5, &mut output);
        }
        if !output.is_empty() {
            wishes.push(Wish::Send(output));
        }
        Ok(())
    }

    /// When something happens here by itself.
    pub fn next_due_ms(&self) -> Option<u64> {
        let life = self.life.as_ref()?;
        let writing = life.writing.front().map(|(due_ms, _)| *due_ms);
        [writing, life.client.poll_timeout(), life.resubscribe_at_ms]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is not finished.
    pub fn unrest(&self) -> Option<String> {
        let name = self.profile.name;
        let Some(life) = &self.life else {
            return Some(format!("{name} is not there"));
        };
        let is_online = matches!(life.client.state(), State::Online { .. });
        let is_subscribed = self.profile.filter.is_none() || self.is_subscribed;
        let is_over = is_online
            && is_subscribed
            && life.resubscribe_at_ms.is_none()
            && life.writing.is_empty()
            && life.client.unsettled() == 0
            && self.store.rows.is_empty()
            && (self.store.inbound.is_empty() || self.has_stale_ids);
        (!is_over).then(|| {
            let figures = life.client.figures();
            let (rows, inbound) = (&self.store.rows, &self.store.inbound);
            format!(
                "{name}: online {is_online}, subscribed {is_subscribed}, {figures:?}, {rows:?}, {inbound:?}"
            )
        })
    }
}
