//! What becomes of the session when a connection begins: resumed, new, lost, or one that must go first.

use alloc::boxed::Box;

use super::{
    Action, Client, Event, JournalEntry, Limits, Millis, Session, State,
    alias::OutboundAliases,
    connect::verdict,
    diagnostics::said,
    keep_alive::KeepAlive,
    lifecycle::{Phase, Why},
};
use crate::{
    ByteString, ReasonCode, Version, extension,
    packet::{ConnAck, Disconnect},
};

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

impl Client {
    /// A client that was online once wants that session back; a Clean Session of 3.1.1 ends with its connection, so
    /// there is none to want. What is stored is never given up without need.
    pub(super) fn wants_clean_start(&self) -> bool {
        let connect = &self.options.connect;
        if self.options.durable {
            self.wipe == Wipe::Next
        } else {
            connect.clean_start && (!self.was_online || connect.version != Version::V5)
        }
    }

    /// Whether the server may have a session, stored here or not.
    pub(super) fn may_have_session(&self) -> bool {
        self.has_session || self.is_unsure || self.awaits_connack || self.wipe != Wipe::Not
    }

    pub(super) fn handle_connack(
        &mut self,
        now: Millis,
        connack: Box<ConnAck>,
    ) -> Result<(), ReasonCode> {
        self.awaits_connack = false;
        if connack.reason.is_error() {
            self.refused(now, &connack);
            return Ok(());
        }
        let session_present = connack.session_present;
        if self.wants_clean_start() && session_present {
            // [MQTT-3.2.2-4]
            return Err(ReasonCode::ProtocolError);
        }
        if self.must_wipe(session_present) {
            self.wipe_at_server(now);
            return Ok(());
        }
        let name = extension::values(&connack.user_properties, extension::SESSION_NAME).next();
        let name = name.cloned();
        let is_same = name.is_some() && name == self.session_name;
        // Under another name it has begun when nobody was told: it is as new as one that is not present.
        let is_another = name.is_some() && self.session_name.is_some() && !is_same;
        let session_present = session_present && !is_another;
        let session = self.session_of(session_present);
        self.begin_connection(now, &connack, session_present);
        self.resolve_doubt(is_same, session_present);
        self.push_event(Event::Connected(connack));
        self.set_state(State::Online { session });
        self.go_on(session_present, name);
        Ok(())
    }

    fn refused(&mut self, now: Millis, connack: &ConnAck) {
        if !self.may_have_session() {
            self.journal
                .write(JournalEntry::Unsure { is_unsure: false });
        }
        let diagnostics = said(
            connack.reason_string.as_ref(),
            &connack.user_properties,
            connack.server_reference.as_ref(),
        );
        self.actions.push_back(Action::Close);
        let why = Why::server(connack.reason, diagnostics);
        self.lost(now, why, verdict(connack.reason));
    }

    /// Ends this connection and begins another one, by which the session ends that is not stored here. Not the end of the client,
    /// so without its will.
    fn wipe_at_server(&mut self, now: Millis) {
        self.phase = Phase::Online { since: now };
        self.say_goodbye(Disconnect::new(ReasonCode::Success));
        self.forget_connection();
        self.open(now);
    }

    /// What becomes of it, as the app is told.
    fn session_of(&self, session_present: bool) -> Session {
        match session_present {
            true => Session::Resumed,
            false if self.is_evicted => Session::Evicted,
            false if self.has_session => Session::Gap,
            false => Session::Fresh,
        }
    }

    /// What holds for as long as this connection does.
    fn begin_connection(&mut self, now: Millis, connack: &ConnAck, session_present: bool) {
        self.wipe = Wipe::Not;
        self.is_evicted = false;
        let connect = &self.options.connect;
        let limits = Limits::new(connect, connack);
        let receive_maximum = match connect.version {
            Version::V5 if !self.options.bears_excess => {
                connect.receive_maximum.map_or(u16::MAX, Into::into)
            }
            // 3.1.1: nothing tells the server of it.
            _ => u16::MAX,
        };
        self.has_session =
            self.options.durable || connect.version.session_expiry_interval(connect) > 0;
        self.inbound.connected(
            session_present,
            receive_maximum,
            connect.topic_alias_maximum,
        );
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
    }

    /// The session may be one that began when nobody was told; not if it has the name that is stored here.
    fn resolve_doubt(&mut self, is_same: bool, session_present: bool) {
        let is_unsure = core::mem::take(&mut self.is_unsure);
        if is_same {
            self.inbound.doubt(false);
        } else if is_unsure && session_present {
            self.subscriptions.doubt();
            self.inbound.doubt(true);
        }
    }

    /// What is under way goes on in the session, or begins anew.
    fn go_on(&mut self, session_present: bool, name: Option<ByteString>) {
        if !session_present {
            self.session_name.clone_from(&name);
            self.journal
                .write(JournalEntry::Restarted { session_name: name });
        }
        for handle in self.subscriptions.connected(session_present) {
            self.push_event(Event::Unsubscribed {
                handle,
                reason: ReasonCode::Success,
                diagnostics: None,
            });
        }
        let settled = self.outbound.connected(session_present, &mut self.ids);
        self.push_all_settled(settled);
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
}
