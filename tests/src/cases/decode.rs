//! From bytes to named fields, strictly: what a broker sends must be right in every byte.

use std::fmt;

use anyhow::{Context, Result, bail};

use super::{
    Version,
    property::{self, Kind},
    reasons,
};

/// A packet as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub name: &'static str,
    pub fields: Vec<(&'static str, Field)>,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Number(u64),
    Bytes(Vec<u8>),
    Pair(Vec<u8>, Vec<u8>),
}

/// How long the packet at the front is, once that can be told.
pub(super) fn packet_length(input: &[u8]) -> Result<Option<usize>> {
    let (mut length, mut shift) = (0_usize, 0);
    for (at, byte) in input.iter().enumerate().skip(1) {
        if at > 4 {
            bail!("a remaining length of more than four bytes");
        }
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            if at > 1 && *byte == 0 {
                bail!("a remaining length that is not as short as it could be");
            }
            return Ok(Some(at + 1 + length));
        }
    }
    Ok(None)
}

/// Decodes one whole packet.
pub(super) fn decode(bytes: &[u8], version: Version) -> Result<Received> {
    let header = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0);
    let body = &bytes[header.context("no fixed header")? + 2..];
    let mut reader = Reader {
        rest: body,
        version,
        fields: Vec::new(),
    };
    let flags = bytes[0] & 15;
    let name = match bytes[0] >> 4 {
        2 => {
            reader.number("session-present", 1)?;
            reader.number("reason", 1)?;
            reader.properties()?;
            "CONNACK"
        }
        3 => {
            reader.publish(flags)?;
            "PUBLISH"
        }
        4 => reader.acknowledgement("PUBACK")?,
        5 => reader.acknowledgement("PUBREC")?,
        6 => reader.acknowledgement("PUBREL")?,
        7 => reader.acknowledgement("PUBCOMP")?,
        9 => reader.reasons("SUBACK", true)?,
        11 => reader.reasons("UNSUBACK", version == Version::V5)?,
        13 => "PINGRESP",
        14 if version == Version::V5 => reader.reason("DISCONNECT")?,
        15 if version == Version::V5 => reader.reason("AUTH")?,
        other => bail!("packet type {other}, which no server sends in this version"),
    };
    let expected = if name == "PUBREL" { 2 } else { 0 };
    if name != "PUBLISH" && flags != expected {
        bail!("{name} with the flags {flags:#x}");
    }
    if !reader.rest.is_empty() {
        bail!("{name} with {} bytes too many", reader.rest.len());
    }
    for (field, value) in &reader.fields {
        let is_listed = match (*field, value) {
            ("reason" | "reasons", Field::Number(code)) => {
                reasons::of_server(name, version).contains(code)
            }
            // Before 5.0 there may be none, and 3.1 reserves the byte.
            ("session-present", Field::Number(flags)) => *flags <= 1,
            _ => true,
        };
        if !is_listed {
            bail!("{name} with {field} {value:?}");
        }
    }
    Ok(Received {
        name,
        fields: reader.fields,
        bytes: bytes.to_vec(),
    })
}

struct Reader<'a> {
    rest: &'a [u8],
    version: Version,
    fields: Vec<(&'static str, Field)>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .context("the packet ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    fn integer(&mut self, size: usize) -> Result<u64> {
        let bytes = self.take(size)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn number(&mut self, name: &'static str, size: usize) -> Result<u64> {
        let number = self.integer(size)?;
        self.fields.push((name, Field::Number(number)));
        Ok(number)
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let length = self.integer(2)?;
        Ok(self.take(usize::try_from(length)?)?.to_vec())
    }

    fn variable(&mut self) -> Result<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.integer(1)?;
            number |= (byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            if shift > 21 {
                bail!("a variable byte integer of more than four bytes");
            }
        }
    }

    fn properties(&mut self) -> Result<()> {
        if self.version != Version::V5 {
            return Ok(());
        }
        let length = usize::try_from(self.variable()?)?;
        let after = self
            .rest
            .len()
            .checked_sub(length)
            .context("properties that are longer than their packet")?;
        while self.rest.len() > after {
            let code = u8::try_from(self.integer(1)?)?;
            let (name, kind) =
                property::by_code(code).with_context(|| format!("the property {code:#04x}"))?;
            let may_repeat = matches!(name, "user-property" | "subscription-identifier");
            if !may_repeat && self.fields.iter().any(|(known, _)| *known == name) {
                bail!("{name} twice");
            }
            let field = match kind {
                Kind::Byte => Field::Number(self.integer(1)?),
                Kind::TwoBytes => Field::Number(self.integer(2)?),
                Kind::FourBytes => Field::Number(self.integer(4)?),
                Kind::Variable => Field::Number(self.variable()?),
                Kind::Bytes => Field::Bytes(self.bytes()?),
                Kind::Pair => Field::Pair(self.bytes()?, self.bytes()?),
            };
            self.fields.push((name, field));
        }
        if self.rest.len() < after {
            bail!("a property that is longer than the properties");
        }
        Ok(())
    }

    fn publish(&mut self, flags: u8) -> Result<()> {
        let qos = u64::from(flags >> 1 & 3);
        if qos == 3 {
            bail!("PUBLISH with QoS 3");
        }
        if qos == 0 && flags & 8 != 0 {
            bail!("PUBLISH with DUP at QoS 0");
        }
        self.fields
            .push(("dup", Field::Number(u64::from(flags >> 3))));
        self.fields.push(("qos", Field::Number(qos)));
        self.fields
            .push(("retain", Field::Number(u64::from(flags & 1))));
        let topic = self.bytes()?;
        self.fields
            .push(("topic-length", Field::Number(topic.len() as u64)));
        self.fields.push(("topic", Field::Bytes(topic)));
        if qos > 0 && self.number("packet-id", 2)? == 0 {
            bail!("PUBLISH with the packet id 0");
        }
        self.properties()?;
        let payload = std::mem::take(&mut self.rest);
        self.fields
            .push(("payload-length", Field::Number(payload.len() as u64)));
        self.fields
            .push(("payload", Field::Bytes(payload.to_vec())));
        Ok(())
    }

    fn acknowledgement(&mut self, name: &'static str) -> Result<&'static str> {
        self.number("packet-id", 2)?;
        self.reason(name)
    }

    /// Reason code and properties, each of which may be left out.
    fn reason(&mut self, name: &'static str) -> Result<&'static str> {
        if self.version == Version::V5 {
            if self.rest.is_empty() {
                self.fields.push(("reason", Field::Number(0)));
            } else {
                self.number("reason", 1)?;
            }
            if !self.rest.is_empty() {
                self.properties()?;
            }
        }
        Ok(name)
    }

    fn reasons(&mut self, name: &'static str, has_reasons: bool) -> Result<&'static str> {
        self.number("packet-id", 2)?;
        self.properties()?;
        if has_reasons && self.rest.is_empty() {
            bail!("{name} without reason codes");
        }
        while !self.rest.is_empty() {
            self.number("reasons", 1)?;
        }
        Ok(name)
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (name, field) in &self.fields {
            match field {
                Field::Number(number) if name.starts_with("reason") => {
                    write!(f, " {name}={number:#04x}")?;
                }
                Field::Number(number) => write!(f, " {name}={number}")?,
                Field::Bytes(bytes) => write!(f, " {name}={}", text(bytes))?,
                Field::Pair(key, value) => write!(f, " {name}={}:{}", text(key), text(value))?,
            }
        }
        let shown = &self.bytes[..self.bytes.len().min(64)];
        write!(f, "  [")?;
        for byte in shown {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(if shown.len() < self.bytes.len() {
            "…]"
        } else {
            "]"
        })
    }
}

fn text(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(80)];
    format!("\"{}\"", shown.escape_ascii())
}
