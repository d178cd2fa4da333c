//! The routes of the HTTP API: which path and method is answered where.

use axum::{
    Router,
    routing::{MethodRouter, any, delete, get, post, put},
};

use super::{
    App, access,
    api::{self, only},
    backup, compact, config, events, openapi, retained, sessions, stats,
};

/// All below `/api`.
pub fn api() -> Router<App> {
    let mut router = Router::new()
        .route("/api", any(api::unknown))
        .route("/api/", any(api::unknown))
        .route("/api/{*path}", any(api::unknown));
    for (path, methods, handlers) in routes() {
        router = router.route(path, handlers.fallback(only(methods)));
    }
    router
}

/// Every path, with its methods.
pub fn paths() -> impl Iterator<Item = (&'static str, &'static str)> {
    let routes = routes().into_iter();
    routes.map(|(path, methods, _)| (path, methods))
}

/// Every path, with its methods in words and in deed.
pub fn routes() -> [(&'static str, &'static str, MethodRouter<App>); 26] {
    [
        ("/api/v1/publish", "POST", post(api::publish)),
        ("/api/v1/publish/many", "POST", post(api::publish_many)),
        (
            "/api/v1/retained",
            "GET, DELETE",
            get(retained::list).delete(retained::delete::delete_matching),
        ),
        (
            "/api/v1/retained/{*topic}",
            "GET, PUT, DELETE",
            get(retained::one)
                .put(retained::put)
                .delete(retained::delete::delete_one),
        ),
        ("/api/v1/sessions", "GET", get(sessions::list)),
        (
            "/api/v1/sessions/{client_id}",
            "GET, DELETE",
            get(sessions::one).delete(sessions::delete),
        ),
        (
            "/api/v1/sessions/{client_id}/subscriptions",
            "GET",
            get(sessions::subscriptions),
        ),
        (
            "/api/v1/sessions/{client_id}/queue",
            "GET, DELETE",
            get(sessions::queue::peek).delete(sessions::queue::purge),
        ),
        (
            "/api/v1/sessions/{client_id}/why",
            "GET",
            get(sessions::why::why),
        ),
        (
            "/api/v1/sessions/{client_id}/disconnect",
            "POST",
            post(sessions::disconnect),
        ),
        ("/api/v1/stats", "GET", get(stats::now)),
        ("/api/v1/stats/history", "GET", get(stats::history)),
        ("/api/v1/config", "GET", get(config::get)),
        ("/api/v1/events", "GET", get(events::listen)),
        ("/api/v1/backup", "POST", post(backup::backup)),
        ("/api/v1/compact", "POST", post(compact::compact)),
        (
            "/api/v1/login",
            "GET, POST",
            get(access::login::status).post(access::login::login),
        ),
        ("/api/v1/login/renew", "POST", post(access::login::renew)),
        ("/api/v1/users", "GET", get(access::users::list)),
        (
            "/api/v1/users/{name}",
            "PUT, DELETE",
            put(access::users::put).delete(access::users::remove),
        ),
        (
            "/api/v1/rules",
            "GET, PUT",
            get(access::rules::get).put(access::rules::put),
        ),
        (
            "/api/v1/rules/validate",
            "POST",
            post(access::rules::validate),
        ),
        (
            "/api/v1/rules/simulate",
            "POST",
            post(access::rules::simulate),
        ),
        (
            "/api/v1/keys",
            "GET, POST",
            get(access::keys::list).post(access::keys::make),
        ),
        ("/api/v1/keys/{id}", "DELETE", delete(access::keys::revoke)),
        ("/api/v1/openapi.json", "GET", get(openapi::describe)),
    ]
}
