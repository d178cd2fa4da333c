//! The settings as options of the machine, checked; in the order in which `npm/src/wasm/connection.ts` writes them.

use alloc::boxed::Box;
use core::num::NonZeroU16;

use ebbtide_protocol::client::{Options, Use};
use ebbtide_protocol::codec::{Role, check_as};
use ebbtide_protocol::packet::{Connect, RetainHandling, SubscriptionOptions, Will};
use ebbtide_protocol::{Packet, QoS, TopicName, Version};

use crate::faults::Fault;
use crate::properties;
use crate::values::Reader;

const NO_LOCAL: u32 = 1;
const RETAIN_AS_PUBLISHED: u32 = 2;
const REFRESH: u32 = 4;
/// Retain Handling is in the two bits above.
const RETAIN_HANDLING_SHIFT: u32 = 3;
const ENDING: u32 = 32;

pub(crate) fn read(values: &mut Reader) -> Result<Options, Fault> {
    let mut options = Options::new(connect(values)?);
    options.seed = values.number().unwrap_or(0.0) as u64;
    options.durable = values.flag();
    options.connect.clean_start &= !options.durable;
    options.has_session = values.flag();
    options.is_unsure = values.flag();
    options.session_name = values.text();
    options.asks_credentials = values.flag();
    options.bears_excess = true;
    if let Some(timeout_ms) = values.number() {
        options.connect_timeout_ms = timeout_ms as u32;
    }
    if let Some(cap_ms) = values.number() {
        options.backoff.cap_ms = cap_ms as u32;
    }
    Ok(options)
}

fn connect(values: &mut Reader) -> Result<Connect, Fault> {
    let version = match values.count() {
        4 => Version::V3_1_1,
        _ => Version::V5,
    };
    let mut short = || u16::try_from(values.count()).unwrap_or(u16::MAX);
    let connect = Connect {
        version,
        keep_alive: short(),
        receive_maximum: NonZeroU16::new(short()),
        topic_alias_maximum: short(),
        maximum_packet_size: values.number().map(|bytes| bytes as u32),
        clean_start: values.flag(),
        session_expiry_interval: values.number().map(|seconds| seconds as u32),
        // Its absence means yes.
        request_problem_information: values.flag().then_some(false),
        request_response_information: values.flag(),
        client_id: values.text().unwrap_or_default(),
        username: values.text(),
        password: values.bytes(),
        authentication_method: values.text(),
        authentication_data: None,
        user_properties: values.user_properties(),
        will: will(values)?,
    };
    if connect.client_id.is_empty() && !version.allows_empty_client_id(connect.clean_start) {
        return Err(Fault::ClientIdMissing);
    }
    let packet = Packet::Connect(Box::new(connect));
    check_as(Some(Role::Client), &packet, version).map_err(|_| Fault::FieldTooLong)?;
    match packet {
        Packet::Connect(connect) => Ok(*connect),
        _ => unreachable!("it was one a moment ago"),
    }
}

fn will(values: &mut Reader) -> Result<Option<Will>, Fault> {
    if values.list() == 0 {
        return Ok(None);
    }
    Ok(Some(Will {
        topic: TopicName::new(values.text().unwrap_or_default())?,
        payload: values.bytes().unwrap_or_default(),
        qos: qos(values.count()),
        retain: values.flag(),
        delay_interval: values.count(),
        properties: properties::read(values)?,
    }))
}

pub(crate) fn qos(number: u32) -> QoS {
    QoS::from_bits(number as u8).unwrap_or_default()
}

/// How a filter is used, from the flags of `subscribe`.
pub(crate) fn used(qos_bits: u32, flags: u32) -> Use {
    Use {
        options: SubscriptionOptions {
            qos: qos(qos_bits),
            no_local: flags & NO_LOCAL != 0,
            retain_as_published: flags & RETAIN_AS_PUBLISHED != 0,
            retain_handling: match flags >> RETAIN_HANDLING_SHIFT {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            },
        },
        refresh: flags & REFRESH != 0,
        ending: flags & ENDING != 0,
    }
}

/// The flags, from how a filter is used.
pub(crate) fn flags(used: Use) -> u32 {
    let options = used.options;
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    flag(options.no_local, NO_LOCAL)
        + flag(options.retain_as_published, RETAIN_AS_PUBLISHED)
        + flag(used.refresh, REFRESH)
        + flag(used.ending, ENDING)
        + ((options.retain_handling as u32) << RETAIN_HANDLING_SHIFT)
}
