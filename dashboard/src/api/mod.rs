//! The HTTP API of the broker that served this page: one call, typed by `server/api`, with errors in words.

pub mod retained;

use ebbtide_api::ProblemDetails;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, RequestInit, Response};

/// `body` is JSON, or empty. The error is a sentence.
async fn call<T: DeserializeOwned>(method: &str, path: &str, body: &str) -> Result<T, String> {
    let unreachable = |_: JsValue| "The broker did not answer.".to_owned();
    let init = RequestInit::new();
    init.set_method(method);
    if !body.is_empty() {
        init.set_body(&body.into());
    }
    let request = Request::new_with_str_and_init(path, &init).map_err(unreachable)?;
    if method != "GET" {
        let headers = request.headers();
        headers
            .set("content-type", "application/json")
            .map_err(unreachable)?;
    }
    let window = web_sys::window().ok_or_else(String::new)?;
    let response = JsFuture::from(window.fetch_with_request(&request)).await;
    let response: Response = response.map_err(unreachable)?.unchecked_into();
    let text = JsFuture::from(response.text().map_err(unreachable)?).await;
    let text = text.map_err(unreachable)?.as_string().unwrap_or_default();
    if response.ok() {
        return serde_json::from_str(&text)
            .map_err(|_| "The broker's answer is not understood here.".to_owned());
    }
    match serde_json::from_str::<ProblemDetails>(&text) {
        Ok(problem) => Err(problem.detail),
        Err(_) => Err(format!(
            "The broker answered with status {}.",
            response.status()
        )),
    }
}
