//! Counters and their history over the HTTP API.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::load::{Link, kept, publish};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

fn get(broker: &Broker, path: &str) -> Result<Value> {
    let (status, answer) = api(broker.http(), "GET", path, None)?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(answer)
}

fn publish_some(broker: &Broker) -> Result<()> {
    publish(broker.mqtt(), "p", 500, 100, false, |number| {
        ("t".to_owned(), number.to_string().into())
    })?;
    Ok(())
}

#[test]
fn what_was_published_is_counted_and_stands_in_the_history() -> Result<()> {
    let broker = Broker::start()?;
    let (mut away, _) = Link::connect(broker.mqtt(), kept("away"))?;
    away.subscribe("t", QoS::AtLeastOnce)?;
    drop(away);
    publish_some(&broker)?;
    let stats = get(&broker, "/api/v1/stats")?;
    ensure!(stats["received"]["messages"] == 500, "{stats}");
    ensure!(stats["queue_messages"] == 500, "{stats}");
    ensure!(stats["subscriptions"] == 1, "{stats}");
    ensure!(stats["store"] == "working", "{stats}");
    ensure!(stats["dropped"]["queue_full"] == 0, "{stats}");

    let deadline = Instant::now() + PATIENCE;
    let points = loop {
        // Again and again: the first point may be later than the first messages.
        publish_some(&broker)?;
        let history = get(&broker, "/api/v1/stats/history?step_s=1")?;
        let points = history["points"].as_array().cloned().unwrap_or_default();
        let rates = points.iter().map(|point| &point["received_messages_per_s"]);
        let rate: f64 = rates.filter_map(Value::as_f64).sum();
        let has_commits = points.iter().any(|point| point["commits"].is_object());
        if rate > 0.0 && has_commits {
            break points;
        }
        ensure!(Instant::now() < deadline, "no point in time: {history}");
        sleep(Duration::from_millis(50));
    };
    for point in &points {
        let commits = &point["commits"];
        ensure!(
            commits["p50_ms"].as_f64() <= commits["p99_ms"].as_f64(),
            "{point}"
        );
        ensure!(
            commits["p99_ms"].as_f64() <= commits["max_ms"].as_f64(),
            "{point}"
        );
        ensure!(
            commits["count"].as_u64() <= commits["operations"].as_u64(),
            "{point}"
        );
    }
    let at_ms = points.last().and_then(|point| point["at_ms"].as_u64());
    let at_ms = at_ms.unwrap_or_default();
    let path = format!("/api/v1/stats/history?step_s=1&after_ms={at_ms}");
    let later = get(&broker, &path)?;
    let later = later["points"].as_array().cloned().unwrap_or_default();
    ensure!(
        later
            .iter()
            .all(|point| point["at_ms"].as_u64() > Some(at_ms))
    );
    Ok(())
}

#[test]
fn another_step_than_there_is_cannot_be_had() -> Result<()> {
    let broker = Broker::start()?;
    for (path, expected) in [
        ("/api/v1/stats/history?step_s=5", 400),
        ("/api/v1/stats/history?step_s=x", 400),
        ("/api/v1/stats/history?from=1", 400),
        ("/api/v1/stats/week", 404),
    ] {
        let (status, problem) = api(broker.http(), "GET", path, None)?;
        ensure!(status == expected, "{path}: {status} {problem}");
        ensure!(problem["detail"].is_string(), "{path}: {problem}");
    }
    let (status, _) = api(broker.http(), "DELETE", "/api/v1/stats", None)?;
    ensure!(status == 405);
    Ok(())
}
