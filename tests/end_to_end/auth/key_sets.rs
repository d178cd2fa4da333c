//! Key sets at a URL: a key that comes later, a server that is not there, and answers that are none. The keys that were fetched go
//! on meanwhile, up to their age.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, ReasonCode};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::peer::{Peer, Transport, clean};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ED25519,
    PublicKeyData,
};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{in_s, logged};

/// The broker asks no more often.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Somebody who signs tokens.
struct Signer {
    id: &'static str,
    pair: KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ED25519)?;
        Ok(Self { id, pair })
    }

    fn token(&self) -> Result<String> {
        let header = Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        let key = EncodingKey::from_ed_pem(self.pair.serialize_pem().as_bytes())?;
        Ok(encode(
            &header,
            &json!({ "sub": "eve", "exp": in_s(120) }),
            &key,
        )?)
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.der_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": self.id, "x": x })
    }
}

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// What the server says.
#[derive(Clone)]
enum Says {
    Ok(String),
    Status(u16),
    Redirect(String),
    /// A byte now and then, for ever.
    Dribble,
}

/// A server with one page.
#[derive(Clone)]
struct Server {
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(says: Says) -> Self {
        Self {
            says: Arc::new(Mutex::new(says)),
            asked: Arc::default(),
        }
    }

    fn start(&self, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) {
        let server = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, tls) = (server.clone(), tls.clone());
                thread::spawn(move || {
                    let answered = match tls {
                        None => server.answer(stream),
                        Some(tls) => rustls::ServerConnection::new(tls)
                            .map_err(std::io::Error::other)
                            .and_then(|tls| server.answer(rustls::StreamOwned::new(tls, stream))),
                    };
                    drop(answered);
                });
            }
        });
    }

    fn say(&self, says: Says) {
        *self.says.lock().expect("nobody panics with it") = says;
    }

    fn answer(&self, mut stream: impl Read + Write) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let says = self.says.lock().expect("nobody panics with it").clone();
        let head = match &says {
            Says::Ok(body) => format!("200 OK\r\ncontent-length: {}", body.len()),
            Says::Status(status) => format!("{status} No\r\ncontent-length: 0"),
            Says::Redirect(to) => format!("302 Found\r\nlocation: {to}\r\ncontent-length: 0"),
            Says::Dribble => "200 OK\r\ncontent-length: 100000".to_owned(),
        };
        write!(stream, "HTTP/1.1 {head}\r\nconnection: close\r\n\r\n")?;
        match says {
            Says::Ok(body) => stream.write_all(body.as_bytes())?,
            Says::Dribble => loop {
                stream.write_all(b" ")?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(100));
            },
            Says::Status(_) | Says::Redirect(_) => {}
        }
        stream.flush()
    }
}

fn start(url: &str, more: &str) -> Result<(Broker, TempDir)> {
    let folder = TempDir::new()?;
    let file = folder.path().join("ebbtide.toml");
    fs::write(
        &file,
        format!(
            "auth = ['jwt']\n[[jwt]]\nname = 'remote'\nalgorithms = ['EdDSA']\njwks_url = '{url}'\n{more}"
        ),
    )?;
    let broker = Broker::start_with(&["--config", file.to_str().context("a path")?])?;
    Ok((broker, folder))
}

/// How CONNECT with this token is answered.
fn connect(broker: &Broker, token: &str) -> Result<(Peer, ReasonCode)> {
    let mut peer = Peer::open(broker, Transport::Tcp)?;
    let connect = Connect {
        password: Some(token.to_owned().into()),
        ..clean("")
    };
    peer.send(&Packet::Connect(Box::new(connect)))?;
    match peer.receive()? {
        Packet::ConnAck(connack) => Ok((peer, connack.reason)),
        other => bail!("no CONNACK but {other:?}"),
    }
}

/// Comes again and again until the answer is this one.
fn until(broker: &Broker, signer: &Signer, expected: ReasonCode) -> Result<Peer> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (peer, reason) = connect(broker, &signer.token()?)?;
        if reason == expected {
            return Ok(peer);
        }
        ensure!(Instant::now() < deadline, "{reason:?} for ever");
        thread::sleep(Duration::from_millis(100));
    }
}

fn listener(address: SocketAddr) -> Result<TcpListener> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn free() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[test]
fn a_key_that_comes_later_is_fetched_when_a_token_names_it_and_not_too_often() -> Result<()> {
    let (old, new) = (Signer::new("old")?, Signer::new("new")?);
    let server = Server::new(Says::Ok(set(&[&old])));
    let (listener, address) = free()?;
    server.start(listener, None);
    let (broker, _folder) = start(&format!("http://{address}/keys"), "")?;
    let began = Instant::now();
    let mut before = until(&broker, &old, ReasonCode::Success)?;
    // Whoever guesses key ids does not make it ask more often.
    let stranger = Signer::new("nobody's")?;
    for _ in 0..50 {
        let (_, reason) = connect(&broker, &stranger.token()?)?;
        ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    }
    logged(&broker, r#"no key has the id "nobody's" of its token"#)?;
    server.say(Says::Ok(set(&[&old, &new])));
    let mut rotated = until(&broker, &new, ReasonCode::Success)?;
    ensure!(connect(&broker, &old.token()?)?.1 == ReasonCode::Success);
    let most = 2 + began.elapsed().as_secs() / AGAIN_AFTER.as_secs();
    let asked = server.asked.load(Ordering::Relaxed) as u64;
    ensure!((2..=most).contains(&asked), "{asked} of {most}");
    // A name that is known with another key behind it is no way in.
    let forger = Signer::new("old")?;
    ensure!(connect(&broker, &forger.token()?)?.1 == ReasonCode::BadUserNameOrPassword);
    before.ping()?;
    rotated.ping()
}

#[test]
fn a_reload_keeps_what_was_fetched_from_the_same_address() -> Result<()> {
    let (signer, other) = (Signer::new("k")?, Signer::new("other")?);
    let server = Server::new(Says::Ok(set(&[&signer])));
    let (listener, address) = free()?;
    server.start(listener, None);
    let (broker, folder) = start(&format!("http://{address}/keys"), "")?;
    let mut before = until(&broker, &signer, ReasonCode::Success)?;
    logged(
        &broker,
        r#"the key set "remote" has other keys than before"#,
    )?;
    server.say(Says::Status(503));
    let reload = |more: &str, times: usize| -> Result<()> {
        let file = folder.path().join("ebbtide.toml");
        let text = fs::read_to_string(&file)?;
        fs::write(&file, text + more)?;
        let kill = std::process::Command::new("kill")
            .args(["-HUP", &broker.id().to_string()])
            .status()?;
        ensure!(kill.success());
        let deadline = Instant::now() + Duration::from_secs(20);
        while broker.log().matches("was read again: ").count() < times {
            ensure!(Instant::now() < deadline, "{}", broker.log());
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    };
    reload("", 1)?;
    ensure!(connect(&broker, &signer.token()?)?.1 == ReasonCode::Success);
    // Of another entry nothing has been fetched yet.
    reload("claims = ['role']\n", 2)?;
    let (_, reason) = connect(&broker, &signer.token()?)?;
    ensure!(reason == ReasonCode::ServerUnavailable, "{reason:?}");
    server.say(Says::Ok(set(&[&other])));
    until(&broker, &other, ReasonCode::Success)?;
    ensure!(connect(&broker, &signer.token()?)?.1 == ReasonCode::BadUserNameOrPassword);
    before.ping()
}

#[test]
fn a_server_that_is_not_there_at_the_start_or_later_is_asked_again() -> Result<()> {
    let signer = Signer::new("k")?;
    let (closed, address) = free()?;
    drop(closed);
    let (broker, _folder) = start(
        &format!("http://{address}/keys"),
        "jwks_refresh_s = 1\njwks_max_age_s = 4\n",
    )?;
    // It is not the client's fault, and it may come again.
    let (_, reason) = connect(&broker, &signer.token()?)?;
    ensure!(reason == ReasonCode::ServerUnavailable, "{reason:?}");
    logged(
        &broker,
        r#"the key set "remote" was not fetched, its tokens do not count meanwhile"#,
    )?;
    logged(&broker, r#"the key set "remote" was not fetched yet"#)?;
    let server = Server::new(Says::Ok(set(&[&signer])));
    server.start(listener(address)?, None);
    let mut before = until(&broker, &signer, ReasonCode::Success)?;
    logged(&broker, r#"the key set "remote" is fetched again"#)?;
    server.say(Says::Status(503));
    logged(
        &broker,
        "the keys that are there go on: the server answered 503",
    )?;
    ensure!(connect(&broker, &signer.token()?)?.1 == ReasonCode::Success);
    until(&broker, &signer, ReasonCode::ServerUnavailable)?;
    // The log may have been cut short just then.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !broker.log().contains("counts no longer (`jwks_max_age_s`)") {
        ensure!(Instant::now() < deadline, "{}", broker.log());
        let (_, reason) = connect(&broker, &signer.token()?)?;
        ensure!(reason == ReasonCode::ServerUnavailable, "{reason:?}");
        thread::sleep(Duration::from_millis(500));
    }
    server.say(Says::Ok(set(&[&signer])));
    until(&broker, &signer, ReasonCode::Success)?;
    before.ping()
}

#[test]
fn an_answer_that_is_no_key_set_changes_nothing() -> Result<()> {
    let signer = Signer::new("k")?;
    let server = Server::new(Says::Ok(set(&[&signer])));
    let (listener, address) = free()?;
    server.start(listener, None);
    let (broker, _folder) = start(&format!("http://{address}/keys"), "jwks_refresh_s = 1\n")?;
    until(&broker, &signer, ReasonCode::Success)?;
    let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(2 << 20));
    for (says, expected) in [
        (Says::Ok("<html>".to_owned()), "it is no JSON Web Key Set"),
        (
            Says::Ok(r#"{"keys": []}"#.to_owned()),
            "none of its keys is for the algorithms",
        ),
        (Says::Ok(huge), "it has more than 1048576 bytes"),
        (Says::Dribble, "it took more than 10 s"),
        (Says::Redirect(format!("http://{address}/keys")), "redirect"),
    ] {
        server.say(says);
        logged(&broker, expected)?;
        ensure!(
            connect(&broker, &signer.token()?)?.1 == ReasonCode::Success,
            "{expected}"
        );
        // The pauses begin small again.
        let fetched = broker.log().matches("is fetched again").count();
        server.say(Says::Ok(set(&[&signer])));
        let deadline = Instant::now() + Duration::from_secs(60);
        while broker.log().matches("is fetched again").count() == fetched {
            ensure!(Instant::now() < deadline, "{}", broker.log());
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

#[test]
fn over_https_the_authority_has_to_be_known() -> Result<()> {
    let signer = Signer::new("k")?;
    let authority = |name: &str| -> Result<CertifiedIssuer<'static, KeyPair>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
    };
    let (ours, other) = (authority("ours")?, authority("other")?);
    let key = KeyPair::generate()?;
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &ours)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    let server = Server::new(Says::Ok(set(&[&signer])));
    let (listener, address) = free()?;
    server.start(listener, Some(Arc::new(tls)));
    let files = TempDir::new()?;
    let url = format!("https://localhost:{}/keys", address.port());
    let with = |authority: &CertifiedIssuer<'static, KeyPair>| -> Result<(Broker, TempDir)> {
        let file = files.path().join("authority.pem");
        fs::write(&file, authority.pem())?;
        start(&url, &format!("jwks_ca_file = '{}'\n", file.display()))
    };
    let (broker, _folder) = with(&ours)?;
    until(&broker, &signer, ReasonCode::Success)?;
    let (broker, _folder) = with(&other)?;
    let (_, reason) = connect(&broker, &signer.token()?)?;
    ensure!(reason == ReasonCode::ServerUnavailable, "{reason:?}");
    logged(&broker, "UnknownIssuer")?;
    // What is not TLS at all.
    ensure!(TcpStream::connect(address).is_ok());
    let asked = server.asked.load(Ordering::Relaxed);
    ensure!(asked == 1, "{asked}");
    Ok(())
}
