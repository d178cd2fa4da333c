//! Every route that the API describes, one after the other: who shows nothing, too little or something else is refused, and so is what
//! makes no sense. What they do for those who may is the other tests' matter.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::*;

/// What anybody may ask.
const OPEN: [(&str, &str); 2] = [("GET", "/api/v1/login"), ("POST", "/api/v1/login")];

struct Route {
    method: String,
    /// With a name in the place of each parameter.
    path: String,
    has_body: bool,
}

fn routes(guarded: &Guarded) -> Result<Vec<Route>> {
    let (status, description) = guarded.ask("", "GET", "/api/v1/openapi.json", &Value::Null)?;
    ensure!(status == 200);
    let mut routes = Vec::new();
    for (path, item) in description["paths"].as_object().context("paths")? {
        for (method, operation) in item.as_object().context("methods")? {
            let parts = path.split('/').map(|part| match part.starts_with('{') {
                true => "nobody",
                false => part,
            });
            routes.push(Route {
                method: method.to_uppercase(),
                path: parts.collect::<Vec<_>>().join("/"),
                has_body: operation["requestBody"].is_object(),
            });
        }
    }
    Ok(routes)
}

/// Refused with this status and a sentence.
fn refused(guarded: &Guarded, bearer: &str, route: &Route, more: &str, status: u16) -> Result<()> {
    let Route { method, path, .. } = route;
    let body = json!({ "nonsense": 1 });
    let (found, problem) = guarded.ask(bearer, method, &format!("{path}{more}"), &body)?;
    let is_told = problem["detail"]
        .as_str()
        .is_some_and(|detail| !detail.is_empty());
    ensure!(
        found == status && is_told,
        "{method} {path}{more}: {found} {problem}"
    );
    Ok(())
}

#[test]
fn every_route_refuses_those_who_may_not_and_what_makes_no_sense() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let key = |scope: &str| -> Result<String> {
        let body = json!({ "label": scope, "scopes": [scope] });
        let (status, answer) = guarded.ask(&root, "POST", "/api/v1/keys", &body)?;
        ensure!(status == 200, "{answer}");
        Ok(answer["key"].as_str().context("a key")?.to_owned())
    };
    let (read, publish, admin) = (key("read")?, key("publish")?, key("admin")?);
    let routes = routes(&guarded)?;
    ensure!(routes.len() > 30, "{}", routes.len());
    for route in &routes {
        let Route {
            method,
            path,
            has_body,
        } = route;
        if OPEN.contains(&(method, path)) {
            continue;
        }
        for nobody in [
            "",
            "nonsense",
            "ebbtide_nonsense",
            "ebbtide_0_0",
            "eyJ.eyJ.x",
        ] {
            refused(&guarded, nobody, route, "", 401)?;
        }
        if path == "/api/v1/login/renew" {
            // It is about tokens; keys are not renewed.
            refused(&guarded, &admin, route, "", 401)?;
            continue;
        }
        let is_about_messages = ["/api/v1/publish", "/api/v1/retained"]
            .iter()
            .any(|about| path.starts_with(about));
        let too_little = match is_about_messages && method != "GET" {
            true => &read,
            false => &publish,
        };
        refused(&guarded, too_little, route, "", 403)?;
        // The rest is for nobody but those who look after the broker.
        let is_for_admins = ["users", "keys"].iter().any(|about| path.contains(about))
            || !is_about_messages && method != "GET" && !path.starts_with("/api/v1/rules/");
        if is_for_admins {
            refused(&guarded, &read, route, "", 403)?;
        }
        if *has_body {
            refused(&guarded, &admin, route, "", 400)?;
        } else {
            refused(&guarded, &admin, route, "?nonsense=1", 400)?;
        }
    }
    // All is as it was.
    let (_, users) = guarded.ask(&root, "GET", "/api/v1/users", &Value::Null)?;
    ensure!(
        users["users"].as_array().map(Vec::len) == Some(3),
        "{users}"
    );
    guarded.kept_silent(&[&read, &publish, &admin, &root])
}
