//! Connecting, staying connected, losing the connection, trying again, and the end.
//!
//! A connection is over for the machine the moment it decides so; the driver then closes the transport, and nothing of
//! it is handed in any more. Sessions outlive connections: what is in flight waits for the next CONNACK.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use super::{
    Action, Client, Event, JournalEntry, Millis, OfflineQos0, Options, State,
    alias::OutboundAliases,
    backoff::Retry,
    connect::{self, Verdict},
    diagnostics::{Said, said},
    inbound::Inbound,
    journal::{Effect, Journal},
    keep_alive::KeepAlive,
    outbound::Outbound,
    packet_ids::PacketIds,
    session::Wipe,
    subscriptions::Subscriptions,
};
use crate::{Decoder, Packet, ReasonCode, Role, Version, packet::Disconnect};

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

/// Why a connection is over.
#[derive(Debug)]
pub(super) struct Why {
    reason: String,
    reason_code: Option<ReasonCode>,
    diagnostics: Said,
}

impl Why {
    /// The server said so.
    pub(super) fn server(reason_code: ReasonCode, diagnostics: Said) -> Self {
        let text = diagnostics.as_ref().and_then(|d| d.reason_string.as_ref());
        Self {
            reason: text.map_or_else(String::new, |text| String::from(&**text)),
            reason_code: Some(reason_code),
            diagnostics,
        }
    }
}

impl From<&str> for Why {
    fn from(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            reason_code: None,
            diagnostics: None,
        }
    }
}

/// How long a connection under suspicion has to answer.
const PROBE_MS: u64 = 3_000;
/// How long an attempt waits for credentials.
const CREDENTIALS_MS: u32 = 30_000;

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
            inbound: Inbound::new(options.durable),
            subscriptions: Subscriptions::new(options.snapshot_quiet_ms),
            journal: Journal::new(options.durable),
            held: alloc::collections::VecDeque::new(),
            holds: false,
            has_session: options.has_session,
            session_name: options.session_name.clone(),
            awaits_connack: false,
            is_unsure: options.is_unsure,
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

    /// Other credentials for the next attempt. One that has waited for them begins now.
    pub fn set_credentials(
        &mut self,
        now: Millis,
        username: Option<crate::ByteString>,
        password: Option<bytes::Bytes>,
        authentication_data: Option<bytes::Bytes>,
    ) {
        let connect = &mut self.options.connect;
        connect.username = username;
        connect.password = password;
        connect.authentication_data = authentication_data;
        if let Phase::Opening { deadline } = &mut self.phase {
            *deadline = now + u64::from(self.options.connect_timeout_ms);
        }
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
            let connect = Effect::Packet(Packet::Connect(Box::new(connect)));
            if !self.may_have_session() {
                self.journal.write(JournalEntry::Unsure { is_unsure: true });
            }
            match self.has_session {
                true => self.let_go(connect),
                false => self.gate(connect),
            }
            self.is_unsure |= core::mem::replace(&mut self.awaits_connack, true);
        }
    }

    /// The transport could not be opened, or was closed by the other side.
    pub fn handle_closed(&mut self, now: Millis, reason: &str) {
        if self.has_transport() {
            self.lost(now, reason.into(), Verdict::Retry);
        }
    }

    /// A time that `poll_timeout` named has come (or not: nothing happens early).
    pub fn handle_timeout(&mut self, now: Millis) {
        match self.phase {
            Phase::Waiting { until } if until <= now => self.open(now),
            Phase::Opening { deadline } | Phase::Handshake { deadline } if deadline <= now => {
                self.give_up(
                    now,
                    "the server or the credentials callback did not answer in time",
                );
            }
            Phase::Online { .. } => self.online_timeout(now),
            _ => {}
        }
    }

    /// This side ends the connection.
    fn give_up(&mut self, now: Millis, reason: &str) {
        self.actions.push_back(Action::Close);
        self.handle_closed(now, reason);
    }

    fn online_timeout(&mut self, now: Millis) {
        let Some(keep_alive) = &mut self.keep_alive else {
            return;
        };
        if keep_alive.was_asleep(now) {
            // [MQTT-3.1.2-22]: the server has closed it, whatever this side still believes.
            self.retry.reset();
            return self.give_up(now, "this side was silent for too long");
        }
        if keep_alive.is_dead(now) {
            return self.give_up(now, "the server went silent");
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

    /// Ends it: DISCONNECT 0x00, which removes the will [MQTT-3.14.4-3]. What is not settled fails with `Closed`; what is
    /// stored stays so.
    pub fn close(&mut self) {
        self.end(false);
    }

    /// As [`Client::close`]. `ends_session`: and the server forgets the session, if it is connected and speaks 5.0.
    pub fn end(&mut self, ends_session: bool) {
        self.end_with(Disconnect {
            session_expiry_interval: ends_session.then_some(0),
            ..Disconnect::new(ReasonCode::Success)
        });
    }

    /// As [`Client::close`], with a farewell of the application's own; if that is `DisconnectWithWill`, the will is
    /// published. A Session Expiry Interval may change what CONNECT said, unless that was zero (section 3.14.2.2.2): then
    /// any other is left out.
    pub fn end_with(&mut self, mut disconnect: Disconnect) {
        if self.phase == Phase::Closed {
            return;
        }
        if self.options.connect.session_expiry_interval.unwrap_or(0) == 0 {
            disconnect.session_expiry_interval =
                disconnect.session_expiry_interval.filter(|s| *s == 0);
        }
        self.say_goodbye(disconnect);
        self.phase = Phase::Closed;
        self.forget_connection();
        let settled = self.outbound.drain();
        self.push_all_settled(settled);
        self.set_state(State::Closed);
    }

    /// Leaves without an end: the will is published (5.0: DISCONNECT 0x04, 3.1.1: a bare close), the session stays,
    /// and [`Client::reconnect_now`] comes back.
    pub fn leave(&mut self, reason: &str) {
        if self.has_transport() || matches!(self.phase, Phase::Waiting { .. }) {
            self.say_goodbye(Disconnect::new(ReasonCode::DisconnectWithWill));
            self.rest(State::Offline {
                reason: reason.to_owned(),
                reason_code: None,
                retry_in_ms: None,
                diagnostics: None,
            });
        }
    }

    pub(super) fn handle_disconnect(&mut self, now: Millis, disconnect: &Disconnect) {
        let diagnostics = said(
            disconnect.reason_string.as_ref(),
            &disconnect.user_properties,
            disconnect.server_reference.as_ref(),
        );
        self.actions.push_back(Action::Close);
        let mut verdict = connect::verdict_on_end(disconnect.reason);
        if verdict == Verdict::NeedsAuth
            && self.options.asks_credentials
            && let Phase::Online { since } = self.phase
            && self.retry.is_stable(now.saturating_sub(since))
        {
            // The credentials were good for a while: they have run out, and there are others.
            verdict = Verdict::Retry;
        }
        self.lost(now, Why::server(disconnect.reason, diagnostics), verdict);
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
        let why = Why {
            reason_code: Some(reason),
            ..Why::from("the server broke the protocol")
        };
        self.lost(now, why, Verdict::Retry);
    }

    pub(super) fn open(&mut self, now: Millis) {
        let wait_ms = if self.options.asks_credentials {
            CREDENTIALS_MS
        } else {
            self.options.connect_timeout_ms
        };
        self.phase = Phase::Opening {
            deadline: now + u64::from(wait_ms),
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

    /// DISCONNECT as the last packet of a connection that got as far as CONNACK, and the close. In 3.1.1 any DISCONNECT
    /// removes the will [MQTT3-3.14.4-3]: one that does not is left out.
    pub(super) fn say_goodbye(&mut self, disconnect: Disconnect) {
        if !self.has_transport() {
            return;
        }
        self.control.clear();
        let is_sent = self.options.connect.version == Version::V5
            || disconnect.reason != ReasonCode::DisconnectWithWill;
        if is_sent && matches!(self.phase, Phase::Online { .. }) {
            self.push_short(Packet::Disconnect(Box::new(disconnect)));
        }
        self.actions.push_back(Action::Close);
    }

    /// The connection is over, by whomever.
    pub(super) fn lost(&mut self, now: Millis, why: Why, verdict: Verdict) {
        let Why {
            reason,
            reason_code,
            diagnostics,
        } = why;
        if let Phase::Online { since } = self.phase {
            let is_contested = reason_code == Some(ReasonCode::SessionTakenOver);
            self.retry
                .reset_if_stable(now.saturating_sub(since), is_contested);
        }
        if verdict == Verdict::NeedsAuth {
            self.rest(State::NeedsAuth {
                reason,
                reason_code: reason_code.unwrap_or(ReasonCode::NotAuthorized),
                diagnostics,
            });
            return;
        }
        let tries_again = verdict == Verdict::Retry && self.options.reconnect;
        let retry_in_ms = tries_again.then(|| self.retry.next_wait_ms());
        self.rest(State::Offline {
            reason,
            reason_code,
            retry_in_ms,
            diagnostics,
        });
        if let Some(wait_ms) = retry_in_ms {
            self.phase = Phase::Waiting {
                until: now + u64::from(wait_ms),
            };
        }
    }

    /// Offline, with what may still be written (a DISCONNECT) left in place.
    fn rest(&mut self, state: State) {
        self.phase = Phase::Idle;
        self.forget_connection();
        if self.options.offline_qos0 == OfflineQos0::Refuse {
            let settled = self.outbound.drop_qos0();
            self.push_all_settled(settled);
        }
        self.set_state(state);
    }

    pub(super) fn forget_connection(&mut self) {
        self.limits = None;
        self.keep_alive = None;
        // A farewell is alone, and still leaves.
        if !matches!(self.control.front(), Some(Packet::Disconnect(_))) {
            self.control.clear();
        }
        self.journal.disconnected();
        self.held.clear();
        self.subscriptions.disconnected(&mut self.ids);
    }

    pub(super) fn set_state(&mut self, state: State) {
        // One attempt may follow another without a word in between; no other state follows itself.
        if !matches!(
            (&self.state, &state),
            (State::Connecting, State::Connecting)
        ) {
            self.state = state.clone();
            self.push_event(Event::State(state));
        }
    }
}
