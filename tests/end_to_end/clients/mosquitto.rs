//! The command-line clients of Mosquitto. Each subscription is a `mosquitto_sub` of its own, each publish a `mosquitto_pub`, a
//! request a `mosquitto_rr`.
//!
//! `mosquitto_sub` connects and subscribes in one: a connection begins when it is first needed, with a subscription to
//! nothing if it has no other.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::tools;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::client::{Client, Connected, Message, Options, Wish};
use super::matrix::Version;

const DEADLINE: Duration = Duration::from_secs(20);
/// Nobody publishes here.
const NOTHING: &str = "nothing/at/all";

pub fn client(address: SocketAddr, version: Version) -> Box<dyn Client> {
    Box::new(Mosquitto {
        address,
        version,
        options: Options::clean(""),
        filters: Vec::new(),
        unwanted: Vec::new(),
        running: None,
    })
}

struct Mosquitto {
    address: SocketAddr,
    version: Version,
    options: Options,
    filters: Vec<(String, Wish)>,
    /// Those that it unsubscribes from.
    unwanted: Vec<String>,
    running: Option<Running>,
}

/// A program and the lines that it prints.
struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Came while another line was waited for.
    messages: VecDeque<String>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a client of Mosquitto")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        Ok(Self {
            child,
            lines,
            messages: VecDeque::new(),
        })
    }

    /// The next line with this in it that is no message; messages are kept for later.
    fn line(&mut self, part: &str) -> Result<String> {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.with_context(|| format!("no line with `{part}`"))?;
            if line.starts_with('{') {
                self.messages.push_back(line);
            } else if line.contains(part) {
                return Ok(line);
            }
        }
    }

    fn message(&mut self) -> Result<String> {
        if let Some(line) = self.messages.pop_front() {
            return Ok(line);
        }
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.context("no message")?;
            if line.starts_with('{') {
                return Ok(line);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Mosquitto {
    fn command(&self, program: &str) -> Command {
        let mut command = tools::mosquitto(program);
        let version = match self.version {
            Version::V3 => "mqttv311",
            Version::V5 => "mqttv5",
        };
        command.args(["-h", &self.address.ip().to_string()]);
        command.args(["-p", &self.address.port().to_string(), "-V", version]);
        command
    }

    /// `mosquitto_sub` with the options of the connection and these filters.
    fn subscriber(&self, filters: &[(String, Wish)]) -> Command {
        let mut command = self.command("mosquitto_sub");
        let Options {
            id,
            persistent,
            keep_alive,
            session_expiry,
            will,
            ..
        } = &self.options;
        // With -d it says when it has subscribed.
        command.args(["-d", "-F", "%j", "-i", id, "-k", &keep_alive.to_string()]);
        if *persistent {
            command.arg("-c");
        }
        if self.version == Version::V5 {
            command.args(["-x", &session_expiry.to_string()]);
        }
        if let Some(will) = will {
            command.args(["--will-topic", &will.topic, "--will-payload", &will.payload]);
            command.args(["--will-qos", &will.qos.to_string()]);
        }
        for (filter, wish) in filters {
            command.args(["-t", filter, "-q", &wish.qos.to_string()]);
            if wish.retain_as_published {
                command.arg("--retain-as-published");
            }
        }
        command
    }

    /// Lets a subscriber run that has all filters so far.
    fn run(&mut self) -> Result<u8> {
        self.running = None;
        let mut filters = self.filters.clone();
        if filters.is_empty() {
            filters.push((NOTHING.to_owned(), Wish::default()));
        }
        let mut command = self.subscriber(&filters);
        for filter in &self.unwanted {
            command.args(["-U", filter]);
        }
        let mut running = Running::start(&mut command)?;
        let granted = running.line("Subscribed")?;
        if !self.unwanted.is_empty() {
            running.line("received UNSUBACK")?;
        }
        self.running = Some(running);
        let last = granted.rsplit([' ', ',']).next().unwrap_or_default();
        Ok(last.parse()?)
    }
}

impl Client for Mosquitto {
    fn connect(&mut self, options: &Options) -> Result<Connected> {
        self.options = options.clone();
        self.running = None;
        // Who comes back is sent what has waited, though it does not subscribe again.
        if !self.filters.is_empty() {
            self.run()?;
        }
        Ok(Connected::default())
    }

    fn subscribe(&mut self, filter: &str, wish: Wish) -> Result<u8> {
        self.filters.push((filter.to_owned(), wish));
        self.run()
    }

    fn unsubscribe(&mut self, filter: &str) -> Result<()> {
        self.unwanted.push(filter.to_owned());
        self.run().map(drop)
    }

    fn publish(&mut self, message: &Message) -> Result<Option<u8>> {
        let mut command = self.command("mosquitto_pub");
        command.args(["-t", &message.topic, "-q", &message.qos.to_string()]);
        if message.payload.is_empty() {
            command.arg("-n");
        } else {
            // By its standard input: there is no limit to that.
            command.arg("-s");
        }
        if message.retain {
            command.arg("-r");
        }
        let expiry = message.message_expiry.map(|seconds| seconds.to_string());
        let properties = [
            ("content-type", &message.content_type),
            ("response-topic", &message.response_topic),
            ("correlation-data", &message.correlation_data),
            ("message-expiry-interval", &expiry),
        ];
        for (name, value) in properties {
            if let Some(value) = value {
                command.args(["-D", "publish", name, value]);
            }
        }
        for (name, value) in &message.user_properties {
            command.args(["-D", "publish", "user-property", name, value]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        stdin.write_all(message.payload.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "mosquitto_pub: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(None)
    }

    fn next(&mut self) -> Result<Message> {
        let running = self.running.as_mut().context("it is connected")?;
        message_of(&running.message()?)
    }

    fn disconnect(&mut self) -> Result<()> {
        if self.running.take().is_some() && !self.options.persistent {
            return Ok(());
        }
        // It says DISCONNECT once it has subscribed.
        let mut command = self.subscriber(&[(NOTHING.to_owned(), Wish::default())]);
        let status = command.arg("-E").stdout(Stdio::null()).status()?;
        ensure!(status.success(), "mosquitto_sub -E: {status}");
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        if self.running.is_none() {
            self.run()?;
        }
        self.running = None;
        Ok(())
    }

    fn request(&mut self, request: &Message) -> Result<()> {
        let mut command = self.command("mosquitto_rr");
        let answers = request.response_topic.as_deref().unwrap_or_default();
        command.args(["-F", "%j", "-q", &request.qos.to_string(), "-e", answers]);
        command.args(["-t", &request.topic, "-m", &request.payload]);
        if let Some(data) = &request.correlation_data {
            command.args(["-D", "publish", "correlation-data", data]);
        }
        self.running = Some(Running::start(&mut command)?);
        Ok(())
    }
}

/// A message as `-F %j` prints it.
#[derive(Deserialize)]
struct Printed {
    topic: String,
    payload: String,
    qos: u8,
    retain: u8,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Properties {
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    message_expiry_interval: Option<u32>,
    #[serde(deserialize_with = "pairs")]
    user_properties: Vec<(String, String)>,
}

/// An object whose keys may repeat, in its order.
fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object of strings")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs)
}

fn message_of(line: &str) -> Result<Message> {
    let printed: Printed = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let properties = printed.properties;
    Ok(Message {
        topic: printed.topic,
        payload: printed.payload,
        qos: printed.qos,
        retain: printed.retain == 1,
        user_properties: properties.user_properties,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation_data: properties.correlation_data,
        message_expiry: properties.message_expiry_interval,
        ..Message::default()
    })
}
