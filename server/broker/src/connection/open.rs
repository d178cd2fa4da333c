//! A connection that has its session: the state that the packet handlers share.

use std::{collections::VecDeque, sync::Arc};

use ebbtide_protocol::{ByteString, PacketId, ReasonCode, Version, packet::Will};

use ebbtide_store::DroppedRow;

use super::{
    Connection, Phase, aliases, authenticate::Turn, authorize::Denial, farewell::Tolerance,
    hindrance::Hindrance, outbound::Outbound, pace::Pace,
};
use crate::{Limits, Monotonic, presence::Seat, registry::Control, session::Session};

#[derive(Debug)]
pub(super) struct Open {
    pub session: Session,
    /// Those that CONNACK has announced.
    pub limits: Arc<Limits>,
    pub control: Arc<Control>,
    /// It is the program's own, see [`Transport::Inside`](super::Transport::Inside).
    pub inside: Option<Box<Inside>>,
    /// Another connection has asked for the session: the next wake-up ends this one.
    pub is_leaving: bool,
    pub version: Version,
    pub will: Option<Box<Will>>,
    /// 1.5 times the keep alive; `None`: off.
    pub keep_alive_ms: Option<u64>,
    pub last_received: Monotonic,
    /// Whether the socket was to be read at the last look.
    pub was_reading: bool,
    /// As CONNECT said: it may authenticate again with this one only.
    pub authentication_method: Option<ByteString>,
    /// It is authenticating again.
    pub reauthentication: Option<Turn>,
    /// CONNECT asked for a session that ends with the connection: DISCONNECT may not change that.
    pub asked_no_expiry: bool,
    /// CONNACK has left.
    pub is_acknowledged: bool,
    pub tolerance: Tolerance,
    /// What CONNACK says of lost messages; until the client shows that it has got it.
    pub told: Option<Box<DroppedRow>>,
    /// Its entry of presence.
    pub seat: Option<Seat>,
    pub incoming_aliases: aliases::Incoming,
    pub outgoing_aliases: aliases::Outgoing,
    /// QoS 1 and 2 publishes of this client that have not been answered for good.
    pub unsettled: u32,
    /// While there is any, nothing is read.
    pub hindrance: Hindrance,
    /// How much the packets of this turn have caused.
    pub steps: usize,
    /// While it holds, nothing is read either.
    pub pace: Pace,
    pub outbound: Outbound,
    /// When it has to have authenticated anew.
    pub expires_at: Option<Monotonic>,
    /// What a rule has not allowed, until somebody looks.
    pub denial: Option<Box<Denial>>,
    /// Its rights are other ones than those by which it holds its places in groups.
    pub has_other_rights: bool,
}

/// Each client that stays keeps one. Allocators have sizes: one byte more than this, and all of them take a quarter more.
const _: () = assert!(size_of::<Open>() <= 1024);

/// Nothing answers a publish at QoS 0, but whoever publishes from inside the program has somebody to tell what became of it.
#[derive(Debug, Default)]
pub(super) struct Inside {
    /// Publishes at QoS 0 that have come.
    silent: usize,
    /// Which of them were refused, counted from 0, until somebody looks.
    refused: VecDeque<(usize, ReasonCode)>,
}

impl Inside {
    /// One more at QoS 0 has come.
    pub fn count(&mut self) {
        self.silent += 1;
    }

    /// The last one is not accepted.
    pub fn refuse(&mut self, reason: ReasonCode) {
        self.refused.push_back((self.silent - 1, reason));
    }
}

impl Connection {
    /// The next publish at QoS 0 that was refused on a connection from inside: which of them, counted from 0, and why. Nothing else tells.
    pub fn poll_refused(&mut self) -> Option<(usize, ReasonCode)> {
        match &mut self.phase {
            Phase::Open(open) => open.inside.as_mut()?.refused.pop_front(),
            _ => None,
        }
    }
}

impl Open {
    pub fn keep_alive_deadline(&self) -> Option<Monotonic> {
        Some(self.last_received.plus_ms(self.keep_alive_ms?))
    }

    /// A publish of this client has been answered for good.
    pub fn settle(&mut self) {
        self.unsettled = self.unsettled.saturating_sub(1);
    }

    /// The id of a QoS 2 publish that its publisher has not released yet.
    pub fn is_inbound(&self, packet_id: PacketId) -> bool {
        self.session.inbound.contains(&packet_id)
    }
}
