//! Connecting, staying connected, losing the connection, trying again, and the end.
//!
//! A connection is over for the machine the moment it decides so; the driver then closes the transport, and nothing of
//! it is handed in any more. Sessions outlive connections: what is in flight waits for the next CONNACK.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use super::{
    Action, Client, Event, JournalEntry, Limits, Millis, OfflineQos0, Options, Session, State,
    alias::OutboundAliases,
    backoff::Retry,
    connect::{self, Verdict, verdict},
    inbound::Inbound,
    journal::Journal,
    keep_alive::KeepAlive,
    outbound::Outbound,
    packet_ids::PacketIds,
    subscriptions::Subscriptions,
};
use crate::{
    Decoder, Packet, ReasonCode, Role, Version,
    packet::{ConnAck, Disconnect},
};

/// What the machine is doing about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing, until the application says so.
    Idle,
    /// Waiting to try again.
    Waiting { until: Millis },
    /// The driver opens a transport.
    Opening { deadline: Millis },
    /// CONNECT is out.
    Handshake { deadline: Millis },
    /// CONNACK is in.
    Online { since: Millis },
    /// For good.
    Closed,
}

/// A session at the server that is not stored here must go first [MQTT-3.2.2-4].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wipe {
    /// There is none, as far as is known.
    Not,
    /// The next CONNECT ends it.
    Next,
    /// It has ended; 3.1.1 needs one more connection, for its Clean Session is not kept.
    Done,
}

/// How long a connection under suspicion has to answer.
const PROBE_MS: u64 = 3_000;

impl Client {
    /// A client that starts to connect at once.
    #[must_use]
    pub fn new(now: Millis, options: Options) -> Self {
        let mut client = Self::idle(options);
        client.start(now);
        client
    }

    /// A client that waits for [`Client::start`]: what is stored is handed in before.
    #[must_use]
    pub fn idle(options: Options) -> Self {
        Self {
            phase: Phase::Idle,
            state: State::Connecting,
            retry: Retry::new(options.backoff, options.seed),
            ids: PacketIds::new(),
            outbound: Outbound::new(
                options.outbound_messages_max,
                options.outbound_bytes_max,
                options.backoff,
                options.seed,
            ),
            inbound: Inbound::new(),
            subscriptions: Subscriptions::new(options.snapshot_quiet_ms),
            journal: Journal::new(options.durable),
            held: alloc::collections::VecDeque::new(),
            holds: false,
            has_session: options.has_session,
            awaits_connack: false,
            is_unsure: false,
            is_evicted: false,
            wipe: Wipe::Not,
            limits: None,
            keep_alive: None,
            aliases: OutboundAliases::default(),
            control: alloc::collections::VecDeque::new(),
            events: alloc::collections::VecDeque::new(),
            actions: alloc::collections::VecDeque::new(),
            was_online: false,
            assigned_client_id: None,
            decoder: Decoder::new(Role::Client, 0),
            options,
        }
    }

    /// Starts to connect.
    pub fn start(&mut self, now: Millis) {
        if self.phase == Phase::Idle {
            self.open(now);
        }
    }

    /// Other credentials for the next attempt.
    pub fn set_credentials(
        &mut self,
        username: Option<crate::ByteString>,
        password: Option<bytes::Bytes>,
        authentication_data: Option<bytes::Bytes>,
    ) {
        let connect = &mut self.options.connect;
        connect.username = username;
        connect.password = password;
        connect.authentication_data = authentication_data;
    }

    /// Tries now instead of later, whatever the state was, unless closed. A connection that stands is probed.
    pub fn reconnect_now(&mut self, now: Millis) {
        match self.phase {
            Phase::Idle | Phase::Waiting { .. } => {
                self.retry.reset();
                self.open(now);
            }
            Phase::Online { .. } => self.probe(now),
            Phase::Opening { .. } | Phase::Handshake { .. } | Phase::Closed => {}
        }
    }

    /// The world may have changed (network, wake-up): asks the server for a sign of life with a short deadline, or
    /// ends the wait for the next attempt. What waits for the application goes on waiting.
    pub fn probe(&mut self, now: Millis) {
        if let Phase::Waiting { .. } = self.phase {
            self.reconnect_now(now);
        } else if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.ping(now);
            keep_alive.expect_answer_by(now + PROBE_MS);
            self.control.push_back(Packet::PingReq);
        }
    }

    /// The transport is open: CONNECT goes first [MQTT-3.1.0-1].
    pub fn handle_open(&mut self, _now: Millis) {
        if let Phase::Opening { deadline } = self.phase {
            self.phase = Phase::Handshake { deadline };
            self.control.clear();
            self.decoder = self.new_decoder();
            let connect = connect::packet(
                &self.options.connect,
                self.wants_clean_start(),
                self.assigned_client_id.as_ref(),
            );
            self.control.push_back(Packet::Connect(Box::new(connect)));
            self.is_unsure |= core::mem::replace(&mut self.awaits_connack, true);
        }
    }

    /// A client that was online once wants that session back; a Clean Session of 3.1.1 ends with its connection, so
    /// there is none to want. What is stored is never given up without need.
    fn wants_clean_start(&self) -> bool {
        let connect = &self.options.connect;
        if self.options.durable {
            self.wipe == Wipe::Next
        } else {
            connect.clean_start && (!self.was_online || connect.version != Version::V5)
        }
    }

    /// The transport could not be opened, or was closed by the other side.
    pub fn handle_closed(&mut self, now: Millis, reason: &str) {
        if self.has_transport() {
            self.lost(now, reason.to_owned(), None, Verdict::Retry);
        }
    }

    /// A time that `poll_timeout` named has come (or not: nothing happens early).
    pub fn handle_timeout(&mut self, now: Millis) {
        match self.phase {
            Phase::Waiting { until } if until <= now => self.open(now),
            Phase::Opening { deadline } | Phase::Handshake { deadline } if deadline <= now => {
                self.actions.push_back(Action::Close);
                self.lost(
                    now,
                    "the server did not answer in time".to_owned(),
                    None,
                    Verdict::Retry,
                );
            }
            Phase::Online { .. } => self.online_timeout(now),
            _ => {}
        }
    }

    fn online_timeout(&mut self, now: Millis) {
        let Some(keep_alive) = &mut self.keep_alive else {
            return;
        };
        if keep_alive.was_asleep(now) {
            // [MQTT-3.1.2-22]: the server has closed it, whatever this side still believes.
            self.retry.reset();
            self.actions.push_back(Action::Close);
            let reason = "this side was silent for too long".to_owned();
            self.lost(now, reason, None, Verdict::Retry);
            return;
        }
        if keep_alive.is_dead(now) {
            self.actions.push_back(Action::Close);
            let reason = "the server went silent".to_owned();
            self.lost(now, reason, None, Verdict::Retry);
            return;
        }
        if keep_alive.is_ping_due(now) {
            keep_alive.ping(now);
            self.control.push_back(Packet::PingReq);
        }
        self.outbound.handle_timeout(now);
        let changes = self.subscriptions.handle_timeout(now);
        self.push_changes(changes);
    }

    /// When `handle_timeout` is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Opening { deadline } | Phase::Handshake { deadline } => Some(deadline),
            Phase::Online { .. } => {
                let keep_alive = self.keep_alive.as_ref().and_then(KeepAlive::next_timeout);
                keep_alive
                    .into_iter()
                    .chain(self.subscriptions.next_timeout())
                    .chain(self.outbound.next_timeout())
                    .min()
            }
            Phase::Idle | Phase::Closed => None,
        }
    }

    /// Ends it: DISCONNECT 0x00, which removes the will [MQTT-3.14.4-3]. What is not settled fails with `Closed`.
    pub fn close(&mut self) {
        self.end(None);
    }

    /// As [`Client::close`], and the server forgets the session, if it is connected and speaks 5.0. What is stored is then
    /// for the application to remove.
    pub fn close_and_end_session(&mut self) {
        self.end(Some(0));
    }

    fn end(&mut self, session_expiry_interval: Option<u32>) {
        if self.phase == Phase::Closed {
            return;
        }
        self.say_goodbye(Disconnect {
            session_expiry_interval,
            ..Disconnect::new(ReasonCode::Success)
        });
        self.phase = Phase::Closed;
        self.forget_connection();
        let settled = self.outbound.drain();
        self.push_settled(settled);
        self.set_state(State::Closed);
    }

    /// Leaves without an end: the will is published (5.0: DISCONNECT 0x04, 3.1.1: a bare close), the session stays,
    /// and [`Client::reconnect_now`] comes back.
    pub fn leave(&mut self, reason: &str) {
        if self.has_transport() || matches!(self.phase, Phase::Waiting { .. }) {
            if self.options.connect.version == Version::V5 {
                self.say_goodbye(Disconnect::new(ReasonCode::DisconnectWithWill));
            } else if self.has_transport() {
                self.control.clear();
                self.actions.push_back(Action::Close);
            }
            self.rest(State::Offline {
                reason: reason.to_owned(),
                reason_code: None,
                retry_in_ms: None,
            });
        }
    }

    pub(super) fn handle_connack(
        &mut self,
        now: Millis,
        connack: Box<ConnAck>,
    ) -> Result<(), ReasonCode> {
        self.awaits_connack = false;
        if connack.reason.is_error() {
            let text = explain(connack.reason, connack.reason_string.as_deref());
            self.actions.push_back(Action::Close);
            self.lost(now, text, Some(connack.reason), verdict(connack.reason));
            return Ok(());
        }
        let session_present = connack.session_present;
        if self.wants_clean_start() && session_present {
            // [MQTT-3.2.2-4]
            return Err(ReasonCode::ProtocolError);
        }
        if self.must_wipe(session_present) {
            // Not the end of the client, so without its will.
            self.phase = Phase::Online { since: now };
            self.say_goodbye(Disconnect::new(ReasonCode::Success));
            self.forget_connection();
            self.open(now);
            return Ok(());
        }
        let session = match session_present {
            true => Session::Resumed,
            false if self.is_evicted => Session::Evicted,
            false if self.has_session => Session::Gap,
            false => Session::Fresh,
        };
        self.wipe = Wipe::Not;
        self.is_evicted = false;
        let connect = &self.options.connect;
        let limits = Limits::new(connect, &connack);
        let receive_maximum = match connect.version {
            Version::V5 => connect.receive_maximum.map_or(u16::MAX, Into::into),
            // Nothing tells the server of it.
            _ => u16::MAX,
        };
        self.has_session =
            self.options.durable || connect.version.session_expiry_interval(connect) > 0;
        self.inbound.connected(
            session_present,
            receive_maximum,
            connect.topic_alias_maximum,
        );
        self.held.clear();
        self.keep_alive = Some(KeepAlive::new(
            now,
            limits.keep_alive_s,
            self.options.ping_timeout_ms,
        ));
        self.aliases = OutboundAliases::new(limits.topic_alias_maximum);
        self.limits = Some(limits);
        if let Some(client_id) = &connack.assigned_client_identifier {
            self.assigned_client_id = Some(client_id.clone());
        }
        self.was_online = true;
        self.phase = Phase::Online { since: now };
        if core::mem::take(&mut self.is_unsure) && session_present {
            self.subscriptions.doubt();
            self.inbound.doubt();
        }
        self.push_event(Event::Connected(connack));
        self.set_state(State::Online { session });
        if !session_present {
            self.journal.write(JournalEntry::Restarted);
        }
        for handle in self.subscriptions.connected(session_present) {
            self.push_event(Event::Unsubscribed { handle });
        }
        let settled = self.outbound.connected(session_present, &mut self.ids);
        self.push_settled(settled);
        Ok(())
    }

    /// Whether this connection must end at once, for the server has a session that is not stored here.
    fn must_wipe(&mut self, session_present: bool) -> bool {
        self.wipe = match self.wipe {
            Wipe::Not | Wipe::Done
                if session_present && self.options.durable && !self.has_session =>
            {
                // It may as well have begun with a CONNECT of just now.
                self.is_evicted |= !self.is_unsure;
                Wipe::Next
            }
            Wipe::Next if self.options.connect.version != Version::V5 => Wipe::Done,
            _ => return false,
        };
        true
    }

    pub(super) fn handle_disconnect(&mut self, now: Millis, disconnect: &Disconnect) {
        let text = explain(disconnect.reason, disconnect.reason_string.as_deref());
        self.actions.push_back(Action::Close);
        let mut verdict = verdict(disconnect.reason);
        if verdict == Verdict::NeedsAuth
            && self.options.asks_credentials
            && let Phase::Online { since } = self.phase
            && self.retry.is_stable(now.saturating_sub(since))
        {
            // The credentials were good for a while: they have run out, and there are others.
            verdict = Verdict::Retry;
        }
        self.lost(now, text, Some(disconnect.reason), verdict);
    }

    /// The server broke the protocol (section 4.13.1): say so where the version can, close, try again.
    pub(super) fn fail(&mut self, now: Millis, reason: ReasonCode) {
        if !self.has_transport() {
            return;
        }
        if self.options.connect.version == Version::V5 {
            self.say_goodbye(Disconnect::new(reason));
        } else {
            self.actions.push_back(Action::Close);
        }
        let mut text = "the server broke the protocol: ".to_owned();
        text.push_str(reason.name());
        self.lost(now, text, Some(reason), Verdict::Retry);
    }

    fn open(&mut self, now: Millis) {
        self.phase = Phase::Opening {
            deadline: now + u64::from(self.options.connect_timeout_ms),
        };
        self.actions.push_back(Action::Open);
        self.set_state(State::Connecting);
    }

    pub(super) fn has_transport(&self) -> bool {
        matches!(
            self.phase,
            Phase::Opening { .. } | Phase::Handshake { .. } | Phase::Online { .. }
        )
    }

    /// DISCONNECT as the last packet of a connection that got as far as CONNACK, and the close.
    fn say_goodbye(&mut self, disconnect: Disconnect) {
        if !self.has_transport() {
            return;
        }
        self.control.clear();
        if matches!(self.phase, Phase::Online { .. }) {
            self.control
                .push_back(Packet::Disconnect(Box::new(disconnect)));
        }
        self.actions.push_back(Action::Close);
    }

    /// The connection is over, by whomever.
    fn lost(
        &mut self,
        now: Millis,
        reason: String,
        reason_code: Option<ReasonCode>,
        verdict: Verdict,
    ) {
        if let Phase::Online { since } = self.phase {
            self.retry.reset_if_stable(now.saturating_sub(since));
        }
        match verdict {
            Verdict::NeedsAuth => self.rest(State::NeedsAuth {
                reason,
                reason_code: reason_code.unwrap_or(ReasonCode::NotAuthorized),
            }),
            Verdict::Retry if self.options.reconnect => {
                let wait_ms = self.retry.next_wait_ms();
                self.rest(State::Offline {
                    reason,
                    reason_code,
                    retry_in_ms: Some(wait_ms),
                });
                self.phase = Phase::Waiting {
                    until: now + u64::from(wait_ms),
                };
            }
            Verdict::Retry | Verdict::Never => self.rest(State::Offline {
                reason,
                reason_code,
                retry_in_ms: None,
            }),
        }
    }

    /// Offline, with what may still be written (a DISCONNECT) left in place.
    fn rest(&mut self, state: State) {
        self.phase = Phase::Idle;
        self.forget_connection();
        if self.options.offline_qos0 == OfflineQos0::Refuse {
            let settled = self.outbound.drop_qos0();
            self.push_settled(settled);
        }
        self.set_state(state);
    }

    fn forget_connection(&mut self) {
        self.limits = None;
        self.keep_alive = None;
        self.control
            .retain(|packet| matches!(packet, Packet::Disconnect(_)));
        self.journal.disconnected();
        self.held.clear();
        self.subscriptions.disconnected(&mut self.ids);
    }

    fn set_state(&mut self, state: State) {
        if self.state != state {
            self.state = state.clone();
            self.push_event(Event::State(state));
        }
    }
}

fn explain(reason: ReasonCode, text: Option<&str>) -> String {
    let mut explained = reason.name().to_owned();
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        explained.push_str(": ");
        explained.push_str(text);
    }
    explained
}
