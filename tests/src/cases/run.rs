//! Playing a case against a broker.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use super::{
    Action, Case, Step, Target, Transport, Version, Words,
    decode::{Field, Received},
    encode::encode,
    line::{Event, Line},
    value::{bytes, number},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

static RUNS: AtomicU64 = AtomicU64::new(0);

/// Runs one case over one transport.
///
/// # Errors
/// What the broker did instead of what was expected, and at which line.
pub fn run(case: &Case, transport: Transport, target: &Target) -> Result<()> {
    let mut play = Play {
        case,
        transport,
        target,
        prefix: unique(),
        lines: HashMap::new(),
        captured: HashMap::new(),
    };
    for step in &case.steps {
        play.step(step)
            .with_context(|| format!("line {}", step.line))?;
    }
    Ok(())
}

/// A name that no other run on this broker has.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = now.map_or(0, |since| since.as_micros()) % 1_000_000_000_000;
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("w{micros:x}n{run:x}")
}

struct Play<'a> {
    case: &'a Case,
    transport: Transport,
    target: &'a Target,
    prefix: String,
    lines: HashMap<String, Line>,
    /// Values that were given a name.
    captured: HashMap<String, Field>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let who = step.who.as_str();
        match &step.action {
            Action::Wait(ms) => thread::sleep(Duration::from_millis(*ms)),
            Action::Connect(words) => {
                let mut words = words.clone();
                words.name = "CONNECT".to_owned();
                self.lines.remove(who);
                self.send(who, &[words], super::How::Whole)?;
                match self.next(who)? {
                    Event::Packet(packet) if packet.name == "CONNACK" => {
                        if value(&packet, "reason") != Some(&Field::Number(0)) {
                            bail!("the client was not let in: {packet}");
                        }
                    }
                    other => bail!("expected CONNACK, got {}", shown(&other)),
                }
            }
            Action::Publish(words) => self.publish(who, words)?,
            Action::Send { packets, how } => self.send(who, packets, *how)?,
            Action::Drop => drop(self.lines.remove(who)),
            Action::HalfClose => self.line(who)?.half_close()?,
            Action::SendFrame(words) => {
                let content = words.fields.first().map(|(content, _)| content.as_str());
                let content = bytes(content.unwrap_or_default())?;
                self.line(who)?.send_frame(&words.name, content)?;
            }
            Action::Expect(words) => {
                let event = self.next(who)?;
                self.check(words, &event)?;
            }
            Action::AnyOrder(all) => self.any_order(who, all)?,
            Action::ExpectFrame(words) => {
                let event = self.line(who)?.next(PATIENCE)?;
                let content = words.fields.first().map(|(content, _)| content.as_str());
                match &event {
                    Event::Frame(kind, found)
                        if *kind == words.name
                            && content.is_none_or(|content| content.trim_matches('"') == found) => {
                    }
                    other => bail!("expected the frame {words}, got {}", shown(other)),
                }
            }
            Action::Closed => self.closed(who)?,
            Action::Disconnected(words) => self.disconnected(who, words)?,
            Action::Refused(words) => {
                let event = self.next(who)?;
                if matches!(event, Event::Closed) && !self.target.says_why {
                    return self.is_end(who, &event);
                }
                self.check(words, &event)?;
                self.closed(who)?;
            }
            Action::Silence(ms) => {
                let event = self.line(who)?.next(Duration::from_millis(*ms))?;
                if !matches!(event, Event::Silence) {
                    bail!("expected nothing, got {}", shown(&event));
                }
            }
        }
        Ok(())
    }

    /// As a publisher does it: a broker may well wait for PUBREL before it passes the message on.
    fn publish(&mut self, who: &str, words: &Words) -> Result<()> {
        let mut words = words.clone();
        words.name = "PUBLISH".to_owned();
        let field = |key: &str, default: &str| {
            let field = words.fields.iter().find(|(name, _)| name == key);
            field.map_or_else(|| default.to_owned(), |(_, value)| value.clone())
        };
        let (qos, packet_id) = (field("qos", "0"), field("packet-id", "1"));
        let id = ("packet-id".to_owned(), packet_id);
        let mut answer = Words {
            name: String::new(),
            fields: vec![id.clone()],
        };
        if self.case.version == Version::V5 {
            answer
                .fields
                .push(("reason".to_owned(), "0x00..0x7f".to_owned()));
        }
        self.send(who, &[words], super::How::Whole)?;
        let answers: &[&str] = match qos.as_str() {
            "0" => &[],
            "1" => &["PUBACK"],
            "2" => &["PUBREC", "PUBCOMP"],
            other => bail!("QoS {other} is not acknowledged"),
        };
        for name in answers {
            (*name).clone_into(&mut answer.name);
            let event = self.next(who)?;
            self.check(&answer, &event)?;
            if *name == "PUBREC" {
                let release = Words {
                    name: "PUBREL".to_owned(),
                    fields: vec![id.clone()],
                };
                self.send(who, &[release], super::How::Whole)?;
            }
        }
        Ok(())
    }

    fn any_order(&mut self, who: &str, all: &[Words]) -> Result<()> {
        let mut open: Vec<&Words> = all.iter().collect();
        while !open.is_empty() {
            let event = self.next(who)?;
            let mut why = Vec::new();
            let found = open
                .iter()
                .position(|words| match self.check(words, &event) {
                    Ok(()) => true,
                    Err(error) => {
                        why.push(format!("{error:#}"));
                        false
                    }
                });
            match found {
                Some(at) => drop(open.remove(at)),
                None => bail!("{}", why.join("; ")),
            }
        }
        Ok(())
    }

    fn disconnected(&mut self, who: &str, words: &Words) -> Result<()> {
        let mut event = self.next(who)?;
        if self.case.version == Version::V5 {
            if matches!(event, Event::Closed) && !self.target.says_why {
                return self.is_end(who, &event);
            }
            self.check(words, &event)?;
            event = self.next(who)?;
        }
        self.is_end(who, &event)
    }

    fn closed(&mut self, who: &str) -> Result<()> {
        let event = self.next(who)?;
        self.is_end(who, &event)
    }

    fn is_end(&mut self, who: &str, event: &Event) -> Result<()> {
        if !matches!(event, Event::Closed) {
            bail!("expected the end of the connection, got {}", shown(event));
        }
        // Whoever is named so next is a new connection.
        self.lines.remove(who);
        Ok(())
    }

    /// The next packet or the end; a closing handshake is part of the end.
    fn next(&mut self, who: &str) -> Result<Event> {
        loop {
            match self.line(who)?.next(PATIENCE)? {
                Event::Frame("close", _) => {}
                event => return Ok(event),
            }
        }
    }

    fn line(&mut self, who: &str) -> Result<&mut Line> {
        if !self.lines.contains_key(who) {
            let version = self.case.version;
            let line = self.open(version)?;
            self.lines.insert(who.to_owned(), line);
        }
        self.lines.get_mut(who).context("just inserted")
    }

    fn open(&self, version: Version) -> Result<Line> {
        let Target {
            tcp,
            tls,
            websocket,
            ..
        } = self.target;
        match (self.transport, tcp, tls, websocket) {
            (Transport::Tcp, Some(address), ..) => Line::tcp(*address, version),
            (Transport::Tls, _, Some((address, certificates)), _) => {
                Line::tls(*address, certificates, version)
            }
            (Transport::WebSocket, .., Some((address, path))) => {
                Line::websocket(*address, path, version)
            }
            _ => bail!("the broker has no such listener"),
        }
    }

    fn send(&mut self, who: &str, packets: &[Words], how: super::How) -> Result<()> {
        let mut sent = Vec::new();
        let name = format!("{}{who}", self.prefix);
        for words in packets {
            let words = self.fill(words)?;
            sent.extend(encode(&words, self.case.version, &name)?);
        }
        self.line(who)?.send(&sent, how)
    }

    /// With names and captured values in their places.
    fn fill(&self, words: &Words) -> Result<Words> {
        let mut words = words.clone();
        for (_, value) in &mut words.fields {
            if let Some(name) = value.strip_prefix('$')
                && let Some(captured) = self.captured.get(name)
            {
                *value = match captured {
                    Field::Number(number) => number.to_string(),
                    Field::Bytes(bytes) => {
                        format!(
                            "hex({})",
                            bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
                        )
                    }
                    Field::Pair(..) => bail!("a pair cannot be used again"),
                };
            }
            *value = self.named(value);
        }
        Ok(words)
    }

    /// `@` stands for the prefix of this run.
    fn named(&self, text: &str) -> String {
        let mut named = String::new();
        let mut is_escaped = false;
        for c in text.chars() {
            match c {
                '@' if !is_escaped => named.push_str(&self.prefix),
                c => named.push(c),
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        named
    }

    fn check(&mut self, words: &Words, event: &Event) -> Result<()> {
        let Event::Packet(packet) = event else {
            bail!("expected {words}, got {}", shown(event));
        };
        if packet.name != words.name {
            bail!("expected {words}, got {packet}");
        }
        let mut seen: Vec<&str> = Vec::new();
        for (key, _) in &words.fields {
            if !seen.contains(&key.as_str()) {
                seen.push(key);
                self.check_field(key, words, packet)
                    .with_context(|| format!("expected {words}, got {packet}"))?;
            }
        }
        Ok(())
    }

    fn check_field(&mut self, key: &str, words: &Words, packet: &Received) -> Result<()> {
        let of_key = |fields: &[(String, String)]| -> Vec<String> {
            let fields = fields.iter().filter(|(name, _)| name == key);
            fields.map(|(_, value)| value.clone()).collect()
        };
        let mut wanted = of_key(&words.fields);
        if key == "reasons" {
            wanted = wanted
                .iter()
                .flat_map(|list| list.split(','))
                .map(ToOwned::to_owned)
                .collect();
        }
        let mut found: Vec<Field> = (packet.fields.iter())
            .filter(|(name, _)| *name == key)
            .map(|(_, field)| field.clone())
            .collect();
        match wanted[..] {
            [ref one] if one == "!" => {
                if !found.is_empty() {
                    bail!("{key} is there");
                }
                return Ok(());
            }
            [ref one] if one == "*" => {
                if found.is_empty() {
                    bail!("{key} is not there");
                }
                return Ok(());
            }
            [ref one] if one.starts_with('$') && !self.captured.contains_key(&one[1..]) => {
                let field = found
                    .first()
                    .with_context(|| format!("{key} is not there"))?;
                self.captured.insert(one[1..].to_owned(), field.clone());
                return Ok(());
            }
            _ => {}
        }
        if key == "subscription-identifier" {
            // In no particular order.
            let by_number = |field: &Field| match field {
                Field::Number(number) => *number,
                _ => 0,
            };
            found.sort_by_key(by_number);
            wanted.sort_by_key(|text| number(text).unwrap_or(0));
        }
        if wanted.len() != found.len() {
            bail!("{key} is there {} times", found.len());
        }
        for (wanted, found) in wanted.iter().zip(&found) {
            if !self.is_one_of(wanted, found)? {
                bail!("{key} is not {wanted}");
            }
        }
        Ok(())
    }

    fn is_one_of(&self, wanted: &str, found: &Field) -> Result<bool> {
        if let Some(captured) = wanted
            .strip_prefix('$')
            .and_then(|name| self.captured.get(name))
        {
            return Ok(captured == found);
        }
        for wanted in wanted.split('|') {
            let wanted = self.named(wanted);
            let is_it = match found {
                Field::Number(found) => match wanted.split_once("..") {
                    Some((from, to)) => (number(from)?..=number(to)?).contains(found),
                    None => number(&wanted)? == *found,
                },
                Field::Bytes(found) => bytes(&wanted)? == *found,
                Field::Pair(name, value) => match wanted.split_once(':') {
                    Some((wanted_name, wanted_value)) => {
                        bytes(wanted_name)? == *name && bytes(wanted_value)? == *value
                    }
                    None => false,
                },
            };
            if is_it {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn value<'a>(packet: &'a Received, key: &str) -> Option<&'a Field> {
    let mut fields = packet.fields.iter();
    fields
        .find(|(name, _)| *name == key)
        .map(|(_, field)| field)
}

fn shown(event: &Event) -> String {
    match event {
        Event::Packet(packet) => packet.to_string(),
        Event::Frame(kind, content) => format!("a {kind} frame: {content}"),
        Event::Closed => "the end of the connection".to_owned(),
        Event::Silence => "nothing".to_owned(),
    }
}
