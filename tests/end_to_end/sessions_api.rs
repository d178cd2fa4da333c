//! Sessions over the HTTP API: who is there, what waits, what was lost, and what an operator does about it.

use std::num::NonZeroU16;

use anyhow::{Result, bail, ensure};
use ebbtide_protocol::packet::{Ack, Connect, Subscribe, Subscription, SubscriptionOptions};
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, TopicFilter};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::load::{Link, clean, kept, publish};
use serde_json::{Value, json};

fn get(broker: &Broker, path: &str) -> Result<Value> {
    let (status, answer) = api(broker.http(), "GET", path, None)?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(answer)
}

/// A session that has subscribed to `t` and is away.
fn away(broker: &Broker, client_id: &str) -> Result<()> {
    let (mut away, _) = Link::connect(broker.mqtt(), kept(client_id))?;
    away.subscribe("t", QoS::AtLeastOnce)?;
    away.end()
}

fn publish_some(broker: &Broker, count: usize) -> Result<()> {
    publish(broker.mqtt(), "publisher", count, 100, false, |number| {
        ("t".to_owned(), number.to_string().into())
    })?;
    Ok(())
}

#[test]
fn what_waits_and_what_was_lost_is_shown_per_session() -> Result<()> {
    let broker = Broker::start_with(&["--queue-messages-per-session-max", "3"])?;
    away(&broker, "away/1")?;
    let there = Connect {
        keep_alive: 77,
        ..clean("there")
    };
    let (_there, _) = Link::connect(broker.mqtt(), there)?;
    publish_some(&broker, 5)?;

    let session = get(&broker, "/api/v1/sessions/away%2F1")?;
    ensure!(session["connected"] == json!(false), "{session}");
    ensure!(session["queue_messages"] == json!(3), "{session}");
    ensure!(session["queue_bytes"] == json!(6), "{session}");
    ensure!(session["subscriptions"] == json!(1), "{session}");
    ensure!(session["dropped"]["count"] == json!(2), "{session}");
    ensure!(session["disconnected_at"].is_string(), "{session}");
    ensure!(session["expires_at"].is_null(), "it never ends: {session}");

    let session = get(&broker, "/api/v1/sessions/there")?;
    let connection = &session["connection"];
    ensure!(connection["protocol"] == "5.0", "{session}");
    ensure!(connection["transport"] == "tcp", "{session}");
    ensure!(connection["keep_alive_s"] == 77, "{session}");
    let address = connection["address"].as_str().unwrap_or_default();
    ensure!(address.starts_with("127.0.0.1:"), "{session}");

    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let page = get(
            &broker,
            &format!("/api/v1/sessions?limit=1&sort=queue_bytes&order=desc{next}"),
        )?;
        ensure!(page["total"] == 2, "{page}");
        found.push(page["sessions"][0]["client_id"].clone());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    ensure!(found == [json!("away/1"), json!("there")], "{found:?}");
    let page = get(&broker, "/api/v1/sessions?state=connected")?;
    ensure!(
        page["total"] == 1 && page["sessions"][0] == session,
        "{page}"
    );
    let page = get(&broker, "/api/v1/sessions?q=AWAY")?;
    ensure!(page["sessions"][0]["client_id"] == "away/1", "{page}");
    Ok(())
}

#[test]
fn what_cannot_be_done_is_said() -> Result<()> {
    let broker = Broker::start()?;
    away(&broker, "a")?;
    let empty = Some(json!({}));
    let cases: [(&str, &str, Option<Value>, u16); 17] = [
        ("GET", "/api/v1/sessions/nobody", None, 404),
        ("DELETE", "/api/v1/sessions/nobody", None, 404),
        ("GET", "/api/v1/sessions/nobody/subscriptions", None, 404),
        ("GET", "/api/v1/sessions/nobody/queue", None, 404),
        ("DELETE", "/api/v1/sessions/nobody/queue", None, 404),
        (
            "POST",
            "/api/v1/sessions/nobody/disconnect",
            empty.clone(),
            404,
        ),
        ("POST", "/api/v1/sessions/a/disconnect", empty.clone(), 409),
        (
            "POST",
            "/api/v1/sessions/a/disconnect",
            Some(json!({"x": 1})),
            400,
        ),
        ("GET", "/api/v1/sessions?limit=0", None, 400),
        ("GET", "/api/v1/sessions?limit=x", None, 400),
        ("GET", "/api/v1/sessions?offset=1", None, 400),
        ("GET", "/api/v1/sessions?sort=age", None, 400),
        ("GET", "/api/v1/sessions?cursor=eA", None, 400),
        ("GET", "/api/v1/sessions/a/queue?limit=1001", None, 400),
        (
            "GET",
            "/api/v1/sessions/a/queue?payload_bytes_max=65537",
            None,
            400,
        ),
        ("PUT", "/api/v1/sessions/a", empty.clone(), 405),
        ("GET", "/api/v1/sessions/a/disconnect", None, 405),
    ];
    for (method, path, body, expected) in cases {
        let (status, problem) = api(broker.http(), method, path, body.as_ref())?;
        ensure!(status == expected, "{method} {path}: {status} {problem}");
        ensure!(problem["status"] == expected, "{method} {path}: {problem}");
        ensure!(problem["detail"].is_string(), "{method} {path}: {problem}");
    }
    Ok(())
}

#[test]
fn subscriptions_have_their_options() -> Result<()> {
    let broker = Broker::start()?;
    let (mut client, _) = Link::connect(broker.mqtt(), kept("a"))?;
    client.put(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: Some(7),
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new("b/#")?,
            options: SubscriptionOptions {
                qos: QoS::ExactlyOnce,
                no_local: true,
                retain_as_published: true,
                ..SubscriptionOptions::default()
            },
        }],
    }));
    client.flush()?;
    ensure!(matches!(client.packet()?, Packet::SubAck(_)));
    client.subscribe("a", QoS::AtMostOnce)?;
    let page = get(&broker, "/api/v1/sessions/a/subscriptions?limit=1")?;
    ensure!(
        page["total"] == 2 && page["subscriptions"][0]["filter"] == "a",
        "{page}"
    );
    let cursor = page["next"].as_str().unwrap_or_default();
    let page = get(
        &broker,
        &format!("/api/v1/sessions/a/subscriptions?cursor={cursor}"),
    )?;
    let expected = json!([{
        "filter": "b/#", "qos": 2, "no_local": true, "retain_as_published": true,
        "retain_handling": 0, "identifier": 7,
    }]);
    ensure!(page["subscriptions"] == expected, "{page}");
    ensure!(page["next"].is_null(), "{page}");
    Ok(())
}

#[test]
fn a_backlog_is_looked_at_and_emptied_and_stays_empty() -> Result<()> {
    const COUNT: usize = 10_000;
    let mut broker = Broker::start()?;
    away(&broker, "a")?;
    publish_some(&broker, COUNT)?;
    let page = get(&broker, "/api/v1/sessions/a/queue?limit=2")?;
    ensure!(page["total"] == COUNT && page["next_offset"] == 2, "{page}");
    let first = &page["messages"][0];
    ensure!(
        first["position"] == 0 && first["state"] == "waiting",
        "{first}"
    );
    ensure!(first["topic"] == "t" && first["payload"] == "0", "{first}");
    ensure!(
        first["qos"] == 1 && first["accepted_at"].is_string(),
        "{first}"
    );
    let page = get(&broker, "/api/v1/sessions/a/queue?offset=9999")?;
    ensure!(page["messages"][0]["payload"] == "9999", "{page}");
    ensure!(page["next_offset"].is_null(), "{page}");

    let (status, purged) = api(broker.http(), "DELETE", "/api/v1/sessions/a/queue", None)?;
    ensure!(status == 200 && purged["purged"] == COUNT, "{purged}");
    broker.crash_and_restart()?;
    let page = get(&broker, "/api/v1/sessions/a/queue")?;
    ensure!(page == json!({"messages": [], "total": 0}), "{page}");
    let session = get(&broker, "/api/v1/sessions/a")?;
    ensure!(session["queue_messages"] == 0, "{session}");
    Ok(())
}

#[test]
fn what_is_under_way_to_a_connected_client_is_shown_and_stays() -> Result<()> {
    let broker = Broker::start()?;
    let (mut client, _) = Link::connect(
        broker.mqtt(),
        Connect {
            receive_maximum: NonZeroU16::new(1),
            ..kept("a")
        },
    )?;
    client.subscribe("t", QoS::AtLeastOnce)?;
    publish_some(&broker, 3)?;
    let Packet::Publish(sent) = client.packet()? else {
        bail!("a message");
    };
    let page = get(&broker, "/api/v1/sessions/a/queue")?;
    ensure!(page["total"] == 3, "{page}");
    let states = page["messages"].as_array().into_iter().flatten();
    let states: Vec<_> = states.map(|message| message["state"].clone()).collect();
    ensure!(states == ["sent", "waiting", "waiting"], "{page}");
    ensure!(page["messages"][0]["packet_id"] == sent.packet_id.map_or(0, PacketId::get));
    ensure!(page["messages"][2]["payload"] == "2", "{page}");
    let session = get(&broker, "/api/v1/sessions/a")?;
    ensure!(session["in_flight"] == 1, "{session}");

    let (_, purged) = api(broker.http(), "DELETE", "/api/v1/sessions/a/queue", None)?;
    ensure!(purged["purged"] == 2, "{purged}");
    let page = get(&broker, "/api/v1/sessions/a/queue")?;
    ensure!(page["total"] == 1, "{page}");
    let ack = Ack::new(sent.packet_id.unwrap_or(PacketId::MIN), ReasonCode::Success);
    client.put(&Packet::PubAck(ack));
    client.flush()?;
    publish_some(&broker, 1)?;
    let Packet::Publish(next) = client.packet()? else {
        bail!("another message");
    };
    ensure!(next.payload == "0", "what waited is gone: {next:?}");
    Ok(())
}

#[test]
fn a_client_is_disconnected_and_its_session_deleted() -> Result<()> {
    let mut broker = Broker::start()?;
    let (mut client, _) = Link::connect(broker.mqtt(), kept("a"))?;
    client.subscribe("t", QoS::AtLeastOnce)?;
    let path = "/api/v1/sessions/a/disconnect";
    let (status, answer) = api(broker.http(), "POST", path, Some(&json!({})))?;
    ensure!(status == 200 && answer == json!({}), "{answer}");
    let Packet::Disconnect(disconnect) = client.packet()? else {
        bail!("DISCONNECT");
    };
    ensure!(disconnect.reason == ReasonCode::AdministrativeAction);
    publish_some(&broker, 3)?;
    let (mut client, is_present) = Link::connect(broker.mqtt(), kept("a"))?;
    ensure!(is_present, "the session stays");

    let (status, answer) = api(broker.http(), "DELETE", "/api/v1/sessions/a", None)?;
    ensure!(status == 200 && answer == json!({}), "{answer}");
    let ended = loop {
        match client.packet()? {
            Packet::Publish(_) => {}
            other => break other,
        }
    };
    ensure!(matches!(ended, Packet::Disconnect(_)), "{ended:?}");
    broker.crash_and_restart()?;
    let (status, _) = api(broker.http(), "GET", "/api/v1/sessions/a", None)?;
    ensure!(status == 404);
    let (_, is_present) = Link::connect(broker.mqtt(), kept("a"))?;
    ensure!(!is_present);
    Ok(())
}
