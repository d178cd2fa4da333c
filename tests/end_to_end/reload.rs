//! SIGHUP: what a running broker takes over from its file, what it says needs a restart, and that nobody is disconnected. A file,
//! a key or a certificate that cannot be used changes nothing.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::{Packet, QoS, ReasonCode};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{api, request, upgrade};
use ebbtide_tests::peer::{Peer, Transport, clean, subscribe};
use ebbtide_tests::tls::{Certificates, Secured};
use ebbtide_tests::tools;
use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use serde_json::json;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

/// A broker with a file that can be written anew.
struct Reloadable {
    broker: Broker,
    folder: TempDir,
}

impl Reloadable {
    fn start(file: &str, more: &[&str]) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("ebbtide.toml"), file)?;
        let path = folder.path().join("ebbtide.toml");
        let path = path.to_str().context("a path")?;
        let broker = Broker::start_with(&[&["--config", path], more].concat())?;
        Ok(Self { broker, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the file, sends the signal, waits until the broker has said how it went, and gives what it said.
    fn reload(&self, file: &str) -> Result<String> {
        fs::write(self.path("ebbtide.toml"), file)?;
        let before = self.broker.log().len();
        let kill = Command::new("kill")
            .args(["-HUP", &self.broker.id().to_string()])
            .status()?;
        ensure!(kill.success(), "SIGHUP could not be sent");
        let deadline = Instant::now() + DEADLINE;
        loop {
            let log = self.broker.log();
            let ends = ["was read again: ", "was not read again"];
            if ends.iter().any(|end| log[before..].contains(end)) {
                return Ok(log[before..].to_owned());
            }
            ensure!(Instant::now() < deadline, "nothing was said:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The answer to a WebSocket of a page of this origin.
    fn opens_for(&self, origin: &str) -> Result<u16> {
        let address = self.broker.http();
        let head = upgrade(&address.to_string(), &format!("Origin: {origin}\r\n"));
        let mut status = request(address, &head)?.status;
        if status == 101 {
            status = 200;
        }
        Ok(status)
    }
}

fn subscription(peer: &mut Peer, filter: &str) -> Result<ReasonCode> {
    peer.send(&subscribe(&[filter], QoS::AtLeastOnce)?)?;
    match peer.receive()? {
        Packet::SubAck(ack) => Ok(ack.reasons[0]),
        other => bail!("no SUBACK but {other:?}"),
    }
}

fn contains(said: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(said.contains(part), "{part} is not in:\n{said}");
    }
    Ok(())
}

#[test]
fn limits_origins_and_the_log_change_while_clients_are_there() -> Result<()> {
    let reloadable = Reloadable::start("", &[])?;
    let (mut before, connack) = Peer::connect(&reloadable.broker, Transport::Tcp, clean("before"))?;
    ensure!(
        connack.receive_maximum.map(u16::from) == Some(1024),
        "{connack:?}"
    );
    let origin = "https://app.example";
    ensure!(reloadable.opens_for(origin)? == 403);
    let said = reloadable.reload(
        "log = 'debug'\nallow_origin = ['https://app.example']\nsys_interval = 3\n\
         [limits]\nreceive_maximum = 7\nsubscriptions_per_session_max = 1\n",
    )?;
    contains(
        &said,
        &[
            "receive_maximum: 1024 → 7: it holds for the connections to come",
            "subscriptions_per_session_max: 20000 → 1: it holds at once",
            "allow_origin: [] → [\"https://app.example\"]: it holds at once",
            "log: \"info\" → \"debug\": it holds at once",
            "sys_interval: 10 → 3: it needs a restart",
            "4 changes hold, 1 need a restart",
        ],
    )?;
    ensure!(subscription(&mut before, "a")? == ReasonCode::GrantedQoS1);
    ensure!(subscription(&mut before, "b")? == ReasonCode::QuotaExceeded);
    let (_after, connack) = Peer::connect(&reloadable.broker, Transport::Tcp, clean("after"))?;
    ensure!(
        connack.receive_maximum.map(u16::from) == Some(7),
        "{connack:?}"
    );
    ensure!(reloadable.opens_for(origin)? == 200);
    let http = reloadable.broker.http();
    let (status, config) = api(http, "GET", "/api/v1/config", None)?;
    ensure!(status == 200, "{config}");
    let options = config["options"].as_array().context("options")?;
    for expected in [
        json!({ "key": "limits.receive_maximum", "value": "7", "reload": "connections" }),
        json!({ "key": "log", "value": "\"debug\"", "reload": "at_once" }),
        json!({ "key": "sys_interval", "value": "10", "reload": "restart", "after_restart": "3" }),
    ] {
        ensure!(options.contains(&expected), "{expected}: {config}");
    }
    let (status, problem) = api(http, "PUT", "/api/v1/config", Some(&json!({})))?;
    ensure!(status == 405, "{problem}");
    contains(&reloadable.broker.log(), &["connection opened"])?;
    // What needs a restart is said again, and the rest is as it was at the start.
    let said = reloadable.reload("sys_interval = 3\n")?;
    contains(
        &said,
        &["receive_maximum: 7 → 1024", "sys_interval: 10 → 3"],
    )?;
    ensure!(subscription(&mut before, "b")? == ReasonCode::GrantedQoS1);
    ensure!(reloadable.opens_for(origin)? == 403);
    before.ping()
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() -> Result<()> {
    let good = "[limits]\nreceive_maximum = 7\n";
    let reloadable = Reloadable::start(good, &[])?;
    let mut peer = Peer::clean(&reloadable.broker, "peer")?;
    for (bad, why) in [
        (
            "[limits]\nreceive_maximum = 'x'\n",
            "ebbtide.toml:2: `receive_maximum`",
        ),
        ("mqqt = '127.0.0.1:1'\n", "did you mean `mqtt`?"),
        (
            "mqtts = '127.0.0.1:0'\n",
            "--mqtts listens with TLS and needs a certificate",
        ),
        ("auth = ['jwt']\n", "no key is given"),
        (
            "[limits]\nreceive_maximum = 9\ntopic_levels_max = 9999\n",
            "give at most 2048",
        ),
    ] {
        let said = reloadable.reload(bad)?;
        contains(&said, &["everything goes on as it was", why])?;
        let (_, connack) = Peer::connect(&reloadable.broker, Transport::Tcp, clean("next"))?;
        ensure!(connack.receive_maximum.map(u16::from) == Some(7), "{bad}");
    }
    contains(
        &reloadable.reload(good)?,
        &["0 changes hold, 0 need a restart"],
    )?;
    peer.ping()
}

/// Closing a terminal sends the same signal.
#[test]
fn a_broker_whose_terminal_is_closed_ends() -> Result<()> {
    let folder = TempDir::new()?;
    let broker = tools::broker();
    let program = format!(
        "{} serve --ephemeral --mqtt 127.0.0.1:0 --http 127.0.0.1:0",
        broker.display()
    );
    let mut terminal = Command::new("script")
        .args(["--quiet", "--flush", "--command", &program, "seen"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting script (package bsdutils)")?;
    let deadline = Instant::now() + DEADLINE;
    let seen = || fs::read_to_string(folder.path().join("seen")).unwrap_or_default();
    while !seen().contains("ready") {
        ensure!(Instant::now() < deadline, "{}", seen());
        thread::sleep(Duration::from_millis(20));
    }
    let seen = seen();
    let address = seen.lines().find_map(|line| line.split("mqtt://").nth(1));
    let address: std::net::SocketAddr = address.context("an address")?.trim().parse()?;
    ensure!(TcpStream::connect(address).is_ok());
    terminal.kill()?;
    terminal.wait()?;
    while TcpStream::connect(address).is_ok() {
        ensure!(Instant::now() < deadline, "it goes on without a terminal");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn token(secret: &str) -> Result<String> {
    let claims = json!({ "sub": "eve", "exp": get_current_timestamp() + 60 });
    let key = EncodingKey::from_secret(secret.as_bytes());
    Ok(encode(&Header::default(), &claims, &key)?)
}

/// Whether a client that shows this token is let in, and the connection if so.
fn comes_in(broker: &Broker, token: &str) -> Result<Option<Peer>> {
    let mut peer = Peer::open(broker, Transport::Tcp)?;
    let mut connect = clean("");
    connect.password = Some(token.to_owned().into());
    peer.send(&Packet::Connect(Box::new(connect)))?;
    match peer.receive()? {
        Packet::ConnAck(connack) if !connack.reason.is_error() => Ok(Some(peer)),
        Packet::ConnAck(_) => Ok(None),
        other => bail!("no CONNACK but {other:?}"),
    }
}

#[test]
fn keys_for_tokens_change_and_users_and_rules_are_for_the_first_start() -> Result<()> {
    const OLD: &str = "the old secret of somebody who signs";
    const NEW: &str = "the new secret of somebody who signs";
    let keys = TempDir::new()?;
    for (name, secret) in [("old", OLD), ("new", NEW), ("short", "short")] {
        fs::write(keys.path().join(name), secret)?;
    }
    let file = |key: &str, more: &str| {
        let key = keys.path().join(key);
        format!(
            "auth = ['jwt', 'password']\n[[jwt]]\nname = 'k'\nalgorithms = ['HS256']\nkey_file = '{}'\n{more}",
            key.display()
        )
    };
    let reloadable = Reloadable::start(&file("old", ""), &[])?;
    let mut before = comes_in(&reloadable.broker, &token(OLD)?)?.context("the old one counts")?;
    ensure!(comes_in(&reloadable.broker, &token(NEW)?)?.is_none());
    let said = reloadable.reload(&file("short", ""))?;
    contains(&said, &["everything goes on as it was", "give at least 32"])?;
    ensure!(comes_in(&reloadable.broker, &token(OLD)?)?.is_some());
    let user = "[[users]]\nname = 'ann'\npassword = 'secret-of-ann'\n";
    let said = reloadable.reload(&file("new", user))?;
    contains(
        &said,
        &[
            "[[jwt]] is another one: it holds at once",
            "[[users]] of the file are for the first start only",
        ],
    )?;
    ensure!(!said.contains("secret-of-ann"), "{said}");
    ensure!(comes_in(&reloadable.broker, &token(OLD)?)?.is_none());
    ensure!(comes_in(&reloadable.broker, &token(NEW)?)?.is_some());
    // The same file with another content counts too.
    fs::write(keys.path().join("new"), OLD)?;
    reloadable.reload(&file("new", user))?;
    ensure!(comes_in(&reloadable.broker, &token(OLD)?)?.is_some());
    before.ping()
}

/// `auth` holds until a restart, and who comes in by it needs the keys until then.
#[test]
fn keys_stay_as_long_as_the_method_that_they_are_for() -> Result<()> {
    const OLD: &str = "the old secret of somebody who signs";
    const NEW: &str = "the new secret of somebody who signs";
    let keys = TempDir::new()?;
    let file = |key: &str| {
        format!(
            "auth = ['jwt', 'password']\n[[jwt]]\nname = 'k'\nalgorithms = ['HS256']\nkey_file = '{}'\n",
            keys.path().join(key).display()
        )
    };
    fs::write(keys.path().join("old"), OLD)?;
    fs::write(keys.path().join("new"), NEW)?;
    let mut reloadable = Reloadable::start(&file("old"), &[])?;
    let mut before = comes_in(&reloadable.broker, &token(OLD)?)?.context("it counts")?;
    // What the file does not name any more need not be there.
    fs::remove_file(keys.path().join("old"))?;
    for _ in 0..2 {
        let said = reloadable.reload("auth = ['password']\n")?;
        contains(
            &said,
            &[
                "[[jwt]] is another one: it needs a restart",
                "0 changes hold, 2 need a restart",
                "the keys of [[jwt]] stay as they are",
            ],
        )?;
        ensure!(comes_in(&reloadable.broker, &token(OLD)?)?.is_some());
    }
    let said = reloadable.reload(&file("new"))?;
    contains(
        &said,
        &[
            "[[jwt]] is another one: it holds at once",
            "1 changes hold, 0 need a restart",
        ],
    )?;
    ensure!(comes_in(&reloadable.broker, &token(OLD)?)?.is_none());
    ensure!(comes_in(&reloadable.broker, &token(NEW)?)?.is_some());
    before.ping()?;
    reloadable.reload("auth = ['password']\n")?;
    reloadable.broker.restart()?;
    ensure!(comes_in(&reloadable.broker, &token(NEW)?)?.is_none());
    Ok(())
}

/// What a restart will need is looked at before.
#[test]
fn keys_that_wait_for_a_restart_can_be_used_and_are_not_said_to_hold() -> Result<()> {
    let keys = TempDir::new()?;
    let file = |key: &str| {
        format!(
            "auth = ['jwt', 'password']\n[[jwt]]\nname = 'k'\nalgorithms = ['HS256']\nkey_file = '{}'\n",
            keys.path().join(key).display()
        )
    };
    fs::write(keys.path().join("good"), "the secret of somebody who signs")?;
    fs::write(keys.path().join("short"), "short")?;
    let plain = "auth = ['password']\n";
    let reloadable = Reloadable::start(plain, &[])?;
    let said = reloadable.reload(&file("short"))?;
    contains(&said, &["everything goes on as it was", "give at least 32"])?;
    let said = reloadable.reload(&file("good"))?;
    contains(
        &said,
        &[
            "0 changes hold, 2 need a restart; certificates were read again too, and the keys of [[jwt]] can be used, but wait",
        ],
    )?;
    let said = reloadable.reload(plain)?;
    contains(&said, &["certificates were read again too"])?;
    ensure!(!said.contains("keys"), "{said}");
    Ok(())
}

#[test]
fn who_signs_certificates_of_clients_can_change() -> Result<()> {
    let certificates = Certificates::make()?;
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let reloadable = Reloadable::start("", &flags)?;
    let mqtts = reloadable.broker.address("mqtts")?;
    let enter = |stream: &mut Secured, id: u8| {
        // 3.1.1, clean, keep alive off.
        let connect = [b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01", &[id][..]].concat();
        exchange(stream, &connect, b"\x20\x02\x00\x00")
    };
    let is_in = |as_client: bool| {
        let stream = match as_client {
            true => certificates.connect_as_client(mqtts),
            false => certificates.connect(mqtts),
        };
        stream
            .and_then(|mut stream| enter(&mut stream, b'n'))
            .is_ok()
    };
    let mut before = certificates.connect(mqtts)?;
    enter(&mut before, b'b')?;
    let authority = certificates.path("authority.pem");
    let file = format!("tls_client_ca = '{}'\n", authority.display());
    let said = reloadable.reload(&file)?;
    contains(&said, &["tls_client_ca: not given → ", "1 changes hold"])?;
    ensure!(!is_in(false) && is_in(true));
    let said = reloadable.reload("tls_client_ca = 'nowhere.pem'\n")?;
    contains(&said, &["everything goes on as it was", "nowhere.pem"])?;
    ensure!(!is_in(false) && is_in(true));
    reloadable.reload("")?;
    ensure!(is_in(false));
    exchange(&mut before, b"\xc0\x00", b"\xd0\x00")
}

fn exchange(stream: &mut Secured, question: &[u8], expected: &[u8]) -> Result<()> {
    stream.write_all(question)?;
    stream.flush()?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer)?;
    ensure!(answer == expected, "{answer:02x?}");
    Ok(())
}
