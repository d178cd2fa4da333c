//! Users: looked at, made, changed, removed with all that is theirs.

use std::{collections::HashSet, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{Password, User, UserChange, UserList, UserRemoved};
use ebbtide_broker::{Broker, Command, Outcome, Ticket};
use ebbtide_protocol::ByteString;
use ebbtide_store::{
    WallTime,
    access::{Secret, UserRow},
};
use tokio::{
    task::coop,
    time::{sleep, timeout},
};

use super::has_to_be_on;
use crate::{
    auth::{Authenticator, Directory, PASSWORD_BYTES_MAX, USERS_MAX, check_name, rows},
    clock::Clock,
    http::{
        App,
        commit::{DEADLINE, committed},
        extract::{InBody, InPath, bad},
        problem::Problem,
    },
};

/// After this it is looked again for sessions of a user that is gone.
const LOOK: Duration = Duration::from_millis(10);

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
    InBody(change, _room): InBody<UserChange>,
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

/// Removes a user with its connections and sessions; answered when that is on disk. It goes on though nobody waits for the answer, unless
/// the user is made again meanwhile. Where only sessions are left of one, it ends these; not so where others say who somebody is, by
/// tokens or certificates: these may be of somebody who never was a user here.
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
    // To its end, whether or not anybody waits for it still: half of it would leave in who was to be out.
    let removal = tokio::spawn(removed(app, name, DEADLINE));
    removal.await.unwrap_or_else(|error| {
        let detail = format!("It was not done to its end: {error}.");
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}

async fn removed(app: App, name: String, deadline: Duration) -> Result<Json<UserRemoved>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    let authenticator = &app.surroundings.authenticator;
    let directory = authenticator.directory();
    let ticket = directory.remove_user(&broker, &name);
    let found = broker.client_ids_of(&name);
    let has_all_users = authenticator.has_all_users();
    if ticket.is_none() && !has_all_users {
        let detail = "There is no such user. Whoever comes in under a name that others have signed, by a token or a certificate, is no user \
                      of this broker: its sessions are deleted by their client ids.";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    // Of a removal that a crash has cut short sessions may be left: the next user of this name must not get them.
    if ticket.is_none() && found.is_empty() {
        let detail = "There is no such user.";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let mut ending = Ending {
        user: &name,
        broker: &broker,
        directory,
        due: (!has_all_users).then(|| found.into_iter().collect()),
        sessions: 0,
        last: ticket,
    };
    let ended = timeout(deadline, ending.end_all(app.surroundings.clock)).await;
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(MadeAgain)) => {
            tracing::warn!(
                user = name,
                "a user was removed and made again, and what sessions it has now were left"
            );
            let detail =
                "The user was removed, and is made again: what sessions it has now were left.";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        Err(_) => {
            let left = ending.left().len();
            tracing::warn!(
                user = name,
                left,
                "a user was removed, and some of its sessions are left: their connections do not answer"
            );
            let then = match has_all_users {
                true => "try again",
                false => "delete them by their client ids",
            };
            let detail = format!(
                "The user is removed, but {left} of its sessions are left, for their connections do not answer: {then}."
            );
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
    }
    let Ending { sessions, last, .. } = ending;
    if let Some(last) = last {
        committed(&broker, last).await?;
    }
    tracing::info!(
        user = name,
        sessions,
        "a user was removed, with its connections and sessions"
    );
    Ok(Json(UserRemoved { sessions }))
}

/// The end of all sessions of a user that is removed.
struct Ending<'a> {
    user: &'a str,
    broker: &'a Broker,
    directory: &'a Directory,
    /// Those that have to end, if that is not all there are: who shows what others have signed comes in again at once, and each look
    /// would find a new session.
    due: Option<HashSet<ByteString>>,
    sessions: u64,
    /// All of it is on disk with this one.
    last: Option<Ticket>,
}

/// There is a user of this name again, and what is found now may be its own.
struct MadeAgain;

impl Ending<'_> {
    /// Nobody comes in as a user of this broker that is gone; who did just before may still be on its way to its session.
    async fn end_all(&mut self, clock: Clock) -> Result<(), MadeAgain> {
        loop {
            let found = self.left();
            if found.is_empty() {
                return Ok(());
            }
            if self.directory.read().users.contains_key(self.user) {
                return Err(MadeAgain);
            }
            // All at once: one that does not answer keeps nobody else in.
            let mut asked = Vec::with_capacity(found.len());
            for client_id in found {
                let pending = self
                    .broker
                    .command(&client_id, Command::Delete, clock.now());
                asked.extend(pending.map(|pending| (client_id, pending)));
                coop::consume_budget().await;
            }
            for (client_id, pending) in asked {
                // Who was lost has another connection by now, and who is busy is asked again.
                if let Ok(Outcome::Deleted(ticket)) = pending.await {
                    self.sessions += 1;
                    self.last = self.last.max(Some(ticket));
                    if let Some(due) = &mut self.due {
                        due.remove(&client_id);
                    }
                }
            }
            sleep(LOOK).await;
        }
    }

    fn left(&self) -> Vec<ByteString> {
        let mut found = self.broker.client_ids_of(self.user);
        found.retain(|client_id| self.due.as_ref().is_none_or(|due| due.contains(client_id)));
        found
    }
}

#[cfg(test)]
mod tests;
