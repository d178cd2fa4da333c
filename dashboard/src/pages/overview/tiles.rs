//! The numbers that matter first: each with what it is, and what puts it in proportion.

use ebbtide_api::{Stats, StatsPoint};
use yew::prelude::*;

use crate::model::format::{amount, bytes, count, counted, drop_reason, milliseconds};
use crate::model::past::Series;

pub fn tiles(stats: Option<&Stats>, series: Option<&Series>) -> Html {
    let of = |read: fn(&Stats) -> String| stats.map(read);
    let last = stats.and_then(|stats| stats.last.as_ref());
    let rate = |read: fn(&StatsPoint) -> f64| stats.map(|_| amount(last.map_or(0.0, read)));
    let (latency, percentiles) = commits(series);
    let (dropped, reasons) = drops(series);
    html! {
        <dl class="tiles" aria-label="Now">
            { tile("connections", "Connections", of(|s| count(s.connections)), of(|s| counted(s.sessions, "session"))) }
            { tile("in", "Messages in", rate(|p| p.received_messages_per_s), Some("per second".to_owned())) }
            { tile("out", "Messages out", rate(|p| p.sent_messages_per_s), Some("per second".to_owned())) }
            { tile("retained", "Retained", of(|s| count(s.retained_messages)), of(|s| bytes(s.retained_bytes as f64))) }
            { tile("backlog", "Backlog", of(|s| count(s.queue_messages)), of(|s| bytes(s.queue_bytes as f64))) }
            { tile("commits", "Commit latency", latency, percentiles) }
            { tile("drops", "Dropped", dropped, reasons) }
        </dl>
    }
}

/// Without a value there is room for it already, so that nothing moves when it comes.
fn tile(
    id: &'static str,
    name: &'static str,
    value: Option<String>,
    detail: Option<String>,
) -> Html {
    html! {
        <div class="tile" data-tile={id}>
            <dt>{ name }</dt>
            <dd class="tile-value">{ value.unwrap_or_else(|| "–".to_owned()) }</dd>
            <dd class="tile-detail">{ detail.unwrap_or_else(|| "\u{a0}".to_owned()) }</dd>
        </div>
    }
}

/// Of the last step in which something was committed.
fn commits(series: Option<&Series>) -> (Option<String>, Option<String>) {
    let Some(series) = series else {
        return (None, None);
    };
    let commits = series.points().filter_map(|point| point.commits.as_ref());
    let Some(last) = commits.last() else {
        return (Some("–".to_owned()), Some("none in this time".to_owned()));
    };
    // One number alone: two would not fit the tile.
    let quantiles = format!("p50; p99 {}", milliseconds(last.p99_ms));
    (Some(milliseconds(last.p50_ms)), Some(quantiles))
}

/// Of the span that is shown.
fn drops(series: Option<&Series>) -> (Option<String>, Option<String>) {
    let Some(series) = series else {
        return (None, None);
    };
    let reasons = series.dropped();
    let total: u64 = reasons.iter().map(|(_, count)| count).sum();
    let mut words: Vec<String> = reasons
        .iter()
        .take(2)
        .map(|(reason, number)| format!("{} {}", drop_reason(reason), count(*number)))
        .collect();
    if reasons.len() > words.len() {
        words.push("…".to_owned());
    }
    let words = if total == 0 {
        "nothing lost".to_owned()
    } else {
        words.join(", ")
    };
    (Some(count(total)), Some(words))
}
