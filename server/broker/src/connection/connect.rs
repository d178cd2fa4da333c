//! From CONNECT to CONNACK: authenticate, claim the client id, resume or begin the session.

use std::{
    num::NonZeroU16,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use ebbtide_protocol::{
    ByteString, ReasonCode,
    packet::{Connect, Will},
};
use ebbtide_store::{Operation, WillRow};

use super::{
    Connection, INSIDE, Phase, aliases,
    authenticate::Turn,
    connack,
    farewell::Tolerance,
    fault::Close,
    hindrance::Hindrance,
    open::Open,
    outbound::Outbound,
    pace::Pace,
    publish::refusal as refusal_of,
    question::{AuthenticationStep, Credentials, Identity, Question},
};
use crate::{
    Event, Limit, Monotonic, Now, SessionEnd, compact, durability,
    inspect::ConnectionInfo,
    registry::{Claim, Control, PerUser},
    room,
    rules::Subject,
    session::Session,
    shared::Shared,
    timers::Timer,
};

/// A client on its way in.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) connect: Connect,
    /// The broker gave it its client id.
    pub(super) is_assigned: bool,
    /// Until when it has to be in.
    pub(super) deadline: Monotonic,
    pub(super) turn: Turn,
    /// For CONNACK.
    pub(super) authentication_data: Option<Bytes>,
    /// Who it is, once that is known.
    identity: Identity,
}

/// A client that waits for the former owner of its session.
#[derive(Debug)]
pub(super) struct Claiming {
    arriving: Box<Arriving>,
    control: Arc<Control>,
}

impl Claiming {
    pub(super) fn connect(&self) -> &Connect {
        &self.arriving.connect
    }

    /// It waits no longer.
    pub fn give_up(&self, shared: &Shared, now: Now) {
        // The session may have been handed over in this very moment.
        let handed = self.control.take_handed().flatten();
        let client_id = &self.arriving.connect.client_id;
        let_go(shared, client_id, &self.control, handed, now);
    }
}

impl Connection {
    pub(super) fn handle_connect(
        &mut self,
        mut connect: Box<Connect>,
        deadline: Monotonic,
    ) -> Result<(), Close> {
        // [MQTT-3.1.3-6, MQTT-3.2.2-16]
        let is_assigned = connect.client_id.is_empty();
        // Text and payload are slices of the whole packet; what outlives it must not keep all of that.
        connect.client_id = if is_assigned {
            self.shared.assign_client_id()
        } else {
            compact::text(&connect.client_id)
        };
        connect.will = connect.will.map(|will| Will {
            topic: compact::topic(&will.topic),
            payload: Bytes::copy_from_slice(&will.payload),
            properties: compact::properties(will.properties),
            ..will
        });
        let credentials = Credentials {
            client_id: connect.client_id.clone(),
            username: connect.username.clone(),
            password: connect.password.take(),
            enhanced: connect
                .authentication_method
                .clone()
                .map(|method| AuthenticationStep {
                    method,
                    data: connect.authentication_data.take(),
                }),
        };
        self.client_id = Some(connect.client_id.clone());
        let shared = &self.shared;
        let will_refusal = connect
            .will
            .as_ref()
            .and_then(|will| refusal_of(&will.topic, shared));
        self.phase = Phase::Arriving(Box::new(Arriving {
            connect: *connect,
            is_assigned,
            deadline,
            turn: Turn::Authenticator,
            authentication_data: None,
            identity: Identity::default(),
        }));
        if let Some(refusal) = will_refusal {
            let why = format!("will: {}", refusal.why);
            return Err(Close::new(refusal.reason, why));
        }
        if self.shared.is_stopping() {
            return Err(Close::stopping(&self.shared));
        }
        if let Some(limit) = self.refusal {
            return Err(Close::beyond(limit));
        }
        // Who has a session is let in to it: to take what waits there makes room.
        let client_id = self.client_id.as_deref().unwrap_or_default();
        if self.shared.is_short_of_memory.load(Ordering::Relaxed)
            && !self.shared.registry.has(client_id)
        {
            return Err(Close::over(&self.shared, Limit::MemoryBytesMax));
        }
        self.questions
            .push_back(Question::Authenticate(credentials));
        Ok(())
    }

    /// It may come in as this user: claims its client id.
    pub(super) fn claim(&mut self, identity: Identity, now: Now) -> Result<(), Close> {
        let Phase::Arriving(arriving) = &mut self.phase else {
            return Ok(());
        };
        let control = Control::new(identity.user.clone(), self.waker.clone());
        let connect = &arriving.connect;
        let rights = self.shared.rights(subject(&identity, &connect.client_id));
        // [MQTT-3.1.2-14] is not promised to whom a rule denies it: better now than when it is due.
        if let (Some(rights), Some(will)) = (rights, &connect.will)
            && !identity.is_trusted
        {
            let decision = rights.decide_publish(&will.topic, will.retain);
            if !decision.is_allowed {
                let topic = will.topic.as_str();
                let why = format!("it may not leave a will in {topic:?}: {decision}");
                return Err(Close::new(ReasonCode::NotAuthorized, why));
            }
        }
        arriving.identity = identity;
        let Connect {
            client_id,
            clean_start,
            ..
        } = &arriving.connect;
        let shared = &self.shared;
        let limits = shared.limits();
        let per_user = PerUser {
            sessions_max: limits.sessions_per_user_max,
            connections_max: limits.connections_per_user_max,
        };
        let registry = &shared.registry;
        let claim = registry.claim(client_id, &control, *clean_start, per_user);
        if let Claim::TooMany(limit) = claim {
            return Err(Close::over(shared, limit));
        }
        // [MQTT-3.1.3-8]
        if matches!(claim, Claim::Refused) {
            return Err(Close::new(
                ReasonCode::ClientIdentifierNotValid,
                "the session belongs to another user",
            ));
        }
        let Phase::Arriving(arriving) = std::mem::replace(&mut self.phase, Phase::Over) else {
            unreachable!("looked at above")
        };
        self.leave_newcomers();
        match claim {
            Claim::Granted(session) => self.open(arriving, control, session, false, now),
            Claim::Asked | Claim::Refused | Claim::TooMany(_) => {
                self.phase = Phase::Claiming(Box::new(Claiming { arriving, control }));
                Ok(())
            }
        }
    }

    /// The former owner may have let go, or somebody else may have come for the same session.
    pub(super) fn handle_handover(&mut self, now: Now) {
        let Phase::Claiming(claiming) = &self.phase else {
            return;
        };
        let handed = claiming.control.take_handed();
        let is_overtaken = claiming.control.eviction().is_some();
        match handed {
            Some(session) => {
                let Phase::Claiming(claiming) = std::mem::replace(&mut self.phase, Phase::Over)
                else {
                    unreachable!("looked at above")
                };
                let Claiming { arriving, control } = *claiming;
                if let Err(close) = self.open(arriving, control, session, true, now) {
                    self.fail(close, now);
                } else {
                    // It may have been evicted while it waited.
                    self.handle_wake(now);
                }
            }
            None if is_overtaken => {
                let close = Close::new(
                    ReasonCode::SessionTakenOver,
                    "another connection took over the session",
                );
                self.fail(close, now);
            }
            None => {}
        }
    }

    /// It owns the client id. Begins or resumes the session and answers CONNACK after its commit [MQTT-3.1.4-5].
    fn open(
        &mut self,
        arriving: Box<Arriving>,
        control: Arc<Control>,
        rested: Option<Box<Session>>,
        taken_over: bool,
        now: Now,
    ) -> Result<(), Close> {
        let shared = Arc::clone(&self.shared);
        let connect = &arriving.connect;
        let version = connect.version;
        let asked = version.session_expiry_interval(connect);
        let expiry = asked.min(self.limits.session_expiry_interval_max);
        let will = connect.will.clone();
        let client_id = connect.client_id.clone();

        // The broker may have been stopped since: nobody would wake this connection any more.
        if shared.is_stopping() {
            let_go(&shared, &client_id, &control, rested, now);
            self.phase = Phase::Arriving(arriving);
            return Err(Close::stopping(&shared));
        }
        // [MQTT-3.2.2-2, MQTT-3.2.2-3]
        // Its time may be over and only the timer late, as at a start.
        let is_expired = rested
            .as_ref()
            .is_some_and(|session| session.is_expired(now));
        let session_present = rested.is_some() && !connect.clean_start && !is_expired;
        let dropped = rested
            .as_ref()
            .filter(|_| session_present && version.has_properties())
            .and_then(|session| session.mailbox.losses.get());
        let incarnation = match &rested {
            Some(session) if session_present => Ok(session.incarnation),
            _ => shared.new_incarnation().map_err(Close::from),
        };
        let incarnation = match incarnation {
            Ok(incarnation) => incarnation,
            Err(close) => {
                let_go(&shared, &client_id, &control, rested, now);
                self.phase = Phase::Arriving(arriving);
                return Err(close);
            }
        };
        let limits = &self.limits;
        let present = session_present;
        let connack = connack::success(&arriving, limits, expiry, present, incarnation, dropped);
        let Some((connack, is_told)) = connack::fit(connack, connect) else {
            let_go(&shared, &client_id, &control, rested, now);
            self.phase = Phase::Arriving(arriving);
            let why = "its Maximum Packet Size is too small for CONNACK";
            return Err(Close::new(ReasonCode::PacketTooLarge, why));
        };
        // A User Property is the first to go when it is too large: then they are told another time.
        let told = dropped.filter(|_| is_told);
        let has_presence =
            shared.presence.is_some() && !arriving.is_assigned && self.origin.transport != INSIDE;
        // What is told to be gone must not come back.
        let ended = shared.registry.ended.ticket(&client_id);
        let ended = ended.filter(|ticket| !shared.journal.is_durable(*ticket));
        let waits = taken_over || has_presence || ended.is_some();
        let presence = shared.presence.as_ref().filter(|_| has_presence);
        let has_room = presence.is_none_or(|presence| presence.has_room(&shared, &client_id));
        let room = room::for_connect(&shared, connect, expiry, rested.as_deref(), waits)
            .map_err(Close::from)
            .and_then(|()| {
                let why = "there is no room for its presence: as much is retained as may be";
                let refused = || Close::new(ReasonCode::QuotaExceeded, why);
                has_room.then_some(()).ok_or_else(refused)
            });
        if let Err(close) = room {
            let_go(&shared, &client_id, &control, rested, now);
            self.phase = Phase::Arriving(arriving);
            return Err(close);
        }

        let mut changes = Vec::new();
        // The former owner may have fired or removed its will just now.
        changes.extend(taken_over.then(|| shared.journal.last()));
        changes.extend(ended);
        let resumed = match rested {
            // [MQTT-3.1.2-4, MQTT-3.1.4-4]: a clean start begins anew.
            Some(session) if !session_present => {
                let expired = &shared.counters.expired_sessions;
                expired.fetch_add(u64::from(is_expired), Ordering::Relaxed);
                shared.wills.fire(&shared, session.incarnation, now);
                changes.extend(session.end(&shared));
                shared.tell(now, || Event::SessionEnded {
                    client_id: client_id.clone(),
                    why: match is_expired {
                        true => SessionEnd::Expired,
                        false => SessionEnd::CleanStart,
                    },
                });
                None
            }
            // [MQTT-3.1.2-5]
            Some(mut session) => {
                changes.extend(shared.wills.cancel(&shared, session.incarnation, now));
                session.session_expiry_interval = expiry;
                session.expires_at = None;
                session.disconnected_at = None;
                shared
                    .timers
                    .remove(&Timer::Session(session.client_id.clone()));
                Some(*session)
            }
            None => None,
        };
        // [MQTT-3.1.2-6]
        let mut session = resumed.unwrap_or_else(|| {
            Session::new(
                &shared,
                incarnation,
                client_id,
                control.user.clone(),
                expiry,
            )
        });
        let identity = &arriving.identity;
        session.rights = match identity.is_trusted {
            true => None,
            false => shared.rights(subject(identity, &session.client_id)),
        };
        let expires_at = identity.expires_at.map(|at| now.when(at));
        control.show(
            &session.mailbox,
            ConnectionInfo {
                version,
                origin: Arc::clone(&self.origin),
                connected_at: now.wall,
                keep_alive_s: connack::keep_alive(connect, &self.limits),
                session_expiry_interval: expiry,
            },
        );
        session.mailbox.attach(self.waker.clone(), &self.limits);
        if session.kept {
            session.flows.raise_mark();
            changes.push(
                shared
                    .journal
                    .submit(Operation::PutSession(session.row(None))),
            );
        }
        let mut seat = None;
        if let Some(presence) = &shared.presence
            && has_presence
        {
            let (id, user) = (&session.client_id, control.user.as_ref());
            let (taken, ticket) = presence.enter(&shared, id, user, now).unzip();
            seat = taken;
            changes.extend(ticket.flatten());
        }
        if let Some(will) = &will {
            // Of every connection that has one: a crash of the broker must not silence it [MQTT-3.1.2-7].
            changes.push(shared.journal.submit(Operation::PutWill(Box::new(WillRow {
                session: session.incarnation,
                client_id: session.client_id.clone(),
                will: will.clone(),
                user: control.user.clone(),
                claims: session.claims(),
                due_at: None,
            }))));
        }

        self.replies.push(durability::connack(changes), connack);

        let keep_alive = connack::keep_alive(connect, &self.limits);
        let receive_maximum = connect.receive_maximum.map_or(u16::MAX, NonZeroU16::get);
        let mut open = Open {
            limits: Arc::clone(&self.limits),
            control,
            is_leaving: false,
            version,
            will: will.map(Box::new),
            keep_alive_ms: (keep_alive > 0).then_some(u64::from(keep_alive) * 1500),
            last_received: now.monotonic,
            authentication_method: connect.authentication_method.clone(),
            reauthentication: None,
            asked_no_expiry: version.has_properties() && asked == 0,
            is_acknowledged: false,
            tolerance: Tolerance::of(connect),
            told: told.map(Box::new),
            seat,
            incoming_aliases: aliases::Incoming::default(),
            outgoing_aliases: aliases::Outgoing::new(connect.topic_alias_maximum),
            unsettled: 0,
            hindrance: Hindrance::default(),
            outbound: Outbound::new(receive_maximum, self.durability),
            expires_at,
            denial: None,
            steps: 0,
            pace: Pace::default(),
            session,
        };
        open.resume(&shared, &mut self.replies);
        open.attach_groups();
        shared.counters.connected();
        if self.origin.transport != INSIDE {
            shared.tell(now, || Event::Connected {
                client_id: open.session.client_id.clone(),
                user: open.control.user.clone(),
                origin: Arc::clone(&self.origin),
                version,
                session_present,
                taken_over,
            });
        }
        self.decoder
            .set_maximum_packet_size(self.limits.maximum_packet_size);
        self.phase = Phase::Open(Box::new(open));
        Ok(())
    }
}

/// As rules are asked about it.
pub(super) fn subject(identity: &Identity, client_id: &ByteString) -> Subject {
    Subject {
        user: identity.user.clone(),
        client_id: client_id.clone(),
        claims: identity.claims.clone(),
    }
}

/// A connection that has claimed a client id goes without having opened its session. The one that it took it over from
/// has left its entry of presence to it.
fn let_go(
    shared: &Shared,
    client_id: &ByteString,
    control: &Arc<Control>,
    session: Option<Box<Session>>,
    now: Now,
) {
    let presence = shared.presence.as_ref();
    let seat = presence.and_then(|presence| presence.seat_of(client_id));
    let is_kept = session.is_some();
    let expires_at = session.as_ref().and_then(|session| session.expires_at);
    let is_away = shared.registry.release(client_id, control, session);
    // Its timer may have gone off meanwhile, and then nobody had the session to end it. Whoever has got it since sets
    // another one.
    if let Some(expires_at) = expires_at {
        let timer = Timer::Session(client_id.clone());
        shared.timers.ensure(expires_at, timer);
    }
    if let (Some(presence), Some(seat), true) = (presence, seat, is_away) {
        presence.leave(shared, seat, "connection lost", is_kept, now);
    }
}
