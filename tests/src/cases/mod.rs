//! Wire cases: what is sent to a broker byte by byte, and what it must answer, as data (`tests/wire/README.md` describes the
//! language). They run against any broker.
//!
//! Nothing here uses the codec of the broker: a mistake that both made would stay hidden.

mod decode;
mod encode;
mod line;
mod parse;
mod property;
mod reasons;
mod run;
mod value;

use std::net::SocketAddr;
use std::sync::Arc;

pub use parse::{parse_file, parse_folder};
pub use run::run;

use crate::tls::Certificates;

/// One case for one version, all its steps filled in.
#[derive(Clone, Debug)]
pub struct Case {
    /// `tests/wire/connect.wire:12`
    pub place: String,
    /// A sentence.
    pub title: String,
    /// `MQTT-3.1.0-2`, `MQTT3-3.1.0-2`
    pub clauses: Vec<String>,
    /// In which it is spoken.
    pub version: Version,
    /// Only over this one.
    pub transport: Option<Transport>,
    /// It asks for more than the standard does, which says this; for Ebbtide only.
    pub beyond: Option<String>,
    steps: Vec<Step>,
}

/// What a case speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Protocol level 3.
    V3_1,
    /// Protocol level 4.
    V3_1_1,
    /// Protocol level 5.
    V5,
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// MQTT directly over TCP.
    Tcp,
    /// MQTT over TLS.
    Tls,
    /// MQTT in binary WebSocket messages.
    WebSocket,
}

/// The broker under test.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its TCP listener.
    pub tcp: Option<SocketAddr>,
    /// Its TLS listener, and what it is trusted for.
    pub tls: Option<(SocketAddr, Arc<Certificates>)>,
    /// Its WebSocket listener: address and path.
    pub websocket: Option<(SocketAddr, String)>,
    /// It must say why it closes a 5.0 connection. The standard leaves that open, Ebbtide does not.
    pub says_why: bool,
}

#[derive(Clone, Debug)]
struct Step {
    /// In the file.
    line: usize,
    /// The connection: `a` unless it is named.
    who: String,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    /// Several packets go in one segment, or one message.
    Send {
        packets: Vec<Words>,
        how: How,
    },
    /// CONNECT and its successful CONNACK.
    Connect(Words),
    /// PUBLISH and, at QoS 1 and 2, the whole exchange that acknowledges it.
    Publish(Words),
    /// The connection is cut.
    Drop,
    /// Nothing more is sent, but read.
    HalfClose,
    Expect(Words),
    /// All of these, in any order.
    AnyOrder(Vec<Words>),
    /// The end of the connection; a 5.0 client is told why: one of these.
    Disconnected(Words),
    /// CONNACK with one of these, then the end.
    Refused(Words),
    Closed,
    Silence(u64),
    Wait(u64),
    SendFrame(Words),
    ExpectFrame(Words),
}

/// How bytes are cut on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Whole,
    /// In pieces of so many bytes: segments, or messages.
    Pieces(usize),
    /// One WebSocket message in frames of so many bytes.
    Fragments(usize),
}

/// A packet as it is written: its name, then `field=value`.
#[derive(Clone, Debug, Default)]
struct Words {
    name: String,
    fields: Vec<(String, String)>,
}

impl Case {
    /// All that it sends, one packet behind the other; those that need what a broker answers are left out.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for step in &self.steps {
            if let Action::Send { packets, .. } = &step.action {
                let encoded = packets.iter();
                bytes.extend(encoded.flat_map(|packet| {
                    encode::encode(packet, self.version, &step.who).unwrap_or_default()
                }));
            }
        }
        bytes
    }
}

impl Version {
    fn level(self) -> u8 {
        match self {
            Self::V3_1 => 3,
            Self::V3_1_1 => 4,
            Self::V5 => 5,
        }
    }

    /// As it is written in cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

impl Transport {
    /// As it is written in cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
        }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (key, value) in &self.fields {
            let (key, value) = (shortened(key), shortened(value));
            match value.is_empty() && self.name == "hex" {
                true => write!(f, " {key}")?,
                false => write!(f, " {key}={value}")?,
            }
        }
        Ok(())
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
