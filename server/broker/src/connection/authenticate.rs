//! Whether a client may come in, and whether it may stay: the answers of the authenticator, and the exchange of AUTH
//! packets with methods that need one (section 4.12).
//!
//! The core carries the data of a method to and fro and knows no method itself.

use bytes::Bytes;
use ebbtide_protocol::{ByteString, Packet, ReasonCode, Violation, packet::Auth};

use super::{
    Connection, Phase,
    connect::subject,
    fault::Close,
    question::{Authentication, AuthenticationStep, Identity, Question},
};
use crate::Now;

/// Whose turn it is in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The authenticator has been asked.
    Authenticator,
    /// AUTH has been sent, and the client is to answer.
    Client,
}

impl Connection {
    /// The authenticator has answered: to CONNECT, to a step of the exchange, or to a client that re-authenticates.
    pub(super) fn handle_authenticated(
        &mut self,
        outcome: Authentication,
        now: Now,
    ) -> Result<(), Close> {
        match &mut self.phase {
            Phase::Arriving(arriving) => match outcome {
                Authentication::Accepted { identity, data } => {
                    arriving.authentication_data = data;
                    self.claim(identity, now)
                }
                Authentication::Continue { data } => {
                    let method = arriving.connect.authentication_method.clone();
                    arriving.turn = Turn::Client;
                    self.say(challenge(method, data))
                }
                // [MQTT-3.1.4-2, MQTT-4.12.0-4]
                Authentication::Refused(reason) => {
                    Err(Close::new(reason, "the client was not let in"))
                }
            },
            Phase::Open(open) => {
                let method = open.authentication_method.clone();
                match outcome {
                    Authentication::Accepted { identity, data } => {
                        if identity.user != open.control.user {
                            let why = "it has authenticated as another user";
                            return Err(Close::new(ReasonCode::NotAuthorized, why));
                        }
                        open.reauthentication = None;
                        open.expires_at = identity.expires_at.map(|at| now.when(at));
                        if !identity.is_trusted {
                            let subject = subject(&identity, &open.session.client_id);
                            open.session.rights = self.shared.rights(subject);
                            open.attach_groups(&self.shared);
                        }
                        self.say(auth(ReasonCode::Success, method, data))
                    }
                    Authentication::Continue { data } => {
                        open.reauthentication = Some(Turn::Client);
                        self.say(challenge(method, data))
                    }
                    // [MQTT-4.12.1-2]. Why in particular has no code of its own in DISCONNECT.
                    Authentication::Refused(_) => Err(Close::new(
                        ReasonCode::NotAuthorized,
                        "the client could not authenticate again",
                    )),
                }
            }
            Phase::Silent { .. } | Phase::Claiming(_) | Phase::Over => Ok(()),
        }
    }

    /// AUTH is next, if the client takes it: it would wait for it in vain [MQTT-3.1.2-24].
    fn say(&mut self, auth: Packet) -> Result<(), Close> {
        let version = self.decoder.version().unwrap_or_default();
        if !self.tolerance().fits_whole(&auth, version) {
            let why = "its Maximum Packet Size is too small for AUTH";
            return Err(Close::new(ReasonCode::PacketTooLarge, why));
        }
        self.challenge = Some(Box::new(auth));
        Ok(())
    }

    /// What a client says that is still being let in: it answers, or goes [MQTT-3.1.2-30].
    pub(super) fn handle_while_arriving(&mut self, packet: Packet, now: Now) -> Result<(), Close> {
        let Phase::Arriving(arriving) = &mut self.phase else {
            unreachable!("the caller has looked")
        };
        match packet {
            Packet::Auth(auth) => {
                if auth.reason != ReasonCode::ContinueAuthentication {
                    return Err(Violation::UnexpectedPacket.into());
                }
                let method = arriving.connect.authentication_method.clone();
                let step = step(method, *auth)?;
                arriving.turn = Turn::Authenticator;
                self.questions.push_back(Question::Continue(step));
                Ok(())
            }
            Packet::Disconnect(_) => {
                self.leave_quietly(now);
                Ok(())
            }
            _ => Err(Violation::UnexpectedPacket.into()),
        }
    }

    /// AUTH from a client that is in: it begins to re-authenticate, or goes on with it (section 4.12.1).
    pub(super) fn handle_auth(&mut self, auth: Auth) -> Result<(), Close> {
        let Phase::Open(open) = &mut self.phase else {
            return Err(Violation::UnexpectedPacket.into());
        };
        let reason = auth.reason;
        // [MQTT-4.12.0-7]: without a method in CONNECT there is none to use.
        let step = step(open.authentication_method.clone(), auth)?;
        let question = match (reason, open.reauthentication) {
            (ReasonCode::ReAuthenticate, None) => Question::Reauthenticate(step),
            (ReasonCode::ContinueAuthentication, Some(Turn::Client)) => Question::Continue(step),
            _ => return Err(Violation::UnexpectedPacket.into()),
        };
        open.reauthentication = Some(Turn::Authenticator);
        self.questions.push_back(question);
        Ok(())
    }
}

/// What the client says next, with the method that it began with [MQTT-4.12.0-5, MQTT-4.12.1-1].
fn step(method: Option<ByteString>, auth: Auth) -> Result<AuthenticationStep, Violation> {
    match method {
        Some(method) if auth.authentication_method.as_ref() == Some(&method) => {
            Ok(AuthenticationStep {
                method,
                data: auth.authentication_data,
            })
        }
        _ => Err(Violation::UnexpectedPacket),
    }
}

/// [MQTT-4.12.0-2]
fn challenge(method: Option<ByteString>, data: Option<Bytes>) -> Packet {
    auth(ReasonCode::ContinueAuthentication, method, data)
}

fn auth(reason: ReasonCode, method: Option<ByteString>, data: Option<Bytes>) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        authentication_method: method,
        authentication_data: data,
        reason_string: None,
        user_properties: Vec::new(),
    }))
}

impl From<Result<Identity, ReasonCode>> for Authentication {
    fn from(outcome: Result<Identity, ReasonCode>) -> Self {
        match outcome {
            Ok(identity) => Self::Accepted {
                identity,
                data: None,
            },
            Err(reason) => Self::Refused(reason),
        }
    }
}
