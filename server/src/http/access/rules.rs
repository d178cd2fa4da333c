//! Rules: looked at, replaced, tried out.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{Action, Rules, SimulateRequest, SimulateResponse};
use ebbtide_broker::{Decision, Rights, Subject};
use ebbtide_protocol::TopicFilter;
use ebbtide_store::access::{Claims, RuleRow};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::has_to_be_on;
use crate::{
    auth::rows,
    http::{
        App,
        commit::committed,
        content,
        extract::{Unparsed, apart, bad},
        problem::Problem,
    },
};

/// The largest file of rules, bytes: whoever may only look may have one checked.
const RULES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most claims of whom a simulation is about: each variable of a rule looks through all of them.
const CLAIMS_MAX: usize = 1000;
/// The longest name or value of whom a simulation is about, bytes: no CONNECT carries a longer one.
const TEXT_BYTES_MAX: usize = u16::MAX as usize;
/// So many may be tried out, or wait for that. Each holds its file.
const TRIED_MAX: usize = 8;

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
    body: Unparsed<RULES_BYTES_MAX>,
) -> Result<Json<Rules>, Problem> {
    has_to_be_on(&app)?;
    let (broker, _) = app.surroundings.broker.get();
    let (authenticator, rules) = (app.surroundings.authenticator.clone(), broker.clone());
    let turn = app.rules.to_replace().await;
    let (asked, ticket) = in_turn(&app, turn, body, move |asked: Rules| {
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
    body: Unparsed<RULES_BYTES_MAX>,
) -> Result<Json<Rules>, Problem> {
    let turn = app.rules.to_try().await?;
    let asked = in_turn(&app, turn, body, |asked: Rules| {
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
    body: Unparsed<RULES_BYTES_MAX>,
) -> Result<Json<SimulateResponse>, Problem> {
    let of = app.clone();
    let turn = app.rules.to_try().await?;
    let decision = in_turn(&app, turn, body, move |asked| decide(&of, asked));
    Ok(Json(response(decision.await?)))
}

fn decide(app: &App, asked: SimulateRequest) -> Result<Decision, Problem> {
    check(&asked)?;
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

/// Whether there could be such a client.
fn check(asked: &SimulateRequest) -> Result<(), Problem> {
    let claims = || asked.claims.iter().flatten();
    if claims().map(|(_, values)| values.len()).sum::<usize>() > CLAIMS_MAX {
        return Err(bad(format!("claims: at most {CLAIMS_MAX} of them")));
    }
    let of_claims = claims().flat_map(|(name, values)| values.iter().chain([name]));
    let user = asked.user.iter().map(|user| ("user", user));
    let mut texts = user
        .chain([("client_id", &asked.client_id)])
        .chain(of_claims.map(|text| ("claims", text)));
    match texts.find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
        Some((name, _)) => Err(bad(format!("{name}: at most 65,535 bytes of UTF-8"))),
        None => Ok(()),
    }
}

/// Whose turn it is to have a file of rules looked at, for that may take a second, and memory: one at a time. Who replaces the rules does not
/// stand behind those who try some out, of whom only so many may wait.
#[derive(Debug)]
pub struct Turns {
    replacing: Arc<Semaphore>,
    trying: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// It is, until this is dropped.
struct Turn {
    _place: Option<OwnedSemaphorePermit>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub fn new() -> Self {
        let of = |count| Arc::new(Semaphore::new(count));
        Self {
            replacing: of(1),
            trying: of(1),
            places: of(TRIED_MAX),
        }
    }

    async fn to_replace(&self) -> Turn {
        let turn = Arc::clone(&self.replacing).acquire_owned().await;
        Turn {
            _place: None,
            _turn: turn.ok(),
        }
    }

    async fn to_try(&self) -> Result<Turn, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            let detail = "Too many rules are to be tried out; try again later.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        let turn = Arc::clone(&self.trying).acquire_owned().await;
        Ok(Turn {
            _place: Some(place),
            _turn: turn.ok(),
        })
    }
}

/// Looks at what somebody has sent whose turn has come, apart from whatever others wait for.
async fn in_turn<A: DeserializeOwned + 'static, T: Send + 'static>(
    app: &App,
    turn: Turn,
    body: Unparsed<RULES_BYTES_MAX>,
    work: impl FnOnce(A) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    // It may have been long until then.
    body.check_again(app)?;
    apart(move || {
        // Until it is done, whether or not anybody waits for it still.
        let _turn = turn;
        let (asked, _room) = body.parse()?;
        work(asked)
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Files of readers that take a second each would keep the operator waiting, and each that waits is in memory.
    #[test]
    fn few_wait_to_try_rules_and_who_replaces_them_is_not_behind() {
        let turns = Turns::new();
        let first = turns.to_try().now_or_never().expect("nobody is before it");
        let wait = || {
            let mut waiting = Box::pin(turns.to_try());
            assert!(waiting.as_mut().now_or_never().is_none());
            waiting
        };
        let mut waiting: Vec<_> = (1..TRIED_MAX).map(|_| wait()).collect();
        let more = turns.to_try().now_or_never().expect("an answer");
        let more = more.err().map(|problem| problem.status());
        assert_eq!(more, Some(StatusCode::SERVICE_UNAVAILABLE));
        let replacing = turns.to_replace().now_or_never();
        assert!(replacing.is_some());
        assert!(turns.to_replace().now_or_never().is_none());
        drop(first);
        let next = waiting.remove(0).now_or_never();
        assert!(next.is_some_and(|turn| turn.is_ok()));
        waiting.push(wait());
    }

    /// As no CONNECT could.
    #[test]
    fn a_simulation_is_about_nobody_whose_names_no_client_could_have() {
        let longest = "x".repeat(TEXT_BYTES_MAX);
        let claim = |name: &str, value: &str| {
            let claims = [(name.to_owned(), vec!["a".to_owned(), value.to_owned()])];
            SimulateRequest {
                claims: Some(claims.into()),
                ..SimulateRequest::default()
            }
        };
        let user = |user: &str| SimulateRequest {
            user: Some(user.to_owned()),
            ..SimulateRequest::default()
        };
        let client = |client_id: &str| SimulateRequest {
            client_id: client_id.to_owned(),
            ..SimulateRequest::default()
        };
        for asked in [
            user(&longest),
            client(&longest),
            claim("role", &longest),
            claim(&longest, "b"),
        ] {
            assert!(check(&asked).is_ok());
        }
        let longer = longest + "x";
        for (name, asked) in [
            ("user", user(&longer)),
            ("client_id", client(&longer)),
            ("claims", claim("role", &longer)),
            ("claims", claim(&longer, "b")),
        ] {
            let problem = check(&asked).expect_err(name);
            assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
            assert_eq!(
                problem.detail(),
                format!("{name}: at most 65,535 bytes of UTF-8")
            );
        }
    }
}
