//! "Why did this client not get that message?", asked of the running broker.

use anyhow::{Result, bail, ensure};
use ebbtide_protocol::packet::Ack;
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::load::{Link, kept, publish};
use serde_json::{Value, json};

fn why(broker: &Broker, topic: &str) -> Result<Value> {
    let path = format!("/api/v1/sessions/a/why?topic={topic}");
    let (status, answer) = api(broker.http(), "GET", &path, None)?;
    ensure!(status == 200, "{path}: {status} {answer}");
    ensure!(answer["explanation"].is_string(), "{answer}");
    Ok(answer)
}

/// A session that has subscribed to `t/+`, and its connection.
fn connect(broker: &Broker) -> Result<Link> {
    let (mut client, _) = Link::connect(broker.mqtt(), kept("a"))?;
    client.subscribe("t/+", QoS::AtLeastOnce)?;
    Ok(client)
}

fn publish_to(broker: &Broker, topic: &str, count: usize) -> Result<()> {
    publish(broker.mqtt(), "p", count, 100, false, |_| {
        (topic.to_owned(), "x".into())
    })?;
    Ok(())
}

#[test]
fn the_verdict_follows_the_message() -> Result<()> {
    let mut broker = Broker::start()?;
    let mut client = connect(&broker)?;
    let answer = why(&broker, "u")?;
    ensure!(answer["verdict"] == "no_matching_filter", "{answer}");
    ensure!(answer["subscriptions"] == json!([]), "{answer}");
    let answer = why(&broker, "t/1")?;
    ensure!(answer["verdict"] == "unknown", "{answer}");
    ensure!(answer["subscriptions"][0]["filter"] == "t/+", "{answer}");

    publish_to(&broker, "t/1", 1)?;
    let Packet::Publish(message) = client.packet()? else {
        bail!("a message");
    };
    let answer = why(&broker, "t/1")?;
    ensure!(answer["verdict"] == "unacknowledged", "{answer}");
    let packet_id = message.packet_id.unwrap_or(PacketId::MIN);
    client.put(&Packet::PubAck(Ack::new(packet_id, ReasonCode::Success)));
    client.put(&Packet::PingReq);
    client.flush()?;
    ensure!(matches!(client.packet()?, Packet::PingResp));
    let answer = why(&broker, "t/1")?;
    ensure!(answer["verdict"] == "acknowledged", "{answer}");
    ensure!(answer["fates"][0]["count"] == 1, "{answer}");
    ensure!(answer["fates"][0]["certain"] == true, "{answer}");
    ensure!(answer["fates"][0]["last_at"].is_string(), "{answer}");

    drop(client);
    while api(broker.http(), "GET", "/api/v1/sessions/a", None)?.1["connected"] == true {}
    let body = json!({"topic": "t/2", "payload": "x", "qos": 0});
    let (status, _) = api(broker.http(), "POST", "/api/v1/publish", Some(&body))?;
    ensure!(status == 200);
    let answer = why(&broker, "t/2")?;
    ensure!(answer["verdict"] == "qos0_away", "{answer}");

    publish_to(&broker, "t/3", 1500)?;
    publish_to(&broker, "t/4", 1)?;
    broker.crash_and_restart()?;
    let answer = why(&broker, "t/4")?;
    ensure!(answer["verdict"] == "waiting", "{answer}");
    ensure!(answer["waiting"][0]["position"] == 1500, "{answer}");
    ensure!(answer["looked_at"] == 1501, "{answer}");
    let answer = why(&broker, "t/3")?;
    ensure!(
        answer["waiting"].as_array().map(Vec::len) == Some(10),
        "{answer}"
    );
    Ok(())
}

#[test]
fn what_cannot_be_asked_is_said() -> Result<()> {
    let broker = Broker::start()?;
    let _client = connect(&broker)?;
    for (path, expected) in [
        ("/api/v1/sessions/b/why?topic=t", 404),
        ("/api/v1/sessions/a/why", 400),
        ("/api/v1/sessions/a/why?topic=", 400),
        ("/api/v1/sessions/a/why?topic=t/%23", 400),
    ] {
        let (status, problem) = api(broker.http(), "GET", path, None)?;
        ensure!(status == expected, "{path}: {status} {problem}");
        ensure!(problem["detail"].is_string(), "{path}: {problem}");
    }
    Ok(())
}
