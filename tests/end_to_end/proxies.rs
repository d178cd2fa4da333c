//! Behind a reverse proxy: the PROXY protocol, and Debian's nginx and Caddy with the configurations that the documents give.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::tls::{Certificates, Secured};
use ebbtide_tests::tools::{self, Tool};
use tempfile::TempDir;
use tokio::net::TcpSocket;

/// 3.1.1, clean, keep alive off, client id `t`.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01t";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
/// A proxy's own address: others of this machine are not it.
const PROXY: &str = "127.0.0.2";
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection that comes from the proxy.
fn from_proxy(address: SocketAddr) -> Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(PROXY.parse().expect("an address"), 0))?;
        socket.connect(address).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Address and transport of client `t`, as the API shows them.
fn shown(broker: &Broker) -> Result<(String, String)> {
    let response = http::get(broker.http(), "/api/v1/sessions/t")?;
    ensure!(response.status == 200, "{}", response.body);
    let session: serde_json::Value = serde_json::from_str(&response.body)?;
    let member = |name: &str| session["connection"][name].as_str().map(str::to_owned);
    let address = member("address").context(response.body.clone())?;
    Ok((address, member("transport").context("transport")?))
}

#[test]
fn the_proxy_protocol_names_the_client() -> Result<()> {
    let broker = Broker::start_with(&["--trusted-proxies", PROXY, "--proxy-protocol"])?;
    let version_1 = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 1883\r\n".to_vec();
    let version_2 = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(),
        &[203, 0, 113, 8, 10, 0, 0, 1, 0x12, 0x67, 0x07, 0x5B],
    ]
    .concat();
    for (header, expected) in [
        (version_1, "203.0.113.7:4711"),
        (version_2, "203.0.113.8:4711"),
    ] {
        let mut client = from_proxy(broker.mqtt())?;
        client.write_all(&[&header, CONNECT].concat())?;
        let mut answer = [0; 4];
        client.read_exact(&mut answer)?;
        ensure!(answer == CONNACK);
        ensure!(shown(&broker)?.0 == expected, "{:?}", shown(&broker)?);
    }
    // Who is no proxy needs no header, and cannot pretend.
    let mut direct = TcpStream::connect(broker.mqtt())?;
    direct.set_read_timeout(Some(DEADLINE))?;
    direct.write_all(CONNECT)?;
    direct.read_exact(&mut [0; 4])?;
    ensure!(shown(&broker)?.0.starts_with("127.0.0.1:"));
    let mut pretender = TcpStream::connect(broker.mqtt())?;
    pretender.set_read_timeout(Some(DEADLINE))?;
    let header = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 1883\r\n";
    pretender.write_all(&header.repeat(3))?;
    ensure!(pretender.read(&mut [0; 4])? == 0, "it is malformed MQTT");
    Ok(())
}

#[test]
fn a_proxy_without_a_header_is_turned_away_and_told_of() -> Result<()> {
    let broker = Broker::start_with(&["--trusted-proxies", PROXY, "--proxy-protocol"])?;
    let mut bare = from_proxy(broker.mqtt())?;
    bare.write_all(CONNECT)?;
    // Reset or closed: in any case no CONNACK.
    ensure!(bare.read(&mut [0; 4]).unwrap_or(0) == 0);
    let told = "does not begin with a PROXY header";
    let deadline = Instant::now() + DEADLINE;
    while !broker.log().contains(told) {
        ensure!(Instant::now() < deadline, "{}", broker.log());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A proxy that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Running {
    /// Waits until it listens; what it says goes into `log`.
    fn start(mut command: Command, port: u16, log: &Path) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        let mut running = Self(child.context("starting the proxy")?);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = running.0.try_wait()?;
            let said = || fs::read_to_string(log).unwrap_or_default();
            ensure!(ended.is_none() && Instant::now() < deadline, "{}", said());
            thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

fn free_port() -> Result<u16> {
    let free = TcpListener::bind("127.0.0.1:0")?;
    Ok(free.local_addr()?.port())
}

/// An example of the documents, with what has to be another one here.
fn example(name: &str, changes: &[(&str, String)]) -> Result<String> {
    let mut text = fs::read_to_string(tools::folder("../docs/deploy").join(name))?;
    for (given, here) in changes {
        ensure!(text.contains(given), "the example has no `{given}`");
        text = text.replace(given, here);
    }
    Ok(text)
}

/// nginx with the file of the documents: only ports, paths and its own address are set for the test.
fn nginx(broker: &Broker, certificates: &Certificates, folder: &TempDir) -> Result<(Running, u16)> {
    let port = free_port()?;
    let path = |name: &str| certificates.path(name).display().to_string();
    let changes = [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port} ssl;")),
        (
            "/etc/ssl/broker.example/fullchain.pem",
            path("certificate.pem"),
        ),
        ("/etc/ssl/broker.example/key.pem", path("key.pem")),
        (
            "server 127.0.0.1:8080;",
            format!("server {};", broker.http()),
        ),
        (
            "proxy_http_version 1.1;",
            format!("proxy_http_version 1.1;\nproxy_bind {PROXY};"),
        ),
    ];
    let site = example("nginx.conf", &changes)?;
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    let place = folder.path();
    fs::write(place.join("site.conf"), site)?;
    fs::write(
        place.join("nginx.conf"),
        format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}include site.conf;\n}}\n"
        ),
    )?;
    let mut command = tools::nginx();
    command
        .arg("-p")
        .arg(place)
        .args(["-c", "nginx.conf", "-e", "error.log"])
        .stderr(Stdio::null());
    let running = Running::start(command, port, &place.join("error.log"))?;
    Ok((running, port))
}

/// Caddy with the file of the documents, and a certificate that is there.
fn caddy(broker: &Broker, certificates: &Certificates, folder: &TempDir) -> Result<(Running, u16)> {
    let port = free_port()?;
    let path = |name: &str| certificates.path(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let changes = [
        (
            "broker.example {",
            format!("https://localhost:{port} {{\nbind 127.0.0.1\ntls {certificate} {key}"),
        ),
        (
            "reverse_proxy 127.0.0.1:8080",
            format!("reverse_proxy {}", broker.http()),
        ),
    ];
    let site = example("Caddyfile", &changes)?;
    let place = folder.path();
    fs::write(
        place.join("Caddyfile"),
        format!("{{\nadmin off\nauto_https off\n}}\n{site}"),
    )?;
    let log = place.join("caddy.log");
    let mut command = tools::caddy();
    command
        .args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"])
        .current_dir(place)
        .env("HOME", place)
        .env("XDG_DATA_HOME", place)
        .env("XDG_CONFIG_HOME", place)
        .stderr(fs::File::create(&log)?);
    Ok((Running::start(command, port, &log)?, port))
}

#[test]
fn wss_through_nginx_with_the_address_of_the_client() -> Result<()> {
    if !tools::present(&[Tool::Nginx]) {
        return Ok(());
    }
    let certificates = Certificates::make()?;
    let broker =
        Broker::start_with(&["--allow-host", "broker.example", "--trusted-proxies", PROXY])?;
    let folder = TempDir::new()?;
    let (_nginx, port) = nginx(&broker, &certificates, &folder)?;
    let mut stream = certificates.connect(([127, 0, 0, 1], port).into())?;
    speaks_mqtt(&mut stream, "broker.example", &broker)
}

#[test]
fn wss_and_events_through_caddy() -> Result<()> {
    if !tools::present(&[Tool::Caddy]) {
        return Ok(());
    }
    let certificates = Certificates::make()?;
    let broker = Broker::start_with(&["--trusted-proxies", "127.0.0.1"])?;
    let folder = TempDir::new()?;
    let (_caddy, port) = caddy(&broker, &certificates, &folder)?;
    let connect = || certificates.connect(([127, 0, 0, 1], port).into());
    let host = format!("localhost:{port}");
    speaks_mqtt(&mut connect()?, &host, &broker)?;
    // Who listens to the events and goes is gone for the broker too: as many as it takes at a time, and some more.
    let deadline = Instant::now() + DEADLINE;
    let mut heard = 0;
    while heard < 40 {
        ensure!(Instant::now() < deadline, "nobody goes: {heard} listened");
        let mut stream = connect()?;
        write!(
            stream,
            "GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n"
        )?;
        match head(&mut stream)?.starts_with("HTTP/1.1 200") {
            true => heard += 1,
            false => thread::sleep(Duration::from_millis(50)),
        }
    }
    Ok(())
}

fn head(stream: &mut Secured) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head)?)
}

/// A page of the same site, behind TLS that ends at the proxy. The client's own word about its address is nothing.
fn speaks_mqtt(stream: &mut Secured, host: &str, broker: &Broker) -> Result<()> {
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://{host}\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let head = head(stream)?;
    ensure!(head.starts_with("HTTP/1.1 101"), "{head}");
    // One masked binary frame (the mask is zero) with CONNECT; the answer is one frame with CONNACK.
    let length = u8::try_from(CONNECT.len())? | 0x80;
    stream.write_all(&[&[0x82, length, 0, 0, 0, 0], CONNECT].concat())?;
    let mut answer = [0; 6];
    stream.read_exact(&mut answer)?;
    ensure!(answer[2..] == *CONNACK, "{answer:02x?}");
    let (address, transport) = shown(broker)?;
    ensure!(address == "127.0.0.1", "{address}");
    ensure!(transport == "wss", "{transport}");
    stream.write_all(&[0x82, 0x82, 0, 0, 0, 0, 0xC0, 0])?;
    let mut pong = [0; 4];
    stream.read_exact(&mut pong)?;
    ensure!(pong == [0x82, 2, 0xD0, 0], "{pong:02x?}");
    Ok(())
}
