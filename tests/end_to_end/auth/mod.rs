//! Who comes in, what they may do there, and how that ends: each refusal with its reason code or status and a sentence for the
//! operator, and no secret in any log.

mod api;
mod certificates;
mod key_sets;
mod refusals;
mod retained;
mod revoked;
mod routes;
mod rules;
mod silent;
mod tokens;
mod users;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{Response, api, request};
use ebbtide_tests::peer::{Peer, Transport, publish, subscribe};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";
const JWT_SECRET: &str = "the secret of somebody who signs tokens";

/// A broker with two users, an admin, rules, and a key for tokens.
struct Guarded {
    broker: Broker,
    _folder: TempDir,
}

fn config(folder: &TempDir) -> Result<String> {
    std::fs::write(folder.path().join("secret"), JWT_SECRET)?;
    let secret = folder.path().join("secret");
    let secret = secret.display();
    Ok(format!(
        r#"
auth = ["jwt", "password"]

[[users]]
name = "ann"
password = "{PASSWORD}"
claims = {{ site = ["north"] }}

[[users]]
name = "bob"
password = "{PASSWORD}"
scopes = ["publish"]

[[users]]
name = "root"
password = "{PASSWORD}"
scopes = ["admin"]

[[rules]]
effect = "deny"
who = "authenticated"
actions = ["subscribe"]
topics = ["app/+/secret/#"]

[[rules]]
effect = "allow"
who = "authenticated"
actions = ["publish", "subscribe"]
topics = ["own/{{user}}/#"]

[[rules]]
effect = "allow"
who = {{ user = "ann" }}
actions = ["subscribe"]
topics = ["app/#"]

[[rules]]
effect = "allow"
who = {{ user = "bob" }}
actions = ["publish", "retain"]
topics = ["app/#"]

[[rules]]
effect = "allow"
who = {{ claim = {{ name = "role", value = "writer" }} }}
actions = ["publish"]
topics = ["site/{{claim.site}}/#"]

[[jwt]]
name = "issuer"
algorithms = ["HS256"]
key_file = "{secret}"
key_id = "k1"
claims = ["role", "site"]
"#
    ))
}

impl Guarded {
    fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let file = folder.path().join("ebbtide.toml");
        std::fs::write(&file, config(&folder)?)?;
        let file = file.to_str().context("a path")?;
        Ok(Self {
            broker: Broker::start_with(&["--config", file, "--log", "debug"])?,
            _folder: folder,
        })
    }

    /// The CONNACK, and the connection if it was let in.
    fn connect(&self, connect: Connect) -> Result<(Peer, ReasonCode)> {
        let mut peer = Peer::open(&self.broker, Transport::Tcp)?;
        if connect.version != Version::V5 {
            bail!("speaks 5.0 only");
        }
        peer.send(&Packet::Connect(Box::new(connect)))?;
        match peer.receive()? {
            Packet::ConnAck(connack) => Ok((peer, connack.reason)),
            other => bail!("no CONNACK but {other:?}"),
        }
    }

    fn is_in(&self, connect: Connect) -> Result<Peer> {
        let (peer, reason) = self.connect(connect)?;
        ensure!(reason == ReasonCode::Success, "{reason:?}");
        Ok(peer)
    }

    fn refused(&self, connect: Connect) -> Result<ReasonCode> {
        let (mut peer, reason) = self.connect(connect)?;
        ensure!(reason.is_error(), "it was let in");
        ensure!(peer.receive_or_end()?.is_none(), "it stays");
        Ok(reason)
    }

    /// Waits for the line.
    fn logged(&self, part: &str) -> Result<()> {
        logged(&self.broker, part)
    }

    /// None of the secrets of this test is in the log.
    fn kept_silent(&self, more: &[&str]) -> Result<()> {
        let log = self.broker.log();
        for secret in [PASSWORD, JWT_SECRET, "argon2id", "battery"]
            .iter()
            .chain(more)
        {
            ensure!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
        Ok(())
    }

    fn login(&self, user: &str) -> Result<String> {
        let body = json!({ "user": user, "password": PASSWORD });
        let (status, answer) = api(self.broker.http(), "POST", "/api/v1/login", Some(&body))?;
        ensure!(status == 200, "{status} {answer}");
        Ok(answer["token"].as_str().context("a token")?.to_owned())
    }

    fn ask(&self, bearer: &str, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let answer = ask(&self.broker, bearer, method, path, body)?;
        let value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        Ok((answer.status, value))
    }
}

/// Waits for the line.
fn logged(broker: &Broker, part: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !broker.log().contains(part) {
        ensure!(
            Instant::now() < deadline,
            "not in the log: {part}\n{}",
            broker.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn ask(broker: &Broker, bearer: &str, method: &str, path: &str, body: &Value) -> Result<Response> {
    let address = broker.http();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = body.len();
    request(
        address,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {bearer}\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn with(user: &str, password: &str, connect: Connect) -> Connect {
    Connect {
        username: Some(user.into()),
        password: Some(password.to_owned().into()),
        ..connect
    }
}

fn by_method(token: &str, connect: Connect) -> Connect {
    Connect {
        authentication_method: Some("ebbtide-jwt".into()),
        authentication_data: Some(token.to_owned().into()),
        ..connect
    }
}

fn token_of(algorithm: Algorithm, secret: &str, kid: &str, claims: &Value) -> Result<String> {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(algorithm)
    };
    Ok(encode(
        &header,
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )?)
}

fn token(claims: &Value) -> Result<String> {
    token_of(Algorithm::HS256, JWT_SECRET, "k1", claims)
}

fn in_s(seconds: i64) -> u64 {
    get_current_timestamp().saturating_add_signed(seconds)
}

/// The reason of the acknowledgement.
fn publish_at_1(peer: &mut Peer, topic: &str, retain: bool) -> Result<ReasonCode> {
    let mut message = publish(topic, "x", QoS::AtLeastOnce, 9)?;
    message.retain = retain;
    peer.send(&Packet::Publish(Box::new(message)))?;
    match peer.receive()? {
        Packet::PubAck(ack) => Ok(ack.reason),
        other => bail!("no PUBACK but {other:?}"),
    }
}

fn subscribe_to(peer: &mut Peer, filter: &str) -> Result<ReasonCode> {
    peer.send(&subscribe(&[filter], QoS::AtLeastOnce)?)?;
    match peer.receive()? {
        Packet::SubAck(ack) => Ok(ack.reasons[0]),
        other => bail!("no SUBACK but {other:?}"),
    }
}
