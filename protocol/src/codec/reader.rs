//! Reads the data types of section 1.5 from one packet.
//!
//! It owns exactly the bytes of that packet (or of one property section), so nothing can read past them. Strings and
//! binary data are slices of the buffer, never copies.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::{Buf, Bytes};

use super::property::Properties;
use crate::topic::NameError;
use crate::{ByteString, PacketId, ReasonCode, TopicFilter, TopicName, Version, Violation};

/// The most that one packet may list of anything. An item takes a few bytes in the packet and many times that in memory, and one packet is
/// the work of one turn. A broker allows a session 20,000 subscriptions.
const ITEMS_MAX: usize = 20_480;

/// Adds to a list what was read, if there may be so many.
pub(super) fn add<T>(list: &mut Vec<T>, item: T) -> Result<(), Violation> {
    if list.len() >= ITEMS_MAX {
        return Err(Violation::TooManyItems);
    }
    list.push(item);
    Ok(())
}

/// What is left to read.
pub(super) struct Reader(Bytes);

impl Reader {
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Everything that is left: the payload of a PUBLISH.
    pub fn rest(self) -> Bytes {
        self.0
    }

    /// Ends the packet: every byte of it must have had a meaning.
    pub fn finish(self) -> Result<(), Violation> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Violation::TrailingBytes)
        }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Violation> {
        if length > self.0.len() {
            return Err(Violation::Truncated);
        }
        Ok(self.0.split_to(length))
    }

    pub fn u8(&mut self) -> Result<u8, Violation> {
        self.0.try_get_u8().map_err(|_| Violation::Truncated)
    }

    pub fn u16(&mut self) -> Result<u16, Violation> {
        self.0.try_get_u16().map_err(|_| Violation::Truncated)
    }

    pub fn u32(&mut self) -> Result<u32, Violation> {
        self.0.try_get_u32().map_err(|_| Violation::Truncated)
    }

    /// A Variable Byte Integer inside a packet: at most four bytes, and no more than needed [MQTT-1.5.5-1].
    pub fn variable_u32(&mut self) -> Result<u32, Violation> {
        let (value, length, shortest) =
            variable_byte_integer(&self.0)?.ok_or(Violation::Truncated)?;
        if !shortest {
            return Err(Violation::VariableByteInteger);
        }
        self.0.advance(length);
        Ok(value)
    }

    /// A byte that is 0 or 1.
    pub fn flag(&mut self) -> Result<bool, Violation> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Violation::PropertyValue),
        }
    }

    /// A number that may not be zero.
    pub fn non_zero_u16(&mut self, violation: Violation) -> Result<NonZeroU16, Violation> {
        NonZeroU16::new(self.u16()?).ok_or(violation)
    }

    /// A number that may not be zero.
    pub fn non_zero_u32(&mut self) -> Result<u32, Violation> {
        match self.u32()? {
            0 => Err(Violation::PropertyValue),
            value => Ok(value),
        }
    }

    /// A Packet Identifier [MQTT-2.2.1-3].
    pub fn packet_id(&mut self) -> Result<PacketId, Violation> {
        self.non_zero_u16(Violation::PacketIdZero)
    }

    /// A Subscription Identifier: never zero (sections 3.3.2.3.8 and 3.8.2.1.2).
    pub fn subscription_identifier(&mut self) -> Result<u32, Violation> {
        match self.variable_u32()? {
            0 => Err(Violation::PropertyValue),
            identifier => Ok(identifier),
        }
    }

    /// Binary Data (section 1.5.6).
    pub fn binary(&mut self) -> Result<Bytes, Violation> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// UTF-8 that may contain NUL: for topics, which look for NUL themselves.
    fn text(&mut self) -> Result<ByteString, Violation> {
        // [MQTT-1.5.4-1]; the conversion refuses surrogates too. A BOM stays what it is [MQTT-1.5.4-3].
        ByteString::try_from(self.binary()?).map_err(|_| Violation::Utf8)
    }

    /// A UTF-8 Encoded String (section 1.5.4).
    pub fn string(&mut self) -> Result<ByteString, Violation> {
        let text = self.text()?;
        // [MQTT-1.5.4-2]
        if text.as_bytes().contains(&0) {
            return Err(Violation::Nul);
        }
        Ok(text)
    }

    /// A UTF-8 String Pair [MQTT-1.5.7-1].
    pub fn string_pair(&mut self) -> Result<(ByteString, ByteString), Violation> {
        Ok((self.string()?, self.string()?))
    }

    /// A topic name; `None` if it is empty.
    pub fn optional_topic_name(&mut self) -> Result<Option<TopicName>, Violation> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(TopicName::new(text)?))
    }

    /// A topic name [MQTT-3.3.2-1].
    pub fn topic_name(&mut self) -> Result<TopicName, Violation> {
        Ok(TopicName::new(self.text()?)?)
    }

    /// A Response Topic [MQTT-3.3.2-13, MQTT-3.3.2-14].
    pub fn response_topic(&mut self) -> Result<TopicName, Violation> {
        TopicName::new(self.text()?).map_err(|error| match error {
            NameError::Nul => Violation::Nul,
            error => Violation::ResponseTopic(error),
        })
    }

    /// A topic filter [MQTT-3.8.3-1, MQTT-3.10.3-1].
    pub fn topic_filter(&mut self, version: Version) -> Result<TopicFilter, Violation> {
        Ok(TopicFilter::of_version(self.text()?, version)?)
    }

    /// A reason code of 5.0 that must be in the list of its packet.
    pub fn reason(&mut self, allowed: &[ReasonCode]) -> Result<ReasonCode, Violation> {
        ReasonCode::from_byte(self.u8()?)
            .filter(|reason| allowed.contains(reason))
            .ok_or(Violation::ReasonCodeInvalid)
    }

    /// The property section, whose length is there even if it is zero [MQTT-2.2.2-1]; an empty one for a version without.
    pub fn properties(&mut self, version: Version) -> Result<Properties, Violation> {
        let length = if version.has_properties() {
            self.variable_u32()?
        } else {
            0
        };
        // 268,435,455 at most: fits every usize.
        Ok(Properties::new(Self(self.take(length as usize)?)))
    }
}

/// Value, length in bytes and whether that is the shortest form; `None` while bytes are missing.
pub(super) fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(u32, usize, bool)>, Violation> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1, byte != 0 || index == 0)));
        }
    }
    if bytes.len() >= 4 {
        Err(Violation::VariableByteInteger)
    } else {
        Ok(None)
    }
}
