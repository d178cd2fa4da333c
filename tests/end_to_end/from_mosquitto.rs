//! Moving over from Mosquitto: its own files, imported; users keep their passwords, and what each client may do with each topic is
//! asked of both brokers.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, QoS, ReasonCode};
use ebbtide_tests::broker::{Broker, run_to_end};
use ebbtide_tests::peer::{Peer, clean, publish, subscribe};
use ebbtide_tests::tools::{self, Tool};
use tempfile::TempDir;

const ACL: &str = "\
topic read news/#
topic deny news/secret

user root
topic write #

user ann
topic a/#
topic deny a/secret/#
topic read shared/+/state

user bob
topic write shared/bob/state
topic read $SYS/broker/version

pattern write dev/%c/up
pattern read dev/%c/down
pattern readwrite home/%u/#
pattern deny home/+/locked
pattern read tag-%u/x
pattern read fence/%c
";

const TOPICS: [&str; 20] = [
    "news/today",
    "news/secret",
    "a/b",
    "a/secret/x",
    "a/secret",
    "shared/ann/state",
    "shared/bob/state",
    "shared/bob/other",
    "dev/c1/up",
    "dev/c2/up",
    "dev/c1/down",
    "dev/c2/down",
    "home/ann/x/y",
    "home/bob/x",
    "home/ann",
    "home/ann/locked",
    "home//x",
    "tag-ann/x",
    "tag-bob/x",
    "else",
];

const PASSWORDS: [(&str, &str); 3] = [("root", "p-root"), ("ann", "p-ann"), ("bob", "p-bob")];

/// Somebody who may do this and that.
#[derive(Clone, Copy, Debug)]
struct Who {
    user: Option<&'static str>,
    client: &'static str,
}

const CLIENTS: [Who; 6] = [
    Who {
        user: None,
        client: "c1",
    },
    Who {
        user: None,
        client: "c2",
    },
    Who {
        user: Some("ann"),
        client: "c1",
    },
    Who {
        user: Some("ann"),
        client: "c2",
    },
    Who {
        user: Some("bob"),
        client: "c1",
    },
    Who {
        user: Some("bob"),
        client: "else",
    },
];

/// Mosquitto itself.
pub struct Mosquitto {
    child: Child,
    pub address: SocketAddr,
}

impl Mosquitto {
    /// With one listener, and more of a configuration behind it.
    pub fn start(folder: &Path, more: &str) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let conf = folder.join("mosquitto.conf");
        fs::write(
            &conf,
            format!(
                "listener {} 127.0.0.1\nuser {}\n{more}",
                address.port(),
                whoami()?,
            ),
        )?;
        let child = tools::mosquitto_broker()
            .arg("-c")
            .arg(&conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting mosquitto")?;
        let mosquitto = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "mosquitto does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(mosquitto)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Mosquitto becomes another user otherwise, who may not read the files.
fn whoami() -> Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn connect(
    address: SocketAddr,
    user: Option<&str>,
    password: &str,
    client: &str,
) -> Result<(Peer, ReasonCode)> {
    let mut peer = Peer::at(address)?;
    let connect = Connect {
        username: user.map(Into::into),
        password: user.map(|_| password.to_owned().into()),
        ..clean(client)
    };
    peer.send(&Packet::Connect(Box::new(connect)))?;
    match peer.receive()? {
        Packet::ConnAck(connack) => Ok((peer, connack.reason)),
        other => bail!("no CONNACK but {other:?}"),
    }
}

fn enter(address: SocketAddr, user: Option<&'static str>, client: &str) -> Result<Peer> {
    let known = PASSWORDS.iter().find(|(name, _)| Some(*name) == user);
    let password = known.map_or("", |(_, password)| password);
    let (peer, reason) = connect(address, user, password, client)?;
    ensure!(reason == ReasonCode::Success, "{user:?}: {reason:?}");
    Ok(peer)
}

/// What everybody may do at one broker, a line for each.
fn decisions(address: SocketAddr) -> Result<Vec<String>> {
    let mut root = enter(address, Some("root"), "root")?;
    let mut found = Vec::new();
    for who in CLIENTS {
        let mut peer = enter(address, who.user, who.client)?;
        let fence = format!("fence/{}", who.client);
        peer.subscribe(&[&fence], QoS::AtMostOnce)?;
        for topic in TOPICS {
            let message = publish(topic, "x", QoS::AtLeastOnce, 3)?;
            peer.send(&Packet::Publish(Box::new(message)))?;
            let writes = match peer.receive()? {
                Packet::PubAck(ack) => !ack.reason.is_error(),
                other => bail!("no PUBACK but {other:?}"),
            };
            peer.send(&subscribe(&[topic], QoS::AtMostOnce)?)?;
            match peer.receive()? {
                Packet::SubAck(_) => {}
                other => bail!("no SUBACK but {other:?}"),
            }
            root.publish(publish(topic, "for you", QoS::AtLeastOnce, 4)?)?;
            root.publish(publish(&fence, "", QoS::AtLeastOnce, 5)?)?;
            // What was published before the fence comes before it.
            let first = peer.message()?.topic.context("a topic")?;
            let reads = first.as_str() == topic;
            if reads {
                let next = peer.message()?.topic.context("a topic")?;
                ensure!(next.as_str() == fence, "{next}");
            } else {
                ensure!(first.as_str() == fence, "{first}");
            }
            peer.send(&ebbtide_tests::peer::unsubscribe(topic)?)?;
            ensure!(matches!(peer.receive()?, Packet::UnsubAck(_)));
            found.push(format!(
                "{who:?} {topic}: publishes {writes}, is sent {reads}"
            ));
        }
    }
    Ok(found)
}

#[test]
fn what_mosquitto_allows_is_allowed_after_the_import_and_nothing_else() -> Result<()> {
    if !tools::present(&[Tool::Mosquitto, Tool::MosquittoBroker]) {
        return Ok(());
    }
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join(name);
    fs::write(path("acl"), ACL)?;
    fs::write(path("passwords"), "")?;
    for (user, password) in PASSWORDS {
        let made = tools::mosquitto("mosquitto_passwd")
            .arg("-b")
            .arg(path("passwords"))
            .args([user, password])
            .status()?;
        ensure!(made.success(), "mosquitto_passwd");
    }
    let more = format!(
        "allow_anonymous true\npassword_file {0}/passwords\nacl_file {0}/acl\nmax_queued_messages 70\n",
        folder.path().display()
    );
    let mosquitto = Mosquitto::start(folder.path(), &more)?;
    let arguments = [
        "import",
        "mosquitto",
        "mosquitto.conf",
        "--out",
        "ebbtide.toml",
    ];
    let output = run_to_end(&arguments, folder.path())?;
    let notes = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{notes}");
    ensure!(
        notes.contains("mosquitto.conf:2: `user`: the service manager"),
        "{notes}"
    );
    ensure!(!notes.contains("passwords:"), "{notes}");
    // What is there is not written over.
    let again = run_to_end(&arguments, folder.path())?;
    ensure!(again.status.code() == Some(7), "{:?}", again.status);
    let file = path("ebbtide.toml");
    let broker = Broker::start_with(&["--config", file.to_str().context("a path")?])?;
    for address in [mosquitto.address, broker.mqtt()] {
        let (_, reason) = connect(address, Some("ann"), "p-bob", "c1")?;
        ensure!(reason.is_error(), "{reason:?}");
        let (_, reason) = connect(address, Some("nobody"), "p-ann", "c1")?;
        ensure!(reason.is_error(), "{reason:?}");
    }
    let (theirs, ours) = (decisions(mosquitto.address)?, decisions(broker.mqtt())?);
    ensure!(theirs.len() == CLIENTS.len() * TOPICS.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        ensure!(theirs == ours, "Mosquitto: {theirs}\nEbbtide:   {ours}");
    }
    // The table says something.
    for part in [
        "publishes true, is sent true",
        "publishes true, is sent false",
        "publishes false, is sent true",
        "publishes false, is sent false",
    ] {
        ensure!(ours.iter().any(|line| line.contains(part)), "{part}");
    }
    Ok(())
}
