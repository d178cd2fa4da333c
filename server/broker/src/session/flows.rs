//! Exchanges with one client as a subscriber: which packet id stands for which message, and how far it is.

use std::{collections::hash_map::Entry, num::NonZeroU16};

use ebbtide_protocol::{PacketId, QoS};
use ebbtide_store::{FlowStage, Sequence};
use rustc_hash::FxHashMap;

use crate::{fates::TopicKey, route::group::Lease};

/// Packet ids are reserved in the session's row in steps of so many: an id that was used and lost in a crash does not
/// come back before all others have been used.
const MARK_STEP: u16 = 8192;

/// After so many acknowledgements the cursor is looked for anew, at the earliest.
const CURSOR_STEP: usize = 64;

/// A message under way, until PUBACK or PUBCOMP [MQTT-4.3.2-3, MQTT-4.3.3-3, MQTT-4.3.3-5].
#[derive(Debug)]
pub(crate) struct Flow {
    /// Its number, if the store keeps it for this session.
    pub sequence: Option<Sequence>,
    pub qos: QoS,
    pub stage: FlowStage,
    /// It came from a group. At QoS 1 it still is the group's.
    pub lease: Option<Lease>,
    /// Its PUBLISH has been sent on this connection, and counts towards the client's Receive Maximum.
    pub is_counted: bool,
    /// Of its message, once that has been in memory.
    pub topic: TopicKey,
    /// Grows with every flow: the order of sending.
    order: u64,
}

#[derive(Debug)]
pub(crate) struct Flows {
    flows: FxHashMap<PacketId, Flow>,
    next_id: PacketId,
    /// Ids up to here (not included) are reserved.
    mark: PacketId,
    next_order: u64,
    cursor: Sequence,
    highest: Sequence,
    done_since: usize,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            flows: FxHashMap::default(),
            next_id: PacketId::MIN,
            mark: PacketId::MIN,
            next_order: 0,
            cursor: Sequence(0),
            highest: Sequence(0),
            done_since: 0,
        }
    }
}

impl Flows {
    /// Begins an exchange. Its PUBLISH is sent on this connection; the caller makes sure by the Receive Maximum that an id is free
    /// [MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.3-1].
    pub fn begin(
        &mut self,
        sequence: Option<Sequence>,
        qos: QoS,
        lease: Option<Lease>,
        topic: TopicKey,
    ) -> PacketId {
        let flow = Flow {
            sequence,
            qos,
            stage: FlowStage::Sent,
            lease,
            is_counted: true,
            topic,
            order: self.next_order,
        };
        self.next_order += 1;
        loop {
            let packet_id = self.next_id;
            self.next_id = following(packet_id, 1);
            if let Entry::Vacant(place) = self.flows.entry(packet_id) {
                place.insert(flow);
                return packet_id;
            }
        }
    }

    /// Its PUBLISH is sent on this connection.
    pub fn count(&mut self, packet_id: PacketId, topic: TopicKey) {
        if let Some(flow) = self.flows.get_mut(&packet_id) {
            flow.is_counted = true;
            flow.topic = topic;
        }
    }

    /// The id that the next exchange gets: none that is in use [MQTT-2.2.1-4, MQTT-4.3.2-1, MQTT-4.3.3-1].
    pub fn next_packet_id(&mut self) -> PacketId {
        while self.flows.contains_key(&self.next_id) {
            self.next_id = following(self.next_id, 1);
        }
        self.next_id
    }

    /// One of an earlier connection.
    pub fn insert(
        &mut self,
        packet_id: PacketId,
        sequence: Option<Sequence>,
        qos: QoS,
        stage: FlowStage,
    ) {
        let order = self.next_order;
        self.next_order += 1;
        self.flows.insert(
            packet_id,
            Flow {
                sequence,
                qos,
                stage,
                lease: None,
                is_counted: false,
                topic: TopicKey::UNKNOWN,
                order,
            },
        );
    }

    pub fn get(&self, packet_id: PacketId) -> Option<&Flow> {
        self.flows.get(&packet_id)
    }

    pub fn release(&mut self, packet_id: PacketId) {
        if let Some(flow) = self.flows.get_mut(&packet_id) {
            flow.stage = FlowStage::Released;
        }
    }

    pub fn finish(&mut self, packet_id: PacketId) -> Option<Flow> {
        self.flows.remove(&packet_id)
    }

    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// The lowest number that is under way.
    pub fn lowest(&self) -> Option<Sequence> {
        self.flows.values().filter_map(|flow| flow.sequence).min()
    }

    /// All exchanges in the order of sending.
    pub fn in_order(&self) -> Vec<(PacketId, &Flow)> {
        let mut flows: Vec<_> = self.flows.iter().map(|(id, flow)| (*id, flow)).collect();
        flows.sort_unstable_by_key(|(_, flow)| flow.order);
        flows
    }

    /// Those of QoS 1 that are a group's, in the order of sending.
    pub fn leased(&mut self) -> Vec<(PacketId, &mut Flow)> {
        let flows = self.flows.iter_mut().map(|(id, flow)| (*id, flow));
        let is_groups = |flow: &Flow| flow.lease.is_some() && flow.qos == QoS::AtLeastOnce;
        let mut leased: Vec<_> = flows.filter(|(_, flow)| is_groups(flow)).collect();
        leased.sort_unstable_by_key(|(_, flow)| flow.order);
        leased
    }

    /// The connection has gone: ends what is a group's, and what has no number to be read again by. Gives all that came from groups in the
    /// order of sending: at QoS 2, only its place in the group is the member's to give back.
    pub fn interrupt(&mut self) -> Vec<Lease> {
        let mut leases = Vec::new();
        self.flows.retain(|_, flow| {
            flow.is_counted = false;
            let lease = flow.lease.take().map(|lease| (flow.order, lease));
            let is_groups = lease.is_some() && flow.qos == QoS::AtLeastOnce;
            leases.extend(lease);
            let can_be_repeated = flow.sequence.is_some() || flow.stage == FlowStage::Released;
            !is_groups && can_be_repeated
        });
        leases.sort_unstable_by_key(|(order, _)| *order);
        leases.into_iter().map(|(_, lease)| lease).collect()
    }

    /// Recovers the reserved mark: ids go on from there.
    pub fn recover_mark(&mut self, mark: PacketId) {
        self.next_id = mark;
        self.mark = mark;
    }

    /// The mark for the session's row.
    pub fn mark(&self) -> PacketId {
        self.mark
    }

    /// Raises the mark when ids come near it; the row must then be written.
    pub fn raise_mark(&mut self) -> bool {
        let ahead = self.mark.get().wrapping_sub(self.next_id.get());
        let is_low = !(MARK_STEP / 2..=MARK_STEP).contains(&ahead);
        if is_low {
            self.mark = following(self.next_id, MARK_STEP);
        }
        is_low
    }

    /// Everything below is done. `waiting` gives the lowest number that has not been sent. It may lag behind: what is
    /// done above it is kept by the store number by number.
    pub fn cursor(
        &mut self,
        done: Sequence,
        waiting: impl FnOnce() -> Option<Sequence>,
    ) -> Sequence {
        self.highest = self.highest.max(done);
        self.done_since += 1;
        // To look through all exchanges costs each acknowledgement a few of them at the most, however many there are.
        if self.done_since >= CURSOR_STEP.max(self.flows.len() / 4) || self.flows.is_empty() {
            self.done_since = 0;
            let lowest = self.lowest().into_iter().chain(waiting()).min();
            self.cursor = self.cursor.max(lowest.unwrap_or(self.highest.next()));
        }
        self.cursor
    }

    /// Like [`Flows::cursor`], for many that are done at once: `highest` of them. `waiting` is the lowest number that has not been
    /// sent.
    pub fn cursor_behind(&mut self, highest: Sequence, waiting: Option<Sequence>) -> Sequence {
        self.highest = self.highest.max(highest);
        let lowest = self.lowest().into_iter().chain(waiting).min();
        self.cursor = self.cursor.max(lowest.unwrap_or(self.highest.next()));
        self.cursor
    }

    /// The session ends: the messages of all its exchanges.
    pub fn drain(&mut self) -> Vec<Sequence> {
        self.flows
            .drain()
            .filter_map(|(_, flow)| flow.sequence)
            .collect()
    }
}

/// The id `step` further on, round and round without zero.
fn following(id: PacketId, step: u16) -> PacketId {
    NonZeroU16::new(id.get().wrapping_add(step)).unwrap_or(PacketId::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_never_passes_what_is_under_way_or_waits() {
        let mut flows = Flows::default();
        let ids: Vec<PacketId> = (1..=100)
            .map(|n| flows.begin(Some(Sequence(n)), QoS::AtLeastOnce, None, TopicKey::UNKNOWN))
            .collect();
        // All but the third are acknowledged, the highest first.
        for at in (3..100).rev() {
            flows.finish(ids[at]);
            let cursor = flows.cursor(Sequence(at as u64 + 1), || Some(Sequence(101)));
            assert!(cursor <= Sequence(1));
        }
        flows.finish(ids[0]);
        flows.finish(ids[1]);
        for _ in 0..CURSOR_STEP {
            flows.cursor(Sequence(2), || Some(Sequence(101)));
        }
        assert_eq!(
            flows.cursor(Sequence(2), || Some(Sequence(101))),
            Sequence(3)
        );
        flows.finish(ids[2]);
        assert_eq!(
            flows.cursor(Sequence(3), || Some(Sequence(101))),
            Sequence(101)
        );
    }

    /// [MQTT-2.2.1-4, MQTT-4.3.2-1]
    #[test]
    fn ids_go_round_and_skip_those_in_use() {
        let mut flows = Flows::default();
        let first = flows.begin(None, QoS::AtLeastOnce, None, TopicKey::UNKNOWN);
        for _ in 0..u16::MAX - 1 {
            let id = flows.begin(None, QoS::AtLeastOnce, None, TopicKey::UNKNOWN);
            assert_ne!(id, first);
            flows.finish(id);
        }
        assert_eq!(
            flows
                .begin(None, QoS::AtLeastOnce, None, TopicKey::UNKNOWN)
                .get(),
            2
        );
    }

    #[test]
    fn ids_that_a_crash_has_lost_are_not_used_next() {
        let mut flows = Flows::default();
        assert!(flows.raise_mark(), "the first mark has to be written");
        let mark = flows.mark();
        for _ in 0..100 {
            let id = flows.begin(None, QoS::AtLeastOnce, None, TopicKey::UNKNOWN);
            assert!(!flows.raise_mark());
            flows.finish(id);
        }
        let mut recovered = Flows::default();
        recovered.recover_mark(mark);
        assert!(
            recovered
                .begin(None, QoS::AtLeastOnce, None, TopicKey::UNKNOWN)
                .get()
                > 100
        );
    }
}
