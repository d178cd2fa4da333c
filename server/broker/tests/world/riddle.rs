//! An authenticator for tests.

use bytes::Bytes;
use ebbtide_broker::{Authentication, AuthenticationStep, Credentials, Identity};
use ebbtide_protocol::ReasonCode;
use ebbtide_store::WallTime;

/// How much longer it is at length.
const LENGTH: usize = 20;

/// Lets everybody in by their User Name. The method `riddle` asks one riddle, and knows who answers it.
pub fn authenticate(credentials: Credentials) -> Authentication {
    match credentials.enhanced {
        None => {
            let user = credentials.username;
            // So many milliseconds after the world began.
            let until = user.as_deref().and_then(|user| user.strip_prefix("until "));
            let expires_at = until.and_then(|ms| ms.parse().ok());
            Ok(Identity {
                expires_at: expires_at.map(|ms: u64| WallTime(1_000_000 + ms)),
                ..Identity::of_user(user)
            })
            .into()
        }
        Some(step) => first_step(&step),
    }
}

pub fn first_step(step: &AuthenticationStep) -> Authentication {
    match (&*step.method, step.data.as_deref()) {
        ("riddle", None | Some(b"hello")) => Authentication::Continue {
            data: Some(Bytes::from_static(b"riddle")),
        },
        ("riddle", Some(b"at length")) => Authentication::Continue {
            data: Some("riddle".repeat(LENGTH).into()),
        },
        ("riddle", Some(_)) => next_step(step),
        _ => Authentication::Refused(ReasonCode::BadAuthenticationMethod),
    }
}

/// The answer is the name of the user.
pub fn next_step(step: &AuthenticationStep) -> Authentication {
    match step.data.as_deref() {
        Some(b"again") => first_step(&AuthenticationStep {
            data: None,
            ..step.clone()
        }),
        Some(b"oedipus at length") => Authentication::Accepted {
            identity: Identity::of_user(Some("oedipus".into())),
            data: Some("welcome".repeat(LENGTH).into()),
        },
        Some(user) if user != b"wrong" => Authentication::Accepted {
            identity: Identity::of_user(Some(String::from_utf8_lossy(user).into_owned().into())),
            data: Some(Bytes::from_static(b"welcome")),
        },
        _ => Authentication::Refused(ReasonCode::BadUserNameOrPassword),
    }
}
