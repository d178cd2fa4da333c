//! What happens, as the HTTP API tells it while it happens.

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;
use ebbtide_protocol::packet::Connect;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{Events, api};
use ebbtide_tests::load::{Link, clean, kept, publish};
use serde_json::json;

#[test]
fn clients_come_and_go_and_their_sessions_end() -> Result<()> {
    let broker = Broker::start()?;
    let mut events = Events::listen(broker.http())?;
    let (first, _) = Link::connect(broker.mqtt(), kept("a"))?;
    let event = events.next("connect")?;
    ensure!(
        event["client_id"] == "a" && event["transport"] == "tcp",
        "{event}"
    );
    ensure!(
        event["protocol"] == "5.0" && event["at"].is_string(),
        "{event}"
    );
    ensure!(
        event["session_present"] == false && event["taken_over"] == false,
        "{event}"
    );

    let (second, _) = Link::connect(broker.mqtt(), kept("a"))?;
    let event = events.next("disconnect")?;
    ensure!(
        event["client_id"] == "a" && event["reason_code"] == 142,
        "{event}"
    );
    let event = events.next("connect")?;
    ensure!(
        event["session_present"] == true && event["taken_over"] == true,
        "{event}"
    );
    drop((first, second));
    let event = events.next("disconnect")?;
    ensure!(event["reason_code"] == 128, "{event}");
    ensure!(
        event["explanation"]
            .as_str()
            .is_some_and(|why| !why.is_empty()),
        "{event}"
    );

    let (third, _) = Link::connect(broker.mqtt(), clean("a"))?;
    let event = events.next("session_end")?;
    ensure!(
        event["client_id"] == "a" && event["why"] == "clean_start",
        "{event}"
    );
    drop(third);
    let short = Connect {
        session_expiry_interval: Some(1),
        ..clean("b")
    };
    drop(Link::connect(broker.mqtt(), short)?);
    let event = events.next("session_end")?;
    ensure!(
        event["client_id"] == "b" && event["why"] == "expired",
        "{event}"
    );
    drop(Link::connect(broker.mqtt(), kept("c"))?);
    let (status, answer) = api(broker.http(), "DELETE", "/api/v1/sessions/c", None)?;
    ensure!(status == 200, "{answer}");
    let event = events.next("session_end")?;
    ensure!(
        event["client_id"] == "c" && event["why"] == "deleted",
        "{event}"
    );
    Ok(())
}

#[test]
fn what_is_dropped_is_told_within_seconds_and_whose_it_was() -> Result<()> {
    let broker = Broker::start_with(&["--queue-messages-per-session-max", "3"])?;
    let (mut away, _) = Link::connect(broker.mqtt(), kept("away"))?;
    away.subscribe("t", QoS::AtLeastOnce)?;
    let mut events = Events::listen(broker.http())?;
    drop(away);
    events.next("disconnect")?;
    publish(broker.mqtt(), "p", 5, 100, false, |number| {
        ("t".to_owned(), number.to_string().into())
    })?;
    // One may be counted in one second and named in the next.
    let (mut counted, mut named) = (0, 0);
    while counted < 2 || named < 2 {
        let event = events.next("drops")?;
        counted += event["reasons"]["queue_full"].as_u64().unwrap_or_default();
        named += event["sessions"]["away"].as_u64().unwrap_or_default();
        ensure!(event["others"] == 0, "{event}");
    }
    ensure!((counted, named) == (2, 2), "{counted} {named}");
    Ok(())
}

#[test]
fn the_stream_ends_with_the_broker_and_so_many_listen_at_most() -> Result<()> {
    let mut broker = Broker::start()?;
    let mut listeners = Vec::new();
    for _ in 0..32 {
        listeners.push(Events::listen(broker.http())?);
    }
    let (status, problem) = api(broker.http(), "GET", "/api/v1/events", None)?;
    ensure!(
        status == 503 && problem["status"] == json!(503),
        "{problem}"
    );
    let (status, _) = api(broker.http(), "POST", "/api/v1/events", Some(&json!({})))?;
    ensure!(status == 405);
    ensure!(broker.end()?.success());
    for listener in listeners {
        listener.end()?;
    }
    Ok(())
}
