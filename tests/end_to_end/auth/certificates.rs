//! Certificates of clients as who they are, over MQTT and over WebSocket: those that count, those that do not with a sentence for
//! the operator, and how they stand beside passwords.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::BytesMut;
use ebbtide_protocol::codec::{Decoder, PACKET_SIZE_MAX, Role, encode};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{request, upgrade};
use ebbtide_tests::peer::{clean, subscribe};
use ebbtide_tests::tls::Secured;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

use super::{PASSWORD, ask, with};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A client's certificate and its key.
struct Shown {
    chain: CertificateDer<'static>,
    key: KeyPair,
}

fn certificate(
    authority: &Authority,
    common_name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<Shown> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    let key = KeyPair::generate()?;
    let chain = params.signed_by(&key, authority)?.der().clone();
    Ok(Shown { chain, key })
}

/// A new certificate of the broker, and its key.
fn write_server(folder: &TempDir, authority: &Authority) -> Result<()> {
    let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let server = server.signed_by(&key, authority)?;
    fs::write(folder.path().join("server.pem"), server.pem())?;
    fs::write(folder.path().join("key.pem"), key.serialize_pem())?;
    Ok(())
}

/// A broker that asks for certificates.
struct Certified {
    broker: Broker,
    authority: Authority,
    folder: TempDir,
}

const RULE: &str = r#"
[[rules]]
effect = "allow"
who = "authenticated"
actions = ["publish", "subscribe"]
topics = ["own/{user}/#"]

[[users]]
name = "root"
password = "correct horse battery staple"
scopes = ["admin"]

[[users]]
name = "ann"
password = "correct horse battery staple"
"#;

impl Certified {
    fn start(file: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        let authority = authority("the authority")?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("authority.pem"), authority.pem())?;
        write_server(&folder, &authority)?;
        let head = format!(
            "mqtts = '127.0.0.1:0'\nhttps = '127.0.0.1:0'\ntls_certificate = '{0}/server.pem'\ntls_key = '{0}/key.pem'\n\
             tls_client_ca = '{0}/authority.pem'\n",
            folder.path().display()
        );
        fs::write(path("ebbtide.toml"), format!("{head}{file}{RULE}"))?;
        let file = path("ebbtide.toml");
        let broker = Broker::start_with(&["--config", file.to_str().context("a path")?])?;
        Ok(Self {
            broker,
            authority,
            folder,
        })
    }

    fn secured(&self, scheme: &str, shown: Option<&Shown>) -> Result<Secured> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match shown {
            None => config.with_no_client_auth(),
            Some(Shown { chain, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der());
                let key = key.map_err(|why| anyhow::anyhow!("{why}"))?;
                config.with_client_auth_cert(vec![chain.clone()], key)?
            }
        };
        let address: SocketAddr = self.broker.address(scheme)?;
        let name = ServerName::try_from("localhost")?;
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
        Ok(Secured::new(
            ClientConnection::new(Arc::new(config), name)?,
            stream,
        ))
    }

    /// What CONNECT is answered over MQTT with TLS, and the connection.
    fn connect(&self, shown: Option<&Shown>, connect: Connect) -> Result<(Line, ReasonCode)> {
        let stream = Stream::Tls(Box::new(self.secured("mqtts", shown)?));
        Line::connect(stream, connect)
    }

    /// The same over WebSocket.
    fn connect_web(&self, shown: Option<&Shown>, connect: Connect) -> Result<(Line, ReasonCode)> {
        let stream = self.secured("https", shown)?;
        let port = self.broker.address("https")?.port();
        let mut request = format!("wss://localhost:{port}/mqtt").into_client_request()?;
        let protocol = HeaderValue::from_static("mqtt");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        let (socket, _) = tungstenite::client(request, stream)
            .map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))?;
        Line::connect(Stream::Web(Box::new(socket)), connect)
    }

    /// Whoever that is may do this, and it is its user who may.
    fn is_user(&self, shown: &Shown, user: &str) -> Result<()> {
        for web in [false, true] {
            let (mut line, reason) = match web {
                false => self.connect(Some(shown), clean("c"))?,
                true => self.connect_web(Some(shown), clean("w"))?,
            };
            ensure!(reason == ReasonCode::Success, "{reason:?}");
            ensure!(line.subscribe(&format!("own/{user}/#"))? == ReasonCode::GrantedQoS1);
            ensure!(line.subscribe("own/else/#")? == ReasonCode::NotAuthorized);
        }
        Ok(())
    }

    /// There is no handshake, or it was for nothing.
    fn is_turned_away(&self, shown: Option<&Shown>, why: &str) -> Result<()> {
        ensure!(self.connect(shown, clean("c")).is_err(), "{why}: it is in");
        ensure!(
            self.connect_web(shown, clean("c")).is_err(),
            "{why}: it is in"
        );
        self.logged(why)
    }

    fn logged(&self, part: &str) -> Result<()> {
        super::logged(&self.broker, part)
    }

    /// Writes its file anew and has it read.
    fn reload(&self, file: &str) -> Result<()> {
        fs::write(self.folder.path().join("ebbtide.toml"), file)?;
        let id = self.broker.id().to_string();
        let kill = Command::new("kill").args(["-HUP", &id]).status()?;
        ensure!(kill.success());
        Ok(())
    }

    fn login(&self) -> Result<String> {
        let body = serde_json::json!({ "user": "root", "password": PASSWORD });
        let http = self.broker.http();
        let (_, answer) = ebbtide_tests::http::api(http, "POST", "/api/v1/login", Some(&body))?;
        Ok(answer["token"].as_str().context("a token")?.to_owned())
    }
}

enum Stream {
    Tls(Box<Secured>),
    Web(Box<WebSocket<Secured>>),
}

/// MQTT 5 over one of both.
struct Line {
    stream: Stream,
    decoder: Decoder,
    input: BytesMut,
}

impl Line {
    fn connect(stream: Stream, connect: Connect) -> Result<(Self, ReasonCode)> {
        let mut line = Self {
            stream,
            decoder: Decoder::new(Role::Client, PACKET_SIZE_MAX),
            input: BytesMut::new(),
        };
        line.decoder.set_version(Version::V5);
        match line.ask(&Packet::Connect(Box::new(connect)))? {
            Packet::ConnAck(connack) => Ok((line, connack.reason)),
            other => bail!("no CONNACK but {other:?}"),
        }
    }

    fn subscribe(&mut self, filter: &str) -> Result<ReasonCode> {
        match self.ask(&subscribe(&[filter], QoS::AtLeastOnce)?)? {
            Packet::SubAck(ack) => Ok(ack.reasons[0]),
            other => bail!("no SUBACK but {other:?}"),
        }
    }

    fn ask(&mut self, packet: &Packet) -> Result<Packet> {
        let mut bytes = BytesMut::new();
        encode(packet, Version::V5, &mut bytes);
        match &mut self.stream {
            Stream::Tls(stream) => {
                stream.write_all(&bytes)?;
                stream.flush()?;
            }
            Stream::Web(socket) => socket.send(Message::Binary(bytes.freeze()))?,
        }
        self.receive()
    }

    fn receive(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.input)? {
                return Ok(packet);
            }
            match &mut self.stream {
                Stream::Tls(stream) => {
                    let mut buffer = [0; 1024];
                    let count = stream.read(&mut buffer)?;
                    ensure!(count > 0, "the connection ended");
                    self.input.extend_from_slice(&buffer[..count]);
                }
                Stream::Web(socket) => match socket.read()? {
                    Message::Binary(bytes) => self.input.extend_from_slice(&bytes),
                    other => bail!("no bytes but {other:?}"),
                },
            }
        }
    }
}

#[test]
fn a_certificate_says_who_a_client_is() -> Result<()> {
    let certified = Certified::start("auth = ['certificate']\n")?;
    certified.is_user(
        &certificate(&certified.authority, "device 7", |_| {})?,
        "device 7",
    )?;
    // User Name and password are not asked for, and change nothing.
    let device = certificate(&certified.authority, "device", |_| {})?;
    let (mut line, reason) = certified.connect(Some(&device), with("ann", PASSWORD, clean("c")))?;
    ensure!(reason == ReasonCode::Success);
    ensure!(line.subscribe("own/device/#")? == ReasonCode::GrantedQoS1);
    ensure!(line.subscribe("own/ann/#")? == ReasonCode::NotAuthorized);
    for (name, why) in [
        ("a/b", "its certificate names a user who cannot be one"),
        ("#", "its certificate names a user who cannot be one"),
        ("", "its certificate names a user who cannot be one"),
    ] {
        let shown = certificate(&certified.authority, name, |_| {})?;
        let (_, reason) = certified.connect(Some(&shown), clean("c"))?;
        ensure!(
            reason == ReasonCode::BadUserNameOrPassword,
            "{name}: {reason:?}"
        );
        certified.logged(why)?;
    }
    // Without TLS nobody can show one.
    let peer = ebbtide_tests::peer::Peer::clean(&certified.broker, "plain");
    ensure!(peer.is_err());
    certified.logged("it has shown nothing that `auth` asks for (certificate)")
}

#[test]
fn a_certificate_that_does_not_count_is_turned_away_with_the_reason_in_the_log() -> Result<()> {
    let certified = Certified::start("auth = ['certificate']\n")?;
    let authority = &certified.authority;
    certified.is_turned_away(None, "it has shown no certificate")?;
    let others = self::authority("another authority")?;
    let foreign = certificate(&others, "device", |_| {})?;
    certified.is_turned_away(Some(&foreign), "signed by none of the authorities")?;
    let expired = certificate(authority, "device", |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    })?;
    certified.is_turned_away(Some(&expired), "its certificate has expired")?;
    let servers = certificate(authority, "device", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    })?;
    certified.is_turned_away(Some(&servers), "its certificate does not count")?;
    // It costs nobody else anything.
    certified.is_user(&certificate(authority, "device", |_| {})?, "device")
}

#[test]
fn a_revoked_certificate_stays_out_and_the_list_is_read_again() -> Result<()> {
    let certified = Certified::start("tls_client_crl = 'CRL'\nauth = ['certificate']\n");
    ensure!(certified.is_err(), "there is no such list");
    let folder = TempDir::new()?;
    let path = folder.path().join("revoked.pem");
    let list = |authority: &Authority, serials: &[u64]| -> Result<String> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(serials.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(authority)?.pem()?)
    };
    // Of another authority: it says nothing about ours.
    fs::write(&path, list(&authority("another authority")?, &[7])?)?;
    let file = format!(
        "tls_client_crl = '{}'\nauth = ['certificate']\n",
        path.display()
    );
    let certified = Certified::start(&file)?;
    let device = |serial: u64| {
        certificate(&certified.authority, "device", |params| {
            params.serial_number = Some(SerialNumber::from(serial));
        })
    };
    certified.is_user(&device(7)?, "device")?;
    fs::write(&path, list(&certified.authority, &[7])?)?;
    certified.logged("the TLS certificate was read again")?;
    certified.is_turned_away(Some(&device(7)?), "its certificate was revoked")?;
    certified.is_user(&device(8)?, "device")
}

#[test]
fn certificates_and_passwords_stand_beside_each_other_in_the_order_that_is_given() -> Result<()> {
    let certified = Certified::start(
        "auth = ['password', 'certificate']\ntls_client_certificates = 'optional'\ncertificate_user = 'dns'\n",
    )?;
    let device = certificate(&certified.authority, "ignored", |params| {
        let name = "device".try_into().expect("a name");
        params.subject_alt_names = vec![SanType::DnsName(name)];
    })?;
    certified.is_user(&device, "device")?;
    // The password comes first.
    let (mut line, reason) = certified.connect(Some(&device), with("ann", PASSWORD, clean("a")))?;
    ensure!(reason == ReasonCode::Success);
    ensure!(line.subscribe("own/ann/#")? == ReasonCode::GrantedQoS1);
    // Without a certificate, too; and who shows nothing at all is not let in.
    let (_, reason) = certified.connect(None, with("ann", PASSWORD, clean("b")))?;
    ensure!(reason == ReasonCode::Success);
    let (_, reason) = certified.connect(None, clean("c"))?;
    ensure!(reason == ReasonCode::NotAuthorized, "{reason:?}");
    let nameless = certificate(&certified.authority, "nobody", |_| {})?;
    let (_, reason) = certified.connect(Some(&nameless), clean("c"))?;
    ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    certified.logged("its certificate has no DNS name, which is the user")
}

/// The method holds until a restart: until then its authorities stay, and pages of everybody stay out.
#[test]
fn a_reload_leaves_certificates_what_they_stand_on() -> Result<()> {
    let certified = Certified::start("auth = ['certificate', 'password']\n")?;
    let device = certificate(&certified.authority, "device", |_| {})?;
    certified.is_user(&device, "device")?;
    let file = fs::read_to_string(certified.folder.path().join("ebbtide.toml"))?;
    let file = file.replace("['certificate', 'password']", "['password']");
    certified.reload(&format!("allow_origin = ['*']\n{file}"))?;
    certified.logged(
        "what needs a restart holds until there was one, and with that the file cannot be used",
    )?;
    let http = certified.broker.http();
    let page = upgrade(&http.to_string(), "Origin: https://evil.example\r\n");
    ensure!(request(http, &page)?.status == 403);
    certified.is_user(&device, "device")?;
    let lines = file
        .lines()
        .filter(|line| !line.starts_with("tls_client_ca"));
    // Nothing names it any more.
    fs::remove_file(certified.folder.path().join("authority.pem"))?;
    certified.reload(&lines.collect::<Vec<_>>().join("\n"))?;
    certified.logged("0 changes hold, 2 need a restart")?;
    let log = certified.broker.log();
    for option in ["auth", "tls_client_ca"] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("SIGHUP: {option}: ")));
        let line = line.with_context(|| format!("{option} is not in:\n{log}"))?;
        ensure!(line.ends_with("until then the old one holds"), "{line}");
    }
    certified.is_user(&device, "device")?;
    certified.is_turned_away(None, "it has shown no certificate")?;
    // The broker's own certificate is renewed as ever.
    write_server(&certified.folder, &certified.authority)?;
    certified.logged("the TLS certificate was read again")?;
    certified.is_user(&device, "device")
}

#[test]
fn who_is_removed_stays_out_where_only_users_of_the_broker_come_in() -> Result<()> {
    let mut certified =
        Certified::start("auth = ['certificate', 'password']\ncertificate_known_users = true\n")?;
    let ann = certificate(&certified.authority, "ann", |_| {})?;
    let stranger = certificate(&certified.authority, "stranger", |_| {})?;
    certified.is_user(&ann, "ann")?;
    let (_, reason) = certified.connect(Some(&stranger), clean("s"))?;
    ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    certified.logged(r#"its certificate names "stranger", who is no user of this broker"#)?;
    let (mut there, reason) = certified.connect(Some(&ann), clean("there"))?;
    ensure!(reason == ReasonCode::Success);
    let root = certified.login()?;
    let gone = ask(
        &certified.broker,
        &root,
        "DELETE",
        "/api/v1/users/ann",
        &Value::Null,
    )?;
    ensure!(gone.status == 200, "{}", gone.body);
    match there.receive()? {
        Packet::Disconnect(disconnect) => {
            ensure!(disconnect.reason == ReasonCode::AdministrativeAction);
        }
        other => bail!("no DISCONNECT but {other:?}"),
    }
    for round in 0..2 {
        let (_, reason) = certified.connect(Some(&ann), clean("there"))?;
        ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
        if round == 0 {
            certified.broker.crash_and_restart()?;
        }
    }
    ensure!(certified.folder.path().exists());
    Ok(())
}
