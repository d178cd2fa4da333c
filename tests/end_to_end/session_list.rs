//! Sessions over the HTTP API: who is there, what waits, and what was lost.

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::load::{Link, clean, kept, publish};
use serde_json::{Value, json};

fn get(broker: &Broker, path: &str) -> Result<(u16, Value)> {
    let answer = http::get(broker.http(), path)?;
    Ok((answer.status, serde_json::from_str(&answer.body)?))
}

#[test]
fn what_waits_and_what_was_lost_is_shown_per_session() -> Result<()> {
    let broker = Broker::start_with(&["--queue-messages-per-session-max", "3"])?;
    let (mut away, _) = Link::connect(broker.mqtt(), kept("away/1"))?;
    away.subscribe("t", QoS::AtLeastOnce)?;
    drop(away);
    let (_there, _) = Link::connect(broker.mqtt(), clean("there"))?;
    publish(broker.mqtt(), "publisher", 5, 1, false, |number| {
        ("t".to_owned(), number.to_string().into())
    })?;

    let (status, session) = get(&broker, "/api/v1/sessions/away%2F1")?;
    ensure!(status == 200, "{session}");
    ensure!(session["connected"] == json!(false), "{session}");
    ensure!(session["queue_messages"] == json!(3), "{session}");
    ensure!(session["queue_bytes"] == json!(6), "{session}");
    ensure!(session["dropped"]["count"] == json!(2), "{session}");

    let (_, page) = get(&broker, "/api/v1/sessions?limit=1")?;
    ensure!(page["sessions"][0] == session, "{page}");
    ensure!(page["next"] == json!("away/1"), "{page}");
    let (_, page) = get(&broker, "/api/v1/sessions?limit=1&after=away%2F1")?;
    ensure!(
        page["sessions"][0]["client_id"] != json!("away/1"),
        "{page}"
    );

    for (path, expected) in [
        ("/api/v1/sessions/nobody", 404),
        ("/api/v1/sessions?limit=0", 400),
        ("/api/v1/sessions?limit=x", 400),
        ("/api/v1/sessions?offset=1", 400),
    ] {
        let (status, problem) = get(&broker, path)?;
        ensure!(status == expected, "{path}: {status} {problem}");
        ensure!(problem["detail"].is_string(), "{path}: {problem}");
    }
    Ok(())
}
