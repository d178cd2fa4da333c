//! Publishes on their way to the server: waiting, sent, and (QoS 2) released.
//!
//! Everything leaves in the order it was published, resends first, never more unacknowledged than the server's Receive
//! Maximum. What is in flight survives the connection; what becomes of it depends on whether the server kept the
//! session. A durable client gives out packet ids ahead of the window, so that the journal is never what the window
//! waits for, and its QoS 0 publishes overtake those that do.

mod answers;
mod sending;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::{
    Error, Limits, Millis, OutgoingMessage, PublishHandle, Said,
    backoff::{Backoff, Retry},
    journal::{Journal, Ticket},
    outgoing::{Delivery, Stage},
    packet_ids::PacketIds,
};
use crate::{PacketId, QoS, ReasonCode};

/// An outcome to report.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) handle: PublishHandle,
    pub(super) result: Result<ReasonCode, Error>,
    /// A durable client has stored it.
    pub(super) is_stored: bool,
    /// What the server said.
    pub(super) diagnostics: Said,
}

/// What an acknowledgement comes to.
#[derive(Debug)]
pub(super) enum Answered {
    /// It acknowledges nothing, or not the last step.
    Nothing,
    Settled(Settled),
    /// Refused for now.
    Deferred(PublishHandle, ReasonCode, u32, Said),
}

#[derive(Debug)]
struct Waiting {
    handle: PublishHandle,
    message: OutgoingMessage,
    delivery: Delivery,
}

#[derive(Debug)]
struct Sent {
    waiting: Waiting,
    packet_id: PacketId,
    /// When this is committed it may leave.
    ticket: Ticket,
    /// It has left, on whichever connection.
    has_left: bool,
    on_this_connection: bool,
}

#[derive(Debug)]
struct Released {
    handle: PublishHandle,
    packet_id: PacketId,
    on_this_connection: bool,
    counts: bool,
    /// What PUBREC said: PUBCOMP has no code for it.
    reason: ReasonCode,
    diagnostics: Said,
}

impl Released {
    /// As PUBREC said it; for what was released before this run that is not known any more.
    fn complete(self) -> Settled {
        Settled {
            handle: self.handle,
            result: Ok(self.reason),
            is_stored: true,
            diagnostics: self.diagnostics,
        }
    }
}

/// The three stages, each in order.
#[derive(Debug)]
pub(super) struct Outbound {
    waiting: VecDeque<Waiting>,
    /// QoS 0 of a durable client.
    hasty: VecDeque<Waiting>,
    /// What has not left at all is at the end.
    sent: VecDeque<Sent>,
    released: VecDeque<Released>,
    /// Where in `sent` the messages begin that must be sent on this connection.
    resend_at: usize,
    /// Publishes of this connection that count against the server's Receive Maximum.
    unacknowledged: usize,
    bytes: usize,
    next_handle: u64,
    messages_max: usize,
    bytes_max: usize,
    /// No new publish leaves before, since the server refused one for now.
    paused_until: Option<Millis>,
    pauses: Retry,
}

impl Outbound {
    /// Publishes of a durable client that have a packet id, at most.
    const AHEAD_MESSAGES_MAX: usize = 2_048;
    /// Above this a durable client wants no more for now.
    const AHEAD_BYTES_MAX: usize = 4 << 20;

    pub(super) fn new(messages_max: usize, bytes_max: usize, backoff: Backoff, seed: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            hasty: VecDeque::new(),
            sent: VecDeque::new(),
            released: VecDeque::new(),
            resend_at: 0,
            unacknowledged: 0,
            bytes: 0,
            next_handle: 1,
            messages_max,
            bytes_max,
            paused_until: None,
            // Not the jitter of the reconnects.
            pauses: Retry::new(backoff, !seed),
        }
    }

    /// Publishes that are not settled yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.hasty.len() + self.sent.len() + self.released.len()
    }

    /// How many have no packet id, have one, are released, and count against the window.
    pub(super) fn counts(&self) -> [usize; 4] {
        [
            self.waiting.len() + self.hasty.len(),
            self.sent.len(),
            self.released.len(),
            self.unacknowledged,
        ]
    }

    /// How many more publishes keep the window full.
    pub(super) fn wanted(&self, limits: &Limits) -> usize {
        if self.bytes >= Self::AHEAD_BYTES_MAX {
            return 0;
        }
        let held = self.waiting.len() + self.sent.len() + self.released.len();
        Self::ahead(limits).saturating_sub(held)
    }

    /// One window in flight, one in the journal.
    fn ahead(limits: &Limits) -> usize {
        (usize::from(limits.receive_maximum.get()) * 2).min(Self::AHEAD_MESSAGES_MAX)
    }

    /// Takes a message in, if there is room.
    pub(super) fn push(
        &mut self,
        message: OutgoingMessage,
        delivery: Delivery,
        journal: &Journal,
    ) -> Result<PublishHandle, Error> {
        let bytes = self.bytes + message.size();
        if self.len() >= self.messages_max || bytes > self.bytes_max {
            return Err(Error::QueueFull);
        }
        let waiting = self.take_in(message, delivery);
        let handle = waiting.handle;
        if journal.is_on() && waiting.message.qos == QoS::AtMostOnce {
            self.hasty.push_back(waiting);
        } else {
            self.waiting.push_back(waiting);
        }
        Ok(handle)
    }

    /// What an earlier run had sent; in the order in which it was sent.
    pub(super) fn restore(
        &mut self,
        message: OutgoingMessage,
        delivery: Delivery,
        packet_id: PacketId,
        stage: Stage,
    ) -> PublishHandle {
        let waiting = self.take_in(message, delivery);
        let handle = waiting.handle;
        match stage {
            Stage::Sent => self.sent.push_back(Sent {
                waiting,
                packet_id,
                ticket: 0,
                has_left: true,
                on_this_connection: false,
            }),
            Stage::Released => {
                self.bytes -= waiting.message.size();
                self.released.push_back(Released {
                    handle,
                    packet_id,
                    on_this_connection: false,
                    counts: false,
                    reason: ReasonCode::Success,
                    diagnostics: None,
                });
            }
        }
        handle
    }

    fn take_in(&mut self, message: OutgoingMessage, delivery: Delivery) -> Waiting {
        self.bytes += message.size();
        let handle = PublishHandle(self.next_handle);
        self.next_handle += 1;
        Waiting {
            handle,
            message,
            delivery,
        }
    }

    /// Takes a publish back that has not left at all.
    pub(super) fn cancel(
        &mut self,
        handle: PublishHandle,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> bool {
        for queue in [&mut self.waiting, &mut self.hasty] {
            if let Some(place) = queue.iter().position(|w| w.handle == handle) {
                let cancelled = queue.remove(place);
                self.bytes -= cancelled.map_or(0, |w| w.message.size());
                journal.unwrite(handle);
                return true;
            }
        }
        let is_it = |sent: &Sent| sent.waiting.handle == handle && !sent.has_left;
        let Some(place) = self.sent.iter().position(is_it) else {
            return false;
        };
        if let Some(sent) = self.sent.remove(place) {
            ids.free(sent.packet_id);
            self.bytes -= sent.waiting.message.size();
            journal.unwrite(handle);
        }
        true
    }

    /// A connection begins. With the session kept, what is in flight goes out again in its order [MQTT-4.4.0-1,
    /// MQTT-4.6.0-1]. Without it, QoS 1 starts over as new; QoS 2 is settled if the server had it, and unknown if it had not said so.
    pub(super) fn connected(&mut self, session_present: bool, ids: &mut PacketIds) -> Vec<Settled> {
        self.unacknowledged = 0;
        self.resend_at = 0;
        let mut settled = Vec::new();
        if session_present {
            for sent in &mut self.sent {
                sent.on_this_connection = false;
            }
            for released in &mut self.released {
                released.on_this_connection = false;
                released.counts = false;
            }
            return settled;
        }
        while let Some(released) = self.released.pop_front() {
            ids.free(released.packet_id);
            settled.push(released.complete());
        }
        while let Some(sent) = self.sent.pop_back() {
            ids.free(sent.packet_id);
            let is_exact = sent.waiting.message.qos == QoS::ExactlyOnce;
            if is_exact && sent.has_left && !sent.waiting.delivery.resend {
                settled.push(self.settle(sent.waiting, Err(Error::OutcomeUnknown)));
            } else {
                self.waiting.push_front(sent.waiting);
            }
        }
        settled
    }

    fn settle(&mut self, waiting: Waiting, result: Result<ReasonCode, Error>) -> Settled {
        self.bytes -= waiting.message.size();
        Settled {
            handle: waiting.handle,
            result,
            is_stored: waiting.message.qos != QoS::AtMostOnce,
            diagnostics: None,
        }
    }

    /// Gives up what waits at QoS 0.
    pub(super) fn drop_qos0(&mut self) -> Vec<Settled> {
        let mut settled = Vec::new();
        for mut queue in [mem::take(&mut self.hasty), mem::take(&mut self.waiting)] {
            while let Some(waiting) = queue.pop_front() {
                if waiting.message.qos == QoS::AtMostOnce {
                    settled.push(self.settle(waiting, Err(Error::Offline)));
                } else {
                    self.waiting.push_back(waiting);
                }
            }
        }
        settled
    }

    /// Gives up everything: the client is closed. What is stored stays so.
    pub(super) fn drain(&mut self) -> Vec<Settled> {
        let mut handles = Vec::new();
        while let Some(released) = self.released.pop_front() {
            handles.push(released.handle);
        }
        while let Some(sent) = self.sent.pop_front() {
            handles.push(sent.waiting.handle);
        }
        for queue in [&mut self.hasty, &mut self.waiting] {
            while let Some(waiting) = queue.pop_front() {
                handles.push(waiting.handle);
            }
        }
        self.bytes = 0;
        self.resend_at = 0;
        let closed = |handle| Settled {
            handle,
            result: Err(Error::Closed),
            is_stored: false,
            diagnostics: None,
        };
        handles.into_iter().map(closed).collect()
    }
}
