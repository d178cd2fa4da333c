//! A message from HTTP takes the way of every other: a connection of its own, inside the program.

use std::{sync::Arc, task::Waker, time::Duration};

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use ebbtide_broker::{Answer, Connection, Origin, Question};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicName, Version,
    codec::{Decoder, Role, encode},
    packet::{Connect, Disconnect, MessageProperties, Publish},
};

use super::problem::Problem;
use crate::{connection::Surroundings, wake::Signal};

/// How long the commit may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Publishes and waits for the acknowledgement, which stands for the commit; QoS 0 waits for nothing.
pub async fn once(
    surroundings: &Surroundings,
    topic: TopicName,
    payload: Bytes,
    qos: QoS,
    retain: bool,
) -> Result<ReasonCode, Problem> {
    if qos == QoS::AtMostOnce
        && retain
        && let Some(no_room) = surroundings.broker.no_room()
    {
        // Nothing will say that it is dropped.
        let detail = format!("{}.", no_room.why());
        return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail));
    }
    let exchange = Exchange::begin(surroundings).run(topic, payload, qos, retain);
    let outcome = tokio::time::timeout(DEADLINE, exchange).await;
    let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let reason = outcome
        .map_err(|_| unavailable("The message was not committed in time; it may be later."))?
        .ok_or_else(|| unavailable("The broker does not take the message now; try again later."))?;
    if reason == ReasonCode::QuotaExceeded {
        return Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "There is no room for the message now; `/readyz` says why. Try again later.",
        ));
    }
    if reason.is_error() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("The broker refused it: {}.", reason.name()),
        ));
    }
    Ok(reason)
}

struct Exchange<'a> {
    surroundings: &'a Surroundings,
    connection: Connection,
    signal: Arc<Signal>,
    decoder: Decoder,
    received: BytesMut,
}

impl<'a> Exchange<'a> {
    fn begin(surroundings: &'a Surroundings) -> Self {
        let signal = Signal::new();
        let origin = Origin {
            address: "HTTP API".into(),
            transport: "api",
        };
        let (broker, _) = surroundings.broker.get();
        let waker = Waker::from(Arc::clone(&signal));
        let connection = broker.connect(origin, waker, surroundings.clock.now());
        let decoder = Decoder::new(Role::Client, u32::MAX);
        Self {
            surroundings,
            connection,
            signal,
            decoder,
            received: BytesMut::new(),
        }
    }

    /// The reason of the acknowledgement; `None` when the connection was closed instead.
    async fn run(
        mut self,
        topic: TopicName,
        payload: Bytes,
        qos: QoS,
        retain: bool,
    ) -> Option<ReasonCode> {
        self.send(&Packet::Connect(Box::new(Connect {
            clean_start: true,
            ..Connect::default()
        })));
        match self.next().await? {
            Packet::ConnAck(connack) if !connack.reason.is_error() => {}
            _ => return None,
        }
        self.send(&Packet::Publish(Box::new(Publish {
            dup: false,
            qos,
            retain,
            topic: Some(topic),
            packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::MIN),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::default(),
            payload,
        })));
        let reason = match qos {
            // Nothing acknowledges it, but a refusal closes the connection.
            QoS::AtMostOnce => match self.connection.close() {
                Some(close) => Some(close.reason),
                None => Some(ReasonCode::Success),
            },
            _ => match self.next().await? {
                Packet::PubAck(ack) | Packet::PubRec(ack) => Some(ack.reason),
                _ => None,
            },
        };
        self.send(&Packet::Disconnect(Box::new(Disconnect::new(
            ReasonCode::Success,
        ))));
        reason
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, Version::V5, &mut bytes);
        while self
            .connection
            .receive(&mut bytes, self.surroundings.clock.now())
        {}
    }

    async fn next(&mut self) -> Option<Packet> {
        loop {
            while let Some(question) = self.connection.poll_question() {
                // Nothing was subscribed, so nothing has to be read.
                if let Question::Authenticate(_) = question {
                    // The HTTP API has let the caller in already.
                    let identity = ebbtide_broker::Identity { user: None };
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
                return Some(packet);
            }
            if self.connection.close().is_some() {
                return None;
            }
            self.signal.wait().await;
            self.connection.handle_wake(self.surroundings.clock.now());
        }
    }
}
