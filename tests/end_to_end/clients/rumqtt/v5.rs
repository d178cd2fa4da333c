//! rumqttc for 5.0.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, LastWill, Packet, PubAckReason, PubRecReason, Publish,
    PublishProperties, SubscribeProperties, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{QoS, qos};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::super::client::{Client, Connected, Message, Options, Wish};
use super::{Line, MAXIMUM_PACKET_SIZE, Meaning, REQUESTS};

const SUCCESS: u8 = 0x00;
const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
const UNSPECIFIED: u8 = 0x80;
const NOT_AUTHORIZED: u8 = 0x87;

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
        Event::Incoming(Packet::Publish(publish)) => Meaning::Message(message_of(publish)),
        Event::Incoming(packet) => it(packet).map_or(Meaning::Other, Meaning::It),
        Event::Outgoing(_) => Meaning::Other,
    }
}

fn message_of(publish: Publish) -> Message {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let properties = publish.properties.unwrap_or_default();
    let identifiers = properties.subscription_identifiers.into_iter();
    Message {
        topic: text(&publish.topic),
        payload: text(&publish.payload),
        qos: publish.qos as u8,
        retain: publish.retain,
        user_properties: properties.user_properties,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data.as_deref().map(text),
        message_expiry: properties.message_expiry_interval,
        topic_alias: None,
        subscription_identifiers: identifiers
            .filter_map(|identifier| u32::try_from(identifier).ok())
            .collect(),
    }
}

fn properties_of(message: &Message) -> PublishProperties {
    PublishProperties {
        message_expiry_interval: message.message_expiry,
        topic_alias: message.topic_alias,
        response_topic: message.response_topic.clone(),
        correlation_data: message.correlation_data.clone().map(Into::into),
        user_properties: message.user_properties.clone(),
        content_type: message.content_type.clone(),
        ..PublishProperties::default()
    }
}

fn level(number: u8) -> Result<QoS> {
    qos(number).context("a QoS")
}

fn puback_code(reason: PubAckReason) -> u8 {
    match reason {
        PubAckReason::Success => SUCCESS,
        PubAckReason::NoMatchingSubscribers => NO_MATCHING_SUBSCRIBERS,
        PubAckReason::NotAuthorized => NOT_AUTHORIZED,
        _ => UNSPECIFIED,
    }
}

fn pubrec_code(reason: PubRecReason) -> u8 {
    match reason {
        PubRecReason::Success => SUCCESS,
        PubRecReason::NoMatchingSubscribers => NO_MATCHING_SUBSCRIBERS,
        PubRecReason::NotAuthorized => NOT_AUTHORIZED,
        _ => UNSPECIFIED,
    }
}

impl Client for Rumqttc {
    fn connect(&mut self, options: &Options) -> Result<Connected> {
        let mut set = MqttOptions::new(
            &options.id,
            self.address.ip().to_string(),
            self.address.port(),
        );
        set.set_keep_alive(Duration::from_secs(options.keep_alive.into()));
        set.set_clean_start(!options.persistent);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(options.session_expiry);
        properties.max_packet_size = Some(MAXIMUM_PACKET_SIZE);
        properties.topic_alias_max = Some(options.topic_alias_maximum).filter(|&max| max > 0);
        set.set_connect_properties(properties);
        if let Some(will) = &options.will {
            let qos = level(will.qos)?;
            let payload = will.payload.clone();
            set.set_last_will(LastWill::new(&will.topic, payload, qos, will.retain, None));
        }
        let (client, mut events) = AsyncClient::new(set, REQUESTS);
        let mut line = Line::start(async move || events.poll().await.map_err(|e| e.to_string()))?;
        let connack = line.wait(|event| {
            meaning(event, |packet| match packet {
                Packet::ConnAck(connack) => Some(connack),
                _ => None,
            })
        })?;
        self.open = Some((client, line));
        Ok(Connected {
            session_present: Some(connack.session_present),
            assigned_id: connack
                .properties
                .and_then(|properties| properties.assigned_client_identifier),
        })
    }

    fn subscribe(&mut self, filter: &str, wish: Wish) -> Result<u8> {
        let (client, line) = self.open()?;
        let mut filter = Filter::new(filter, level(wish.qos)?);
        filter.nolocal = wish.no_local;
        filter.preserve_retain = wish.retain_as_published;
        let identifier = usize::try_from(wish.identifier)?;
        let properties = SubscribeProperties {
            id: Some(identifier).filter(|&identifier| identifier > 0),
            user_properties: Vec::new(),
        };
        client.try_subscribe_many_with_properties([filter], properties)?;
        line.wait(|event| {
            meaning(event, |packet| match packet {
                Packet::SubAck(suback) => suback.return_codes.first().map(|code| match code {
                    SubscribeReasonCode::Success(qos) => *qos as u8,
                    _ => UNSPECIFIED,
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
        client.try_publish_with_properties(
            &message.topic,
            qos,
            message.retain,
            message.payload.clone(),
            properties_of(message),
        )?;
        let mut reason = None;
        loop {
            let (code, is_over) = line.wait(|event| match (qos, event) {
                (QoS::AtMostOnce, Event::Outgoing(Outgoing::Publish(_))) => {
                    Meaning::It((None, true))
                }
                (QoS::AtLeastOnce, Event::Incoming(Packet::PubAck(ack))) => {
                    Meaning::It((Some(puback_code(ack.reason)), true))
                }
                (QoS::ExactlyOnce, Event::Incoming(Packet::PubRec(ack))) => {
                    let code = pubrec_code(ack.reason);
                    Meaning::It((Some(code), code >= UNSPECIFIED))
                }
                (QoS::ExactlyOnce, Event::Incoming(Packet::PubComp(_))) => {
                    Meaning::It((None, true))
                }
                (_, event) => meaning(event, |_| None),
            })?;
            reason = code.or(reason);
            if is_over {
                return Ok(reason);
            }
        }
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
