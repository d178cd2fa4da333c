//! `/api/v1/openapi.json`: the API described by itself, from the handlers and the types that they use.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, response},
};

use super::{
    App, access, api, backup, compact, config, events, problem::Problem, retained, sessions, stats,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ebbtide",
        description = "The HTTP API of the Ebbtide MQTT broker. A success means that what was changed is on disk."
    ),
    paths(
        api::publish,
        api::publish_many,
        retained::list,
        retained::one,
        retained::put,
        retained::delete::delete_one,
        retained::delete::delete_matching,
        sessions::list,
        sessions::one,
        sessions::subscriptions,
        sessions::disconnect,
        sessions::delete,
        sessions::queue::peek,
        sessions::queue::purge,
        sessions::why::why,
        stats::now,
        stats::history,
        config::get,
        events::listen,
        backup::backup,
        compact::compact,
        access::login::status,
        access::login::login,
        access::login::renew,
        access::users::list,
        access::users::put,
        access::users::remove,
        access::rules::get,
        access::rules::put,
        access::rules::validate,
        access::rules::simulate,
        access::keys::list,
        access::keys::make,
        access::keys::revoke,
    ),
    components(schemas(
        ebbtide_api::ProblemDetails,
        // Of queries, which are not followed.
        ebbtide_api::SessionState,
        ebbtide_api::SessionSort,
        ebbtide_api::Order,
    )),
    tags(
        (name = "publish", description = "Messages from HTTP to MQTT."),
        (name = "retained", description = "Retained messages."),
        (name = "sessions", description = "Clients, connected or away, and what waits for them."),
        (name = "stats", description = "Counters, now and over the last hour, and the options."),
        (name = "events", description = "What happens, while it happens."),
        (name = "access", description = "Who may do what: users, rules and keys."),
        (name = "maintenance", description = "The broker's file."),
    )
)]
struct Description;

impl IntoResponses for Problem {
    /// Every error has one shape.
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let schema = Ref::from_schema_name("ProblemDetails");
        let content = ContentBuilder::new().schema(Some(schema));
        let response = ResponseBuilder::new()
            .description("Why it was not done.")
            .content("application/problem+json", content.build());
        [("default".to_owned(), response.build().into())].into()
    }
}

/// The description.
pub async fn describe(State(app): State<App>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, app.description.to_string()).into_response()
}

/// As JSON. It does not change while the broker runs.
pub fn description() -> String {
    Description::openapi().to_json().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes::routes;
    use super::*;

    /// Path and methods, as the description has them.
    fn described() -> BTreeSet<(String, String)> {
        let description: serde_json::Value =
            serde_json::from_str(&description()).expect("it is JSON");
        let paths = description["paths"].as_object().expect("paths");
        let mut found = BTreeSet::new();
        for (path, item) in paths {
            for method in item.as_object().expect("methods").keys() {
                found.insert((path.clone(), method.to_ascii_uppercase()));
            }
        }
        found
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let mut served = BTreeSet::new();
        for (path, methods, _) in routes() {
            let path = path.replace("{*", "{");
            let methods = methods.split(", ");
            served.extend(methods.map(|method| (path.clone(), method.to_owned())));
        }
        // That one describes the others.
        served.remove(&("/api/v1/openapi.json".to_owned(), "GET".to_owned()));
        assert_eq!(described(), served);
    }

    /// The page for people has each of them as well.
    #[test]
    fn every_route_stands_in_the_documentation() {
        let page = include_str!("../../../docs/api.md");
        for (path, methods, _) in routes() {
            let path = path.replace("{*", "{");
            for method in methods.split(", ") {
                let row = format!("| `{method}` | `{path}` |");
                assert!(page.contains(&row), "docs/api.md lacks {row}");
            }
        }
    }

    #[test]
    fn every_schema_that_is_used_is_there() {
        let description: serde_json::Value =
            serde_json::from_str(&description()).expect("it is JSON");
        let text = description.to_string();
        let references = text.split("#/components/schemas/").skip(1);
        let mut count = 0;
        for reference in references {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(
                description["components"]["schemas"][name].is_object(),
                "{name}"
            );
            count += 1;
        }
        assert!(count > 20, "{count}");
    }
}
