//! From the words of a case to bytes, right or wrong: every rule of the standard can be broken here.

use anyhow::{Context, Result, bail};

use super::{
    Version, Words,
    property::{self, Kind},
    value::{bytes, hex, number},
};

/// A packet. `name` stands for its connection where no client id is given.
pub(super) fn encode(words: &Words, version: Version, name: &str) -> Result<Vec<u8>> {
    if words.name == "hex" {
        let digits: String = words.fields.iter().map(|(key, _)| key.as_str()).collect();
        return hex(&digits);
    }
    let packet = Packet { words, version };
    let (kind, flags, mut body) = match words.name.as_str() {
        "CONNECT" => (1, 0, packet.connect(name)?),
        "CONNACK" => (2, 0, packet.connack()?),
        "PUBLISH" => (3, packet.publish_flags()?, packet.publish()?),
        "PUBACK" => (4, 0, packet.acknowledgement()?),
        "PUBREC" => (5, 0, packet.acknowledgement()?),
        "PUBREL" => (6, 2, packet.acknowledgement()?),
        "PUBCOMP" => (7, 0, packet.acknowledgement()?),
        "SUBSCRIBE" => (8, 2, packet.subscribe()?),
        "SUBACK" => (9, 0, packet.acknowledged_filters()?),
        "UNSUBSCRIBE" => (10, 2, packet.unsubscribe()?),
        "UNSUBACK" => (11, 0, packet.acknowledged_filters()?),
        "PINGREQ" => (12, 0, Vec::new()),
        "PINGRESP" => (13, 0, Vec::new()),
        "DISCONNECT" => (14, 0, packet.reason(None)?),
        "AUTH" => (15, 0, packet.reason(Some(0x18))?),
        other => bail!("`{other}` is no packet"),
    };
    if let Some(cut) = packet.number("cut")? {
        body.truncate(body.len().saturating_sub(usize::try_from(cut)?));
    }
    if let Some(tail) = packet.get("tail") {
        body.extend(bytes(tail)?);
    }
    let flags = packet.number("flags")?.unwrap_or(flags);
    let mut encoded = vec![kind << 4 | u8::try_from(flags)?];
    match packet.get("length") {
        Some(length) => encoded.extend(bytes(length)?),
        None => variable(body.len() as u64, &mut encoded),
    }
    encoded.extend(body);
    Ok(encoded)
}

struct Packet<'a> {
    words: &'a Words,
    version: Version,
}

impl Packet<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut fields = self.words.fields.iter();
        fields
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    fn number(&self, key: &str) -> Result<Option<u64>> {
        self.get(key)
            .map(|value| number(value).with_context(|| key.to_owned()))
            .transpose()
    }

    fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.get(key).map(bytes).transpose()
    }

    fn has_properties(&self) -> bool {
        self.version == Version::V5
    }

    /// The properties whose names start with `prefix`, in the order in which they are written, after their length.
    fn properties(&self, prefix: &str) -> Result<Vec<u8>> {
        if let Some(section) = self.get(&format!("{prefix}properties")) {
            return bytes(section);
        }
        let mut properties = Vec::new();
        for (key, value) in &self.words.fields {
            let Some((code, kind)) = key.strip_prefix(prefix).and_then(property::by_name) else {
                continue;
            };
            properties.push(code);
            match kind {
                Kind::Byte => properties.push(u8::try_from(number(value)?)?),
                Kind::TwoBytes => {
                    properties.extend(u16::try_from(number(value)?)?.to_be_bytes());
                }
                Kind::FourBytes => {
                    properties.extend(u32::try_from(number(value)?)?.to_be_bytes());
                }
                Kind::Variable => variable(number(value)?, &mut properties),
                Kind::Bytes => string(&bytes(value)?, &mut properties)?,
                Kind::Pair => {
                    let (name, value) = value.split_once(':').context("it is `name:value`")?;
                    string(&bytes(name)?, &mut properties)?;
                    string(&bytes(value)?, &mut properties)?;
                }
            }
        }
        let mut section = Vec::new();
        variable(properties.len() as u64, &mut section);
        section.extend(properties);
        Ok(section)
    }

    fn has_any_property(&self) -> bool {
        let mut fields = self.words.fields.iter();
        fields.any(|(key, _)| key == "properties" || property::by_name(key).is_some())
    }

    fn connect(&self, name: &str) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let protocol = match self.version {
            Version::V3_1 => b"MQIsdp".to_vec(),
            _ => b"MQTT".to_vec(),
        };
        string(&self.bytes("protocol-name")?.unwrap_or(protocol), &mut body)?;
        let level = self.number("protocol-level")?;
        body.push(u8::try_from(level.unwrap_or(self.version.level().into()))?);
        let clean = match self.number("clean-session")? {
            Some(clean) => clean,
            None => self.number("clean-start")?.unwrap_or(1),
        };
        let mut flags = clean << 1;
        if self.get("will-topic").is_some() {
            flags |= 4;
            flags |= self.number("will-qos")?.unwrap_or(0) << 3;
            flags |= self.number("will-retain")?.unwrap_or(0) << 5;
        }
        flags |= u64::from(self.get("password").is_some()) << 6;
        flags |= u64::from(self.get("username").is_some()) << 7;
        body.push(u8::try_from(
            self.number("connect-flags")?.unwrap_or(flags),
        )?);
        let keep_alive = self.number("keep-alive")?.unwrap_or(60);
        body.extend(u16::try_from(keep_alive)?.to_be_bytes());
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        let client_id = self.bytes("client-id")?;
        string(
            &client_id.unwrap_or_else(|| name.as_bytes().to_vec()),
            &mut body,
        )?;
        if let Some(topic) = self.bytes("will-topic")? {
            if self.has_properties() {
                body.extend(self.properties("will.")?);
            }
            string(&topic, &mut body)?;
            string(&self.bytes("will-payload")?.unwrap_or_default(), &mut body)?;
        }
        for key in ["username", "password"] {
            if let Some(value) = self.bytes(key)? {
                string(&value, &mut body)?;
            }
        }
        Ok(body)
    }

    fn connack(&self) -> Result<Vec<u8>> {
        let session_present = self.number("session-present")?.unwrap_or(0);
        let reason = self.number("reason")?.unwrap_or(0);
        let mut body = vec![u8::try_from(session_present)?, u8::try_from(reason)?];
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        Ok(body)
    }

    fn publish_flags(&self) -> Result<u64> {
        let bit = |key| Ok::<_, anyhow::Error>(self.number(key)?.unwrap_or(0));
        Ok(bit("dup")? << 3 | bit("qos")? << 1 | bit("retain")?)
    }

    fn publish(&self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        string(&self.bytes("topic")?.unwrap_or_default(), &mut body)?;
        let qos = self.number("qos")?.unwrap_or(0);
        if let Some(packet_id) = self.number("packet-id")?.or((qos > 0).then_some(1)) {
            body.extend(u16::try_from(packet_id)?.to_be_bytes());
        }
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        body.extend(self.bytes("payload")?.unwrap_or_default());
        Ok(body)
    }

    fn packet_id(&self) -> Result<[u8; 2]> {
        let packet_id = self.number("packet-id")?.unwrap_or(1);
        Ok(u16::try_from(packet_id)?.to_be_bytes())
    }

    fn acknowledgement(&self) -> Result<Vec<u8>> {
        let mut body = self.packet_id()?.to_vec();
        body.extend(self.reason(None)?);
        Ok(body)
    }

    /// Reason code and properties, as far as they are given.
    fn reason(&self, default: Option<u64>) -> Result<Vec<u8>> {
        let has_properties = self.has_any_property();
        let reason = self.number("reason")?.or(default);
        let reason = reason.or(has_properties.then_some(0));
        let mut body = Vec::new();
        if let Some(reason) = reason {
            body.push(u8::try_from(reason)?);
        }
        if has_properties {
            body.extend(self.properties("")?);
        }
        Ok(body)
    }

    fn subscribe(&self) -> Result<Vec<u8>> {
        let mut body = self.packet_id()?.to_vec();
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        let mut options: Option<u64> = None;
        for (key, value) in &self.words.fields {
            if key == "filter" {
                body.extend(options.map(u8::try_from).transpose()?);
                string(&bytes(value)?, &mut body)?;
                options = Some(0);
                continue;
            }
            let shift = match key.as_str() {
                "options" | "qos" => 0,
                "no-local" => 2,
                "retain-as-published" => 3,
                "retain-handling" => 4,
                _ => continue,
            };
            let options = options.as_mut().context("options come after `filter`")?;
            *options |= number(value)? << shift;
        }
        body.extend(options.map(u8::try_from).transpose()?);
        Ok(body)
    }

    fn unsubscribe(&self) -> Result<Vec<u8>> {
        let mut body = self.packet_id()?.to_vec();
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        for (_, value) in self.words.fields.iter().filter(|(key, _)| key == "filter") {
            string(&bytes(value)?, &mut body)?;
        }
        Ok(body)
    }

    fn acknowledged_filters(&self) -> Result<Vec<u8>> {
        let mut body = self.packet_id()?.to_vec();
        if self.has_properties() {
            body.extend(self.properties("")?);
        }
        for reason in self.get("reasons").unwrap_or_default().split(',') {
            if !reason.is_empty() {
                body.push(u8::try_from(number(reason)?)?);
            }
        }
        Ok(body)
    }
}

fn string(text: &[u8], into: &mut Vec<u8>) -> Result<()> {
    let length = u16::try_from(text.len()).context("a string of more than 65,535 bytes")?;
    into.extend(length.to_be_bytes());
    into.extend(text);
    Ok(())
}

fn variable(mut number: u64, into: &mut Vec<u8>) {
    loop {
        let more = number >= 128;
        into.push((number % 128) as u8 | u8::from(more) << 7);
        number /= 128;
        if !more {
            return;
        }
    }
}
