//! From a claimed client id to CONNACK: what the client is granted, then the session that goes on or begins.
//!
//! All that can turn it away is looked at before anything changes.

use std::{
    num::NonZeroU16,
    sync::{Arc, atomic::Ordering},
};

use ebbtide_protocol::{Packet, ReasonCode};
use ebbtide_store::{DroppedRow, Incarnation, Operation, WillRow};

use super::{
    Connection, Phase, Transport, aliases, connack,
    connect::{Arriving, let_go, subject},
    farewell::Tolerance,
    fault::Close,
    hindrance::Hindrance,
    open::Open,
    outbound::Outbound,
    pace::Pace,
};
use crate::{
    Event, Now, SessionEnd, durability, inspect::ConnectionInfo, journal::Ticket, presence::Seat,
    registry::Control, room, route, session::Session, shared::Shared, timers::Timer,
};

/// What a client gets that may come in.
struct Grant {
    /// Its Session Expiry Interval, seconds.
    expiry: u32,
    /// The session that rested goes on [MQTT-3.2.2-2, MQTT-3.2.2-3].
    session_present: bool,
    /// It does not, because its time is over.
    is_expired: bool,
    incarnation: Incarnation,
    connack: Packet,
    /// The losses that CONNACK tells of.
    told: Option<DroppedRow>,
    has_presence: bool,
    /// The end of the client's last session, if it may not be on disk yet.
    ended: Option<Ticket>,
}

impl Connection {
    /// It owns the client id. Begins or resumes the session and answers CONNACK after its commit [MQTT-3.1.4-5].
    pub(super) fn begin(
        &mut self,
        arriving: Box<Arriving>,
        control: Arc<Control>,
        rested: Option<Box<Session>>,
        taken_over: bool,
        now: Now,
    ) -> Result<(), Close> {
        let shared = Arc::clone(&self.shared);
        let grant = match self.grant(&arriving, rested.as_deref(), taken_over, now) {
            Ok(grant) => grant,
            Err(close) => {
                let_go(&shared, &arriving.connect.client_id, &control, rested, now);
                self.phase = Phase::Arriving(arriving);
                return Err(close);
            }
        };
        // What CONNACK waits for.
        let mut changes = Vec::new();
        changes.extend(taken_over.then(|| durability::taken_over(shared.journal.last())));
        changes.extend(grant.ended);
        let mut session = take_up(
            &shared,
            rested,
            &grant,
            &arriving,
            &control,
            &mut changes,
            now,
        );
        self.show(&control, &session, &arriving, grant.expiry, now);
        session.mailbox.attach(self.waker.clone(), &self.limits);
        changes.extend(store_session(&shared, &mut session));
        let seat = enter_presence(&shared, &grant, &session, &control, &mut changes, now);
        changes.extend(store_will(&shared, &session, &control, &arriving));
        self.replies
            .push(durability::connack(changes), grant.connack);

        let mut open = self.state(*arriving, session, control, grant.told, seat, now);
        open.resume(&shared, &mut self.replies);
        open.attach_groups(&shared);
        shared.counters.connected();
        self.tell_connected(&open, grant.session_present, taken_over, now);
        self.decoder
            .set_maximum_packet_size(self.limits.maximum_packet_size);
        self.phase = Phase::Open(Box::new(open));
        Ok(())
    }

    /// Whoever looks at sessions sees this connection from now on.
    fn show(
        &self,
        control: &Control,
        session: &Session,
        arriving: &Arriving,
        expiry: u32,
        now: Now,
    ) {
        let info = ConnectionInfo {
            version: arriving.connect.version,
            origin: Arc::clone(&self.origin),
            connected_at: now.wall,
            keep_alive_s: connack::keep_alive(&arriving.connect, &self.limits),
            session_expiry_interval: expiry,
        };
        control.show(&session.mailbox, info);
    }

    fn tell_connected(&self, open: &Open, session_present: bool, taken_over: bool, now: Now) {
        if self.origin.transport == Transport::Inside {
            return;
        }
        self.shared.tell(now, || Event::Connected {
            client_id: open.session.client_id.clone(),
            user: open.control.user.clone(),
            origin: Arc::clone(&self.origin),
            version: open.version,
            session_present,
            taken_over,
        });
    }

    /// What of that can be known before the session is its own: whoever has it now is not sent away for a client that cannot come in
    /// (section 3.1.4). Each is looked at again in [`Connection::grant`], for it may change while the session is handed over.
    pub(super) fn check_before_claim(&self, arriving: &Arriving, now: Now) -> Result<(), Close> {
        let (shared, limits) = (&self.shared, &self.limits);
        let connect = &arriving.connect;
        if shared.is_stopping() {
            return Err(Close::stopping(shared));
        }
        let asked = connect.version.session_expiry_interval(connect);
        let expiry = asked.min(limits.session_expiry_interval_max);
        if connect.maximum_packet_size.is_some() {
            // What differs by the session is the first to be left out.
            let least = connack::success(arriving, limits, expiry, false, Incarnation(0), None);
            connack::fit(least, connect).ok_or_else(too_small_for_connack)?;
        }
        let will_grows = match &connect.will {
            Some(will) => route::check_will_early(shared, will, &connect.client_id, now)?,
            None => false,
        };
        room::before_claim(shared, connect, expiry, will_grows)?;
        Ok(())
    }

    /// What it is granted, or why it is turned away. Nothing has changed then.
    fn grant(
        &self,
        arriving: &Arriving,
        rested: Option<&Session>,
        taken_over: bool,
        now: Now,
    ) -> Result<Grant, Close> {
        let (shared, limits) = (&self.shared, &self.limits);
        let connect = &arriving.connect;
        let (version, client_id) = (connect.version, &connect.client_id);
        // The broker may have been stopped since: nobody would wake this connection any more.
        if shared.is_stopping() {
            return Err(Close::stopping(shared));
        }
        let asked = version.session_expiry_interval(connect);
        let expiry = asked.min(limits.session_expiry_interval_max);
        // Its time may be over and only the timer late, as at a start.
        let is_expired = rested.is_some_and(|session| session.is_expired(now));
        let resumed = rested.filter(|_| !connect.clean_start && !is_expired);
        let incarnation = match resumed {
            Some(session) => session.incarnation,
            None => shared.new_incarnation()?,
        };
        let dropped = resumed
            .filter(|_| version.has_properties())
            .and_then(|session| session.mailbox.losses.get());
        let present = resumed.is_some();
        let connack = connack::success(arriving, limits, expiry, present, incarnation, dropped);
        let (connack, is_told) =
            connack::fit(connack, connect).ok_or_else(too_small_for_connack)?;
        let is_from_outside = self.origin.transport != Transport::Inside;
        let has_presence = shared.presence.is_some() && !arriving.is_assigned && is_from_outside;
        // What is told to be gone must not come back.
        let ended = shared.registry.ended.ticket(client_id);
        let ended = ended.filter(|ticket| !shared.journal.is_durable(*ticket));
        let waits = taken_over || has_presence || ended.is_some();
        let will_grows = match &connect.will {
            Some(will) => {
                let leaving = rested.filter(|_| resumed.is_none());
                let leaving = leaving.map(|session| session.incarnation);
                route::check_will(shared, will, incarnation, leaving, now)?
            }
            None => false,
        };
        room::for_connect(shared, connect, expiry, rested, will_grows, waits)?;
        let presence = shared.presence.as_ref().filter(|_| has_presence);
        if presence.is_some_and(|presence| !presence.has_room(shared, client_id)) {
            let why = "there is no room for its presence: as much is retained as may be";
            return Err(Close::new(ReasonCode::QuotaExceeded, why));
        }
        Ok(Grant {
            expiry,
            session_present: present,
            is_expired,
            incarnation,
            connack,
            // A User Property is the first to go when it is too large: then they are told another time.
            told: dropped.filter(|_| is_told),
            has_presence,
            ended,
        })
    }

    /// The state of a connection that has its session now.
    fn state(
        &self,
        arriving: Arriving,
        session: Session,
        control: Arc<Control>,
        told: Option<DroppedRow>,
        seat: Option<Seat>,
        now: Now,
    ) -> Open {
        let connect = arriving.connect;
        let version = connect.version;
        let keep_alive = connack::keep_alive(&connect, &self.limits);
        let receive_maximum = connect.receive_maximum.map_or(u16::MAX, NonZeroU16::get);
        let asked = version.session_expiry_interval(&connect);
        Open {
            limits: Arc::clone(&self.limits),
            control,
            inside: (self.origin.transport == Transport::Inside).then(Box::default),
            is_leaving: false,
            version,
            keep_alive_ms: (keep_alive > 0).then_some(u64::from(keep_alive) * 1500),
            last_received: now.monotonic,
            was_reading: true,
            reauthentication: None,
            asked_no_expiry: version.has_properties() && asked == 0,
            is_acknowledged: false,
            tolerance: Tolerance::of(&connect),
            told: told.map(Box::new),
            seat,
            incoming_aliases: aliases::Incoming::default(),
            outgoing_aliases: aliases::Outgoing::new(connect.topic_alias_maximum),
            unsettled: 0,
            hindrance: Hindrance::default(),
            outbound: Outbound::new(receive_maximum, self.durability),
            expires_at: arriving.identity.expires_at.map(|at| now.when(at)),
            denial: None,
            has_other_rights: false,
            steps: 0,
            pace: Pace::default(),
            session,
            authentication_method: connect.authentication_method,
            will: connect.will.map(Box::new),
        }
    }
}

fn too_small_for_connack() -> Close {
    let why = "its Maximum Packet Size is too small for CONNACK";
    Close::new(ReasonCode::PacketTooLarge, why)
}

/// The session that has rested goes on, or ends and another one begins. `changes`: what CONNACK waits for.
fn take_up(
    shared: &Shared,
    rested: Option<Box<Session>>,
    grant: &Grant,
    arriving: &Arriving,
    control: &Control,
    changes: &mut Vec<Ticket>,
    now: Now,
) -> Session {
    let client_id = &arriving.connect.client_id;
    let resumed = match rested {
        // [MQTT-3.1.2-4, MQTT-3.1.4-4]: a clean start begins anew.
        Some(session) if !grant.session_present => {
            let expired = &shared.counters.expired_sessions;
            expired.fetch_add(u64::from(grant.is_expired), Ordering::Relaxed);
            shared.wills.fire(shared, session.incarnation, now);
            shared.timers.remove(&Timer::Session(client_id.clone()));
            changes.extend(session.end(shared));
            shared.tell(now, || Event::SessionEnded {
                client_id: client_id.clone(),
                why: match grant.is_expired {
                    true => SessionEnd::Expired,
                    false => SessionEnd::CleanStart,
                },
            });
            None
        }
        // [MQTT-3.1.2-5]
        Some(mut session) => {
            changes.extend(shared.wills.cancel(shared, session.incarnation, now));
            session.session_expiry_interval = grant.expiry;
            session.expires_at = None;
            session.disconnected_at = None;
            shared.timers.remove(&Timer::Session(client_id.clone()));
            Some(*session)
        }
        None => None,
    };
    // [MQTT-3.1.2-6]
    let mut session = resumed.unwrap_or_else(|| {
        let user = control.user.clone();
        Session::new(
            shared,
            grant.incarnation,
            client_id.clone(),
            user,
            grant.expiry,
        )
    });
    let identity = &arriving.identity;
    session.rights = match identity.is_trusted {
        true => None,
        false => shared.rights(subject(identity, client_id)),
    };
    session
}

/// Its row says that it is connected: after a crash its expiry runs from the start of the broker, not from its last connection.
fn store_session(shared: &Shared, session: &mut Session) -> Option<Ticket> {
    if !session.kept {
        return None;
    }
    session.flows.raise_mark();
    let row = Operation::PutSession(session.row(None));
    Some(shared.journal.submit(row))
}

/// Everybody may see now that this client is connected. `changes`: what CONNACK waits for.
fn enter_presence(
    shared: &Shared,
    grant: &Grant,
    session: &Session,
    control: &Control,
    changes: &mut Vec<Ticket>,
    now: Now,
) -> Option<Seat> {
    let presence = shared.presence.as_ref().filter(|_| grant.has_presence)?;
    let (id, user) = (&session.client_id, control.user.as_ref());
    let (seat, ticket) = presence.enter(shared, id, user, now)?;
    changes.extend(ticket);
    Some(seat)
}

/// Of every connection that has a will: a crash of the broker must not silence it [MQTT-3.1.2-7].
fn store_will(
    shared: &Shared,
    session: &Session,
    control: &Control,
    arriving: &Arriving,
) -> Option<Ticket> {
    let will = arriving.connect.will.clone()?;
    let row = WillRow {
        session: session.incarnation,
        client_id: session.client_id.clone(),
        will,
        user: control.user.clone(),
        claims: session.claims(),
        due_at: None,
    };
    let put = Operation::PutWill(Box::new(row));
    Some(shared.journal.submit(put))
}
