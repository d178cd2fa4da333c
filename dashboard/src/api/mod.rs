//! The HTTP API of the broker, typed. The only module that fetches.
//!
//! Every call ends within [`ANSWER_WITHIN_MS`]; it never retries by itself: who asks decides.

mod answer;
mod events;
mod path;
mod polled;
pub mod retained;

pub use self::answer::Fault;
pub use self::events::Listening;
pub use self::polled::{Polled, use_polled};

use std::future::Future;
use std::pin::Pin;

use ebbtide_api::{
    DisconnectRequest, Done, History, HistoryQuery, PurgeResponse, QueuePage, QueueQuery, Session,
    SessionPage, SessionQuery, Stats, SubscriptionPage, SubscriptionQuery, Why, WhyQuery,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestInit, Response};

use self::path::{query, segment};

/// An answer that takes longer is not waited for.
const ANSWER_WITHIN_MS: u32 = 15_000;
/// The broker takes a head of 16 KiB in all.
const SESSION_PATH_BYTES_MAX: usize = 8 * 1024;

pub async fn stats() -> Result<Stats, Fault> {
    get("/api/v1/stats").await
}

pub async fn history(asked: &HistoryQuery) -> Result<History, Fault> {
    get(&format!("/api/v1/stats/history{}", query(asked))).await
}

pub async fn sessions(asked: &SessionQuery) -> Result<SessionPage, Fault> {
    get(&format!("/api/v1/sessions{}", query(asked))).await
}

pub async fn session(client_id: &str) -> Result<Session, Fault> {
    get(&session_path(client_id)).await
}

pub async fn subscriptions(
    client_id: &str,
    asked: &SubscriptionQuery,
) -> Result<SubscriptionPage, Fault> {
    let path = session_path(client_id);
    get(&format!("{path}/subscriptions{}", query(asked))).await
}

pub async fn queue(client_id: &str, asked: &QueueQuery) -> Result<QueuePage, Fault> {
    get(&format!(
        "{}/queue{}",
        session_path(client_id),
        query(asked)
    ))
    .await
}

pub async fn why(client_id: &str, asked: &WhyQuery) -> Result<Why, Fault> {
    get(&format!("{}/why{}", session_path(client_id), query(asked))).await
}

pub async fn purge(client_id: &str) -> Result<PurgeResponse, Fault> {
    let path = format!("{}/queue", session_path(client_id));
    call("DELETE", &path, None::<&()>).await
}

pub async fn disconnect(client_id: &str) -> Result<Done, Fault> {
    let path = format!("{}/disconnect", session_path(client_id));
    call("POST", &path, Some(&DisconnectRequest {})).await
}

pub async fn delete_session(client_id: &str) -> Result<Done, Fault> {
    call("DELETE", &session_path(client_id), None::<&()>).await
}

/// Whether a session can be asked about: its client id is part of the address, which has no room for 64 KiB.
pub fn has_room_for(client_id: &str) -> bool {
    session_path(client_id).len() <= SESSION_PATH_BYTES_MAX
}

fn session_path(client_id: &str) -> String {
    format!("/api/v1/sessions/{}", segment(client_id))
}

async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Fault> {
    call("GET", path, None::<&()>).await
}

/// One request. What changes something says that it is JSON, also without a body (docs/api.md). What takes something away goes
/// on when the page is left meanwhile.
pub async fn call<T: DeserializeOwned>(
    method: &str,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<T, Fault> {
    let body = body.map(serde_json::to_string).transpose();
    let body = body.expect("the types of the API become JSON");
    let (status, text) = ask(method.to_owned(), path.to_owned(), body).await?;
    answer::read(status, &text)
}

type Asked = Pin<Box<dyn Future<Output = Result<(u16, String), Fault>>>>;

/// In a box, so that it is in the page once and not for each type of answer.
fn ask(method: String, path: String, body: Option<String>) -> Asked {
    Box::pin(async move {
        let exchanged = exchange(&method, &path, body.as_deref()).await;
        exchanged.map_err(|_| Fault::Unreachable)
    })
}

async fn exchange(method: &str, path: &str, body: Option<&str>) -> Result<(u16, String), JsValue> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(ANSWER_WITHIN_MS)));
    if method != "GET" {
        let headers = Headers::new()?;
        headers.set("content-type", "application/json")?;
        init.set_headers(&headers);
    }
    if method == "DELETE" {
        js_sys::Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE)?;
    }
    if let Some(body) = body {
        init.set_body(&JsValue::from_str(body));
    }
    let request = Request::new_with_str_and_init(path, &init)?;
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response = JsFuture::from(window.fetch_with_request(&request)).await?;
    let response: Response = response.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok((response.status(), text.as_string().unwrap_or_default()))
}
