//! The routes of the HTTP API: which path and method is answered where.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodRouter, any, delete, get, post, put},
};

use super::{
    App, access,
    api::{self, only},
    backup, compact, config, events,
    extract::bad,
    openapi,
    problem::Problem,
    retained, sessions, stats,
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
        ("/api/v1/publish", "POST", bare(post(api::publish))),
        (
            "/api/v1/publish/many",
            "POST",
            bare(post(api::publish_many)),
        ),
        (
            "/api/v1/retained",
            "GET, DELETE",
            get(retained::list).delete(retained::delete::delete_matching),
        ),
        (
            "/api/v1/retained/{*topic}",
            "GET, PUT, DELETE",
            bare(put(retained::put).delete(retained::delete::delete_one)).get(retained::one),
        ),
        ("/api/v1/sessions", "GET", get(sessions::list)),
        (
            "/api/v1/sessions/{client_id}",
            "GET, DELETE",
            bare(get(sessions::one).delete(sessions::delete)),
        ),
        (
            "/api/v1/sessions/{client_id}/subscriptions",
            "GET",
            get(sessions::subscriptions),
        ),
        (
            "/api/v1/sessions/{client_id}/queue",
            "GET, DELETE",
            bare(delete(sessions::queue::purge)).get(sessions::queue::peek),
        ),
        (
            "/api/v1/sessions/{client_id}/why",
            "GET",
            get(sessions::why::why),
        ),
        (
            "/api/v1/sessions/{client_id}/disconnect",
            "POST",
            bare(post(sessions::disconnect)),
        ),
        ("/api/v1/stats", "GET", bare(get(stats::now))),
        ("/api/v1/stats/history", "GET", get(stats::history)),
        ("/api/v1/config", "GET", bare(get(config::get))),
        ("/api/v1/events", "GET", bare(get(events::listen))),
        ("/api/v1/backup", "POST", bare(post(backup::backup))),
        ("/api/v1/compact", "POST", bare(post(compact::compact))),
        (
            "/api/v1/login",
            "GET, POST",
            bare(get(access::login::status).post(access::login::login)),
        ),
        (
            "/api/v1/login/renew",
            "POST",
            bare(post(access::login::renew)),
        ),
        ("/api/v1/users", "GET", bare(get(access::users::list))),
        (
            "/api/v1/users/{name}",
            "PUT, DELETE",
            bare(put(access::users::put).delete(access::users::remove)),
        ),
        (
            "/api/v1/rules",
            "GET, PUT",
            bare(get(access::rules::get).put(access::rules::put)),
        ),
        (
            "/api/v1/rules/validate",
            "POST",
            bare(post(access::rules::validate)),
        ),
        (
            "/api/v1/rules/simulate",
            "POST",
            bare(post(access::rules::simulate)),
        ),
        (
            "/api/v1/keys",
            "GET, POST",
            bare(get(access::keys::list).post(access::keys::make)),
        ),
        (
            "/api/v1/keys/{id}",
            "DELETE",
            bare(delete(access::keys::revoke)),
        ),
        ("/api/v1/openapi.json", "GET", bare(get(openapi::describe))),
    ]
}

/// Handlers that ask for no parameters in the query, and answer to none: what is misspelt or meant for another route is not left out in
/// silence.
fn bare(handlers: MethodRouter<App>) -> MethodRouter<App> {
    handlers.layer(from_fn(no_query))
}

async fn no_query(request: Request, next: Next) -> Result<Response, Problem> {
    match request.uri().query().unwrap_or_default() {
        "" => Ok(next.run(request).await),
        _ => Err(bad("This takes no parameters in the query.")),
    }
}
