//! The driver against a server that grants everything and echoes publishes, over TCP and WebSocket.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use ebbtide_client::{
    Acknowledgement, ClientError, Error, Setup, connect, connect_with, message, options,
};
use ebbtide_protocol::packet::{Ack, ConnAck, SubAck, SubscriptionOptions};
use ebbtide_protocol::{
    Decoder, Packet, QoS, ReasonCode, Role, TopicFilter, Version, codec::encode,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// How often `once` was subscribed to; one test does.
static ONCE: AtomicU32 = AtomicU32::new(0);

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// What such a server says to a packet.
fn answers(packet: Packet) -> Vec<Packet> {
    match packet {
        Packet::Connect(connect) if connect.client_id == "unwanted" => {
            let refusal = ConnAck::new(ReasonCode::NotAuthorized, false);
            vec![Packet::ConnAck(Box::new(refusal))]
        }
        Packet::Connect(_) => vec![Packet::ConnAck(Box::new(ConnAck::new(
            ReasonCode::Success,
            false,
        )))],
        // Granted once, and refused from then on.
        Packet::Subscribe(subscribe) if subscribe.subscriptions[0].filter.as_str() == "once" => {
            let reason = match ONCE.fetch_add(1, Ordering::Relaxed) {
                0 => ReasonCode::GrantedQoS1,
                _ => ReasonCode::NotAuthorized,
            };
            vec![Packet::SubAck(SubAck {
                packet_id: subscribe.packet_id,
                reason_string: None,
                user_properties: Vec::new(),
                reasons: vec![reason],
            })]
        }
        Packet::Subscribe(subscribe) => vec![Packet::SubAck(SubAck {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: Vec::new(),
            reasons: vec![ReasonCode::GrantedQoS1],
        })],
        Packet::Publish(publish) => {
            let ack = publish
                .packet_id
                .map(|packet_id| Packet::PubAck(Ack::new(packet_id, ReasonCode::Success)));
            let mut echo = publish;
            echo.qos = QoS::AtMostOnce;
            echo.packet_id = None;
            ack.into_iter().chain([Packet::Publish(echo)]).collect()
        }
        Packet::PingReq => vec![Packet::PingResp],
        _ => Vec::new(),
    }
}

/// Takes what came in; `false` once the client says goodbye or asks to be cut.
fn serve(decoder: &mut Decoder, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
    while let Some(packet) = decoder.decode(input).map_err(io::Error::other)? {
        let cut = matches!(&packet, Packet::Publish(publish)
            if publish.topic.as_ref().is_some_and(|topic| topic.as_str() == "cut"));
        if cut || matches!(packet, Packet::Disconnect(_)) {
            return Ok(false);
        }
        for answer in answers(packet) {
            encode(&answer, Version::V5, output);
        }
    }
    Ok(true)
}

async fn serve_tcp(mut stream: TcpStream) -> io::Result<()> {
    let mut decoder = Decoder::new(Role::Server, 1 << 20);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    while stream.read_buf(&mut input).await? > 0 && serve(&mut decoder, &mut input, &mut output)? {
        stream.write_all_buf(&mut output).await?;
    }
    Ok(())
}

#[expect(clippy::result_large_err, reason = "tungstenite's callback type")]
async fn serve_websocket(stream: TcpStream) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut socket = accept_hdr_async(stream, |request: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("mqtt");
        let asked = request.headers().get("Sec-WebSocket-Protocol");
        assert_eq!(asked, Some(&protocol));
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    })
    .await?;
    let mut decoder = Decoder::new(Role::Server, 1 << 20);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
        input.extend_from_slice(&bytes);
        if !serve(&mut decoder, &mut input, &mut output)? {
            break;
        }
        socket
            .send(Message::Binary(output.split().freeze()))
            .await?;
    }
    Ok(())
}

/// The next message comes when the one before is done with, and both have come in by then.
#[tokio::test]
async fn a_message_is_the_only_one_until_it_is_done_with() -> TestResult {
    let url = start("mqtt").await?;
    let setup = Setup {
        acknowledgement: Acknowledgement::WhenDone,
        ..Setup::default()
    };
    let (client, mut messages) = connect_with(&url, options("done"), setup).await?;
    for text in ["first", "second"] {
        let message = message("a", text, QoS::AtMostOnce, false)?;
        client.publish(message).await?;
    }
    assert_eq!(messages.next().await.ok_or("ended")?.payload, "first");
    let second = tokio::time::timeout(Duration::from_millis(200), messages.next()).await;
    assert!(second.is_err(), "it has come too soon: {second:?}");
    messages.done().await;
    assert_eq!(messages.next().await.ok_or("ended")?.payload, "second");
    client.disconnect().await;
    Ok(())
}

/// The URL of a server that lives as long as the test.
async fn start(scheme: &'static str) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("{scheme}://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a TCP socket");
            tokio::spawn(async move {
                // A connection that the client cut ends with an error, which is none here.
                if scheme == "ws" {
                    let _ = serve_websocket(stream).await;
                } else {
                    let _ = serve_tcp(stream).await;
                }
            });
        }
    });
    Ok(url)
}

async fn echoes(scheme: &'static str) -> TestResult {
    let url = start(scheme).await?;
    let (client, mut messages) = connect(&url, options("echo")).await?;
    let filter = TopicFilter::new("#")?;
    client
        .subscribe(filter, SubscriptionOptions::default())
        .await?;
    // More than both channels hold: the reading stops until the messages are taken.
    let publisher = client.clone();
    let publishing = tokio::spawn(async move {
        for number in 0..3000 {
            let qos = if number % 2 == 0 {
                QoS::AtMostOnce
            } else {
                QoS::AtLeastOnce
            };
            let message = message("a", number.to_string(), qos, false).expect("a topic name");
            publisher.publish(message).await?;
        }
        Ok::<(), Error>(())
    });
    for number in 0..3000 {
        let message = messages.next().await.ok_or("the client has ended")?;
        assert_eq!(message.payload, number.to_string());
    }
    publishing.await??;
    client.disconnect().await;
    assert!(messages.next().await.is_none());
    Ok(())
}

#[tokio::test]
async fn echoes_in_order_over_tcp() -> TestResult {
    echoes("mqtt").await
}

/// [MQTT-6.0.0-3]
#[tokio::test]
async fn echoes_in_order_over_websocket() -> TestResult {
    echoes("ws").await
}

#[tokio::test]
async fn comes_back_after_a_cut_and_subscribes_again() -> TestResult {
    let url = start("mqtt").await?;
    let mut options = options("cut");
    options.backoff.base_ms = 1;
    let (client, mut messages) = connect(&url, options).await?;
    let filter = TopicFilter::new("a")?;
    client
        .subscribe(filter, SubscriptionOptions::default())
        .await?;
    let cut = client
        .publish(message("cut", "", QoS::AtMostOnce, false)?)
        .await;
    assert_eq!(cut?, ReasonCode::Success);
    client
        .publish(message("a", "again", QoS::AtLeastOnce, false)?)
        .await?;
    assert_eq!(messages.next().await.ok_or("ended")?.payload, "again");
    client.abort().await;
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_is_refused_later_is_told() -> TestResult {
    let url = start("mqtt").await?;
    let mut options = options("once");
    options.backoff.base_ms = 1;
    let (mut client, _messages) = connect(&url, options).await?;
    let filter = TopicFilter::new("once")?;
    client
        .subscribe(filter, SubscriptionOptions::default())
        .await?;
    let cut = message("cut", "", QoS::AtMostOnce, false)?;
    client.publish(cut).await?;
    assert_eq!(client.refused_later().await?, ReasonCode::NotAuthorized);
    Ok(())
}

#[tokio::test]
async fn says_why_it_cannot_connect() -> TestResult {
    let url = start("mqtt").await?;
    let refused = connect(&url, options("unwanted")).await.err();
    assert!(matches!(
        refused,
        Some(Error::Refused { reason, reason_code: ReasonCode::NotAuthorized }) if reason == "Not authorized"
    ));
    let no_trust = connect("mqtts://127.0.0.1:1", options("a")).await.err();
    assert!(matches!(no_trust, Some(Error::NoTls(_))));
    let no_url = connect("127.0.0.1:1883", options("a")).await.err();
    assert!(matches!(no_url, Some(Error::Url(_))));
    let (client, _messages) = connect(&url, options("a")).await?;
    let late = client.clone();
    client.disconnect().await;
    let ended = late
        .publish(message("a", "", QoS::AtLeastOnce, false)?)
        .await;
    assert!(matches!(
        ended,
        Err(Error::Ended | Error::Client(ClientError::Closed))
    ));
    Ok(())
}
