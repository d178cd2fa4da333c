//! Users: looked at, made, changed, removed with all that is theirs.

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{Password, User, UserChange, UserList, UserRemoved};
use ebbtide_broker::{Command, Outcome};
use ebbtide_store::{
    WallTime,
    access::{Secret, UserRow},
};

use super::has_to_be_on;
use crate::{
    auth::{Authenticator, PASSWORD_BYTES_MAX, USERS_MAX, check_name, rows},
    http::{
        App,
        commit::committed,
        extract::{InBody, InPath, bad},
        problem::Problem,
    },
};

/// So often is looked for sessions of a user that is gone: those that were on their way in.
const LOOKS_MAX: usize = 100;

/// All users.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "listUsers",
    tag = "access",
    responses((status = 200, description = "All users, by name.", body = UserList), Problem)
)]
pub async fn list(State(app): State<App>) -> Json<UserList> {
    let content = app.surroundings.authenticator.directory().read();
    let users = content.users.values().map(rows::user).collect();
    Json(UserList { users })
}

/// Makes a user, or changes one; answered when that is on disk.
#[utoipa::path(
    put,
    path = "/api/v1/users/{name}",
    operation_id = "putUser",
    tag = "access",
    params(("name" = String, Path, description = "The name, percent-encoded.")),
    request_body = UserChange,
    responses((status = 200, description = "As it is now.", body = User), Problem)
)]
pub async fn put(
    State(app): State<App>,
    InPath(name): InPath<String>,
    InBody(change): InBody<UserChange>,
) -> Result<Json<User>, Problem> {
    has_to_be_on(&app)?;
    check_name(&name).map_err(|why| bad(format!("name: {why}")))?;
    let authenticator = &app.surroundings.authenticator;
    let hash = match change.password {
        Some(password) => Some(hash(authenticator, password).await?),
        None => None,
    };
    let now = app.surroundings.clock.now().wall;
    let (broker, _) = app.surroundings.broker.get();
    let put = authenticator.directory().put_user(&broker, |content| {
        let known = content.users.get(name.as_str());
        if known.is_none() && content.users.len() >= USERS_MAX {
            return Err(bad(format!("There are {USERS_MAX} users already.")));
        }
        let known = known.cloned();
        let scopes = change.scopes.as_deref().map(rows::scopes_row);
        let claims = change.claims.as_ref().map(rows::claims_row);
        let (password, changed_at) = match (hash, &known) {
            // Later than before, also if the clock is not: tokens of the old password are void.
            (Some(hash), known) => {
                let before = known.as_ref().map_or(0, |known| known.changed_at.0);
                (Secret(hash.into_bytes()), WallTime(now.0.max(before + 1)))
            }
            (None, Some(known)) => (known.password.clone(), known.changed_at),
            (None, None) => return Err(bad("password: a new user needs one")),
        };
        let (old_scopes, old_claims) = known.map(|known| (known.scopes, known.claims)).unzip();
        Ok(UserRow {
            name: name.as_str().into(),
            password,
            scopes: scopes.or(old_scopes).unwrap_or_default(),
            claims: claims.or(old_claims).unwrap_or_default(),
            changed_at,
        })
    });
    let (row, ticket) = put?;
    committed(&broker, ticket).await?;
    Ok(Json(rows::user(&row)))
}

/// Takes its time: whatever it is for is looked at afterwards.
async fn hash(authenticator: &Authenticator, password: Password) -> Result<String, Problem> {
    if password.0.is_empty() || password.0.len() > PASSWORD_BYTES_MAX {
        return Err(bad(format!("password: 1 to {PASSWORD_BYTES_MAX} bytes")));
    }
    let hash = authenticator.hash(password.0).await.ok_or_else(|| {
        let detail = "Nobody is asked for a password here: start the broker with --auth password.";
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    hash.map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many passwords wait; try again later.",
        )
    })
}

/// Removes a user with its connections and sessions; answered when that is on disk.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{name}",
    operation_id = "removeUser",
    tag = "access",
    params(("name" = String, Path, description = "The name, percent-encoded.")),
    responses((status = 200, description = "It is gone.", body = UserRemoved), Problem)
)]
pub async fn remove(
    State(app): State<App>,
    InPath(name): InPath<String>,
) -> Result<Json<UserRemoved>, Problem> {
    has_to_be_on(&app)?;
    let (broker, _) = app.surroundings.broker.get();
    let directory = app.surroundings.authenticator.directory();
    let ticket = directory.remove_user(&broker, &name);
    let ticket =
        ticket.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "There is no such user."))?;
    let mut sessions = 0;
    let mut last = ticket;
    // Nobody comes in as this user any more; who did just before may still be on its way to its session.
    for _ in 0..LOOKS_MAX {
        let found = broker.client_ids_of(&name);
        if found.is_empty() {
            break;
        }
        for client_id in found {
            let now = app.surroundings.clock.now();
            let pending = broker.command(&client_id, Command::Delete, now);
            if let Some(pending) = pending
                && let Ok(Outcome::Deleted(ticket)) = pending.await
            {
                sessions += 1;
                last = last.max(ticket);
            }
        }
    }
    committed(&broker, last).await?;
    tracing::info!(
        user = name,
        sessions,
        "a user was removed, with its connections and sessions"
    );
    Ok(Json(UserRemoved { sessions }))
}
