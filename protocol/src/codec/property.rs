//! Property identifiers (section 2.2.2) and the walk over a property section.
//!
//! The walk knows each property once and finds repetitions; which of them a packet may have is said by the `match` of
//! that packet, whose last arm refuses.

use alloc::vec::Vec;

use super::reader::{Reader, add};
use crate::{ByteString, Violation};

macro_rules! properties {
    ($($name:ident = $value:literal,)*) => {
        #[allow(clippy::enum_variant_names, reason = "the names of the standard")]
        /// A Property Identifier. On the wire a variable byte integer, but none needs a second byte.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Property {
            $($name = $value,)*
        }

        impl Property {
            fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQoS = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

/// The properties of one packet, read one by one: [`Properties::next`] gives the identifier, and the caller then takes
/// the value from `value`.
pub(super) struct Properties {
    /// What is left of the section.
    pub value: Reader,
    /// A bit per identifier that came already; the highest is 0x2A.
    seen: u64,
}

impl Properties {
    pub fn new(section: Reader) -> Self {
        Self {
            value: section,
            seen: 0,
        }
    }

    /// The next property. Only User Property and Subscription Identifier may come again; SUBSCRIBE refuses a second
    /// Subscription Identifier itself.
    pub fn next(&mut self) -> Result<Option<Property>, Violation> {
        if self.value.is_empty() {
            return Ok(None);
        }
        let property =
            Property::from_byte(self.value.u8()?).ok_or(Violation::PropertyNotAllowed)?;
        if !matches!(
            property,
            Property::UserProperty | Property::SubscriptionIdentifier
        ) {
            let bit = 1 << property as u8;
            if self.seen & bit != 0 {
                return Err(Violation::PropertyDuplicate);
            }
            self.seen |= bit;
        }
        Ok(Some(property))
    }

    /// Reads a section in which nothing but a Reason String and User Properties is allowed.
    pub fn diagnostics(mut self) -> Result<Diagnostics, Violation> {
        let mut diagnostics = Diagnostics::default();
        while let Some(property) = self.next()? {
            diagnostics.read(property, &mut self.value)?;
        }
        Ok(diagnostics)
    }
}

/// What most packets may say for people to read.
#[derive(Default)]
pub(super) struct Diagnostics {
    pub reason_string: Option<ByteString>,
    pub user_properties: Vec<(ByteString, ByteString)>,
}

impl Diagnostics {
    pub fn read(&mut self, property: Property, value: &mut Reader) -> Result<(), Violation> {
        match property {
            Property::ReasonString => self.reason_string = Some(value.string()?),
            Property::UserProperty => add(&mut self.user_properties, value.string_pair()?)?,
            _ => return Err(Violation::PropertyNotAllowed),
        }
        Ok(())
    }
}
