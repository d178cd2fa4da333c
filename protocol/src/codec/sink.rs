//! Writes the data types of section 1.5, either into a buffer or into a counter.
//!
//! A packet describes its bytes once, for any [`Sink`]; its length is what a [`Counter`] saw of that description, so the
//! two cannot disagree.

use core::num::NonZeroU16;

use bytes::{BufMut, BytesMut};

use super::property::Property;
use crate::ByteString;
use crate::packet::UserProperty;

/// Where the bytes of a packet go.
pub(super) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Takes note that a field is longer than its length prefix can say.
    fn field_too_long(&mut self) {}

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// A Variable Byte Integer (section 1.5.5) of at most 268,435,455.
    fn variable(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// Binary data or a string behind its two-byte length. What is too long is cut, so that the packet keeps its shape;
    /// see `check` for finding that out before.
    fn field(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or_else(|_| {
            self.field_too_long();
            u16::MAX
        });
        self.u16(length);
        self.put(&bytes[..usize::from(length)]);
    }

    fn flag_property(&mut self, property: Property, value: Option<bool>) {
        if let Some(value) = value {
            self.put(&[property as u8, u8::from(value)]);
        }
    }

    fn u16_property(&mut self, property: Property, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.u16(value);
        }
    }

    fn non_zero_property(&mut self, property: Property, value: Option<NonZeroU16>) {
        self.u16_property(property, value.map(NonZeroU16::get));
    }

    /// A maximum whose absence means zero.
    fn maximum_property(&mut self, property: Property, value: u16) {
        self.non_zero_property(property, NonZeroU16::new(value));
    }

    fn u32_property(&mut self, property: Property, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.u32(value);
        }
    }

    fn field_property(&mut self, property: Property, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.field(value);
        }
    }

    fn string_property(&mut self, property: Property, value: Option<&ByteString>) {
        self.field_property(property, value.map(|text| text.as_bytes().as_ref()));
    }

    fn subscription_identifier(&mut self, identifier: u32) {
        self.u8(Property::SubscriptionIdentifier as u8);
        self.variable(identifier as usize);
    }

    fn user_properties(&mut self, properties: &[UserProperty]) {
        for (name, value) in properties {
            self.u8(Property::UserProperty as u8);
            self.field(name.as_bytes());
            self.field(value.as_bytes());
        }
    }

    fn diagnostics(
        &mut self,
        reason_string: Option<&ByteString>,
        user_properties: &[UserProperty],
    ) {
        self.string_property(Property::ReasonString, reason_string);
        self.user_properties(user_properties);
    }
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// Measures.
#[derive(Default)]
pub(super) struct Counter {
    pub length: usize,
    pub field_too_long: bool,
}

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
    }

    fn field_too_long(&mut self) {
        self.field_too_long = true;
    }
}

/// The length of what the description writes.
pub(super) fn length(describe: impl FnOnce(&mut Counter)) -> usize {
    let mut counter = Counter::default();
    describe(&mut counter);
    counter.length
}

/// The length of a Variable Byte Integer.
pub(super) fn variable_length(value: usize) -> usize {
    length(|counter| counter.variable(value))
}
