//! `/api/v1/stats`: counters and gauges now, and over the last hour.

use axum::{Json, extract::State};
use ebbtide_api::{History, HistoryQuery, Stats, StatsPoint, Traffic};
use ebbtide_broker::rfc3339;
use ebbtide_store::WallTime;

use super::{
    App,
    extract::{InQuery, bad},
    problem::Problem,
};
use crate::{
    events::store_state,
    stats::{Point, Step},
};

/// Now.
#[utoipa::path(
    get,
    path = "/api/v1/stats",
    operation_id = "getStats",
    tag = "stats",
    responses((status = 200, description = "Now.", body = Stats), Problem)
)]
pub async fn now(State(app): State<App>) -> Json<Stats> {
    let (broker, _) = app.surroundings.broker.get();
    let stats = broker.stats();
    let now = app.surroundings.clock.now();
    let uptime_ms = now.monotonic.0;
    let traffic = |traffic: ebbtide_broker::Traffic| Traffic {
        packets: traffic.packets,
        bytes: traffic.bytes,
        messages: traffic.publishes,
        payload_bytes: traffic.payload_bytes,
    };
    let dropped = stats.dropped.by_reason().into_iter();
    Json(Stats {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: rfc3339(WallTime(now.wall.0.saturating_sub(uptime_ms))),
        uptime_s: uptime_ms / 1000,
        store: store_state(broker.journal().no_room()),
        connections: stats.connections,
        connections_max: stats.connections_max,
        connects: stats.connects,
        sessions: stats.sessions,
        expired_sessions: stats.expired_sessions,
        subscriptions: stats.subscriptions,
        shared_subscriptions: stats.shared_subscriptions,
        retained_messages: stats.retained,
        retained_bytes: stats.retained_bytes,
        queue_messages: stats.waiting,
        queue_bytes: stats.waiting_bytes,
        received: traffic(stats.received),
        sent: traffic(stats.sent),
        dropped: dropped
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
        limits: stats
            .limits
            .by_name()
            .map(|(name, count)| (name.to_owned(), count))
            .collect(),
        last: app.history.last().map(shown),
    })
}

/// Over the last hour, or ten minutes of it in finer steps.
#[utoipa::path(
    get,
    path = "/api/v1/stats/history",
    operation_id = "getHistory",
    tag = "stats",
    params(HistoryQuery),
    responses((status = 200, description = "The points.", body = History), Problem)
)]
pub async fn history(
    State(app): State<App>,
    InQuery(query): InQuery<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let step_s = query.step_s.unwrap_or(10);
    let step = match step_s {
        1 => Step::Fine,
        10 => Step::Coarse,
        _ => return Err(bad("step_s: 1 or 10")),
    };
    let points = app.history.points(step, query.after_ms.unwrap_or(0));
    Ok(Json(History {
        step_s,
        points: points.into_iter().map(shown).collect(),
    }))
}

fn shown(point: Point) -> StatsPoint {
    let dropped = point.dropped.into_iter();
    StatsPoint {
        at_ms: point.at_ms,
        connections: point.connections,
        sessions: point.sessions,
        subscriptions: point.subscriptions,
        retained_messages: point.retained_messages,
        queue_messages: point.queue_messages,
        queue_bytes: point.queue_bytes,
        connects_per_s: point.connects_per_s,
        received_messages_per_s: point.received_messages_per_s,
        received_bytes_per_s: point.received_bytes_per_s,
        sent_messages_per_s: point.sent_messages_per_s,
        sent_bytes_per_s: point.sent_bytes_per_s,
        dropped: dropped
            .map(|(reason, count)| (reason.to_owned(), count))
            .collect(),
        commits: point.commits,
    }
}
