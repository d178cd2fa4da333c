//! An operator drops what waits for a session: counted, told to its client, and never what may not be recalled.

use ebbtide_protocol::{PacketId, QoS};
use ebbtide_store::{FlowStage, Sequence, WallTime};

use super::Session;
use crate::{Fate, fates::TopicKey, route::overflow, shared::Shared, stats::DropReason};

impl Session {
    /// Drops what waits in the mailbox up to this number: all that is in memory, and of the rest so many. `unsent` is the lowest
    /// number that its owner has taken from the mailbox and not sent. Gives how many.
    pub fn purge(
        &mut self,
        shared: &Shared,
        up_to: Sequence,
        count: usize,
        unsent: Option<Sequence>,
        at: WallTime,
    ) -> u64 {
        let size_of = |sequences: &[Sequence]| shared.journal.bytes_of(sequences);
        let (sequences, unkept) = self.mailbox.purge(up_to, count, size_of);
        let gone: Vec<_> = sequences.into_iter().map(|number| (number, None)).collect();
        self.lose(shared, &gone, unsent, at);
        for _ in 0..unkept {
            overflow::record(shared, &self.mailbox, DropReason::Purged, at);
        }
        gone.len() as u64 + unkept
    }

    /// While its client is away: drops what was sent at QoS 1 and not acknowledged. At QoS 2 the client may know the packet id
    /// already, and would take the next message under it for the same one.
    pub fn purge_exchanges(&mut self, shared: &Shared, up_to: Sequence, at: WallTime) -> u64 {
        let flows = self.flows.in_order();
        let gone = flows.iter().filter_map(|(packet_id, flow)| {
            let sequence = flow.sequence.filter(|sequence| *sequence <= up_to)?;
            let is_recallable = flow.qos == QoS::AtLeastOnce && flow.stage == FlowStage::Sent;
            is_recallable.then_some((sequence, Some(*packet_id)))
        });
        let gone: Vec<_> = gone.collect();
        for (_, packet_id) in &gone {
            if let Some(packet_id) = packet_id {
                self.flows.finish(*packet_id);
            }
        }
        self.mailbox.set_in_flight(self.flows.lowest());
        self.lose(shared, &gone, None, at);
        gone.len() as u64
    }

    /// These are neither in the mailbox nor in the flows any more.
    pub fn lose(
        &mut self,
        shared: &Shared,
        gone: &[(Sequence, Option<PacketId>)],
        unsent: Option<Sequence>,
        at: WallTime,
    ) {
        let Some(highest) = gone.iter().map(|(sequence, _)| *sequence).max() else {
            return;
        };
        // Looked for once: with much that waits that takes its time.
        let waiting = self.mailbox.lowest().into_iter().chain(unsent).min();
        let cursor = self.flows.cursor_behind(highest, waiting);
        for (sequence, packet_id) in gone {
            let session = self.incarnation;
            shared.journal.done(session, *sequence, *packet_id, cursor);
            self.fates.note(TopicKey::UNKNOWN, Fate::Purged, at);
            overflow::record(shared, &self.mailbox, DropReason::Purged, at);
        }
    }
}
