//! What the behaviours ask of a client, whichever it is. The adapters translate; they decide nothing.

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How to connect.
#[derive(Clone, Debug, Serialize)]
pub struct Options {
    /// The client identifier; empty: the broker assigns one.
    pub id: String,
    /// The session stays when the connection ends, and an earlier one is taken up.
    pub persistent: bool,
    /// Seconds.
    pub keep_alive: u16,
    /// Session Expiry Interval, seconds; 5.0.
    pub session_expiry: u32,
    /// Topic Alias Maximum; 5.0.
    pub topic_alias_maximum: u16,
    pub will: Option<Message>,
}

impl Options {
    pub fn clean(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            persistent: false,
            keep_alive: 60,
            session_expiry: 0,
            topic_alias_maximum: 0,
            will: None,
        }
    }

    pub fn persistent(id: &str) -> Self {
        Self {
            persistent: true,
            session_expiry: 3600,
            ..Self::clean(id)
        }
    }
}

/// What CONNACK said, as far as the client tells.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Connected {
    pub session_present: Option<bool>,
    pub assigned_id: Option<String>,
}

/// What to ask for besides the filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub qos: u8,
    pub identifier: u32,
    pub no_local: bool,
    pub retain_as_published: bool,
}

/// A message on its way in or out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub retain: bool,
    pub user_properties: Vec<(String, String)>,
    pub content_type: Option<String>,
    pub response_topic: Option<String>,
    pub correlation_data: Option<String>,
    pub message_expiry: Option<u32>,
    /// On the way out only.
    pub topic_alias: Option<u16>,
    /// On the way in only.
    pub subscription_identifiers: Vec<u32>,
}

impl Message {
    pub fn new(topic: &str, payload: &str, qos: u8) -> Self {
        Self {
            topic: topic.to_owned(),
            payload: payload.to_owned(),
            qos,
            ..Self::default()
        }
    }

    pub fn retained(self) -> Self {
        Self {
            retain: true,
            ..self
        }
    }
}

/// One client. Everything is waited for: the acknowledgement of what was asked, or the next message.
pub trait Client {
    fn connect(&mut self, options: &Options) -> Result<Connected>;

    /// The reason code of SUBACK.
    fn subscribe(&mut self, filter: &str, wish: Wish) -> Result<u8>;

    fn unsubscribe(&mut self, filter: &str) -> Result<()>;

    /// The reason code of PUBACK or PUBREC; none when the client does not tell.
    fn publish(&mut self, message: &Message) -> Result<Option<u8>>;

    fn next(&mut self) -> Result<Message>;

    /// Says DISCONNECT.
    fn disconnect(&mut self) -> Result<()>;

    /// Ends the connection without DISCONNECT.
    fn cut(&mut self) -> Result<()>;

    /// Sends a request in the way that the client has for it; the answer is the next message.
    fn request(&mut self, request: &Message) -> Result<()> {
        let answers = request.response_topic.clone().unwrap_or_default();
        self.subscribe(&answers, Wish::default())?;
        self.publish(request).map(drop)
    }
}
