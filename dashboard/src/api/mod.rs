//! The HTTP API of the broker, typed. The only module that fetches.
//!
//! Every call ends within [`ANSWER_WITHIN_MS`]; it never retries by itself: who asks decides.

pub mod access;
mod answer;
pub mod bearer;
mod events;
pub mod login;
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

use self::bearer::Bearer;
use self::path::{query, segment};

/// An answer that takes longer is not waited for.
const ANSWER_WITHIN_MS: u32 = 15_000;
/// The broker takes a head of 16 KiB in all.
const SESSION_PATH_BYTES_MAX: usize = 8 * 1024;

/// What is to come of a call.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Fault>>>>;

pub fn stats() -> Answer<Stats> {
    get("/api/v1/stats")
}

pub fn history(asked: &HistoryQuery) -> Answer<History> {
    get(&format!("/api/v1/stats/history{}", query(asked)))
}

pub fn sessions(asked: &SessionQuery) -> Answer<SessionPage> {
    get(&format!("/api/v1/sessions{}", query(asked)))
}

pub fn session(client_id: &str) -> Answer<Session> {
    get(&session_path(client_id))
}

pub fn subscriptions(client_id: &str, asked: &SubscriptionQuery) -> Answer<SubscriptionPage> {
    let path = session_path(client_id);
    get(&format!("{path}/subscriptions{}", query(asked)))
}

pub fn queue(client_id: &str, asked: &QueueQuery) -> Answer<QueuePage> {
    let path = session_path(client_id);
    get(&format!("{path}/queue{}", query(asked)))
}

pub fn why(client_id: &str, asked: &WhyQuery) -> Answer<Why> {
    get(&format!("{}/why{}", session_path(client_id), query(asked)))
}

pub fn purge(client_id: &str) -> Answer<PurgeResponse> {
    let path = format!("{}/queue", session_path(client_id));
    call("DELETE", &path, None::<&()>)
}

pub fn disconnect(client_id: &str) -> Answer<Done> {
    let path = format!("{}/disconnect", session_path(client_id));
    call("POST", &path, Some(&DisconnectRequest {}))
}

pub fn delete_session(client_id: &str) -> Answer<Done> {
    call("DELETE", &session_path(client_id), None::<&()>)
}

/// Whether a session can be asked about: its client id is part of the address, which has no room for 64 KiB.
pub fn has_room_for(client_id: &str) -> bool {
    session_path(client_id).len() <= SESSION_PATH_BYTES_MAX
}

fn session_path(client_id: &str) -> String {
    format!("/api/v1/sessions/{}", segment(client_id))
}

fn get<T: DeserializeOwned + 'static>(path: &str) -> Answer<T> {
    call("GET", path, None::<&()>)
}

/// One request. What changes something says that it is JSON, also without a body (docs/api.md). What takes something away goes
/// on when the page is left meanwhile.
pub fn call<T: DeserializeOwned + 'static>(
    method: &'static str,
    path: &str,
    body: Option<&impl Serialize>,
) -> Answer<T> {
    read(ask(
        method,
        path.to_owned(),
        body.map(as_json),
        bearer::get(),
    ))
}

/// The same with a body that is text already.
fn call_with_text<T: DeserializeOwned + 'static>(
    method: &'static str,
    path: &str,
    body: String,
) -> Answer<T> {
    read(ask(method, path.to_owned(), Some(body), bearer::get()))
}

/// The same, whoever is signed in.
fn call_without_name<T: DeserializeOwned + 'static>(
    method: &'static str,
    path: &str,
    body: &impl Serialize,
) -> Answer<T> {
    let body = Some(as_json(body));
    read(ask(method, path.to_owned(), body, Bearer::Nobody))
}

fn read<T: DeserializeOwned + 'static>(asked: Asked) -> Answer<T> {
    Box::pin(async move {
        let (status, text) = asked.await?;
        answer::read(status, &text)
    })
}

/// The bytes of what stands at a path.
pub async fn bytes(path: &str) -> Result<js_sys::ArrayBuffer, Fault> {
    let asking = Asking {
        path,
        bearer: bearer::get(),
        ..Asking::default()
    };
    let fetched = async {
        let response = send(asking).await?;
        if !response.ok() {
            let text = JsFuture::from(response.text()?).await?;
            return Ok(Err((response.status(), text.as_string())));
        }
        let buffer = JsFuture::from(response.array_buffer()?).await?;
        Ok::<_, JsValue>(Ok(buffer.unchecked_into()))
    };
    match fetched.await {
        Ok(Ok(buffer)) => Ok(buffer),
        Ok(Err((status, text))) => Err(answer::refusal(status, &text.unwrap_or_default())),
        Err(_) => Err(Fault::Unreachable),
    }
}

fn as_json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("the types of the API become JSON")
}

type Asked = Pin<Box<dyn Future<Output = Result<(u16, String), Fault>>>>;

/// In a box, so that it is in the page once and not for each type of answer.
fn ask(method: &'static str, path: String, body: Option<String>, bearer: Bearer) -> Asked {
    Box::pin(async move {
        if bearer == Bearer::Closed {
            return Err(Fault::SignInNeeded);
        }
        let asking = Asking {
            method,
            path: &path,
            body: body.as_deref(),
            bearer,
            ..Asking::default()
        };
        let exchanged = async {
            let response = send(asking).await?;
            let text = JsFuture::from(response.text()?).await?;
            Ok::<_, JsValue>((response.status(), text.as_string().unwrap_or_default()))
        };
        exchanged.await.map_err(|_| Fault::Unreachable)
    })
}

/// One request to be sent.
struct Asking<'a> {
    method: &'static str,
    path: &'a str,
    body: Option<&'a str>,
    bearer: Bearer,
    /// When it is not waited for any more.
    signal: AbortSignal,
}

impl Default for Asking<'_> {
    fn default() -> Self {
        Self {
            method: "GET",
            path: "",
            body: None,
            bearer: bearer::get(),
            signal: AbortSignal::timeout_with_u32(ANSWER_WITHIN_MS),
        }
    }
}

/// The answer, when its head is there. The app is told when the broker wants to know who asks.
async fn send(asking: Asking<'_>) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    init.set_method(asking.method);
    let headers = Headers::new()?;
    if asking.method != "GET" {
        headers.set("content-type", "application/json")?;
    }
    if let Bearer::Token(token) = &asking.bearer {
        headers.set("authorization", &format!("Bearer {token}"))?;
    }
    init.set_headers(&headers);
    if asking.method == "DELETE" {
        // It outlives the page, and a signal of the page would end with it and take it along.
        js_sys::Reflect::set(&init, &"keepalive".into(), &JsValue::TRUE)?;
    } else {
        init.set_signal(Some(&asking.signal));
    }
    if let Some(body) = asking.body {
        init.set_body(&JsValue::from_str(body));
    }
    let request = Request::new_with_str_and_init(asking.path, &init)?;
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response = JsFuture::from(window.fetch_with_request(&request)).await?;
    let response: Response = response.dyn_into()?;
    if response.status() == 401 {
        bearer::refused(&asking.bearer);
    }
    Ok(response)
}
