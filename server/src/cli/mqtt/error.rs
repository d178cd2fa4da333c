//! Why a command did not do all that it was asked, in words that say what to do, and which exit code that is.

use std::io;

use ebbtide_client::{ClientError, Error};
use ebbtide_protocol::ReasonCode;

use crate::{cli::PasswordError, tls::TrustError};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// What was typed makes no sense.
    #[error("{0}")]
    Typed(String),
    /// A file, or standard input.
    #[error("cannot read {what}: {why}")]
    Read {
        /// Which.
        what: String,
        /// Why not.
        why: String,
    },
    /// No password is where it should be.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Standard output.
    #[error("cannot write what came: {0}")]
    Write(io::Error),
    /// The async runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// There is no connection.
    #[error("no connection to {url}: {why}{}", advice(.url, .why))]
    Unreachable {
        /// Where.
        url: String,
        /// What the network said.
        why: String,
    },
    /// The connection has ended before everything was done.
    #[error("the connection has ended ({why}){done}")]
    Lost {
        /// How.
        why: String,
        /// What was done until then.
        done: String,
    },
    /// The broker has answered, and refused.
    #[error("the broker refused {what}: {why} (0x{code:02x}){}{done}", remedy(*.code), code = *.code as u8)]
    Refused {
        /// The connection, a publish, a subscription.
        what: String,
        /// What the broker said.
        why: String,
        /// The same as a code.
        code: ReasonCode,
        /// What was done until then.
        done: String,
    },
    /// It could not be sent.
    #[error("{what} was not sent: {why}{done}")]
    NotSent {
        /// What.
        what: String,
        /// Why.
        why: String,
        /// What was done until then.
        done: String,
    },
    /// Too late.
    #[error("{0}")]
    TimedOut(String),
}

impl MqttError {
    /// What it means for those who only see a number.
    pub fn code(&self) -> u8 {
        match self {
            Self::Typed(_) => 2,
            Self::Runtime(_) => 1,
            Self::Read { .. } | Self::Password(_) | Self::Write(_) => 7,
            Self::Unreachable { .. } | Self::Lost { .. } => 6,
            Self::TimedOut(_) => 10,
            Self::NotSent { .. } => 11,
            Self::Refused { code, .. } => match kind(*code) {
                Kind::NotAuthorized => 9,
                Kind::Protocol => 11,
                Kind::ForNow => 6,
            },
        }
    }

    /// From the driver, about `what`.
    pub fn of(what: &str, error: Error, done: &str) -> Self {
        let (what, done) = (what.to_owned(), done.to_owned());
        match error {
            Error::Client(ClientError::Refused(code)) => Self::Refused {
                what,
                why: code.name().to_owned(),
                code,
                done,
            },
            Error::Client(error @ (ClientError::PacketTooLarge | ClientError::Expired)) => {
                Self::NotSent {
                    what,
                    why: error.to_string(),
                    done,
                }
            }
            error => Self::Lost {
                why: error.to_string(),
                done,
            },
        }
    }
}

impl From<TrustError> for MqttError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Read { what, why } => Self::Read { what, why },
            TrustError::Unusable(why) => Self::Typed(why),
        }
    }
}

enum Kind {
    NotAuthorized,
    Protocol,
    /// It may do later.
    ForNow,
}

fn kind(code: ReasonCode) -> Kind {
    use ReasonCode as R;
    match code {
        R::BadUserNameOrPassword | R::NotAuthorized | R::Banned | R::BadAuthenticationMethod => {
            Kind::NotAuthorized
        }
        R::UnspecifiedError
        | R::ServerUnavailable
        | R::ServerBusy
        | R::ServerShuttingDown
        | R::SessionTakenOver
        | R::QuotaExceeded
        | R::MessageRateTooHigh
        | R::AdministrativeAction
        | R::UseAnotherServer
        | R::ServerMoved
        | R::ConnectionRateExceeded
        | R::MaximumConnectTime => Kind::ForNow,
        _ => Kind::Protocol,
    }
}

/// What to do about a refusal.
fn remedy(code: ReasonCode) -> &'static str {
    use ReasonCode as R;
    match code {
        R::BadUserNameOrPassword => {
            "; give --username and --password-file (or EBBTIDE_USER and EBBTIDE_PASSWORD), and see that both are right"
        }
        R::NotAuthorized => {
            "; no rule allows it to who you are: `ebbtide acl test` says which rule decides, --username who you are"
        }
        R::UnsupportedProtocolVersion => "; it may be older: try -V 3.1.1",
        R::ClientIdentifierNotValid => "; choose another --id",
        R::QuotaExceeded => "; it has no room for more at the moment",
        R::ConnectionRateExceeded => "; too many have failed from this address: wait a minute",
        R::UseAnotherServer | R::ServerMoved => "; ask there",
        R::RetainNotSupported => "; leave out --retain",
        R::QoSNotSupported => "; try a lower --qos",
        _ => "",
    }
}

/// What to do about a connection that does not come about.
fn advice(url: &str, why: &str) -> &'static str {
    let is_of = |faults: &[&str]| faults.iter().any(|fault| why.contains(fault));
    // BadSignature: an authority of the same name has another key.
    if is_of(&["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"]) {
        "; its certificate is of nobody who is trusted here: give the authority that has signed it with --cafile"
    } else if is_of(&["not valid for name", "NotValidForName"]) {
        "; its certificate is for another name: use that one, or --insecure to take any name"
    } else if why.contains("Expired") {
        "; its certificate is out of date, or the clock of this machine is wrong"
    } else if is_of(&["handshake", "corrupt message"]) {
        "; does that port speak TLS, and does it want a certificate of yours (--cert and --key)?"
    } else if url.starts_with("ws") && why.contains("HTTP error") {
        "; is that the path of its WebSocket (Ebbtide: /mqtt), and is the host on its list (--allow-host)?"
    } else {
        "; does the broker run, and is that its address?"
    }
}
