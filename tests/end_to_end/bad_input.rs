//! What comes in from the network may be anything: it gets a clear answer and costs nobody else anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Result, bail, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::wire::{self, Wire};

/// MQTT 5 reason codes, as the last byte but the properties of a DISCONNECT.
const MALFORMED_PACKET: u8 = 0x81;
const PROTOCOL_ERROR: u8 = 0x82;

#[test]
fn a_malformed_packet_ends_that_connection_only() -> Result<()> {
    let broker = Broker::start()?;
    let mut bystander = Wire::connect(broker.mqtt(), "bystander")?;
    let cases: [(&str, &[u8], u8); 5] = [
        (
            "a reserved packet type (section 2.1.2)",
            b"\x00\x00",
            MALFORMED_PACKET,
        ),
        (
            "a remaining length of five bytes",
            b"\x30\xff\xff\xff\xff\x01",
            MALFORMED_PACKET,
        ),
        (
            "QoS 3 [MQTT-3.3.1-4]",
            b"\x36\x05\x00\x01a\x00\x01",
            MALFORMED_PACKET,
        ),
        (
            "reserved flags of SUBSCRIBE [MQTT-3.8.1-1]",
            b"\x80\x07\x00\x01\x00\x00\x01a\x00",
            MALFORMED_PACKET,
        ),
        (
            "a second CONNECT [MQTT-3.1.0-2]",
            b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00",
            PROTOCOL_ERROR,
        ),
    ];
    for (what, bytes, reason) in cases {
        let mut wire = Wire::connect(broker.mqtt(), "faulty")?;
        wire.send(bytes)?;
        match wire.packet()? {
            Some(packet) if packet.first() == Some(&0xe0) => {
                ensure!(packet.get(2) == Some(&reason), "{what}: {packet:02x?}");
            }
            other => bail!("{what}: no DISCONNECT but {other:02x?}"),
        }
        ensure!(wire.packet()?.is_none(), "{what}: the connection must end");
        bystander.ping()?;
    }
    Ok(())
}

#[test]
fn bytes_that_are_no_mqtt_end_the_connection_without_an_answer() -> Result<()> {
    let broker = Broker::start()?;
    let mut wire = Wire::open(broker.mqtt())?;
    wire.send(b"GET / HTTP/1.1\r\n\r\n")?;
    ensure!(wire.packet()?.is_none(), "the connection must end");
    Wire::connect(broker.mqtt(), "after")?.ping()
}

#[test]
fn the_host_header_must_name_this_broker() -> Result<()> {
    let broker = Broker::start()?;
    let address = broker.http();
    for host in [
        address.to_string(),
        format!("localhost:{}", address.port()),
        "127.0.0.1".to_owned(),
    ] {
        let status = status_for(
            address,
            &format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )?;
        ensure!(status == 200, "{host}: {status}");
    }
    for path in ["/", "/healthz", "/mqtt"] {
        let status = status_for(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
        )?;
        ensure!(
            matches!(status, 403 | 421),
            "{path} for a foreign host: {status}"
        );
    }
    let origin = "Origin: http://evil.example\r\n";
    let status = status_for(address, &http::upgrade("evil.example", origin))?;
    ensure!(
        matches!(status, 403 | 421),
        "a WebSocket of a page for a foreign host: {status}"
    );
    Ok(())
}

/// RFC 6455, section 4.4; RFC 9110, section 15.5.22.
#[test]
fn whoever_speaks_another_version_is_told_which_one_it_takes() -> Result<()> {
    let broker = Broker::start()?;
    let address = broker.http();
    let plain = format!("GET /mqtt HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let upgrade = http::upgrade(&address.to_string(), "Connection: close\r\n");
    let old = upgrade.replace("Version: 13", "Version: 8");
    let older = upgrade.replace("HTTP/1.1", "HTTP/1.0");
    for request in [plain, old, older] {
        let response = http::request(address, &request)?;
        ensure!(response.status == 426, "{}", response.head);
        let head = response.head.to_ascii_lowercase();
        for header in ["sec-websocket-version: 13", "upgrade: websocket"] {
            ensure!(head.contains(header), "{header} is missing: {head}");
        }
    }
    Ok(())
}

/// As in a network of containers, where the broker is called by the name of its service.
#[test]
fn a_web_socket_that_is_no_pages_may_call_the_broker_by_any_name() -> Result<()> {
    let broker = Broker::start()?;
    for host in ["broker:8080", "broker.example"] {
        let status = status_for(broker.http(), &http::upgrade(host, ""))?;
        ensure!(status == 101, "{host}: {status}");
    }
    Ok(())
}

#[test]
fn a_host_can_be_allowed() -> Result<()> {
    let broker = Broker::start_with(&["--allow-host", "broker.example"])?;
    let status = status_for(
        broker.http(),
        "GET /healthz HTTP/1.1\r\nHost: broker.example\r\nConnection: close\r\n\r\n",
    )?;
    ensure!(status == 200, "{status}");
    Ok(())
}

#[test]
fn a_web_socket_from_another_origin_is_refused() -> Result<()> {
    let broker = Broker::start()?;
    let address = broker.http();
    let host = address.to_string();
    let upgrade = |origin: &str| status_for(address, &http::upgrade(&host, origin));
    ensure!(upgrade("")? == 101, "native clients send no Origin");
    ensure!(
        upgrade(&format!("Origin: http://{address}\r\n"))? == 101,
        "the same origin"
    );
    ensure!(
        upgrade("Origin: http://evil.example\r\n")? == 403,
        "another origin"
    );
    ensure!(upgrade("Origin: null\r\n")? == 403, "a sandboxed page");
    ensure!(
        upgrade(&format!("Origin: http://{address}.evil.example\r\n"))? == 403,
        "an origin that only begins alike"
    );
    Ok(())
}

#[test]
fn an_origin_can_be_allowed() -> Result<()> {
    let broker = Broker::start_with(&["--allow-origin", "https://app.example"])?;
    let host = broker.http().to_string();
    let upgrade = |origin: &str| {
        status_for(
            broker.http(),
            &http::upgrade(&host, &format!("Origin: {origin}\r\n")),
        )
    };
    ensure!(upgrade("https://app.example")? == 101);
    ensure!(upgrade("https://other.example")? == 403);
    Ok(())
}

#[test]
fn a_request_that_changes_something_must_be_json() -> Result<()> {
    const JSON: &str = "Content-Type: application/json\r\n";
    let broker = Broker::start()?;
    let publish = |method: &str, headers: &str| {
        let (address, body) = (broker.http(), r#"{"topic":"a","payload":"b","qos":1}"#);
        let length = body.len();
        let head = format!(
            "{method} /api/v1/publish HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        status_for(address, &head)
    };
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for kind in [
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "",
        ] {
            let status = publish(method, kind)?;
            ensure!(status == 415, "{method} with `{}`: {status}", kind.trim());
        }
    }
    let status = publish("POST", JSON)?;
    ensure!(status == 200, "what is asked for: {status}");
    let status = publish("POST", &format!("{JSON}Origin: http://evil.example\r\n"))?;
    ensure!(status == 403, "from a page of another origin: {status}");
    Ok(())
}

#[test]
fn a_text_frame_on_the_web_socket_ends_that_connection_only() -> Result<()> {
    let broker = Broker::start()?;
    let mut bystander = Wire::connect(broker.mqtt(), "bystander")?;
    let mut stream = TcpStream::connect(broker.http())?;
    stream.set_read_timeout(Some(wire::DEADLINE))?;
    let mut bytes = http::upgrade(&broker.http().to_string(), "").into_bytes();
    // A text frame of one character, masked with zeroes: MQTT travels in binary frames only [MQTT-6.0.0-1].
    bytes.extend_from_slice(b"\x81\x81\0\0\0\0x");
    stream.write_all(&bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.1 101 "), "no WebSocket");
    // A close frame with a reason after its code, 1003: this kind of data is not accepted.
    let reason = b"\x03\xebMQTT uses binary frames only";
    ensure!(answer.ends_with(reason), "{}", answer.escape_ascii());
    bystander.ping()
}

fn status_for(address: SocketAddr, head: &str) -> Result<u16> {
    Ok(http::request(address, head)?.status)
}
