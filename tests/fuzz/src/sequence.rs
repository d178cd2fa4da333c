//! The broker core, fed with packets that are well formed and come in any order, from a world so small that they meet: few
//! clients, topics, filters and packet ids. No panic, and what the store has is what the broker had.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
    packet::{
        Ack, Connect, Disconnect, MessageProperties, Publish, RetainHandling, Subscribe,
        Subscription, SubscriptionOptions, Unsubscribe, Will,
    },
};

use super::driver::Driver;

const CONNECTIONS: usize = 3;
const STEPS_MAX: usize = 200;

const CLIENTS: &[&str] = &["a", "b"];
const TOPICS: &[&str] = &["t", "t/u", "v"];
const FILTERS: &[&str] = &[
    "#",
    "t",
    "t/#",
    "+/u",
    "v",
    "$share/g/t",
    "$share/g/#",
    "$share/h/t",
];
const EXPIRIES: &[u32] = &[0, 1, 30, u32::MAX];
const QOS: &[QoS] = &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Bytes are choices, until none are left.
pub fn run(data: &[u8]) {
    let mut choices = Unstructured::new(data);
    let mut driver = Driver::new(CONNECTIONS);
    for _ in 0..STEPS_MAX {
        if choices.is_empty() || step(&mut driver, &mut choices).is_err() {
            break;
        }
    }
    driver.check();
}

fn step(driver: &mut Driver, u: &mut Unstructured<'_>) -> Result<()> {
    let at = u.int_in_range(0..=CONNECTIONS - 1)?;
    let version = driver.version(at);
    let packet = match u.int_in_range(0..=23)? {
        0..=2 => connect(u)?,
        3..=8 => publish(u, version)?,
        9..=10 => Packet::PubAck(ack(u)?),
        11..=12 => Packet::PubRec(ack(u)?),
        13 => Packet::PubRel(ack(u)?),
        14 => Packet::PubComp(ack(u)?),
        15..=16 => subscribe(u, version)?,
        17 => Packet::Unsubscribe(Unsubscribe {
            packet_id: packet_id(u)?,
            user_properties: Vec::new(),
            filters: vec![filter(u)?],
        }),
        18 => disconnect(u, version)?,
        19 => {
            driver.reconnect(at);
            return Ok(());
        }
        20..=21 => {
            driver.commit();
            return Ok(());
        }
        22 => {
            driver.pass_ms(*u.choose(&[10, 1_000, 2_500, 40_000])?);
            return Ok(());
        }
        _ => {
            driver.crash(u.int_in_range(0..=20)?);
            return Ok(());
        }
    };
    driver.send(at, &packet);
    Ok(())
}

fn connect(u: &mut Unstructured<'_>) -> Result<Packet> {
    let version = *u.choose(&[Version::V5, Version::V5, Version::V3_1_1])?;
    let is_v5 = version == Version::V5;
    let will = if u.ratio(1, 4)? {
        Some(Will {
            topic: topic(u)?,
            payload: Bytes::from_static(b"will"),
            qos: *u.choose(QOS)?,
            retain: u.arbitrary()?,
            delay_interval: if is_v5 { u.int_in_range(0..=3)? } else { 0 },
            properties: MessageProperties::default(),
        })
    } else {
        None
    };
    Ok(Packet::Connect(Box::new(Connect {
        version,
        clean_start: u.arbitrary()?,
        keep_alive: u.int_in_range(0..=5)?,
        client_id: (*u.choose(CLIENTS)?).into(),
        will,
        session_expiry_interval: if is_v5 {
            Some(*u.choose(EXPIRIES)?)
        } else {
            None
        },
        receive_maximum: if is_v5 && u.arbitrary()? {
            Some(packet_id(u)?)
        } else {
            None
        },
        maximum_packet_size: if is_v5 && u.ratio(1, 5)? {
            Some(30)
        } else {
            None
        },
        topic_alias_maximum: if is_v5 { u.int_in_range(0..=2)? } else { 0 },
        ..Connect::default()
    })))
}

fn publish(u: &mut Unstructured<'_>, version: Version) -> Result<Packet> {
    let qos = *u.choose(QOS)?;
    let is_v5 = version == Version::V5;
    let topic_alias = if is_v5 && u.ratio(1, 6)? {
        PacketId::new(u.int_in_range(1..=3)?)
    } else {
        None
    };
    let is_alias_alone = topic_alias.is_some() && u.arbitrary()?;
    Ok(Packet::Publish(Box::new(Publish {
        dup: qos > QoS::AtMostOnce && u.arbitrary()?,
        qos,
        retain: u.ratio(1, 3)?,
        topic: if is_alias_alone {
            None
        } else {
            Some(topic(u)?)
        },
        packet_id: if qos > QoS::AtMostOnce {
            Some(packet_id(u)?)
        } else {
            None
        },
        topic_alias,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties {
            message_expiry_interval: if is_v5 && u.ratio(1, 4)? {
                Some(u.int_in_range(0..=3)?)
            } else {
                None
            },
            ..MessageProperties::default()
        },
        payload: match u.int_in_range(0..=5)? {
            0 => Bytes::new(),
            1 => Bytes::from_static(&[7; 1_500]),
            _ => Bytes::from_static(b"payload"),
        },
    })))
}

fn subscribe(u: &mut Unstructured<'_>, version: Version) -> Result<Packet> {
    let is_v5 = version == Version::V5;
    let mut subscriptions = Vec::new();
    for _ in 0..u.int_in_range(1..=2)? {
        let filter = filter(u)?;
        let options = SubscriptionOptions {
            qos: *u.choose(QOS)?,
            no_local: is_v5 && filter.share().is_none() && u.arbitrary()?,
            retain_as_published: is_v5 && u.arbitrary()?,
            retain_handling: if is_v5 {
                *u.choose(&[
                    RetainHandling::Send,
                    RetainHandling::SendIfNew,
                    RetainHandling::DoNotSend,
                ])?
            } else {
                RetainHandling::Send
            },
        };
        subscriptions.push(Subscription { filter, options });
    }
    Ok(Packet::Subscribe(Subscribe {
        packet_id: packet_id(u)?,
        subscription_identifier: if is_v5 && u.arbitrary()? {
            Some(u.int_in_range(1..=200)?)
        } else {
            None
        },
        user_properties: Vec::new(),
        subscriptions,
    }))
}

fn disconnect(u: &mut Unstructured<'_>, version: Version) -> Result<Packet> {
    let mut packet = Disconnect::new(ReasonCode::Success);
    if version == Version::V5 {
        packet.reason = *u.choose(&[ReasonCode::Success, ReasonCode::DisconnectWithWill])?;
        if u.arbitrary()? {
            packet.session_expiry_interval = Some(*u.choose(EXPIRIES)?);
        }
    }
    Ok(Packet::Disconnect(Box::new(packet)))
}

fn ack(u: &mut Unstructured<'_>) -> Result<Ack> {
    Ok(Ack::new(packet_id(u)?, ReasonCode::Success))
}

fn packet_id(u: &mut Unstructured<'_>) -> Result<PacketId> {
    Ok(PacketId::new(u.int_in_range(1..=4)?).expect("not zero"))
}

fn topic(u: &mut Unstructured<'_>) -> Result<TopicName> {
    Ok(TopicName::new(*u.choose(TOPICS)?).expect("a topic"))
}

fn filter(u: &mut Unstructured<'_>) -> Result<TopicFilter> {
    Ok(TopicFilter::new(*u.choose(FILTERS)?).expect("a filter"))
}
