//! From CONNECT to a claimed client id: whether the client may come in, and who holds its session.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use ebbtide_protocol::{
    ByteString, ReasonCode,
    packet::{Connect, Will},
};

use super::{
    Connection, Phase, Transport,
    authenticate::Turn,
    fault::Close,
    publish::refusal as refusal_of,
    question::{AuthenticationStep, Credentials, Identity, Question},
};
use crate::{
    Limit, Monotonic, Now,
    registry::{Claim, Control, PerUser},
    rules::Subject,
    session::Session,
    shared::Shared,
    timers::Timer,
    trim,
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
    pub(super) identity: Identity,
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
        let client_id = &self.arriving.connect.client_id;
        shared.registry.stop_waiting(client_id, &self.control);
        // The session may have been handed over until this very moment.
        let handed = self.control.take_handed().flatten();
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
            trim::text(&connect.client_id)
        };
        connect.will = connect.will.map(|will| Will {
            topic: trim::topic(&will.topic),
            payload: Bytes::copy_from_slice(&will.payload),
            properties: trim::properties(will.properties),
            ..will
        });
        // The client may authenticate again with it.
        let method = connect.authentication_method.as_deref();
        connect.authentication_method = method.map(trim::text);
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
        // Who has a session is let in to it: to take what waits there makes room. So does an operator who deletes what is retained.
        let client_id = self.client_id.as_deref().unwrap_or_default();
        if self.shared.is_short_of_memory.load(Ordering::Relaxed)
            && self.origin.transport != Transport::Inside
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
        let Phase::Arriving(arriving) = &self.phase else {
            unreachable!("looked at above")
        };
        self.check_before_claim(arriving, now)?;
        let client_id = &arriving.connect.client_id;
        let shared = &self.shared;
        let limits = shared.limits();
        let per_user = PerUser {
            sessions_max: limits.sessions_per_user_max,
            connections_max: limits.connections_per_user_max,
        };
        let registry = &shared.registry;
        let claim = registry.claim(client_id, &control, per_user);
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
            Claim::Granted(session) => self.begin(arriving, control, session, false, now),
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
        let is_overtaken = claiming.control.is_evicted();
        match handed {
            Some(session) => {
                let Phase::Claiming(claiming) = std::mem::replace(&mut self.phase, Phase::Over)
                else {
                    unreachable!("looked at above")
                };
                let Claiming { arriving, control } = *claiming;
                if let Err(close) = self.begin(arriving, control, session, true, now) {
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
pub(super) fn let_go(
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytes::BytesMut;
    use ebbtide_protocol::{QoS, TopicName, packet::MessageProperties};

    use super::*;
    use crate::{Answer, Limits, Origin, Recovery};

    /// A part of the packet, as the decoder gives them.
    fn part(packet: &Bytes) -> ByteString {
        ByteString::try_from(packet.slice(..4)).expect("text")
    }

    fn connect_of(packet: &Bytes) -> Connect {
        Connect {
            client_id: part(packet),
            will: Some(Will {
                topic: TopicName::new(part(packet)).expect("a topic"),
                payload: packet.slice(..4),
                qos: QoS::AtMostOnce,
                retain: false,
                delay_interval: 0,
                properties: MessageProperties {
                    content_type: Some(part(packet)),
                    ..MessageProperties::default()
                },
            }),
            username: Some(part(packet)),
            password: Some(packet.slice(..4)),
            session_expiry_interval: Some(60),
            user_properties: vec![(part(packet), part(packet))],
            authentication_method: Some(part(packet)),
            authentication_data: Some(packet.slice(..4)),
            ..Connect::default()
        }
    }

    /// It may be large, and the connection may last for months.
    #[test]
    fn the_packet_is_let_go_of_once_the_client_is_in() {
        let now = Now::default();
        let broker = Recovery::new(Limits::default(), 0).finish(now);
        let commit = || {
            while let Some(batch) = broker.journal().take() {
                broker.journal().committed(&batch);
            }
        };
        commit();
        let origin = Origin {
            address: "test".into(),
            transport: Transport::Tcp,
        };
        let mut connection = broker.connect(origin, Waker::noop().clone(), now);
        let packet = Bytes::from("text".repeat(1000));
        connection
            .handle_connect(Box::new(connect_of(&packet)), now.monotonic.plus_ms(1))
            .expect("it may come in");
        assert!(!packet.is_unique(), "the authenticator needs it");
        let question = connection.poll_question();
        assert!(matches!(question, Some(Question::Authenticate(_))));
        drop(question);
        let accepted = Ok(Identity::default()).into();
        connection.handle_answer(Answer::Authenticated(accepted), now);
        commit();
        let mut output = BytesMut::new();
        connection.poll_transmit(&mut output, now);
        assert!(!output.is_empty(), "CONNACK");
        let Phase::Open(open) = &connection.phase else {
            panic!("it is not in: {:?}", connection.close())
        };
        assert_eq!(open.authentication_method.as_deref(), Some("text"));
        assert!(packet.is_unique());
    }
}
