//! One MQTT connection of the generator: buffers, the first packets, and what it sends again and again.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, Version,
    codec::{Decoder, Role, encode},
    packet::{Connect, Disconnect, Subscribe, Subscription, SubscriptionOptions},
};

use super::{
    frame::{self, Frame},
    target::Dialer,
};
use crate::driver::ByteStream;

/// Sessions that are kept are kept that long, seconds: longer than any run.
const SESSION_EXPIRY_S: u32 = 3600;
/// So long may a broker take for an answer. One that says nothing for longer is not waited for.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The longest there is: nobody sends pings during a run. Not zero, which some brokers refuse.
const KEEP_ALIVE_S: u16 = u16::MAX;

/// A connection on which the broker has let the client in.
pub struct Link {
    stream: Box<dyn ByteStream>,
    pub version: Version,
    /// Unacknowledged messages that the broker takes [MQTT-3.3.4-7].
    pub receive_maximum: usize,
    input: BytesMut,
    /// There may be whole packets in the input already.
    has_more: bool,
    pub output: BytesMut,
}

/// What becomes of the session when the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It ends as well.
    Clean,
    /// It stays, and was there before.
    Kept,
    /// It ends an older one, and stays.
    New,
}

impl Link {
    /// Connects and waits for CONNACK, but not for ever.
    pub async fn connect(
        dialer: &Dialer,
        version: Version,
        client_id: &str,
        session: Session,
    ) -> io::Result<Self> {
        let connecting = Self::let_in(dialer, version, client_id, session);
        in_time("let a client in", connecting).await
    }

    async fn let_in(
        dialer: &Dialer,
        version: Version,
        client_id: &str,
        session: Session,
    ) -> io::Result<Self> {
        let mut link = Self {
            stream: dialer.dial().await?,
            version,
            receive_maximum: usize::from(u16::MAX),
            input: BytesMut::new(),
            has_more: false,
            output: BytesMut::new(),
        };
        let connect = Connect {
            version,
            // A Clean Session of 3.1.1 ends with its connection.
            clean_start: match session {
                Session::Clean => true,
                Session::New => version == Version::V5,
                Session::Kept => false,
            },
            keep_alive: KEEP_ALIVE_S,
            client_id: client_id.to_owned().into(),
            session_expiry_interval: (session != Session::Clean).then_some(SESSION_EXPIRY_S),
            username: dialer.login.username.clone().map(Into::into),
            password: dialer.login.password.clone(),
            ..Connect::default()
        };
        link.put(&Packet::Connect(Box::new(connect)));
        link.flush().await?;
        let reason = link
            .expect(|frame| match frame {
                Frame::ConnAck { reason, .. } => Some(reason),
                _ => None,
            })
            .await?;
        match reason {
            0 => Ok(link),
            reason => Err(refused_to_connect(version, reason)),
        }
    }

    /// Subscribes and waits for SUBACK; what arrives before it is lost.
    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> io::Result<()> {
        self.ask_to_subscribe(filter, qos)?;
        let subscribing = async {
            self.flush().await?;
            self.expect(|frame| match frame {
                Frame::SubAck { reason } => Some(reason),
                _ => None,
            })
            .await
        };
        is_granted(in_time("answer SUBSCRIBE", subscribing).await?, qos)
    }

    /// Only puts SUBSCRIBE into the output.
    pub fn ask_to_subscribe(&mut self, filter: &str, qos: QoS) -> io::Result<()> {
        let filter = TopicFilter::new(filter.to_owned()).map_err(io::Error::other)?;
        let options = SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        };
        self.put(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MAX,
            subscription_identifier: None,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription { filter, options }],
        }));
        Ok(())
    }

    /// Says goodbye, so that the broker need not find out.
    pub async fn disconnect(mut self) -> io::Result<()> {
        self.put(&Packet::Disconnect(Box::new(Disconnect::new(
            ReasonCode::Success,
        ))));
        self.flush().await?;
        poll_fn(|context| self.stream.poll_end(context)).await
    }

    fn put(&mut self, packet: &Packet) {
        encode(packet, self.version, &mut self.output);
    }

    /// Writes what is in the output.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_write(context)).await
    }

    /// Ready when the output is empty.
    pub fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.stream.poll_write(context, &mut self.output);
        written.map_err(broken_off)
    }

    /// Reads once, and hands over every whole packet that is there.
    pub fn poll_frames(
        &mut self,
        context: &mut Context<'_>,
        mut take: impl FnMut(Frame<'_>, &mut BytesMut),
    ) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.has_more) {
            let read = self.stream.poll_read(context, &mut self.input);
            let Poll::Ready(count) = read.map_err(broken_off)? else {
                return Poll::Pending;
            };
            if count == 0 {
                return Poll::Ready(Err(ended()));
            }
        }
        let mut at = 0;
        while let Some((frame, length)) = frame::first(&self.input[at..], self.version)? {
            if let Frame::Disconnect { reason } = frame {
                return Poll::Ready(Err(sent_away(reason)));
            }
            take(frame, &mut self.output);
            at += length;
        }
        self.input.advance(at);
        Poll::Ready(Ok(()))
    }

    /// Waits for the answer to a request. What comes behind it is left for the next read: a session that is back gets its
    /// messages together with CONNACK.
    async fn expect(&mut self, answer: impl Fn(Frame<'_>) -> Option<u8>) -> io::Result<u8> {
        loop {
            let Some((frame, length)) = frame::first(&self.input, self.version)? else {
                let count = poll_fn(|context| self.stream.poll_read(context, &mut self.input));
                if count.await.map_err(broken_off)? == 0 {
                    return Err(ended());
                }
                continue;
            };
            if let Frame::Disconnect { reason } = frame {
                return Err(sent_away(reason));
            }
            let (reason, is_connack) = (answer(frame), matches!(frame, Frame::ConnAck { .. }));
            let packet = self.input.split_to(length);
            if is_connack {
                self.take_limits(packet);
            }
            if let Some(reason) = reason {
                self.has_more = !self.input.is_empty();
                self.give_back();
                return Ok(reason);
            }
        }
    }

    /// Thousands that are idle need no memory of their own for what they have said and heard.
    fn give_back(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
    }

    /// What CONNACK says about how much the broker takes. One that is not quite right says nothing about it.
    fn take_limits(&mut self, mut packet: BytesMut) {
        let mut decoder = Decoder::new(Role::Client, u32::MAX);
        decoder.set_version(self.version);
        if let Ok(Some(Packet::ConnAck(connack))) = decoder.decode(&mut packet)
            && let Some(maximum) = connack.receive_maximum
        {
            self.receive_maximum = usize::from(maximum.get());
        }
    }
}

/// Whether the code of a SUBACK is what was asked for.
pub fn is_granted(granted: u8, qos: QoS) -> io::Result<()> {
    if granted >= 0x80 {
        let why = format!("the broker refused to subscribe: {}", named(granted));
        return Err(io::Error::other(why));
    }
    if granted < qos as u8 {
        // What is measured would be something else than what was asked for.
        let why = format!("the broker delivers with QoS {granted} at most: give --qos {granted}");
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    Ok(())
}

/// The outcome of `work`, unless it takes too long.
async fn in_time<T>(what: &str, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(ANSWER_MAX, work)
        .await
        .unwrap_or_else(|_| {
            let why = format!(
                "it did not {what} within {} s; is an MQTT broker there, and does it run?",
                ANSWER_MAX.as_secs()
            );
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
}

fn ended() -> io::Error {
    let why = "the broker has ended the connection; its log may say why";
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

fn broken_off(error: io::Error) -> io::Error {
    let why = format!("the connection broke off: {error}; does the broker still run?");
    io::Error::new(error.kind(), why)
}

fn sent_away(reason: u8) -> io::Error {
    let why = format!("the broker has sent a client away: {}", named(reason));
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

fn refused_to_connect(version: Version, reason: u8) -> io::Error {
    // Of 3.1.1 these are 4 and 5 (section 3.2.2.3).
    let is_about_login = match version {
        Version::V5 => matches!(reason, 0x86 | 0x87),
        _ => matches!(reason, 4 | 5),
    };
    let name = match version {
        Version::V5 => named(reason),
        _ => format!("return code {reason}"),
    };
    let what_to_do = match is_about_login {
        true => ": who may come in is said by --username and --password-file",
        false => "",
    };
    let why = format!("the broker lets no client in, {name}{what_to_do}");
    io::Error::new(io::ErrorKind::ConnectionRefused, why)
}

fn named(reason: u8) -> String {
    let name = ReasonCode::from_byte(reason).map_or("unknown", ReasonCode::name);
    format!("0x{reason:02x} ({name})")
}
