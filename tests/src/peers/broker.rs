//! The brokers that are compared: how each is started, on ports and in a folder of its own, and with which settings.
//!
//! Settings are the peer's own but for what the comparison needs: no delay by Nagle's algorithm, and no limit that would drop
//! messages.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{broker::Broker, tools};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A broker that takes part.
pub struct Peer {
    /// In the tables.
    pub name: &'static str,
    /// What differs from how it comes, for the document.
    pub settings: &'static str,
    /// The highest QoS that it knows.
    pub qos_max: u8,
    /// It knows `$share`.
    pub has_shared: bool,
    /// Asks the program, or whoever knows.
    version: fn(program: &Path) -> Option<String>,
    /// The variable that names its program; none: it is always there.
    variable: Option<&'static str>,
    command: fn(program: &Path, ports: Ports, folder: &Path) -> Result<Command>,
}

/// Where a peer has to listen, on 127.0.0.1.
#[derive(Clone, Copy)]
pub struct Ports {
    mqtt: u16,
    websocket: u16,
}

/// A broker that runs; it ends with this.
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// `mqtt://…`
    pub mqtt: String,
    /// `ws://…`
    pub websocket: String,
    _held: Held,
}

enum Held {
    Ours { _broker: Box<Broker> },
    Peer { child: Child, _folder: TempDir },
}

/// All of them; ours first.
pub const ALL: [Peer; 5] = [
    Peer {
        name: "Ebbtide",
        settings: "with its defaults: an acknowledgement follows the fsync",
        qos_max: 2,
        has_shared: true,
        version: |_| Some(env!("CARGO_PKG_VERSION").to_owned()),
        variable: None,
        command: |_, _, _| bail!("started as the tests do"),
    },
    Peer {
        name: "Mosquitto",
        settings: "`set_tcp_nodelay true`, `max_inflight_messages 0`, `max_queued_messages 0`, no persistence",
        qos_max: 2,
        has_shared: true,
        version: |program| version(program, "-h"),
        variable: Some("EBBTIDE_TEST_MOSQUITTO"),
        command: mosquitto,
    },
    Peer {
        name: "NATS",
        settings: "JetStream on disk, as MQTT needs it, synced every two minutes, which 2.9 cannot change; `max_ack_pending 32767`",
        qos_max: 1,
        has_shared: false,
        version: |program| version(program, "--version"),
        variable: Some("EBBTIDE_TEST_NATS"),
        command: nats,
    },
    Peer {
        name: "aedes",
        settings: "in memory, `setNoDelay`, `concurrency 1000`, `queueLimit 4294967295`",
        qos_max: 2,
        has_shared: false,
        version: |_| aedes_version(),
        variable: Some("EBBTIDE_TEST_AEDES"),
        command: aedes,
    },
    Peer {
        name: "rumqttd",
        settings: "in memory, as in its own `rumqttd.toml`, but `max_connections 20010`, `max_inflight_count 65000`, `max_payload_size 2097152`, `next_connection_delay_ms 0`",
        qos_max: 1,
        has_shared: true,
        version: |program| version(program, "--version"),
        variable: Some("EBBTIDE_TEST_RUMQTTD"),
        command: rumqttd,
    },
];

impl Peer {
    /// Whether its program is there.
    pub fn is_there(&self) -> bool {
        self.variable.is_none() || self.program().is_some()
    }

    fn program(&self) -> Option<PathBuf> {
        let path = env::var_os(self.variable?)?;
        (!path.is_empty()).then(|| path.into())
    }

    /// Its version, if it says it.
    pub fn version(&self) -> Option<String> {
        (self.version)(&self.program().unwrap_or_default())
    }

    /// Starts it and waits until it listens.
    pub fn start(&self) -> Result<Running> {
        let Some(program) = self.program() else {
            let broker = Broker::start()?;
            return Ok(Running {
                pid: broker.id(),
                mqtt: format!("mqtt://{}", broker.mqtt()),
                websocket: format!("ws://{}/mqtt", broker.http()),
                _held: Held::Ours {
                    _broker: Box::new(broker),
                },
            });
        };
        let folder = TempDir::new().context("a temporary folder")?;
        let ports = Ports {
            mqtt: free_port()?,
            websocket: free_port()?,
        };
        let mut command = (self.command)(&program, ports, folder.path())?;
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", self.name))?;
        let running = Running {
            pid: child.id(),
            mqtt: format!("mqtt://127.0.0.1:{}", ports.mqtt),
            websocket: format!("ws://127.0.0.1:{}/mqtt", ports.websocket),
            _held: Held::Peer {
                child,
                _folder: folder,
            },
        };
        wait_for(ports.mqtt).with_context(|| format!("{} does not listen", self.name))?;
        wait_for(ports.websocket).with_context(|| format!("{} without ws", self.name))?;
        Ok(running)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Peer { child, .. } = self {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn mosquitto(program: &Path, ports: Ports, folder: &Path) -> Result<Command> {
    let Ports { mqtt, websocket } = ports;
    let file = folder.join("mosquitto.conf");
    let settings = format!(
        "allow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 0\nmax_queued_messages 0\n\
         listener {mqtt} 127.0.0.1\nlistener {websocket} 127.0.0.1\nprotocol websockets\n"
    );
    fs::write(&file, settings)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    Ok(command)
}

fn nats(program: &Path, ports: Ports, folder: &Path) -> Result<Command> {
    let Ports { mqtt, websocket } = ports;
    let file = folder.join("nats.conf");
    let store = folder.join("store");
    // A session may have 65,535 unacknowledged in all, and a filter that ends in # counts twice: with more it is refused.
    let settings = format!(
        "server_name: bench\nlisten: \"127.0.0.1:-1\"\njetstream {{ store_dir: {store:?} }}\n\
         mqtt {{ listen: \"127.0.0.1:{mqtt}\", max_ack_pending: 32767 }}\n\
         websocket {{ listen: \"127.0.0.1:{websocket}\", no_tls: true }}\n"
    );
    fs::write(&file, settings)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    Ok(command)
}

fn aedes(program: &Path, ports: Ports, _: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    command
        .arg(tools::folder("node").join("aedes.mjs"))
        .args([ports.mqtt.to_string(), ports.websocket.to_string()]);
    Ok(command)
}

fn rumqttd(program: &Path, ports: Ports, folder: &Path) -> Result<Command> {
    let Ports { mqtt, websocket } = ports;
    let file = folder.join("rumqttd.toml");
    let connections = "connection_timeout_ms = 60000\nmax_payload_size = 2097152\n\
                       max_inflight_count = 65000\ndynamic_filters = true\n";
    let listener = |kind: &str, port: u16| {
        format!(
            "[{kind}.1]\nname = \"{kind}\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 0\n\
             [{kind}.1.connections]\n{connections}"
        )
    };
    let settings = format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20010\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n{}{}",
        listener("v4", mqtt),
        listener("ws", websocket)
    );
    fs::write(&file, settings)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file).arg("-q");
    Ok(command)
}

/// The first number in what a program says of itself. Mosquitto tells it with its help, and ends with an error.
fn version(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = said
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'));
    let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    number.map(str::to_owned)
}

fn aedes_version() -> Option<String> {
    let file = tools::folder("node").join("node_modules/aedes/package.json");
    let package: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    package.get("version")?.as_str().map(str::to_owned)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("a free port")?;
    Ok(listener.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            bail!("nothing listens on port {port}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_the_settings() {
        let page = include_str!("../../../docs/benchmarks.md");
        for peer in &ALL {
            let is_named = |line: &str| {
                line.starts_with(&format!("| {} | ", peer.name))
                    && line.ends_with(&format!(" | {} |", peer.settings))
            };
            let name = peer.name;
            assert!(page.lines().any(is_named), "{name}: {}", peer.settings);
        }
    }
}
