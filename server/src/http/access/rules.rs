//! Rules: looked at, replaced, tried out.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
};
use ebbtide_api::{Action, Rules, SimulateRequest, SimulateResponse};
use ebbtide_broker::{Decision, Rights, Subject};
use ebbtide_protocol::TopicFilter;
use ebbtide_store::access::{Claims, RuleRow};

use super::has_to_be_on;
use crate::{
    auth::rows,
    http::{
        App,
        commit::committed,
        content,
        extract::{InBody, bad},
        problem::Problem,
    },
};

/// The rules in force.
#[utoipa::path(
    get,
    path = "/api/v1/rules",
    operation_id = "getRules",
    tag = "access",
    responses((status = 200, description = "The rules, in their order.", body = Rules), Problem)
)]
pub async fn get(State(app): State<App>) -> Json<Rules> {
    let rules = app.surroundings.broker.get().0.rules();
    let rules = rules.map_or_else(Vec::new, |rules| {
        rules.rows().iter().map(rows::rule).collect()
    });
    Json(Rules { rules })
}

/// Replaces all rules; they hold at once, also for what waits, and it is answered when they are on disk.
#[utoipa::path(
    put,
    path = "/api/v1/rules",
    operation_id = "putRules",
    tag = "access",
    request_body = Rules,
    responses((status = 200, description = "As they are now.", body = Rules), Problem)
)]
pub async fn put(
    State(app): State<App>,
    InBody(asked): InBody<Rules>,
) -> Result<Json<Rules>, Problem> {
    let authenticator = &app.surroundings.authenticator;
    has_to_be_on(&app)?;
    let (broker, _) = app.surroundings.broker.get();
    let ticket = authenticator
        .directory()
        .put_rules(&broker, as_rows(asked.clone()));
    let ticket = ticket.map_err(|error| bad(error.to_string()))?;
    committed(&broker, ticket).await?;
    tracing::info!(count = asked.rules.len(), "the rules were replaced");
    Ok(Json(asked))
}

/// Says whether rules could be used, and changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/rules/validate",
    operation_id = "validateRules",
    tag = "access",
    request_body = Rules,
    responses((status = 200, description = "They could be used.", body = Rules), Problem)
)]
pub async fn validate(InBody(asked): InBody<Rules>) -> Result<Json<Rules>, Problem> {
    parsed(as_rows(asked.clone()))?;
    Ok(Json(asked))
}

/// Says which rule decides, for somebody who need not be there.
#[utoipa::path(
    post,
    path = "/api/v1/rules/simulate",
    operation_id = "simulateRules",
    tag = "access",
    request_body = SimulateRequest,
    responses((status = 200, description = "What the rules say.", body = SimulateResponse), Problem)
)]
pub async fn simulate(
    State(app): State<App>,
    InBody(asked): InBody<SimulateRequest>,
) -> Result<Json<SimulateResponse>, Problem> {
    let rules = match asked.rules {
        Some(rules) => Arc::new(parsed(as_rows(Rules { rules }))?),
        None => app.surroundings.broker.get().0.rules().ok_or_else(|| {
            bad("Nobody is asked who they are here, and there are no rules: everybody may do anything.")
        })?,
    };
    let claims: Claims = match (&asked.claims, &asked.user) {
        (Some(claims), _) => rows::claims_row(claims),
        (None, Some(user)) => {
            let content = app.surroundings.authenticator.directory().read();
            let known = content.users.get(user.as_str());
            known.map_or_else(Vec::new, |known| known.claims.clone())
        }
        (None, None) => Vec::new(),
    };
    let subject = Subject {
        user: asked.user.map(Into::into),
        client_id: asked.client_id.into(),
        claims,
    };
    let rights = Rights::new(subject, rules);
    let decision = match asked.action {
        Some(Action::Publish) => rights.decide_publish(&content::topic(asked.topic)?, false),
        Some(Action::Retain) => rights.decide_publish(&content::topic(asked.topic)?, true),
        Some(Action::Subscribe) => {
            let filter = TopicFilter::new(asked.topic);
            rights.decide_filter(&filter.map_err(|error| bad(format!("topic: {error}")))?)
        }
        None => return Err(bad("action: publish, subscribe or retain")),
    };
    Ok(Json(response(decision)))
}

fn response(decision: Decision) -> SimulateResponse {
    SimulateResponse {
        allowed: decision.is_allowed,
        rule: decision.rule.map(|rule| rule as u64),
        explanation: decision.to_string(),
    }
}

fn as_rows(rules: Rules) -> Vec<RuleRow> {
    rules.rules.into_iter().map(rows::rule_row).collect()
}

fn parsed(rows: Vec<RuleRow>) -> Result<ebbtide_broker::Rules, Problem> {
    ebbtide_broker::Rules::new(rows).map_err(|error| bad(error.to_string()))
}
