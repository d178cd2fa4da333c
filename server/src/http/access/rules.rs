//! Rules: looked at, replaced, tried out.

use std::sync::Arc;

use axum::{Json, extract::State};
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
        extract::{InBody, apart, bad},
        problem::Problem,
    },
};

/// The largest file of rules, bytes: whoever may only look may have one checked.
const RULES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most claims of whom a simulation is about: each variable of a rule looks through all of them.
const CLAIMS_MAX: usize = 1000;

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
    InBody(asked): InBody<Rules, RULES_BYTES_MAX>,
) -> Result<Json<Rules>, Problem> {
    has_to_be_on(&app)?;
    let (broker, _) = app.surroundings.broker.get();
    let (authenticator, rules) = (app.surroundings.authenticator.clone(), broker.clone());
    let (asked, ticket) = one_by_one(&app, move || {
        let rows = as_rows(asked.clone());
        let ticket = authenticator.directory().put_rules(&rules, rows);
        Ok((asked, ticket.map_err(|error| bad(error.to_string()))?))
    })
    .await?;
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
pub async fn validate(
    State(app): State<App>,
    InBody(asked): InBody<Rules, RULES_BYTES_MAX>,
) -> Result<Json<Rules>, Problem> {
    let asked = one_by_one(&app, move || {
        parsed(as_rows(asked.clone()))?;
        Ok(asked)
    });
    Ok(Json(asked.await?))
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
    InBody(asked): InBody<SimulateRequest, RULES_BYTES_MAX>,
) -> Result<Json<SimulateResponse>, Problem> {
    let of = app.clone();
    let decision = one_by_one(&app, move || decide(&of, asked));
    Ok(Json(response(decision.await?)))
}

fn decide(app: &App, asked: SimulateRequest) -> Result<Decision, Problem> {
    let values = asked.claims.iter().flat_map(|claims| claims.values());
    if values.map(Vec::len).sum::<usize>() > CLAIMS_MAX {
        return Err(bad(format!("claims: at most {CLAIMS_MAX} of them")));
    }
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
    match asked.action {
        Some(Action::Publish) => Ok(rights.decide_publish(&content::topic(asked.topic)?, false)),
        Some(Action::Retain) => Ok(rights.decide_publish(&content::topic(asked.topic)?, true)),
        Some(Action::Subscribe) => {
            let filter = TopicFilter::new(asked.topic);
            Ok(rights.decide_filter(&filter.map_err(|error| bad(format!("topic: {error}")))?))
        }
        None => Err(bad("action: publish, subscribe or retain")),
    }
}

/// Looks at a file of rules, apart from whatever others wait for: it may take a second, and memory. Only one at a time.
async fn one_by_one<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let turn = Arc::clone(&app.rules).acquire_owned().await;
    apart(move || {
        // Until it is done, whether or not anybody waits for it still.
        let _turn = turn;
        work()
    })
    .await?
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
