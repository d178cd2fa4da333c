//! MQTT 3.1.1 and 5.0 on tokio: the client machine of `ebbtide-protocol` over TCP (`mqtt://`) or WebSocket (`ws://`), and
//! both with TLS (`mqtts://`, `wss://`).
//!
//! One task owns machine and transport; [`Client`] sends it commands and [`Messages`] is what comes back. Both channels
//! are bounded: who does not take messages stops the reading, so the server sees it as a slow client.

mod driver;
mod transport;

use std::sync::Arc;

use bytes::Bytes;
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot, watch};

pub use ebbtide_protocol::client::{
    Error as ClientError, IncomingMessage, Options, OutgoingMessage, State, SubscriptionHandle,
};
use ebbtide_protocol::packet::{Connect, MessageProperties, SubscriptionOptions};
use ebbtide_protocol::{Packet, QoS, ReasonCode, TopicFilter, TopicName, codec::check};

use driver::{Command, Driver};
use transport::Address;

/// Commands that wait for the task, at most.
const COMMANDS_MAX: usize = 256;
/// Messages that wait for the application, at most.
const MESSAGES_MAX: usize = 1024;

/// Why something failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not `mqtt://host[:port]` or `ws://host[:port]/path`, nor the same with `mqtts` or `wss`.
    #[error("{0} is not an mqtt://, mqtts://, ws:// or wss:// URL")]
    Url(String),
    /// With `mqtts` and `wss` [`Setup::tls`] says whom to trust.
    #[error("{0} needs TLS, and nothing says whom to trust")]
    NoTls(String),
    /// Something in CONNECT or in a publish has more than 65,535 bytes.
    #[error("a field has more than 65,535 bytes")]
    FieldTooLong,
    /// The first attempt failed, with what the network said.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The server answered the first attempt, and refused.
    #[error("refused: {reason}")]
    Refused {
        /// Why, for people.
        reason: String,
        /// The same as a code.
        reason_code: ReasonCode,
    },
    /// The machine refused it, or the server did.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The client was closed or aborted meanwhile.
    #[error("the client has ended")]
    Ended,
}

/// A connected client. When all clones are dropped the connection is cut without a farewell.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    refused: watch::Receiver<Option<ReasonCode>>,
}

/// The messages of all subscriptions, in the order in which they came.
#[derive(Debug)]
pub struct Messages {
    queue: mpsc::Receiver<IncomingMessage>,
    /// Weak: who only listens does not keep the connection.
    commands: mpsc::WeakSender<Command>,
}

/// What concerns neither MQTT nor its options.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// For `mqtts://` and `wss://`: whom to trust, and what to show.
    pub tls: Option<Arc<ClientConfig>>,
    /// When messages are acknowledged.
    pub acknowledgement: Acknowledgement,
}

/// When a message at QoS 1 or 2 is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgement {
    /// When it goes into the queue of [`Messages`].
    #[default]
    WhenTaken,
    /// When [`Messages::done`] says so; the next one comes only then.
    WhenDone,
    /// Not at all: the server sends it again to whoever comes back to the session.
    Never,
}

/// Options around a CONNECT with this client id; see [`Options`] for what can be set.
#[must_use]
pub fn options(client_id: &str) -> Options {
    Options::new(Connect {
        client_id: client_id.into(),
        clean_start: true,
        keep_alive: 30,
        ..Connect::default()
    })
}

/// A message without properties.
///
/// # Errors
/// When the topic is no topic name.
pub fn message(
    topic: &str,
    payload: impl Into<Bytes>,
    qos: QoS,
    retain: bool,
) -> Result<OutgoingMessage, ebbtide_protocol::topic::NameError> {
    Ok(OutgoingMessage {
        topic: TopicName::new(topic)?,
        payload: payload.into(),
        qos,
        retain,
        properties: MessageProperties::default(),
    })
}

/// Connects, and returns once the server has accepted. Afterwards lost connections are made again if `options` say so.
///
/// # Errors
/// [`Error::Url`], [`Error::FieldTooLong`], and [`Error::Connect`] or [`Error::Refused`] when the first attempt fails.
pub async fn connect(url: &str, options: Options) -> Result<(Client, Messages), Error> {
    connect_with(url, options, Setup::default()).await
}

/// As [`connect`].
///
/// # Errors
/// As there, and [`Error::NoTls`].
pub async fn connect_with(
    url: &str,
    options: Options,
    setup: Setup,
) -> Result<(Client, Messages), Error> {
    let address = Address::parse(url).ok_or_else(|| Error::Url(url.to_owned()))?;
    if address.is_encrypted() && setup.tls.is_none() {
        return Err(Error::NoTls(url.to_owned()));
    }
    let packet = Packet::Connect(Box::new(options.connect.clone()));
    check(&packet, options.connect.version).map_err(|_| Error::FieldTooLong)?;
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (message_sender, messages) = mpsc::channel(MESSAGES_MAX);
    let (state_sender, mut state) = watch::channel(State::Connecting);
    let (refused_sender, refused) = watch::channel(None);
    let driver = Driver::new(
        address,
        setup,
        options,
        command_queue,
        message_sender,
        (state_sender, refused_sender),
    );
    tokio::spawn(driver.run());
    let settled = state.wait_for(|state| *state != State::Connecting).await;
    let settled = settled.map_err(|_| Error::Ended)?.clone();
    let reason = settled.explain();
    match settled {
        State::Online { .. } => {
            let messages = Messages {
                queue: messages,
                commands: commands.downgrade(),
            };
            let client = Client {
                commands,
                state,
                refused,
            };
            Ok((client, messages))
        }
        State::Offline {
            reason_code: Some(reason_code),
            ..
        }
        | State::NeedsAuth { reason_code, .. } => Err(Error::Refused {
            reason,
            reason_code,
        }),
        State::Offline { .. } => Err(Error::Connect(reason)),
        State::Connecting | State::Closed => Err(Error::Ended),
    }
}

impl Client {
    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until the state is as wanted.
    ///
    /// # Errors
    /// [`Error::Ended`] when the client ends before.
    pub async fn wait_for(&mut self, wanted: impl FnMut(&State) -> bool) -> Result<State, Error> {
        let state = self.state.wait_for(wanted).await;
        Ok(state.map_err(|_| Error::Ended)?.clone())
    }

    /// Publishes, and waits for the acknowledgement (QoS 0: until it is on its way). To pipeline, call it many times
    /// at once.
    ///
    /// # Errors
    /// [`Error::Client`] with what the machine or the server said, [`Error::Ended`].
    pub async fn publish(&self, message: OutgoingMessage) -> Result<ReasonCode, Error> {
        self.submit(message).await?.settled().await
    }

    /// As [`Client::publish`], and returns once the message has its place in the line: what is submitted one after the
    /// other is sent in that order.
    ///
    /// # Errors
    /// [`Error::Ended`].
    pub async fn submit(&self, message: OutgoingMessage) -> Result<Submitted, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Publish(message, reply);
        self.commands
            .send(command)
            .await
            .map_err(|_| Error::Ended)?;
        Ok(Submitted(answer))
    }

    /// Subscribes, and waits for the SUBACK.
    ///
    /// # Errors
    /// [`Error::Client`] with what the machine or the server said, [`Error::Ended`].
    pub async fn subscribe(
        &self,
        filter: TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<SubscriptionHandle, Error> {
        self.ask(|reply| Command::Subscribe(filter, options, reply))
            .await
    }

    /// Waits until the server refuses a subscription that it had granted before: when a new connection finds no session it is
    /// asked for again, and what is allowed may have changed.
    ///
    /// # Errors
    /// [`Error::Ended`] when the client ends before.
    pub async fn refused_later(&mut self) -> Result<ReasonCode, Error> {
        let refused = self.refused.wait_for(Option::is_some).await;
        let reason = *refused.map_err(|_| Error::Ended)?;
        reason.ok_or(Error::Ended)
    }

    /// Ends a subscription, without waiting for the UNSUBACK.
    ///
    /// # Errors
    /// [`Error::Ended`].
    pub async fn unsubscribe(&self, subscription: SubscriptionHandle) -> Result<(), Error> {
        let command = Command::Unsubscribe(subscription);
        self.commands.send(command).await.map_err(|_| Error::Ended)
    }

    /// Says DISCONNECT 0x00 and waits until the connection is closed.
    pub async fn disconnect(mut self) {
        // If the task is gone there is nothing to close.
        let _ = self.commands.send(Command::Close).await;
        let _ = self.state.wait_for(|_| false).await;
    }

    /// Cuts the connection without a word, as a crash would, and waits until it is cut.
    pub async fn abort(mut self) {
        let _ = self.commands.send(Command::Abort).await;
        let _ = self.state.wait_for(|_| false).await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ClientError>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(command(reply)).await;
        sent.map_err(|_| Error::Ended)?;
        Ok(answer.await.map_err(|_| Error::Ended)??)
    }
}

/// A publish under way.
#[derive(Debug)]
pub struct Submitted(oneshot::Receiver<Result<ReasonCode, ClientError>>);

impl Submitted {
    /// Waits for its acknowledgement (QoS 0: until it is on its way). May be cancelled and called again until it has answered.
    ///
    /// # Errors
    /// [`Error::Client`] with what the machine or the server said, [`Error::Ended`].
    pub async fn settled(&mut self) -> Result<ReasonCode, Error> {
        Ok((&mut self.0).await.map_err(|_| Error::Ended)??)
    }
}

impl Messages {
    /// The next message; `None` once the client has ended.
    pub async fn next(&mut self) -> Option<IncomingMessage> {
        self.queue.recv().await
    }

    /// The message that came last may be acknowledged. Means nothing with [`Acknowledgement::WhenTaken`].
    pub async fn done(&self) {
        if let Some(commands) = self.commands.upgrade() {
            // If the task is gone so is the connection: the server sends it again.
            let _ = commands.send(Command::Done).await;
        }
    }
}
