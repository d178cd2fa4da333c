//! What may be typed about the connection, for `pub` and `sub` alike, and what it comes to.

use std::{num::NonZeroU16, path::PathBuf, time::Duration};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use ebbtide_client::{Acknowledgement, Client, Error, Messages, Options, Setup, connect_with};
use ebbtide_protocol::{
    QoS, Version,
    packet::{Connect, MessageProperties, Will},
};

use super::{
    MqttError,
    place::Place,
    properties::{self, Targets, topic_name},
};
use crate::{cli::LoginFlags, tls::Trust};

/// How long the first attempt may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Messages that the broker may have under way, unless `-D connect receive-maximum` says otherwise.
const RECEIVE_MAXIMUM: NonZeroU16 = NonZeroU16::new(256).expect("not zero");

/// Where the broker is, and who one is there.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The broker: `mqtt://`, `mqtts://`, `ws://` or `wss://`, `[USER[:PASSWORD]@]HOST[:PORT]`, and behind it the path of a WebSocket
    /// (Ebbtide: /mqtt) or a topic.
    #[arg(short = 'L', long, value_name = "URL", conflicts_with_all = ["host", "port"])]
    url: Option<String>,

    /// Its host.
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    host: String,

    /// Its port. Default: 1883, with TLS 8883.
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// The client id. Default: one that the broker chooses.
    #[arg(short, long, value_name = "ID")]
    id: Option<String>,

    /// The version of MQTT.
    #[arg(
        short = 'V',
        long,
        value_name = "VERSION",
        default_value = "5",
        value_enum
    )]
    protocol_version: VersionName,

    /// Keep Alive, seconds; 0: none.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 60)]
    keepalive: u16,

    /// Gives up after so many seconds, with exit code 10.
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,

    /// A property, as Mosquitto's programs take it: `-D connect session-expiry-interval 60`, `-D publish user-property NAME VALUE`,
    /// `-D will will-delay-interval 5`; may be repeated.
    #[arg(short = 'D', long, value_names = ["COMMAND", "PROPERTY", "VALUE"], num_args = 3..=4)]
    property: Vec<String>,

    #[command(flatten)]
    login: LoginFlags,

    #[command(flatten)]
    tls: Tls,

    #[command(flatten)]
    will: WillFlags,
}

/// Whom to trust, and what to show.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
struct Tls {
    /// A PEM file with the authorities that may have signed the broker's certificate; also asks for TLS. Default: those that this machine
    /// trusts.
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,

    /// A certificate of the client with its chain (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Takes a certificate for another name as well. Who has signed it is looked at all the same.
    #[arg(long)]
    insecure: bool,
}

/// What the broker publishes when the connection breaks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Will")]
struct WillFlags {
    /// Its topic.
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<String>,

    /// Its payload.
    #[arg(long, value_name = "TEXT", requires = "will_topic", default_value = "")]
    will_payload: String,

    /// Its QoS.
    #[arg(long, value_name = "QOS", requires = "will_topic", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    will_qos: u8,

    /// The broker keeps it for later subscribers.
    #[arg(long, requires = "will_topic")]
    will_retain: bool,
}

/// A version as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VersionName {
    #[value(name = "5", aliases = ["5.0", "mqttv5"])]
    V5,
    #[value(name = "3.1.1", aliases = ["311", "mqttv311"])]
    V311,
    #[value(name = "3.1", aliases = ["31", "mqttv31"])]
    V31,
}

/// A session that stays when the connection ends.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub expiry_s: u32,
}

/// All that is needed to connect.
pub struct Prepared {
    pub place: Place,
    pub timeout_s: Option<u32>,
    pub version: Version,
    /// As the command line has it; the rest of `-D publish` is set already.
    options: Options,
    setup: Setup,
}

impl Connection {
    /// Puts together what was typed. `publish`: the properties of what is published, if something is.
    pub fn prepare(
        self,
        kept: Option<Kept>,
        publish: Option<&mut MessageProperties>,
    ) -> Result<Prepared, MqttError> {
        let place = match &self.url {
            Some(url) => Place::from_url(url)?,
            None => {
                let tls = &self.tls;
                let wants_tls = tls.cafile.is_some() || tls.cert.is_some() || tls.insecure;
                Place::from_host(&self.host, self.port, wants_tls)
            }
        };
        let version = match self.protocol_version {
            VersionName::V5 => Version::V5,
            VersionName::V311 => Version::V3_1_1,
            VersionName::V31 => Version::V3_1,
        };
        if version != Version::V5 && !self.property.is_empty() {
            return Err(MqttError::Typed(
                "-D sets properties of MQTT 5: leave out -V".to_owned(),
            ));
        }
        if kept.is_some() && self.id.as_deref().unwrap_or_default().is_empty() {
            return Err(MqttError::Typed(
                "a session that stays needs a name to come back to: give --id".to_owned(),
            ));
        }
        let tls = place.is_encrypted.then(|| self.tls.config()).transpose()?;
        let login = place.login.clone().or(self.login.login()?);
        let mut connect = Connect {
            version,
            clean_start: kept.is_none(),
            keep_alive: self.keepalive,
            client_id: self.id.unwrap_or_default().into(),
            will: self.will.will()?,
            username: login.username.map(Into::into),
            password: login.password,
            session_expiry_interval: kept.map(|kept| kept.expiry_s),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            ..Connect::default()
        };
        let mut will = connect.will.take();
        properties::set(
            &self.property,
            Targets {
                connect: &mut connect,
                publish,
                will: will
                    .as_mut()
                    .map(|will| (&mut will.properties, &mut will.delay_interval)),
            },
        )?;
        connect.will = will;
        let options = Options {
            reconnect: false,
            // The first attempt ends before, by `CONNECT_LIMIT`.
            connect_timeout_ms: 15_000,
            ..Options::new(connect)
        };
        Ok(Prepared {
            place,
            timeout_s: self.timeout,
            version,
            options,
            setup: Setup {
                tls,
                acknowledgement: Acknowledgement::WhenDone,
            },
        })
    }
}

impl Prepared {
    /// Connections that are lost are made again.
    pub fn reconnects(&mut self) {
        self.options.reconnect = true;
    }

    /// Messages stay at the broker, for whoever listens to the session later.
    pub fn takes_no_messages(&mut self) {
        self.setup.acknowledgement = Acknowledgement::Never;
    }

    /// Connects.
    pub async fn connect(&self) -> Result<(Client, Messages), MqttError> {
        let url = &self.place.url;
        let connecting = connect_with(url, self.options.clone(), self.setup.clone());
        let connected = tokio::time::timeout(CONNECT_LIMIT, connecting).await;
        let connected = connected.map_err(|_| {
            MqttError::TimedOut(format!(
                "{url} did not answer within {} s; is an MQTT broker there?",
                CONNECT_LIMIT.as_secs()
            ))
        })?;
        connected.map_err(|error| match error {
            Error::Refused {
                reason,
                reason_code,
            } => MqttError::Refused {
                what: "the connection".to_owned(),
                why: reason,
                code: reason_code,
                done: String::new(),
            },
            Error::Connect(why) => MqttError::Unreachable {
                url: url.clone(),
                why,
            },
            error => MqttError::Typed(error.to_string()),
        })
    }
}

impl Tls {
    fn config(&self) -> Result<std::sync::Arc<rustls::ClientConfig>, MqttError> {
        let trust = Trust {
            authorities: self.cafile.as_deref(),
            identity: self.cert.as_deref().zip(self.key.as_deref()),
            any_name: self.insecure,
        };
        Ok(trust.config()?)
    }
}

impl WillFlags {
    fn will(self) -> Result<Option<Will>, MqttError> {
        let Some(topic) = self.will_topic else {
            return Ok(None);
        };
        Ok(Some(Will {
            topic: topic_name("--will-topic", topic)?,
            payload: Bytes::from(self.will_payload),
            qos: qos(self.will_qos),
            retain: self.will_retain,
            delay_interval: 0,
            properties: MessageProperties::default(),
        }))
    }
}

/// One of 0, 1 and 2.
pub fn qos(typed: u8) -> QoS {
    QoS::from_bits(typed).expect("the range is checked where it is typed")
}
