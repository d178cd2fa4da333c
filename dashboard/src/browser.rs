//! The few things that the page asks of the browser itself: address, clock, focus, clipboard, styles.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, HtmlInputElement, Window};

use crate::shell::Step;

fn window() -> Option<Window> {
    web_sys::window()
}

pub fn element(id: &str) -> Option<Element> {
    window()?.document()?.get_element_by_id(id)
}

pub fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

/// The time in the viewer's language and zone.
pub fn exact_time(at_ms: i64) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
    date.to_locale_string("default", &JsValue::UNDEFINED).into()
}

/// The time of day in the viewer's language and zone.
pub fn time_of_day(at_ms: i64) -> String {
    let date = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
    date.to_locale_time_string("default").into()
}

/// `None` for a time that no calendar has.
pub fn iso_time(at_ms: i64) -> Option<String> {
    let date = js_sys::Date::new(&JsValue::from_f64(at_ms as f64));
    (!date.get_time().is_nan()).then(|| date.to_iso_string().into())
}

/// The broker that served this page: `wss://` when the page came over https.
pub fn broker_url() -> String {
    let location = window().map(|window| window.location());
    let part = |part: Option<Result<String, JsValue>>| part.and_then(Result::ok);
    let host = part(location.as_ref().map(|l| l.host())).unwrap_or_default();
    let secure = part(location.as_ref().map(|l| l.protocol())).is_some_and(|p| p == "https:");
    format!("{}://{host}/mqtt", if secure { "wss" } else { "ws" })
}

/// The host alone, as other MQTT clients name it.
pub fn host_name() -> String {
    let location = window().map(|window| window.location());
    let host = location.and_then(|location| location.hostname().ok());
    host.filter(|host| !host.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The path and the query of the address, the latter with its `?` if there is one.
pub fn address() -> (String, String) {
    let location = window().map(|window| window.location());
    let part = |part: Option<Result<String, JsValue>>| part.and_then(Result::ok);
    let path = part(location.as_ref().map(|l| l.pathname()));
    let query = part(location.as_ref().map(|l| l.search()));
    (path.unwrap_or_default(), query.unwrap_or_default())
}

/// Changes the address, with a new entry in the history or in place of the present one.
pub fn set_address(url: &str, step: Step) {
    let Some(history) = window().and_then(|window| window.history().ok()) else {
        return;
    };
    // Refused when called too often; the next change brings it up to date.
    let _refused = match step {
        Step::Push => history.push_state_with_url(&JsValue::NULL, "", Some(url)),
        Step::Replace => history.replace_state_with_url(&JsValue::NULL, "", Some(url)),
    };
}

pub fn set_title(title: &str) {
    if let Some(document) = window().and_then(|window| window.document()) {
        document.set_title(title);
    }
}

pub fn scroll_to_top() {
    if let Some(window) = window() {
        window.scroll_to_with_x_and_y(0.0, 0.0);
    }
}

/// Whether keys go into a text field or a list just now.
pub fn is_typing() -> bool {
    let active = window()
        .and_then(|window| window.document())
        .and_then(|document| document.active_element());
    active.is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
    })
}

pub fn focus(id: &str) {
    let Some(element) = element(id) else { return };
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        input.select();
    }
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        let _refused = element.focus();
    }
}

/// Whether text can be put on the clipboard: browsers allow it in secure contexts only.
pub fn can_copy() -> bool {
    window().is_some_and(|window| {
        js_sys::Reflect::get(&window.navigator(), &"clipboard".into())
            .is_ok_and(|clipboard| !clipboard.is_undefined())
    })
}

/// Puts text on the clipboard. Tells whether it worked.
pub async fn copy(text: String) -> bool {
    let Some(window) = window().filter(|_| can_copy()) else {
        return false;
    };
    let written = window.navigator().clipboard().write_text(&text);
    wasm_bindgen_futures::JsFuture::from(written).await.is_ok()
}

/// Sets a style of one element, as a policy without inline styles allows it.
pub fn set_style(element: &Element, name: &str, value: &str) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        let _refused = element.style().set_property(name, value);
    } else if let Some(element) = element.dyn_ref::<web_sys::SvgElement>() {
        let _refused = element.style().set_property(name, value);
    }
}

/// The height of the visible part of the page, in CSS pixels.
pub fn view_height_px() -> f64 {
    let height = window().and_then(|window| window.inner_height().ok());
    height
        .and_then(|height| height.as_f64())
        .unwrap_or_default()
}
