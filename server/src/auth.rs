//! Who a client is.
//!
//! No authentication can be configured yet, so everybody is anonymous; `config` refuses to listen where strangers
//! could reach that without being told to.

use ebbtide_broker::{Authentication, Credentials, Identity};
use ebbtide_protocol::ReasonCode;

/// Decides who may come in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Authenticator {}

impl Authenticator {
    /// Whether anybody is asked for anything.
    pub fn is_configured(self) -> bool {
        false
    }

    /// Who the client is, or why it may not come in.
    pub fn authenticate(self, credentials: &Credentials) -> Authentication {
        if credentials.enhanced.is_some() {
            // No method is supported [MQTT-4.12.0-1].
            return Authentication::Refused(ReasonCode::BadAuthenticationMethod);
        }
        Authentication::Accepted {
            identity: Identity::default(),
            data: None,
        }
    }
}
