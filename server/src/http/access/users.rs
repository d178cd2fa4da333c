//! Users: looked at, made, changed, removed with all that is theirs.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use ebbtide_api::{User, UserChange, UserList, UserRemoved};
use ebbtide_broker::{Command, Outcome};
use ebbtide_store::access::{Secret, UserRow};

use super::has_to_be_on;
use crate::{
    auth::{PASSWORD_BYTES_MAX, USERS_MAX, check_name, rows},
    http::{
        App,
        commit::committed,
        extract::{InPath, bad, json},
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
    request: Request,
) -> Result<Json<User>, Problem> {
    let change: UserChange = json(request).await?;
    has_to_be_on(&app)?;
    check_name(&name).map_err(|why| bad(format!("name: {why}")))?;
    let authenticator = &app.surroundings.authenticator;
    let directory = authenticator.directory();
    let now = app.surroundings.clock.now().wall;
    let (known, count) = {
        let content = directory.read();
        (
            content.users.get(name.as_str()).cloned(),
            content.users.len(),
        )
    };
    if known.is_none() && count >= USERS_MAX {
        return Err(bad(format!("There are {USERS_MAX} users already.")));
    }
    let mut row = match (known, &change.password) {
        (Some(known), _) => known,
        (None, Some(_)) => UserRow {
            name: name.as_str().into(),
            password: Secret(Vec::new()),
            scopes: rows::scopes_row(&[]),
            claims: Vec::new(),
            changed_at: now,
        },
        (None, None) => return Err(bad("password: a new user needs one")),
    };
    if let Some(password) = change.password {
        if password.0.is_empty() || password.0.len() > PASSWORD_BYTES_MAX {
            return Err(bad(format!("password: 1 to {PASSWORD_BYTES_MAX} bytes")));
        }
        let hash = authenticator.hash(password.0).await;
        let hash = hash.ok_or_else(|| {
            let detail =
                "Nobody is asked for a password here: start the broker with --auth password.";
            Problem::new(StatusCode::CONFLICT, detail)
        })?;
        let hash = hash.map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many passwords wait; try again later.",
            )
        })?;
        row.password = Secret(hash.into_bytes());
        row.changed_at = now;
    }
    if let Some(scopes) = change.scopes {
        row.scopes = rows::scopes_row(&scopes);
    }
    if let Some(claims) = change.claims {
        row.claims = rows::claims_row(&claims);
    }
    let (broker, _) = app.surroundings.broker.get();
    let ticket = directory.put_user(&broker, row.clone());
    committed(&broker, ticket).await?;
    Ok(Json(rows::user(&row)))
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
