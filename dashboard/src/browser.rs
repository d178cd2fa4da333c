//! The few things that the page asks of the browser itself: address, clock, focus, clipboard, styles.

use std::future::Future;
use std::task::{Context, Waker};

use gloo::timers::callback::Timeout;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, Element, Event, HtmlAnchorElement, HtmlElement, HtmlInputElement,
    HtmlSelectElement, HtmlTextAreaElement, Url, Window,
};

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

/// For lengths of time: a clock that is never set.
pub fn running_ms() -> f64 {
    let performance = window().and_then(|window| window.performance());
    performance.map_or(0.0, |performance| performance.now())
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

/// What has the focus; the body has it when nothing else does.
pub fn focused() -> Option<Element> {
    window()?.document()?.active_element()
}

/// Whether what had the focus has gone.
pub fn has_no_focus() -> bool {
    focused().is_none_or(|element| element.tag_name() == "BODY")
}

/// Whether keys go into a text field or a list just now.
pub fn is_typing() -> bool {
    focused().is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
    })
}

/// The first element that a selector means.
pub fn first(selector: &str) -> Option<Element> {
    window()?.document()?.query_selector(selector).ok()?
}

pub fn finds(selector: &str) -> bool {
    first(selector).is_some()
}

/// Tells whether it was possible.
pub fn focus_on(element: &Element) -> bool {
    let element = element.dyn_ref::<HtmlElement>();
    element.is_some_and(|element| element.focus().is_ok())
}

/// From the entry of a list that an event comes from, and that is about to go, to its neighbour; else to the page.
pub fn focus_beside(event: &Event) {
    let target = event.target().and_then(|target| target.dyn_into().ok());
    let entry = target.and_then(|target: Element| target.closest("li").ok().flatten());
    let beside = entry.and_then(|entry| {
        let next = entry.next_element_sibling();
        next.or_else(|| entry.previous_element_sibling())
    });
    if !beside.is_some_and(|beside| focus_on(&beside)) {
        focus("main");
    }
}

/// Back to what had the focus earlier, if it is still in the page, else to the element of that id.
pub fn focus_again(earlier: Option<HtmlElement>, otherwise: &str) {
    match earlier.filter(|earlier| earlier.is_connected()) {
        Some(earlier) => drop(earlier.focus()),
        None => focus(otherwise),
    }
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

/// Scrolls the page so far that a part of an element is in sight; what floats above and below it is allowed for.
pub fn bring_into_view(id: &str, offset_px: f64, height_px: f64) {
    /// The bar at the top, or the navigation at the foot, and a little more.
    const BESIDE_PX: f64 = 72.0;
    let (Some(window), Some(element)) = (window(), element(id)) else {
        return;
    };
    let top_px = element
        .parent_element()
        .unwrap_or(element)
        .get_bounding_client_rect()
        .top()
        + offset_px;
    let bottom_px = top_px + height_px;
    let below_px = view_height_px() - BESIDE_PX;
    if top_px < BESIDE_PX {
        window.scroll_by_with_x_and_y(0.0, top_px - BESIDE_PX);
    } else if bottom_px > below_px {
        window.scroll_by_with_x_and_y(0.0, bottom_px - below_px);
    }
}

/// What stands in the field or list that an event comes from.
pub fn value_of(event: &Event) -> Option<String> {
    let target = event.target()?;
    if let Some(input) = target.dyn_ref::<HtmlInputElement>() {
        return Some(input.value());
    }
    if let Some(list) = target.dyn_ref::<HtmlSelectElement>() {
        return Some(list.value());
    }
    target
        .dyn_ref::<HtmlTextAreaElement>()
        .map(HtmlTextAreaElement::value)
}

/// Offers a text, or the bytes of a buffer, as a file.
pub fn download(name: &str, content: &JsValue) {
    let parts = js_sys::Array::of1(content);
    let kind = BlobPropertyBag::new();
    kind.set_type("application/x-ndjson");
    let blob = Blob::new_with_str_sequence_and_options(&parts, &kind);
    let url = blob.and_then(|blob| Url::create_object_url_with_blob(&blob));
    let link = window()
        .and_then(|window| window.document())
        .and_then(|document| document.create_element("a").ok())
        .and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
    let (Ok(url), Some(link)) = (url, link) else {
        return;
    };
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser has it by now, or never will.
    let _unknown = Url::revoke_object_url(&url);
}

/// Whether nobody sees the page just now.
pub fn is_hidden() -> bool {
    let document = window().and_then(|window| window.document());
    document.is_some_and(|document| document.hidden())
}

/// Begins a task at once, up to its first wait, and not in a turn of its own: for a page that is being left there is none.
pub fn begin(task: impl Future<Output = ()> + 'static) {
    let mut task = Box::pin(task);
    let first = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if first.is_pending() {
        wasm_bindgen_futures::spawn_local(task);
    }
}

pub async fn sleep_ms(ms: u32) {
    let elapsed = js_sys::Promise::new(&mut |resolve, _| {
        Timeout::new(ms, move || {
            let _returned = resolve.call0(&JsValue::NULL);
        })
        .forget();
    });
    let _resolved = wasm_bindgen_futures::JsFuture::from(elapsed).await;
}
