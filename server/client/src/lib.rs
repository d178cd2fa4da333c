//! MQTT 3.1.1 and 5.0 on tokio: the client machine of `ebbtide-protocol` over TCP (`mqtt://`) or WebSocket (`ws://`).
//!
//! One task owns machine and transport; [`Client`] sends it commands and [`Messages`] is what comes back. Both channels
//! are bounded: who does not take messages stops the reading, so the server sees it as a slow client.

mod driver;
mod transport;

use bytes::Bytes;
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
    /// The URL is not `mqtt://host[:port]` or `ws://host[:port]/path`.
    #[error("{0} is not an mqtt:// or ws:// URL")]
    Url(String),
    /// Something in CONNECT or in a publish has more than 65,535 bytes.
    #[error("a field has more than 65,535 bytes")]
    FieldTooLong,
    /// The first attempt failed, with what the server or the network said.
    #[error("cannot connect: {0}")]
    Connect(String),
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
}

/// The messages of all subscriptions, in the order in which they came. Taken means acknowledged.
#[derive(Debug)]
pub struct Messages(mpsc::Receiver<IncomingMessage>);

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
/// [`Error::Url`], [`Error::FieldTooLong`], and [`Error::Connect`] when the first attempt fails.
pub async fn connect(url: &str, options: Options) -> Result<(Client, Messages), Error> {
    let address = Address::parse(url).ok_or_else(|| Error::Url(url.to_owned()))?;
    let packet = Packet::Connect(Box::new(options.connect.clone()));
    check(&packet, options.connect.version).map_err(|_| Error::FieldTooLong)?;
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (message_sender, messages) = mpsc::channel(MESSAGES_MAX);
    let (state_sender, mut state) = watch::channel(State::Connecting);
    let driver = Driver::new(
        address,
        options,
        command_queue,
        message_sender,
        state_sender,
    );
    tokio::spawn(driver.run());
    let settled = state.wait_for(|state| *state != State::Connecting).await;
    let settled = settled.map_err(|_| Error::Ended)?.clone();
    match settled {
        State::Online { .. } => Ok((Client { commands, state }, Messages(messages))),
        State::Offline { reason, .. } | State::NeedsAuth { reason, .. } => {
            Err(Error::Connect(reason))
        }
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
        self.ask(|reply| Command::Publish(message, reply)).await
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

impl Messages {
    /// The next message; `None` once the client has ended.
    pub async fn next(&mut self) -> Option<IncomingMessage> {
        self.0.recv().await
    }
}
