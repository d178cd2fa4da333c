//! Too many connections, each limit passed from outside: what the client is told, that it is counted, and that the others go on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::{Packet, ReasonCode};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::peer::{Peer, Transport, clean};
use serde_json::Value;
use tokio::net::TcpSocket;

/// A proxy's own address.
const PROXY: &str = "127.0.0.2";
const DEADLINE: Duration = Duration::from_secs(60);
/// 5.0, clean, keep alive off, client id assigned.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00";

/// A connection from this address of the machine.
fn from(source: &str, address: SocketAddr) -> Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
        socket.connect(address).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// The reason in CONNACK.
fn reason(stream: &mut TcpStream) -> Result<u8> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).context("CONNACK")?;
    ensure!(head[0] == 0x20, "no CONNACK: {head:02x?}");
    // Its length takes two bytes when it has a reason in words.
    let at = if head[1] < 128 { 3 } else { 4 };
    if at == 3 {
        return Ok(head[3]);
    }
    let mut next = [0];
    stream.read_exact(&mut next)?;
    Ok(next[0])
}

fn hits(broker: &Broker, limit: &str) -> Result<u64> {
    let (status, stats) = http::api(broker.http(), "GET", "/api/v1/stats", None)?;
    ensure!(status == 200, "{stats}");
    stats["limits"][limit].as_u64().context("no such limit")
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(done) = attempt()? {
            return Ok(done);
        }
        ensure!(started.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn so_many_connections_in_all_and_no_more() -> Result<()> {
    let broker = Broker::start_with(&["--connections-max", "3"])?;
    let mut peers = Vec::new();
    // Those that have looked whether the broker is there go in a moment.
    while peers.len() < 3 {
        let id = format!("c{}", peers.len());
        peers.push(until("a place", || Ok(Peer::clean(&broker, &id).ok()))?);
    }
    for transport in [Transport::Tcp, Transport::WebSocket] {
        let mut peer = Peer::open(&broker, transport)?;
        peer.send(&Packet::Connect(Box::new(clean("one too many"))))?;
        match peer.receive()? {
            Packet::ConnAck(connack) => {
                ensure!(connack.reason == ReasonCode::ServerBusy, "{connack:?}");
                let why = connack.reason_string.context("a reason in words")?;
                ensure!(why.contains("connections_max"), "{why:?}");
            }
            other => bail!("no CONNACK: {other:?}"),
        }
    }
    let response = http::get(broker.http(), "/healthz")?;
    ensure!(response.status == 503, "{}", response.head);
    ensure!(
        response.body.contains("connections_max"),
        "{}",
        response.body
    );
    for peer in &mut peers {
        peer.ping()?;
    }
    // One goes, and there is room for one.
    peers.pop();
    let count = until("a place for the one that asks", || {
        Ok(hits(&broker, "connections_max").ok())
    })?;
    ensure!(count >= 3, "{count} hits");
    ensure!(broker.log().contains("too many connections: refused"));
    Ok(())
}

#[test]
fn so_many_from_one_address_as_the_proxy_names_it() -> Result<()> {
    let broker = Broker::start_with(&[
        "--connections-per-address-max",
        "2",
        "--trusted-proxies",
        PROXY,
        "--proxy-protocol",
    ])?;
    let connect = |client: &str| {
        let header = format!("PROXY TCP4 {client} 10.0.0.1 4711 1883\r\n");
        let mut stream = from(PROXY, broker.mqtt())?;
        stream.write_all(&[header.as_bytes(), CONNECT].concat())?;
        let reason = reason(&mut stream)?;
        Ok::<_, anyhow::Error>((stream, reason))
    };
    let first = connect("203.0.113.7")?;
    let second = connect("203.0.113.7")?;
    ensure!((first.1, second.1) == (0, 0));
    let (_, refused) = connect("203.0.113.7")?;
    ensure!(refused == ReasonCode::QuotaExceeded as u8, "{refused:#x}");
    let other = connect("203.0.113.8")?;
    ensure!(other.1 == 0, "{:#x}", other.1);
    ensure!(hits(&broker, "connections_per_address_max")? == 1);
    drop(first);
    until("a place that was given back", || {
        Ok(Some(connect("203.0.113.7")?).filter(|(_, reason)| *reason == 0))
    })?;
    Ok(())
}

#[test]
fn so_many_from_one_address_as_an_http_proxy_forwards_it() -> Result<()> {
    let broker = Broker::start_with(&[
        "--connections-per-address-max",
        "1",
        "--trusted-proxies",
        PROXY,
    ])?;
    let upgrade = |client: &str| {
        let more = format!("X-Forwarded-For: {client}\r\n");
        let head = http::upgrade(&broker.http().to_string(), &more);
        let mut stream = from(PROXY, broker.http())?;
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        ensure!(answer.starts_with(b"HTTP/1.1 101 "));
        // One binary frame, masked with zeroes; the answer's head has two bytes.
        let length = 0x80 | u8::try_from(CONNECT.len())?;
        stream.write_all(&[&[0x82, length, 0, 0, 0, 0], CONNECT].concat())?;
        stream.read_exact(&mut [0; 2])?;
        let reason = reason(&mut stream)?;
        Ok::<_, anyhow::Error>((stream, reason))
    };
    let one = upgrade("203.0.113.7")?;
    ensure!(one.1 == 0);
    let (_, refused) = upgrade("203.0.113.7")?;
    ensure!(refused == ReasonCode::QuotaExceeded as u8, "{refused:#x}");
    let other = upgrade("203.0.113.8")?;
    ensure!(other.1 == 0);
    // What is written in front by the client itself does not count.
    let (_, refused) = upgrade("198.51.100.1, 203.0.113.8")?;
    ensure!(refused == ReasonCode::QuotaExceeded as u8, "{refused:#x}");
    Ok(())
}

#[test]
fn an_address_connects_so_fast_and_no_faster() -> Result<()> {
    let broker = Broker::start_with(&["--connect-rate-per-address-max", "1"])?;
    let connect = |source: &str| {
        let mut stream = from(source, broker.mqtt())?;
        stream.write_all(CONNECT)?;
        reason(&mut stream)
    };
    let mut granted = 0;
    let refused = loop {
        match connect("127.0.0.3")? {
            0 => granted += 1,
            refused => break refused,
        }
        ensure!(granted < 1_000, "nothing is refused");
    };
    ensure!(granted >= 10, "ten at once, not {granted}");
    let expected = ReasonCode::ConnectionRateExceeded;
    ensure!(refused == expected as u8, "{refused:#x}");
    ensure!(connect("127.0.0.4")? == 0, "another address");
    ensure!(hits(&broker, "connect_rate_per_address_max")? >= 1);
    // It recovers.
    until("a place", || Ok((connect("127.0.0.3")? == 0).then_some(())))
}

#[cfg(target_os = "linux")]
#[test]
fn with_too_much_memory_in_use_nobody_new_is_let_in() -> Result<()> {
    let broker = Broker::start_with(&["--memory-bytes-max", "1000000"])?;
    let refused = until("a look at the memory", || {
        let mut peer = Peer::open(&broker, Transport::Tcp)?;
        peer.send(&Packet::Connect(Box::new(clean("new"))))?;
        match peer.receive()? {
            Packet::ConnAck(connack) => Ok(Some(connack).filter(|ack| ack.reason.is_error())),
            other => bail!("no CONNACK: {other:?}"),
        }
    })?;
    ensure!(refused.reason == ReasonCode::ServerBusy, "{refused:?}");
    ensure!(hits(&broker, "memory_bytes_max")? >= 1);
    ensure!(broker.log().contains("too much memory is in use"));
    let message: Value = serde_json::json!({ "topic": "kept", "payload": "x", "retain": true });
    let (status, answer) = http::api(broker.http(), "POST", "/api/v1/publish", Some(&message))?;
    ensure!(status >= 400, "{status}: {answer}");
    Ok(())
}

/// Whoever finds no room in the system's queue tries again after a second. The broker accepts nobody here, so all have to wait in it.
#[test]
fn a_thousand_may_come_before_the_first_is_accepted() -> Result<()> {
    let broker = Broker::start()?;
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn")?;
    let count = allowed.trim().parse::<usize>()?.min(1000);
    signal(broker.id(), "STOP")?;
    let mut waiting = Vec::new();
    for number in 0..count {
        let stream = TcpStream::connect_timeout(&broker.mqtt(), DEADLINE);
        waiting.push(stream.with_context(|| format!("connection {number} of {count}"))?);
    }
    signal(broker.id(), "CONT")?;
    let last = waiting.last_mut().context("somebody waits")?;
    last.set_read_timeout(Some(DEADLINE))?;
    last.write_all(CONNECT)?;
    ensure!(reason(last)? == ReasonCode::Success as u8, "all are let in");
    Ok(())
}

fn signal(process: u32, name: &str) -> Result<()> {
    let mut kill = std::process::Command::new("kill");
    kill.arg(format!("-{name}")).arg(process.to_string());
    ensure!(kill.status()?.success(), "kill -{name} {process}");
    Ok(())
}

/// Starts a broker with so many file descriptors at first, and with so many at the most.
fn with_descriptors(soft: u32, hard: u32, arguments: &[&str]) -> Result<Broker> {
    let limited = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
    Broker::start_by(&["sh", "-c", &limited], arguments)
}

/// What the log says of the limit.
const TOO_FEW: &str = "there are not enough file descriptors";

#[test]
fn there_are_as_many_descriptors_as_there_may_be() -> Result<()> {
    const CLIENTS: usize = 150;
    let broker = with_descriptors(100, 300, &["--connections-max", "300"])?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Peer::clean(&broker, &format!("client-{number}"))?);
    }
    for client in &mut clients {
        client.ping()?;
    }
    ensure!(!broker.log().contains(TOO_FEW), "{}", broker.log());
    Ok(())
}

/// Would fail if each attempt had a line: there are ten in a second.
#[test]
fn a_broker_without_descriptors_says_so_and_does_not_fill_the_log() -> Result<()> {
    const DESCRIPTORS: u32 = 100;
    let broker = with_descriptors(DESCRIPTORS, DESCRIPTORS, &[])?;
    let log = broker.log();
    let warning = log.lines().find(|line| line.contains(TOO_FEW));
    let warning = warning.context("it does not say that they are too few")?;
    for number in ["100", "100000"] {
        ensure!(
            warning.split([' ', '=']).any(|word| word == number),
            "{warning}"
        );
    }
    let strangers: Vec<_> = (0..DESCRIPTORS)
        .map(|_| TcpStream::connect(broker.mqtt()))
        .collect::<Result<_, _>>()?;
    let before = until("the flood is cut", || {
        let log = broker.log();
        let mut lines = log.lines().filter(|line| line.contains("cannot accept"));
        Ok(lines.position(|line| {
            let (_, count) = line.split_once("suppressed=").unwrap_or_default();
            count.parse::<u64>().is_ok_and(|count| count > 0)
        }))
    })?;
    // It may have begun shortly before a new window.
    ensure!(before <= 2 * 20, "{before} lines, and then one that counts");
    drop(strangers);
    let mut after = until("somebody comes in", || {
        Ok(Peer::clean(&broker, "after").ok())
    })?;
    after.ping()
}
