//! Who a client is.
//!
//! No authentication can be configured yet, so everybody is anonymous; `config` refuses to listen where strangers
//! could reach that without being told to.

use ebbtide_broker::{Credentials, Identity};
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
    pub fn authenticate(self, _credentials: &Credentials) -> Result<Identity, ReasonCode> {
        Ok(Identity { user: None })
    }
}
