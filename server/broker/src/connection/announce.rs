//! What a SUBSCRIBE that asks is told of its retained messages: how many follow, and by an end marker that there are
//! no more where the number does not tell it.
//!
//! A number is relied on only if nothing else can be taken for one of them: then as many messages with this identifier
//! come first, or the marker does. All of it belongs to one connection. The exchange is described in
//! `docs/extensions.md`.

use std::{collections::hash_map::Entry, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName,
    codec::publish_len,
    extension,
    packet::{SubAck, Subscribe, UserProperty},
};
use ebbtide_store::{Message, Properties, Revision, SubscriptionRow};
use rustc_hash::FxHashMap;

use super::{
    open::Open,
    snapshot::{VISITS, is_due},
    transmit::publish_ref,
};
use crate::{
    Action, Now, Rights,
    route::mailbox::{Delivery, End, Mail},
    shared::Shared,
};

/// So many ends may wait in one connection. Who asks for more gets no numbers, and has to guess as with any other broker.
const ENDS_MAX: usize = 16_384;
/// So many levels of topics are looked at in one turn to count what matches.
const VISITS_PER_TURN: usize = 4 * VISITS;
/// As long as a number can be.
const LONGEST: u64 = u64::MAX;

/// The ends that a connection is to be told of.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// By Subscription Identifier the last SUBSCRIBE that asked. Messages of different SUBSCRIBEs with one identifier look the
    /// same, so the last end is the end of all.
    asked: FxHashMap<u32, Asked>,
    /// Behind snapshots that were put off.
    put_off: Vec<End>,
    /// How many wait, those of `asked` and those that others have taken the place of.
    waiting: usize,
    /// How many messages have been staged, but for those of groups.
    staged: u64,
    /// How much may still be looked at in this turn.
    visits_left: usize,
}

#[derive(Debug)]
struct Asked {
    generation: u64,
    /// How many messages were said to follow.
    announced: u64,
    /// The marker comes, however many there are.
    is_promised: bool,
    /// How many had been staged before the first of them.
    staged_before: Option<u64>,
}

/// The answer to a SUBSCRIBE that asked.
#[derive(Debug)]
pub(super) struct Announcement {
    pub end: End,
    /// The marker comes, whatever the numbers are.
    pub is_promised: bool,
    /// Something else may be taken for one of the messages, if any follow.
    is_ambiguous: bool,
    /// For each filter of the packet.
    numbers: Vec<u64>,
}

impl Ends {
    /// What has been looked at before does not count any more.
    pub fn begin_turn(&mut self) {
        self.visits_left = VISITS_PER_TURN;
    }

    pub fn count_staged(&mut self) {
        self.staged += 1;
    }

    /// The next messages are those of this SUBSCRIBE.
    pub fn begin(&mut self, identifier: Option<u32>, generation: u64) {
        if let Some(asked) = self.asked.get_mut(&identifier.unwrap_or(0))
            && asked.generation == generation
        {
            asked.staged_before.get_or_insert(self.staged);
        }
    }

    /// What is left of these messages comes with another identifier, or not at all.
    pub fn promise(&mut self, identifier: Option<u32>, generation: u64) {
        if let Some(asked) = self.asked.get_mut(&identifier.unwrap_or(0)) {
            asked.is_promised |= asked.generation == generation;
        }
    }

    pub fn take_put_off(&mut self) -> Vec<End> {
        std::mem::take(&mut self.put_off)
    }

    /// Whether the client has to be told of the end: fewer have been staged than were announced.
    fn is_due(&mut self, end: End) -> bool {
        let Entry::Occupied(entry) = self.asked.entry(end.identifier) else {
            return false;
        };
        let asked = entry.get();
        if asked.generation != end.generation {
            return false;
        }
        let staged = asked.staged_before.map_or(0, |before| self.staged - before);
        let is_due = asked.is_promised || staged < asked.announced;
        if !is_due {
            entry.remove();
        }
        is_due
    }

    /// The marker leaves now; `false`: a later SUBSCRIBE with the same identifier has asked, and would take it for its own.
    pub fn close(&mut self, end: End) -> bool {
        let entry = self.asked.entry(end.identifier);
        match entry {
            Entry::Occupied(entry) if entry.get().generation == end.generation => {
                entry.remove();
                true
            }
            _ => false,
        }
    }
}

impl Open {
    /// Whether the client asks to be told of the end, and can be. SUBACK must not say it to one that wants no problem
    /// information [MQTT-3.1.2-29], nor to one that does not take as much.
    pub fn asks_for_end(&self, subscribe: &Subscribe) -> bool {
        if !extension::is_set(&subscribe.user_properties, extension::SNAPSHOT_ASKED)
            || !self.tolerance.wants_problem_information
            || self.outbound.ends.waiting >= ENDS_MAX
        {
            return false;
        }
        let tolerance = self.tolerance;
        if tolerance.maximum_packet_size == u32::MAX {
            return true;
        }
        let count = subscribe.subscriptions.len();
        let longest = SubAck {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: properties(&vec![LONGEST; count], true),
            reasons: vec![ReasonCode::Success; count],
        };
        let identifier = subscribe.subscription_identifier.unwrap_or(0);
        let marker = marker(identifier, Now::default());
        let bytes = publish_len(&publish_ref(&marker, None, Now::default()), self.version);
        tolerance.fits_whole(&Packet::SubAck(longest), self.version)
            && bytes <= tolerance.maximum_packet_size as usize
    }

    /// Whether what is on its way to the client may carry this identifier. The caller sees to it that nothing comes in between.
    pub fn may_carry(&self, identifier: Option<u32>) -> bool {
        let is_new = identifier.is_some_and(|identifier| identifier > self.session.identifier_max);
        let is_idle = self.outbound.is_idle() && self.session.mailbox.is_idle();
        !is_new && !is_idle
    }

    /// The place behind the snapshots, which are in the mailbox.
    pub fn push_end(&mut self, end: End) {
        self.outbound.ends.waiting += 1;
        self.session.mailbox.push_end(end);
    }

    /// What SUBACK says of the numbers; from now on the end is awaited. `owed` are the subscriptions whose retained messages
    /// follow, each with its revision and its place among the filters of the packet.
    pub fn announce<'a>(
        &mut self,
        mut announcement: Announcement,
        owed: impl IntoIterator<Item = (&'a SubscriptionRow, Revision, usize)>,
        shared: &Shared,
        now: Now,
    ) -> Vec<UserProperty> {
        self.rights(shared);
        let rights = self.session.rights.as_deref();
        for (row, revision, place) in owed {
            // Copies that are kept may have to wait for room, and begin again; and rules are asked again when a message is sent.
            announcement.is_ambiguous |=
                self.session.kept && row.options.qos > QoS::AtMostOnce || rights.is_some();
            let visits_left = &mut self.outbound.ends.visits_left;
            let (number, is_all) = count(shared, row, revision, rights, now, visits_left);
            announcement.is_promised |= !is_all;
            announcement.numbers[place] = match is_all || rights.is_some() {
                true => number,
                false => shared.retained.read().len() as u64,
            };
        }
        let Announcement {
            end,
            is_promised,
            is_ambiguous,
            numbers,
        } = announcement;
        let announced = numbers.iter().sum();
        let is_promised = is_promised || is_ambiguous && announced > 0;
        let asked = Asked {
            generation: end.generation,
            announced,
            is_promised,
            staged_before: None,
        };
        if asked.is_promised || asked.announced > 0 {
            self.outbound.ends.asked.insert(end.identifier, asked);
        }
        properties(&numbers, is_promised)
    }

    /// All snapshots before this end have had their turn.
    pub fn end_snapshots(&mut self, now: Now) {
        let Some(Mail::End(end)) = self.outbound.mail.pop_front() else {
            unreachable!("the caller has looked at it")
        };
        let subscriptions = &self.session.subscriptions;
        self.outbound.steps += self.outbound.put_off.len();
        let is_put_off = self.outbound.put_off.keys().any(|filter| {
            let subscribed = subscriptions.get(filter);
            subscribed.is_some_and(|one| one.row.identifier.unwrap_or(0) == end.identifier)
        });
        let ends = &mut self.outbound.ends;
        if is_put_off {
            return ends.put_off.push(end);
        }
        ends.waiting -= 1;
        if ends.is_due(end) {
            let marker = marker(end.identifier, now);
            self.outbound.stage_marker(end, marker);
        }
    }
}

impl Announcement {
    /// For so many filters, of which none has any message yet.
    pub fn new(end: End, is_promised: bool, is_ambiguous: bool, filters: usize) -> Self {
        Self {
            end,
            is_promised,
            is_ambiguous,
            numbers: vec![0; filters],
        }
    }
}

/// How many retained messages the snapshot of a subscription has, by what is there now, and what rules let this client have: as long
/// as these stay, it can only become fewer. `false`: more is to be looked at than may be, and these are not all.
fn count(
    shared: &Shared,
    row: &SubscriptionRow,
    revision: Revision,
    rights: Option<&Rights>,
    now: Now,
    visits_left: &mut usize,
) -> (u64, bool) {
    let mut count = 0;
    let mut position: Option<String> = None;
    while *visits_left > 0 {
        let mut visits = VISITS.min(*visits_left);
        *visits_left -= visits;
        // Rules are asked when nobody waits who wants to change what is retained.
        let mut to_ask = Vec::new();
        let retained = shared.retained.read();
        position = retained.visit(&row.filter, position.as_deref(), &mut |row| {
            visits -= 1;
            if let Some(row) = row.filter(|row| is_due(row, revision, now)) {
                match rights {
                    None => count += 1,
                    Some(_) => to_ask.push(row.message.topic.clone()),
                }
            }
            match visits {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        drop(retained);
        *visits_left += visits;
        if let Some(rights) = rights {
            *visits_left = visits_left.saturating_sub(to_ask.len());
            let may_have = |topic: &&TopicName| rights.decide(Action::Subscribe, topic).is_allowed;
            count += to_ask.iter().filter(may_have).count() as u64;
        }
        if position.is_none() {
            return (count, true);
        }
    }
    (count, false)
}

/// As SUBACK carries them.
fn properties(numbers: &[u64], is_promised: bool) -> Vec<UserProperty> {
    let numbers = numbers
        .iter()
        .map(|number| (extension::RETAINED.into(), number.to_string().into()));
    let end = is_promised.then(|| extension::set(extension::END));
    numbers.chain(end).collect()
}

/// The end marker: an empty message at QoS 0, to this connection alone.
fn marker(identifier: u32, now: Now) -> Delivery {
    let message = Message {
        topic: extension::end_topic(identifier),
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        accepted_at: now.wall,
        properties: Properties::default(),
    };
    Delivery {
        message: Arc::new(message),
        sequence: None,
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        is_snapshot: false,
        subscription_identifiers: (identifier > 0).then_some(identifier).into_iter().collect(),
        lease: None,
    }
}
