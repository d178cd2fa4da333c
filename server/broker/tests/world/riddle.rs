//! An authenticator for tests.

use bytes::Bytes;
use ebbtide_broker::{Authentication, AuthenticationStep, Credentials, Identity};
use ebbtide_protocol::ReasonCode;

/// Lets everybody in by their User Name. The method `riddle` asks one riddle, and knows who answers it.
pub fn authenticate(credentials: Credentials) -> Authentication {
    match credentials.enhanced {
        None => Ok(Identity {
            user: credentials.username,
        })
        .into(),
        Some(step) => first_step(&step),
    }
}

pub fn first_step(step: &AuthenticationStep) -> Authentication {
    match (&*step.method, step.data.as_deref()) {
        ("riddle", None | Some(b"hello")) => Authentication::Continue {
            data: Some(Bytes::from_static(b"riddle")),
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
        Some(user) if user != b"wrong" => Authentication::Accepted {
            identity: Identity {
                user: Some(String::from_utf8_lossy(user).into_owned().into()),
            },
            data: Some(Bytes::from_static(b"welcome")),
        },
        _ => Authentication::Refused(ReasonCode::BadUserNameOrPassword),
    }
}
