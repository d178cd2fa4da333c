//! One connection, from its first byte to its last: a state machine without a socket.
//!
//! Read it in this order: this file (what comes in), `connect`, `authenticate` and `begin` (from the first packet to a session), `open` (the state from
//! then on), `publish`, `subscribe` and `unsubscribe` (what a client asks for), `authorize` (what it may), `outbound`, `resume`, `snapshot` and `announce`
//! (what it gets), `replies` and `transmit` (what leaves, and when), `acks`, `wake` (what happens without a packet), `end`. The rest are parts of these.

mod acks;
mod aliases;
mod announce;
mod authenticate;
mod authorize;
mod begin;
mod command;
mod connack;
mod connect;
mod end;
mod farewell;
mod fault;
mod hindrance;
mod leased;
mod open;
mod outbound;
mod pace;
mod publish;
mod question;
mod reading;
mod recall;
mod replies;
mod resume;
mod snapshot;
mod subscribe;
mod transmit;
mod unsubscribe;
mod wake;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    ByteString, Packet, ReasonCode, Version, Violation,
    codec::{Decoder, Role},
};

pub(crate) use self::connack::RESERVED;
pub use self::connack::rfc3339;
use self::{
    authenticate::Turn,
    connect::{Arriving, Claiming},
    end::End,
    open::Open,
    replies::Replies,
};
pub use self::{
    authorize::Denial,
    fault::Close,
    question::{
        Answer, Authentication, AuthenticationStep, Credentials, Identity, Origin, Question,
        Transport,
    },
};
use crate::{
    Durability, Limit, Limits, Monotonic, Now, hits, journal::Ticket, registry::Newcomer,
    route::overflow, shared::Shared, stats::Traffic, work::STEPS_PER_TURN,
};

/// How many packets one call of [`Connection::receive`] takes at most: then others have their turn.
const PACKETS_PER_TURN: usize = 256;
/// So many new bytes of a packet that is not whole are a sign of life. By the letter only whole packets are [MQTT-3.1.2-22]; but who sends a
/// large one on a slow way can say nothing else meanwhile, and would begin anew with it, for ever.
const SIGN_OF_LIFE_BYTES: usize = 1024;

/// How long a connection that is one too many has to its CONNECT.
const REFUSED_MS: u64 = 1_000;

/// One connection. Dropping it counts as an end without DISCONNECT.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    /// Of its beginning: what CONNACK announces holds for as long as it is there.
    limits: Arc<Limits>,
    origin: Arc<Origin>,
    waker: Waker,
    decoder: Decoder,
    phase: Phase,
    replies: Replies,
    questions: VecDeque<Question>,
    /// PINGRESPs to send: they wait for nothing [MQTT-3.12.4-1].
    pings: usize,
    /// AUTH to send: it waits for nothing.
    challenge: Option<Box<Packet>>,
    /// What is left to be sent of the payload of a packet that has begun: it comes before everything else, and is no copy.
    partial: Option<Box<Bytes>>,
    /// The last packet, once all is over [MQTT-3.14.4-1].
    farewell: Option<Box<Packet>>,
    close: Option<Close>,
    /// A wake-up is due from the journal when this is durable.
    awaited: Ticket,
    seen: Now,
    client_id: Option<ByteString>,
    durability: Durability,
    /// Taken in by this turn.
    incoming: Traffic,
    /// That was one packet.
    took_one: bool,
    /// While nobody can reach it by its client id.
    newcomer: Option<Newcomer>,
    /// It is not let in, because of this.
    refusal: Option<Limit>,
    /// What has counted as a sign of life, of a packet that is not whole.
    counted_bytes: usize,
}

/// It only goes forward, so CONNACK is sent once [MQTT-3.2.0-2].
#[derive(Debug)]
enum Phase {
    /// Nothing has come yet.
    Silent {
        deadline: Monotonic,
    },
    /// Whether the client may come in is being asked.
    Arriving(Box<Arriving>),
    /// The session's former owner has been asked for it.
    Claiming(Box<Claiming>),
    /// It has a session.
    Open(Box<Open>),
    Over,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, origin: Origin, waker: Waker, now: Now) -> Self {
        let limits = shared.limits.load_full();
        let deadline = now.monotonic.plus_ms(limits.connect_deadline_ms);
        // Until it is let in; then it may send what CONNACK announces.
        let largest = limits.connect_packet_size_max;
        let decoder = Decoder::new(Role::Server, largest.min(limits.maximum_packet_size));
        shared.counters.opened.fetch_add(1, Ordering::Relaxed);
        let newcomer = shared.registry.enter(waker.clone());
        if shared.is_stopping() {
            // The stop may have looked around before.
            waker.wake_by_ref();
        }
        Self {
            shared,
            limits,
            origin: Arc::new(origin),
            waker,
            decoder,
            phase: Phase::Silent { deadline },
            replies: Replies::default(),
            questions: VecDeque::new(),
            pings: 0,
            challenge: None,
            partial: None,
            farewell: None,
            close: None,
            awaited: Ticket(0),
            seen: now,
            client_id: None,
            durability: Durability::default(),
            incoming: Traffic::default(),
            took_one: false,
            newcomer: Some(newcomer),
            refusal: None,
            counted_bytes: 0,
        }
    }

    /// What its acknowledgements stand for; to be said before anything else.
    pub fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
        self.replies.set_durability(durability);
    }

    /// It is one too many: its CONNECT will be answered with why, and has to come soon. To be said before anything else, and counted
    /// by whoever says it.
    pub fn refuse(&mut self, limit: Limit, now: Now) {
        self.refusal = Some(limit);
        if let Phase::Silent { deadline } = &mut self.phase {
            *deadline = now.monotonic.plus_ms(REFUSED_MS).min(*deadline);
        }
    }

    /// Takes packets off the front of `input`. Returns `true` when a budget ended the turn while complete packets
    /// may remain: call again after the outputs have been polled. What is left is an incomplete packet, or waits
    /// because [`Connection::wants_input`] has become `false`.
    pub fn receive(&mut self, input: &mut BytesMut, now: Now) -> bool {
        self.seen = now;
        let before = input.len();
        if let Phase::Open(open) = &mut self.phase {
            open.outbound.ends.begin_turn();
            open.steps = 0;
        }
        self.note_incomplete(before, || now);
        let more = self.take_packets(input, now);
        if input.len() < before {
            self.counted_bytes = 0;
        }
        self.incoming.bytes += (before - input.len()) as u64;
        let turn = std::mem::take(&mut self.incoming);
        self.took_one = turn.packets == 1;
        self.shared.counters.received.add(turn);
        self.count();
        more
    }

    /// How many steps the packets of the last turn took.
    #[must_use]
    pub fn steps(&self) -> usize {
        match &self.phase {
            Phase::Open(open) => open.steps,
            _ => 0,
        }
    }

    /// The last turn took in one message and nothing else, and it could be acknowledged now: those who get it can be served before.
    #[must_use]
    pub fn has_published_one(&self) -> bool {
        let is_durable = |ticket| self.shared.journal.is_durable(ticket);
        self.took_one && self.steps() > 0 && self.replies.waits_for().is_some_and(is_durable)
    }

    fn take_packets(&mut self, input: &mut BytesMut, now: Now) -> bool {
        for _ in 0..PACKETS_PER_TURN {
            if !self.wants_input() {
                self.note_reading(now);
                return false;
            }
            if self.steps() >= STEPS_PER_TURN {
                return true;
            }
            let handled = match self.decoder.decode(input) {
                Ok(None) => return false,
                Ok(Some(packet)) => {
                    self.incoming.packets += 1;
                    self.handle_packet(packet, now)
                        .inspect_err(|close| self.count_passed(close))
                }
                Err(violation) => Err(self.refuse_violation(violation)),
            };
            if let Err(close) = handled {
                self.fail(close, now);
                return false;
            }
        }
        self.note_reading(now);
        true
    }

    /// A packet that was understood ends the connection, perhaps because a limit does not allow it.
    fn count_passed(&self, close: &Close) {
        if let Some(limit) = hits::passed_by(close.reason) {
            self.shared.counters.limits.hit(limit);
        }
    }

    /// Whether the socket may be read: no while too much of what it sent waits for the disk or for other clients to read it, while
    /// its CONNECT is being decided, and after its end [MQTT-3.1.4-6].
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let limits = &self.limits;
        let is_listening = match &self.phase {
            Phase::Silent { .. } | Phase::Open(_) => true,
            Phase::Arriving(arriving) => arriving.turn == Turn::Client,
            Phase::Claiming(_) | Phase::Over => false,
        };
        is_listening
            && self.replies.uncommitted_bytes() <= limits.uncommitted_bytes_max
            && self.replies.len() + self.pings <= limits.replies_max
            && !self.is_held_back()
            && !self.is_ahead_of_disk()
    }

    /// Somebody has to read before more may be published to them, or it has published too fast. Not while it is leaving: then there is
    /// no later for what it has said, and its DISCONNECT comes last [MQTT-3.14.4-3].
    fn is_held_back(&self) -> bool {
        let is_hindered = |open: &Open| !open.hindrance.is_none() || open.pace.holds();
        matches!(&self.phase, Phase::Open(open) if is_hindered(open) && !open.is_leaving)
    }

    /// Nothing that it sent is waited for, so this is what keeps it from filling the memory.
    fn is_ahead_of_disk(&self) -> bool {
        self.durability == Durability::Relaxed
            && self.shared.journal.queue_bytes() > self.limits.journal_bytes_max
    }

    /// Another connection takes over the session, and the next [`Connection::handle_wake`] ends this one. What has come by
    /// now is to be received before, so that nothing is lost that the client said before it came back.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.is_leaving)
    }

    /// So many bytes have come of a packet that is not whole, in the hands of the transport, too. While memory is short this ends the
    /// connection, if it is more than [`Limits::INCOMPLETE_BYTES_MAX`]: nothing else would give them back. Gives whether it did.
    pub fn handle_incomplete(&mut self, bytes: usize, now: impl Fn() -> Now) -> bool {
        self.note_incomplete(bytes, &now);
        if bytes <= Limits::INCOMPLETE_BYTES_MAX || !self.shared.lacks_memory() {
            return false;
        }
        self.fail(Close::beyond(Limit::MemoryBytesMax), now());
        true
    }

    /// A large packet on a slow way is not silence.
    fn note_incomplete(&mut self, bytes: usize, now: impl FnOnce() -> Now) {
        if let Phase::Open(open) = &mut self.phase
            && bytes >= self.counted_bytes + SIGN_OF_LIFE_BYTES
        {
            open.last_received = now().monotonic;
            self.counted_bytes = bytes;
        }
    }

    /// The byte stream ended, or failed, at the other side.
    pub fn handle_end(&mut self, now: Now) {
        let close = Close::new(
            ReasonCode::UnspecifiedError,
            "the connection was closed without DISCONNECT",
        );
        self.end(End::Lost, close, now);
        self.farewell = None;
    }

    /// The answer to an earlier question.
    pub fn handle_answer(&mut self, answer: Answer, now: Now) {
        self.seen = now;
        let handled = match answer {
            Answer::Authenticated(outcome) => self.handle_authenticated(outcome, now),
            Answer::Read(outcome) => self.handle_read(outcome),
        };
        if let Err(close) = handled {
            self.fail(close, now);
        }
    }

    /// The next question to the outside. Questions may be asked while others are open.
    pub fn poll_question(&mut self) -> Option<Question> {
        let question = self.questions.pop_front();
        if self.questions.is_empty() {
            // Most clients are asked about once, when they come.
            self.questions = VecDeque::new();
        }
        question
    }

    /// Set once the connection is over: write what [`Connection::poll_transmit`] still gives, then close the stream
    /// [MQTT-3.2.2-7, MQTT-3.14.4-2, MQTT-4.13.2-1].
    #[must_use]
    pub fn close(&self) -> Option<&Close> {
        self.close.as_ref()
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The client identifier, once CONNECT has come, also after the end; for logs.
    #[must_use]
    pub fn client_id(&self) -> Option<&ByteString> {
        self.client_id.as_ref()
    }

    fn handle_packet(&mut self, packet: Packet, now: Now) -> Result<(), Close> {
        if let Phase::Silent { deadline } = self.phase {
            return match packet {
                Packet::Connect(connect) => self.handle_connect(connect, deadline),
                _ => Err(Violation::ConnectExpected.into()),
            };
        }
        if let Phase::Arriving(_) = self.phase {
            return self.handle_while_arriving(packet, now);
        }
        let Phase::Open(open) = &mut self.phase else {
            return Err(Violation::UnexpectedPacket.into());
        };
        open.last_received = now.monotonic;
        if open.is_acknowledged
            && let Some(told) = open.told.take()
        {
            overflow::told(&self.shared, &open.session.mailbox, *told);
        }
        let (shared, replies) = (&*self.shared, &mut self.replies);
        match packet {
            Packet::Publish(publish) => {
                self.incoming.publishes += 1;
                self.incoming.payload_bytes += publish.payload.len() as u64;
                let crowded = open.handle_publish(*publish, shared, replies, now)?;
                open.hindrance.add(crowded, &self.waker);
                open.pace.count(shared, now.monotonic);
                Ok(())
            }
            Packet::PubAck(ack) => open.handle_puback(&ack, shared, now.wall),
            Packet::PubRec(ack) => open.handle_pubrec(&ack, shared, replies, now.wall),
            Packet::PubRel(ack) => {
                open.handle_pubrel(&ack, shared, replies);
                Ok(())
            }
            Packet::PubComp(ack) => open.handle_pubcomp(&ack, shared, now.wall),
            Packet::Subscribe(subscribe) => open.handle_subscribe(subscribe, shared, replies, now),
            Packet::Unsubscribe(unsubscribe) => {
                open.handle_unsubscribe(unsubscribe, shared, replies, now)
            }
            Packet::PingReq => {
                self.pings += 1;
                Ok(())
            }
            Packet::Disconnect(disconnect) => self.handle_disconnect(&disconnect, now),
            Packet::Auth(auth) => self.handle_auth(*auth),
            Packet::Connect(_) => Err(Violation::ConnectTwice.into()),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Violation::UnexpectedPacket.into())
            }
        }
    }

    /// What is malformed or against the protocol ends the connection [MQTT-3.1.4-1, MQTT-4.13.1-1]. Which version to refuse
    /// in: an unknown level has none of its own.
    fn refuse_violation(&mut self, violation: Violation) -> Close {
        match violation {
            Violation::ProtocolLevel(level) => {
                self.decoder.set_version(Version::for_refusal(level));
            }
            Violation::PacketTooLarge => self.shared.counters.limits.hit(match self.phase {
                Phase::Open(_) => Limit::MaximumPacketSize,
                _ => Limit::ConnectPacketSizeMax,
            }),
            _ => {}
        }
        violation.into()
    }

    /// Ends the connection from this side, saying why where the version allows it.
    fn fail(&mut self, close: Close, now: Now) {
        if self.close.is_some() {
            return;
        }
        let end = if close.is_stop() {
            End::ServerStops
        } else {
            End::Lost
        };
        self.end(end, close, now);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle_end(self.seen);
    }
}
