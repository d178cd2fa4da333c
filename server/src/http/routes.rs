//! The routes of the HTTP API: which path and method is answered where.

use axum::{
    Router,
    routing::{any, get, post},
};

use super::{
    App,
    api::{self, only},
    backup, compact, events, retained, sessions, stats,
};

/// All below `/api`.
pub fn api() -> Router<App> {
    Router::new()
        .route("/api/v1/publish", post(api::publish).fallback(only("POST")))
        .route(
            "/api/v1/publish/many",
            post(api::publish_many).fallback(only("POST")),
        )
        .route(
            "/api/v1/retained",
            get(retained::list)
                .delete(retained::delete_matching)
                .fallback(only("GET, DELETE")),
        )
        .route(
            "/api/v1/retained/{*topic}",
            get(retained::one)
                .put(retained::put)
                .delete(retained::delete_one)
                .fallback(only("GET, PUT, DELETE")),
        )
        .route(
            "/api/v1/sessions",
            get(sessions::list).fallback(only("GET")),
        )
        .route(
            "/api/v1/sessions/{client_id}",
            get(sessions::one)
                .delete(sessions::delete)
                .fallback(only("GET, DELETE")),
        )
        .route(
            "/api/v1/sessions/{client_id}/subscriptions",
            get(sessions::subscriptions).fallback(only("GET")),
        )
        .route(
            "/api/v1/sessions/{client_id}/queue",
            get(sessions::peek)
                .delete(sessions::purge)
                .fallback(only("GET, DELETE")),
        )
        .route(
            "/api/v1/sessions/{client_id}/disconnect",
            post(sessions::disconnect).fallback(only("POST")),
        )
        .route("/api/v1/events", get(events::listen).fallback(only("GET")))
        .route("/api/v1/stats", get(stats::now).fallback(only("GET")))
        .route(
            "/api/v1/stats/history",
            get(stats::history).fallback(only("GET")),
        )
        .route(
            "/api/v1/backup",
            post(backup::backup).fallback(only("POST")),
        )
        .route(
            "/api/v1/compact",
            post(compact::compact).fallback(only("POST")),
        )
        .route("/api", any(api::unknown))
        .route("/api/", any(api::unknown))
        .route("/api/{*path}", any(api::unknown))
}
