//! Where a behaviour plays: a broker, and as many clients of one kind as it asks for.

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::tools;

use super::client::{Client, Options};
use super::matrix::{Kind, Version};
use super::mosquitto;
use super::rumqtt;
use super::scripted::Host;

pub struct Stage {
    broker: Broker,
    kind: Kind,
    version: Version,
    host: Option<Host>,
}

impl Stage {
    pub fn open(kind: Kind, version: Version) -> Result<Self> {
        let broker = Broker::start()?;
        let port = broker.mqtt().port().to_string();
        let level = version.level().to_string();
        let command = match kind {
            Kind::Paho | Kind::Aiomqtt => {
                let mut command = tools::python("matrix");
                let library = if kind == Kind::Paho {
                    "paho"
                } else {
                    "aiomqtt"
                };
                command.args([library, "--port", &port, "--version", &level]);
                Some(command)
            }
            Kind::MqttJs | Kind::MqttJsWebSocket => {
                let url = match kind {
                    Kind::MqttJs => format!("mqtt://{}", broker.mqtt()),
                    _ => format!("ws://{}/mqtt", broker.http()),
                };
                let mut command = tools::node("matrix.mjs");
                command.args(["--url", &url, "--version", &level]);
                Some(command)
            }
            Kind::Mosquitto | Kind::Rumqttc => None,
        };
        Ok(Self {
            host: command.map(Host::start).transpose()?,
            broker,
            kind,
            version,
        })
    }

    /// A client that is not connected yet.
    pub fn client(&mut self, name: &str) -> Box<dyn Client> {
        let address = self.broker.mqtt();
        match (&self.host, self.kind) {
            (Some(host), _) => host.client(name),
            (None, Kind::Mosquitto) => mosquitto::client(address, self.version),
            (None, _) => rumqtt::client(address, self.version),
        }
    }

    /// A client with its first connection.
    pub fn connected(&mut self, options: &Options) -> Result<Box<dyn Client>> {
        let mut client = self.client(&options.id);
        client.connect(options)?;
        Ok(client)
    }

    pub fn kill_and_restart_the_broker(&mut self) -> Result<()> {
        self.broker.crash_and_restart()
    }
}
