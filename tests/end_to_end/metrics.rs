//! `/metrics`: what is counted is there, and what the documents and the Grafana dashboard name is what is there.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::QoS;
use ebbtide_protocol::packet::Publish;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http;
use ebbtide_tests::peer::{Peer, publish};
use ebbtide_tests::tools;

fn scrape(broker: &Broker) -> Result<String> {
    let response = http::get(broker.http(), "/metrics")?;
    ensure!(response.status == 200, "{}", response.head);
    ensure!(response.head.contains("application/openmetrics-text"));
    ensure!(response.body.ends_with("# EOF\n"), "cut short");
    Ok(response.body)
}

fn value(text: &str, series: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let value = line.with_context(|| format!("no {series} in\n{text}"))?;
    Ok(value.trim().parse()?)
}

/// The names of all series, without labels.
fn series(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split([' ', '{']).next())
        .collect()
}

/// Everything in a text that looks like a metric of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("ebbtide_")).collect()
}

#[test]
fn what_happens_is_counted() -> Result<()> {
    let broker = Broker::start()?;
    let before = scrape(&broker)?;
    ensure!(value(&before, "ebbtide_store_ready ")? == 1.0);
    ensure!(value(&before, "ebbtide_connections ")? == 0.0);
    let mut client = Peer::clean(&broker, "a")?;
    client.subscribe(&["t"], QoS::AtLeastOnce)?;
    let message = publish("t", "payload", QoS::AtLeastOnce, 1)?;
    let mut publisher = Peer::clean(&broker, "b")?;
    publisher.publish(Publish {
        retain: true,
        ..message
    })?;
    client.take()?;
    let after = scrape(&broker)?;
    for (name, expected) in [
        ("ebbtide_connections ", 2.0),
        ("ebbtide_connects_total ", 2.0),
        ("ebbtide_subscriptions ", 1.0),
        ("ebbtide_received_messages_total ", 1.0),
        ("ebbtide_received_payload_bytes_total ", 7.0),
        ("ebbtide_sent_messages_total ", 1.0),
        ("ebbtide_dropped_total{reason=\"expired\"} ", 0.0),
    ] {
        let found = value(&after, name)?;
        ensure!(found == expected, "{name}: {found}\n{after}");
    }
    // The retained message is on disk, so there was a commit, in the last bucket as well.
    let commits = value(&after, "ebbtide_commit_seconds_count ")?;
    ensure!(commits >= 1.0);
    ensure!(value(&after, "ebbtide_commit_seconds_bucket{le=\"+Inf\"} ")? == commits);
    Ok(())
}

#[test]
fn documents_and_dashboard_name_what_is_there_and_all_of_it() -> Result<()> {
    let broker = Broker::start()?;
    let text = scrape(&broker)?;
    let there = series(&text);
    let guide = fs::read_to_string(tools::folder("../docs/metrics.md"))?;
    let dashboard = fs::read_to_string(tools::folder("../docs/grafana.json"))?;
    for name in named(&dashboard) {
        ensure!(there.contains(name), "the dashboard asks for {name}");
    }
    let parts = ["_bucket", "_count", "_sum"];
    let histogram = |name: &str| {
        parts
            .iter()
            .any(|part| there.contains(&*format!("{name}{part}")))
    };
    let guide = named(&guide);
    for name in &guide {
        ensure!(
            there.contains(name) || histogram(name),
            "there is no {name}"
        );
    }
    for name in there {
        let whole = parts.iter().find_map(|part| name.strip_suffix(part));
        let known = guide.contains(name) || whole.is_some_and(|name| guide.contains(name));
        ensure!(known, "docs/metrics.md does not have {name}");
    }
    Ok(())
}
