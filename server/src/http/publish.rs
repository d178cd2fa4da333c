//! Messages from HTTP take the way of every other: a connection of their own, inside the program.

use std::{collections::HashMap, sync::Arc, task::Waker};

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use ebbtide_broker::{Answer, Connection, Identity, Origin, Question, Transport};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicName, Version,
    codec::{Decoder, Role, encode},
    packet::{Ack, Connect, Disconnect, MessageProperties, Publish},
};

use tokio::time::{Instant, sleep_until};

use super::{access::Caller, commit::DEADLINE, problem::Problem};
use crate::{
    driver::{Surroundings, Timer},
    wake::Signal,
};

/// So many are on their way at a time.
const WINDOW: usize = 256;

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub topic: TopicName,
    pub payload: Bytes,
    pub qos: QoS,
    pub retain: bool,
    pub properties: MessageProperties,
}

/// Publishes one and waits for the acknowledgement, which stands for the commit; at QoS 0 only until it is taken in, or refused.
pub async fn once(
    surroundings: &Surroundings,
    caller: &Caller,
    message: Outgoing,
) -> Result<ReasonCode, Problem> {
    let reasons = many(surroundings, caller, vec![message]).await?;
    let reason = reasons.first().copied().unwrap_or(ReasonCode::Success);
    refused(reason)?;
    Ok(reason)
}

/// Whether a message was not taken.
pub fn refused(reason: ReasonCode) -> Result<(), Problem> {
    if reason == ReasonCode::QuotaExceeded {
        return Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "There is no room for the message now; `/readyz` says why. Try again later.",
        ));
    }
    if reason == ReasonCode::NotAuthorized {
        let detail = "The broker refused it: Not authorized. No rule lets this user publish to the topic, or the topic is the broker's own.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if reason == ReasonCode::PacketTooLarge {
        let detail =
            "The message is larger than `maximum_packet_size`, with its topic and properties.";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    if reason.is_error() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The broker refused it: {}.", reason.name()),
        ));
    }
    Ok(())
}

/// Publishes them in their order and waits for all acknowledgements; gives what became of each.
pub async fn many(
    surroundings: &Surroundings,
    caller: &Caller,
    messages: Vec<Outgoing>,
) -> Result<Vec<ReasonCode>, Problem> {
    let exchange = Exchange::begin(surroundings, caller.identity());
    exchange.run(messages).await.map_err(|stuck| {
        let detail = match stuck {
            Stuck::TooLong => "The message was not committed in time; it may be later.",
            Stuck::Over => "The broker does not take the message now; try again later.",
        };
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

/// Why there is no answer for each message.
enum Stuck {
    /// Nothing has moved for [`DEADLINE`].
    TooLong,
    /// The connection was closed.
    Over,
}

struct Exchange<'a> {
    surroundings: &'a Surroundings,
    connection: Connection,
    signal: Arc<Signal>,
    /// Of the connection's deadlines: whoever publishes too fast, or to somebody who does not read, is taken in again then.
    timer: Timer,
    decoder: Decoder,
    /// What the connection has not taken in.
    unsent: BytesMut,
    received: BytesMut,
    /// Which of the messages at QoS 0, counted from 0, were refused, and why.
    refused: Vec<(usize, ReasonCode)>,
    window: usize,
    packet_bytes_max: usize,
    /// The HTTP API has let the caller in already.
    identity: Identity,
}

impl<'a> Exchange<'a> {
    fn begin(surroundings: &'a Surroundings, identity: Identity) -> Self {
        let signal = Signal::new();
        let origin = Origin {
            address: "HTTP API".into(),
            transport: Transport::Inside,
        };
        let (broker, _) = surroundings.broker.get();
        let waker = Waker::from(Arc::clone(&signal));
        let connection = broker.connect(origin, waker, surroundings.clock.now());
        let decoder = Decoder::new(Role::Client, u32::MAX);
        Self {
            surroundings,
            connection,
            signal,
            timer: Timer::new(surroundings.clock),
            decoder,
            unsent: BytesMut::new(),
            received: BytesMut::new(),
            refused: Vec::new(),
            identity,
            window: WINDOW.min(usize::from(broker.limits().receive_maximum)),
            packet_bytes_max: broker.limits().maximum_packet_size as usize,
        }
    }

    /// The reasons of the acknowledgements.
    async fn run(mut self, messages: Vec<Outgoing>) -> Result<Vec<ReasonCode>, Stuck> {
        self.send(&Packet::Connect(Box::new(Connect {
            clean_start: true,
            ..Connect::default()
        })));
        loop {
            match self.step().await? {
                Some(Packet::ConnAck(connack)) if !connack.reason.is_error() => break,
                Some(_) => return Err(Stuck::Over),
                None => {}
            }
        }
        let mut answers = Answers {
            reasons: vec![ReasonCode::Success; messages.len()],
            under_way: HashMap::new(),
            silent: Vec::new(),
        };
        let mut packet_id = PacketId::MIN;
        for (at, message) in messages.into_iter().enumerate() {
            let has_answer = message.qos > QoS::AtMostOnce;
            while answers.under_way.len() >= self.window {
                self.advance(&mut answers).await?;
            }
            let packet = Packet::Publish(Box::new(Publish {
                dup: false,
                qos: message.qos,
                retain: message.retain,
                topic: Some(message.topic),
                packet_id: has_answer.then_some(packet_id),
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: message.properties,
                payload: message.payload,
            }));
            if !self.send_fitting(&packet) {
                answers.reasons[at] = ReasonCode::PacketTooLarge;
                continue;
            }
            if has_answer {
                answers.under_way.insert(packet_id, at);
                // Far more than the window.
                packet_id = packet_id.checked_add(1).unwrap_or(PacketId::MIN);
            } else {
                answers.silent.push(at);
            }
        }
        while !answers.under_way.is_empty() || !self.unsent.is_empty() {
            self.advance(&mut answers).await?;
        }
        // No packet tells what became of QoS 0, and it may have closed the connection.
        for (number, reason) in self.refused.drain(..) {
            let at = answers.silent[number];
            answers.reasons[at] = reason;
        }
        let close = self.connection.close().map(|close| close.reason);
        if let (Some(reason), Some(last)) = (close, answers.reasons.last_mut()) {
            *last = reason;
        }
        self.send(&Packet::Disconnect(Box::new(Disconnect::new(
            ReasonCode::Success,
        ))));
        Ok(answers.reasons)
    }

    /// Notes the next answer, if it has come.
    async fn advance(&mut self, answers: &mut Answers) -> Result<(), Stuck> {
        match self.step().await? {
            None => {}
            Some(Packet::PubRec(ack)) if !ack.reason.is_error() => {
                answers.note(&ack);
                let release = Ack::new(ack.packet_id, ReasonCode::Success);
                self.send(&Packet::PubRel(release));
            }
            Some(Packet::PubAck(ack) | Packet::PubRec(ack)) => {
                answers.note(&ack);
                answers.under_way.remove(&ack.packet_id);
            }
            Some(Packet::PubComp(ack)) => {
                answers.under_way.remove(&ack.packet_id);
            }
            Some(_) => return Err(Stuck::Over),
        }
        Ok(())
    }

    fn send(&mut self, packet: &Packet) {
        encode(packet, Version::V5, &mut self.unsent);
        self.push();
    }

    /// Whether the packet is no larger than packets may be. One that is would end the connection, and with it all that come after.
    fn send_fitting(&mut self, packet: &Packet) -> bool {
        let before = self.unsent.len();
        encode(packet, Version::V5, &mut self.unsent);
        let fits = self.unsent.len() - before <= self.packet_bytes_max;
        if fits {
            self.push();
        } else {
            self.unsent.truncate(before);
        }
        fits
    }

    /// Whether something was taken in.
    fn push(&mut self) -> bool {
        let before = self.unsent.len();
        let now = self.surroundings.clock.now();
        while !self.unsent.is_empty() && self.connection.receive(&mut self.unsent, now) {}
        while let Some(refused) = self.connection.poll_refused() {
            self.refused.push(refused);
        }
        self.unsent.len() < before
    }

    /// Goes on by one packet, or by what could be taken in now.
    async fn step(&mut self) -> Result<Option<Packet>, Stuck> {
        // As long as something moves, many messages may take longer.
        let end = Instant::now() + DEADLINE;
        loop {
            while let Some(question) = self.connection.poll_question() {
                // Nothing was subscribed, so nothing has to be read.
                if let Question::Authenticate(_) = question {
                    let identity = self.identity.clone();
                    let now = self.surroundings.clock.now();
                    self.connection
                        .handle_answer(Answer::Authenticated(Ok(identity).into()), now);
                }
            }
            while self
                .connection
                .poll_transmit(&mut self.received, self.surroundings.clock.now())
            {}
            if let Ok(Some(packet)) = self.decoder.decode(&mut self.received) {
                return Ok(Some(packet));
            }
            if self.connection.close().is_some() {
                return Err(Stuck::Over);
            }
            if self.push() {
                return Ok(None);
            }
            self.timer.set(self.connection.poll_timeout());
            let clock = self.surroundings.clock;
            tokio::select! {
                () = self.signal.wait() => self.connection.handle_wake(clock.now()),
                () = self.timer.passed() => self.connection.handle_timeout(clock.now()),
                () = sleep_until(end) => return Err(Stuck::TooLong),
            }
        }
    }
}

/// What has come back so far.
struct Answers {
    reasons: Vec<ReasonCode>,
    /// By packet id: which message.
    under_way: HashMap<PacketId, usize>,
    /// Those at QoS 0, in their order: which message.
    silent: Vec<usize>,
}

impl Answers {
    fn note(&mut self, ack: &Ack) {
        if let Some(at) = self.under_way.get(&ack.packet_id) {
            self.reasons[*at] = ack.reason;
        }
    }
}
