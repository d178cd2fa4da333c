//! The last packet of a connection that the broker ends: why, in the words of the version and within what the client takes.

use ebbtide_protocol::{
    ByteString, Packet, PacketId, ReasonCode, Version,
    codec::{encoded_len, fit},
    packet::{ConnAck, Connect, Disconnect, SubAck},
};

use super::{Connection, Phase, fault::Close};

/// What a client takes of texts that say why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// Its Maximum Packet Size, bytes.
    pub maximum_packet_size: u32,
    /// Its Request Problem Information. With zero CONNACK and DISCONNECT might still say why [MQTT-3.1.2-29]; it is
    /// taken at its word.
    pub wants_problem_information: bool,
}

impl Tolerance {
    /// Of a client of which nothing is known.
    const UNKNOWN: Self = Self {
        maximum_packet_size: u32::MAX,
        wants_problem_information: true,
    };

    /// As CONNECT says.
    pub fn of(connect: &Connect) -> Self {
        Self {
            maximum_packet_size: connect.maximum_packet_size.unwrap_or(u32::MAX),
            wants_problem_information: connect.request_problem_information.unwrap_or(true),
        }
    }

    /// The Reason String, if the client wants one.
    pub fn reason_string(self, why: &str) -> Option<ByteString> {
        self.wants_problem_information.then(|| why.into())
    }

    /// Whether the client takes the packet as it is.
    pub fn fits_whole(self, packet: &Packet, version: Version) -> bool {
        let most = self.maximum_packet_size;
        most == u32::MAX || encoded_len(packet, version) <= most as usize
    }

    /// Whether the client takes the answer to so many filters, once that says no more than it must: SUBACK and UNSUBACK are
    /// alike, with a reason for each. Anything else that acknowledges is no larger than the least CONNACK, which it has taken.
    pub fn takes_answer(self, filters: usize, version: Version) -> Result<(), Close> {
        let least = || {
            Packet::SubAck(SubAck {
                packet_id: PacketId::MIN,
                reason_string: None,
                user_properties: Vec::new(),
                reasons: vec![ReasonCode::Success; filters],
            })
        };
        if self.maximum_packet_size == u32::MAX || self.fits_whole(&least(), version) {
            return Ok(());
        }
        let why = format!(
            "the answer to {filters} filters would be larger than its Maximum Packet Size: it may ask for fewer in one packet"
        );
        Err(Close::new(ReasonCode::PacketTooLarge, why))
    }

    /// Makes the packet as small as the client wants it; `false`: it must not be sent.
    pub fn fits(self, packet: &mut Packet, version: Version) -> bool {
        self.maximum_packet_size == u32::MAX || fit(packet, version, self.maximum_packet_size)
    }
}

impl Connection {
    /// The packet that says why it ends, where the version has one for it and the client takes it.
    pub(super) fn farewell_for(&self, close: &Close) -> Option<Box<Packet>> {
        let version = self.decoder.version()?;
        let tolerance = self.tolerance();
        // Whoever speaks a version that nobody knows may not know texts either.
        let is_understood = close.reason != ReasonCode::UnsupportedProtocolVersion;
        let reason_string = tolerance
            .reason_string(&close.explanation)
            .filter(|_| is_understood);
        let server_reference = || {
            let is_elsewhere = close.reason == ReasonCode::UseAnotherServer;
            self.shared.server_reference().filter(|_| is_elsewhere)
        };
        let mut packet = match &self.phase {
            Phase::Open(open) => {
                // A DISCONNECT never comes before CONNACK [MQTT-3.14.0-1].
                if !open.is_acknowledged || !version.server_may_disconnect() {
                    return None;
                }
                Packet::Disconnect(Box::new(Disconnect {
                    reason_string,
                    server_reference: server_reference().cloned(),
                    ..Disconnect::new(close.reason)
                }))
            }
            Phase::Over => return None,
            Phase::Silent { .. } | Phase::Arriving(_) | Phase::Claiming(_) => {
                let reason = refusal(close.reason);
                version.connack_code(reason)?;
                Packet::ConnAck(Box::new(ConnAck {
                    reason_string,
                    server_reference: server_reference().cloned(),
                    // [MQTT-3.2.2-6]
                    ..ConnAck::new(reason, false)
                }))
            }
        };
        // [MQTT-3.2.2-19, MQTT-3.14.2-3]
        let fits = tolerance.fits(&mut packet, version);
        fits.then(|| Box::new(packet))
    }

    pub(super) fn tolerance(&self) -> Tolerance {
        match &self.phase {
            Phase::Arriving(arriving) => Tolerance::of(&arriving.connect),
            Phase::Claiming(claiming) => Tolerance::of(claiming.connect()),
            Phase::Open(open) => open.tolerance,
            Phase::Silent { .. } | Phase::Over => Tolerance::UNKNOWN,
        }
    }
}

/// The reason for CONNACK: some that a DISCONNECT may carry are not among its own [MQTT-3.2.2-8].
fn refusal(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::ServerShuttingDown => ReasonCode::ServerBusy,
        ReasonCode::SessionTakenOver | ReasonCode::MaximumConnectTime => {
            ReasonCode::UnspecifiedError
        }
        reason => reason,
    }
}
