//! rumqttc for 3.1.1.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rumqttc::mqttbytes::qos;
use rumqttc::{
    AsyncClient, Event, LastWill, MqttOptions, Outgoing, Packet, QoS, SubscribeReasonCode,
};

use super::super::client::{Client, Connected, Message, Options, Wish};
use super::{Line, MAXIMUM_PACKET_SIZE, Meaning, REQUESTS};

pub struct Rumqttc {
    address: SocketAddr,
    open: Option<(AsyncClient, Line<Event>)>,
}

impl Rumqttc {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
        }
    }

    fn open(&mut self) -> Result<&mut (AsyncClient, Line<Event>)> {
        self.open.as_mut().context("it is connected")
    }
}

/// Messages are told from the rest, of which `it` looks at the incoming packets.
fn meaning<T>(event: Event, it: impl FnOnce(Packet) -> Option<T>) -> Meaning<T> {
    match event {
        Event::Incoming(Packet::Publish(publish)) => Meaning::Message(Message {
            topic: publish.topic,
            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
            qos: publish.qos as u8,
            retain: publish.retain,
            ..Message::default()
        }),
        Event::Incoming(packet) => it(packet).map_or(Meaning::Other, Meaning::It),
        Event::Outgoing(_) => Meaning::Other,
    }
}

fn level(number: u8) -> Result<QoS> {
    qos(number).map_err(|error| anyhow::anyhow!("{error}"))
}

impl Client for Rumqttc {
    fn connect(&mut self, options: &Options) -> Result<Connected> {
        let mut set = MqttOptions::new(
            &options.id,
            self.address.ip().to_string(),
            self.address.port(),
        );
        set.set_keep_alive(Duration::from_secs(options.keep_alive.into()));
        set.set_clean_session(!options.persistent);
        let most = usize::try_from(MAXIMUM_PACKET_SIZE)?;
        set.set_max_packet_size(most, most);
        if let Some(will) = &options.will {
            set.set_last_will(LastWill::new(
                &will.topic,
                will.payload.clone(),
                level(will.qos)?,
                will.retain,
            ));
        }
        let (client, mut events) = AsyncClient::new(set, REQUESTS);
        let mut line = Line::start(async move || events.poll().await.map_err(|e| e.to_string()))?;
        let session_present = line.wait(|event| {
            meaning(event, |packet| match packet {
                Packet::ConnAck(connack) => Some(connack.session_present),
                _ => None,
            })
        })?;
        self.open = Some((client, line));
        Ok(Connected {
            session_present: Some(session_present),
            assigned_id: None,
        })
    }

    fn subscribe(&mut self, filter: &str, wish: Wish) -> Result<u8> {
        let (client, line) = self.open()?;
        client.try_subscribe(filter, level(wish.qos)?)?;
        line.wait(|event| {
            meaning(event, |packet| match packet {
                Packet::SubAck(suback) => suback.return_codes.first().map(|code| match code {
                    SubscribeReasonCode::Success(qos) => *qos as u8,
                    SubscribeReasonCode::Failure => 0x80,
                }),
                _ => None,
            })
        })
    }

    fn unsubscribe(&mut self, filter: &str) -> Result<()> {
        let (client, line) = self.open()?;
        client.try_unsubscribe(filter)?;
        line.wait(|event| {
            meaning(event, |packet| {
                matches!(packet, Packet::UnsubAck(_)).then_some(())
            })
        })
    }

    fn publish(&mut self, message: &Message) -> Result<Option<u8>> {
        let (client, line) = self.open()?;
        let qos = level(message.qos)?;
        client.try_publish(&message.topic, qos, message.retain, message.payload.clone())?;
        line.wait(|event| match (qos, event) {
            (QoS::AtMostOnce, Event::Outgoing(Outgoing::Publish(_)))
            | (QoS::AtLeastOnce, Event::Incoming(Packet::PubAck(_)))
            | (QoS::ExactlyOnce, Event::Incoming(Packet::PubComp(_))) => Meaning::It(None),
            (_, event) => meaning(event, |_| None),
        })
    }

    fn next(&mut self) -> Result<Message> {
        let (_, line) = self.open()?;
        if let Some(message) = line.messages.pop_front() {
            return Ok(message);
        }
        line.wait(|event| match meaning::<()>(event, |_| None) {
            Meaning::Message(message) => Meaning::It(message),
            _ => Meaning::Other,
        })
    }

    fn disconnect(&mut self) -> Result<()> {
        let (client, line) = self.open()?;
        client.try_disconnect()?;
        line.wait(|event| match event {
            Event::Outgoing(Outgoing::Disconnect) => Meaning::It(()),
            event => meaning(event, |_| None),
        })?;
        line.cut()
    }

    fn cut(&mut self) -> Result<()> {
        self.open()?.1.cut()
    }
}
