//! What an application chooses about its connection, and the CONNECT packet that comes of it.

use alloc::boxed::Box;
use alloc::string::String;
use core::num::NonZeroU16;

use bytes::Bytes;
use ebbtide_protocol::codec::{Role, check_as};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, Version, client};

use crate::{Error, js};

/// How to connect. [`Options::new`] suits a page that only watches: it leaves no session behind.
#[derive(Clone, Debug)]
pub struct Options {
    /// `ws://` or `wss://`, with path: `wss://broker.example/mqtt`.
    pub url: String,
    /// `None`: the server chooses one.
    pub client_id: Option<String>,
    /// User Name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Authentication Method and the first Authentication Data, for a method of one step such as `ebbtide-jwt`. Not in
    /// 3.1.1.
    pub authentication: Option<(String, String)>,
    /// Keep Alive in seconds; zero turns it off.
    pub keep_alive_s: u16,
    /// How long the server keeps the session after the connection is gone, seconds. Not in 3.1.1.
    pub session_expiry_interval_s: u32,
    /// Begin without an old session. In 3.1.1 (Clean Session) it also ends with each connection.
    pub clean_start: bool,
    /// Protocol version.
    pub version: Version,
}

/// Messages that the server may send ahead of their acknowledgement: a WebSocket has no backpressure of its own.
const RECEIVE_MAXIMUM: NonZeroU16 = NonZeroU16::new(256).expect("not zero");

/// Aliases that the server may use: presence boards repeat few topics often.
const TOPIC_ALIAS_MAXIMUM: u16 = 64;

impl Options {
    /// MQTT 5.0, no credentials, keep alive 30 s, no session kept.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            client_id: None,
            username: None,
            password: None,
            authentication: None,
            keep_alive_s: 30,
            session_expiry_interval_s: 0,
            clean_start: true,
            version: Version::V5,
        }
    }

    /// The machine's options, checked.
    pub(crate) fn resolve(&self) -> Result<client::Options, Error> {
        let client_id = self.client_id.clone().unwrap_or_default();
        let (method, data) = self.authentication.clone().unzip();
        let connect = Connect {
            version: self.version,
            authentication_method: method.map(Into::into),
            authentication_data: data.map(Bytes::from),
            clean_start: self.clean_start,
            keep_alive: self.keep_alive_s,
            client_id: client_id.into(),
            username: self.username.clone().map(Into::into),
            password: self.password.clone().map(Bytes::from),
            session_expiry_interval: Some(self.session_expiry_interval_s),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            topic_alias_maximum: TOPIC_ALIAS_MAXIMUM,
            ..Connect::default()
        };
        finish(&self.url, connect)
    }
}

/// Checks the address and CONNECT.
fn finish(url: &str, connect: Connect) -> Result<client::Options, Error> {
    let url = web_sys::Url::new(url).map_err(|_| Error::Url)?;
    if !matches!(url.protocol().as_str(), "ws:" | "wss:") {
        return Err(Error::Url);
    }
    let version = connect.version;
    if connect.client_id.is_empty() && !version.allows_empty_client_id(connect.clean_start) {
        return Err(Error::ClientIdMissing);
    }
    let packet = Packet::Connect(Box::new(connect.clone()));
    check_as(Some(Role::Client), &packet, version).map_err(|_| Error::FieldTooLong)?;
    let mut options = client::Options::new(connect);
    options.seed = js::random_bits();
    Ok(options)
}
