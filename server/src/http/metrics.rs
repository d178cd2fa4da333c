//! `/metrics`: what the broker counts, for Prometheus, in the OpenMetrics text format.
//!
//! The only labels with more than one value are the reason of a drop and the name of a limit, of which there are few: no topic and no
//! client ever becomes a label, so a series cannot be made from outside.

use std::fmt;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use ebbtide_broker::{NoRoom, Stats, Traffic};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use super::App;
use crate::stats::{BOUNDS_S, Totals};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn show(State(app): State<App>) -> Response {
    let (broker, _) = app.surroundings.broker.get();
    let now = app.surroundings.clock.now();
    let moment = Moment {
        stats: broker.stats(),
        commits: app.commit_times.totals(),
        no_room: app.surroundings.broker.no_room(),
        started_s: now.wall.0.saturating_sub(now.monotonic.0) as f64 / 1000.0,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(moment));
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response(),
        Err(fmt::Error) => unreachable!("writing into a String does not fail"),
    }
}

/// Everything, read at once.
#[derive(Debug)]
struct Moment {
    stats: Stats,
    commits: Totals,
    no_room: Option<NoRoom>,
    started_s: f64,
}

/// Name, help, value.
type Entry = (&'static str, &'static str, u64);

impl Moment {
    fn gauges(&self) -> [Entry; 9] {
        let stats = &self.stats;
        [
            (
                "connections",
                "Clients that are connected",
                stats.connections,
            ),
            ("sessions", "Sessions, connected or away", stats.sessions),
            (
                "subscriptions",
                "Subscriptions, shared ones included",
                stats.subscriptions,
            ),
            (
                "shared_subscriptions",
                "Memberships in shared subscriptions",
                stats.shared_subscriptions,
            ),
            ("retained_messages", "Retained messages", stats.retained),
            (
                "retained_bytes",
                "Bytes of topics, payloads and properties of retained messages",
                stats.retained_bytes,
            ),
            (
                "queue_messages",
                "Messages that wait for any session",
                stats.waiting,
            ),
            (
                "queue_bytes",
                "Bytes of topics, payloads and properties of messages that wait",
                stats.waiting_bytes,
            ),
            (
                "store_ready",
                "1 if what has to be kept is taken in, 0 if the disk is full or the store has failed",
                u64::from(self.no_room.is_none()),
            ),
        ]
    }

    fn counters(&self) -> Vec<Entry> {
        let stats = &self.stats;
        let mut counters = vec![
            ("opened", "Byte streams that were opened", stats.opened),
            ("connects", "Clients that got past CONNECT", stats.connects),
            (
                "expired_sessions",
                "Sessions whose expiry interval has passed",
                stats.expired_sessions,
            ),
            (
                "commit_operations",
                "Operations in all commits",
                self.commits.operations,
            ),
        ];
        counters.extend(traffic(
            stats.received,
            [
                ("received_packets", "Packets from clients"),
                ("received_bytes", "Bytes from clients"),
                ("received_messages", "PUBLISH packets from clients"),
                ("received_payload_bytes", "Bytes of payloads from clients"),
            ],
        ));
        counters.extend(traffic(
            stats.sent,
            [
                ("sent_packets", "Packets to clients"),
                ("sent_bytes", "Bytes to clients"),
                ("sent_messages", "PUBLISH packets to clients"),
                ("sent_payload_bytes", "Bytes of payloads to clients"),
            ],
        ));
        counters
    }
}

fn traffic(
    traffic: Traffic,
    names: [(&'static str, &'static str); 4],
) -> impl Iterator<Item = Entry> {
    let values = [
        traffic.packets,
        traffic.bytes,
        traffic.publishes,
        traffic.payload_bytes,
    ];
    let named = names.into_iter().zip(values);
    named.map(|((name, help), value)| (name, help, value))
}

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let name = |name: &str| format!("ebbtide_{name}");
        encoder
            .encode_descriptor("ebbtide", "The version that runs", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        encoder
            .encode_descriptor(
                "ebbtide_start_time_seconds",
                "When the broker began, seconds since 1970",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&self.started_s)?;
        for (entry, help, value) in self.gauges() {
            encoder
                .encode_descriptor(&name(entry), help, None, MetricType::Gauge)?
                .encode_gauge(&(value as f64))?;
        }
        for (entry, help, value) in self.counters() {
            encoder
                .encode_descriptor(&name(entry), help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        let help = "Deliveries that did not take place";
        let dropped = name("dropped");
        let mut dropped = encoder.encode_descriptor(&dropped, help, None, MetricType::Counter)?;
        for (reason, count) in self.stats.dropped.by_reason() {
            dropped
                .encode_family(&[("reason", reason)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let help = "How often a limit has kept something out";
        let hits = name("limit_hits");
        let mut hits = encoder.encode_descriptor(&hits, help, None, MetricType::Counter)?;
        for (limit, count) in self.stats.limits.by_name() {
            hits.encode_family(&[("limit", limit)])?
                .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let Totals {
            count,
            sum_s,
            buckets,
            ..
        } = self.commits;
        let beyond = count - buckets.iter().sum::<u64>();
        let buckets: Vec<(f64, u64)> = BOUNDS_S
            .into_iter()
            .zip(buckets)
            .chain([(f64::INFINITY, beyond)])
            .collect();
        encoder
            .encode_descriptor(
                "ebbtide_commit_seconds",
                "How long commits took, fsync included: what an acknowledgement waits for",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(sum_s, count, &buckets, None)
    }
}
