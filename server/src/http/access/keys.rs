//! Keys of the HTTP API: made, listed, revoked.

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{KeyList, KeyRequest, NewKey, Password};
use ebbtide_store::access::{KeyRow, Secret};

use super::{KEY_PREFIX, has_to_be_on, hash};
use crate::{
    auth::{KEYS_MAX, random, rows},
    http::{
        App,
        commit::committed,
        extract::{InBody, InPath, bad},
        problem::Problem,
    },
};

/// The longest label, bytes.
const LABEL_BYTES_MAX: usize = 256;

/// All keys, without themselves.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    operation_id = "listKeys",
    tag = "access",
    responses((status = 200, description = "All keys.", body = KeyList), Problem)
)]
pub async fn list(State(app): State<App>) -> Json<KeyList> {
    let content = app.surroundings.authenticator.directory().read();
    let mut keys: Vec<&KeyRow> = content.keys.values().collect();
    keys.sort_by_key(|row| row.created_at);
    let keys = keys.into_iter().map(rows::key).collect();
    Json(KeyList { keys })
}

/// Makes a key; answered when it is on disk. It is not shown again.
#[utoipa::path(
    post,
    path = "/api/v1/keys",
    operation_id = "makeKey",
    tag = "access",
    request_body = KeyRequest,
    responses((status = 200, description = "The key.", body = NewKey), Problem)
)]
pub async fn make(
    State(app): State<App>,
    InBody(asked, _room): InBody<KeyRequest>,
) -> Result<Json<NewKey>, Problem> {
    has_to_be_on(&app)?;
    if asked.label.len() > LABEL_BYTES_MAX {
        return Err(bad(format!("label: at most {LABEL_BYTES_MAX} bytes")));
    }
    if asked.scopes.is_empty() {
        return Err(bad("scopes: at least one of read, publish and admin"));
    }
    let directory = app.surroundings.authenticator.directory();
    if directory.read().keys.len() >= KEYS_MAX {
        return Err(bad(format!(
            "There are {KEYS_MAX} keys already: revoke one."
        )));
    }
    let id: String = random::bytes::<8>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = format!("{KEY_PREFIX}{id}_{}", random::text());
    let row = KeyRow {
        id: id.as_str().into(),
        label: asked.label.into(),
        hash: Secret(hash(&key)),
        scopes: rows::scopes_row(&asked.scopes),
        created_at: app.surroundings.clock.now().wall,
        used_at: None,
    };
    let (broker, _) = app.surroundings.broker.get();
    let ticket = directory.put_key(&broker, row);
    committed(&broker, ticket).await?;
    Ok(Json(NewKey {
        id,
        key: Password(key),
    }))
}

/// Revokes a key; answered when that is on disk.
#[utoipa::path(
    delete,
    path = "/api/v1/keys/{id}",
    operation_id = "revokeKey",
    tag = "access",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "It opens nothing any more.", body = KeyList), Problem)
)]
pub async fn revoke(
    State(app): State<App>,
    InPath(id): InPath<String>,
) -> Result<Json<KeyList>, Problem> {
    has_to_be_on(&app)?;
    let (broker, _) = app.surroundings.broker.get();
    let ticket = app
        .surroundings
        .authenticator
        .directory()
        .remove_key(&broker, &id);
    let ticket =
        ticket.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "There is no such key."))?;
    committed(&broker, ticket).await?;
    Ok(list(State(app)).await)
}
