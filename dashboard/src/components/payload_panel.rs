//! A payload to look into: as JSON, as text, or as bytes, whichever the viewer chooses.
//!
//! Whatever it is, it is only ever turned into text nodes. What was cut for display says so, and where all of it is.

use yew::prelude::*;

use super::copy_button::CopyButton;
use super::json_tree::JsonTree;
use super::segmented::{Segmented, segmented};
use super::toast::Notice;
use crate::api;
use crate::api::bearer::{self, Bearer};
use crate::browser;
use crate::model::hex;
use crate::model::json;
use crate::model::payload::{KEPT_BYTES_MAX, Payload, plain, shorten, size};
use crate::shell::use_shell;

const WHOLE_NAME: &str = "retained.json";
const HEX_ROWS_MAX: usize = 1_024;
const TEXT_CHARS_FIRST: usize = 8_000;

#[derive(Properties, PartialEq)]
pub struct PayloadPanelProps {
    /// Unique in the page.
    pub id: AttrValue,
    pub payload: Payload,
    /// Where the whole of it can be fetched, if the broker keeps it.
    #[prop_or_default]
    pub whole: Option<AttrValue>,
}

#[component]
pub fn PayloadPanel(props: &PayloadPanelProps) -> Html {
    let shell = use_shell();
    let chosen = use_state_eq(|| None::<&'static str>);
    let all = use_state_eq(|| false);
    let payload = &props.payload;
    let is_json = !payload.is_cut() && payload.text().is_some_and(|t| json::pretty(t).is_some());
    let natural = match payload.text() {
        _ if is_json => "json",
        Some(_) => "text",
        None => "hex",
    };
    // JSON that this one is not would be drawn as nothing.
    let form = chosen
        .filter(|form| *form != "json" || is_json)
        .unwrap_or(natural);
    let on_choose = {
        let chosen = chosen.clone();
        Callback::from(move |form| chosen.set(Some(form)))
    };
    let forms = segmented(Segmented {
        name: format!("{}-form", props.id),
        label: "Show the payload as",
        show_label: false,
        choices: vec![("json", "JSON"), ("text", "Text"), ("hex", "Hex")],
        chosen: form.to_owned(),
        on_choose,
    });
    let asked_for_json = *chosen == Some("json") && !is_json;
    html! {
        <div class="payload-panel" data-form={form}>
            <div class="payload-tools">
                { forms }
                <span class="payload-size">{ size(payload.bytes()) }</span>
                <CopyButton text={copied(payload)} label="the payload" />
            </div>
            if asked_for_json {
                <p class="note" role="status">{ why_no_json(payload) }</p>
            }
            <div class="payload-block">{ block(payload, form, &all) }</div>
            if payload.is_cut() {
                <p class="note">
                    { format!("The first {} of {}.", size(payload.kept().len()), size(payload.bytes())) }
                    if let Some(whole) = props.whole.clone() {
                        { " " }<a href={whole.clone()} download={WHOLE_NAME} onclick={fetched(whole, shell.notify.clone())}>{ "Download all of it" }</a>
                    }
                </p>
            }
        </div>
    }
}

/// A link shows no token: for who is signed in, the page fetches it.
fn fetched(whole: AttrValue, notify: Callback<Notice>) -> Callback<MouseEvent> {
    Callback::from(move |event: MouseEvent| {
        if bearer::get() == Bearer::Nobody {
            return;
        }
        event.prevent_default();
        let (whole, notify) = (whole.clone(), notify.clone());
        wasm_bindgen_futures::spawn_local(async move {
            match api::bytes(&whole).await {
                Ok(buffer) => browser::download(WHOLE_NAME, &buffer),
                Err(fault) => notify.emit(Notice::new(format!("It was not downloaded. {fault}"))),
            }
        });
    })
}

fn block(payload: &Payload, form: &str, all: &UseStateHandle<bool>) -> Html {
    match form {
        _ if payload.is_empty() => html! { <p class="note payload-empty">{ "Empty." }</p> },
        "json" => {
            let text = payload.text().unwrap_or_default().to_owned();
            html! { <JsonTree {text} /> }
        }
        "text" => long_text(&plain(payload.kept()), all),
        _ => {
            let rows = hex::rows(payload.kept(), HEX_ROWS_MAX);
            let all = payload.kept().len().div_ceil(hex::BYTES_PER_ROW);
            html! {
                <>
                    <pre class="payload payload-hex" role="group" tabindex="0" aria-label="Bytes" translate="no">{ rows.join("\n") }</pre>
                    if all > rows.len() {
                        <p class="note">{ format!("The first {HEX_ROWS_MAX} rows of {all}.") }</p>
                    }
                </>
            }
        }
    }
}

/// Opened on request: a page of text is as much as anybody reads first.
fn long_text(text: &str, all: &UseStateHandle<bool>) -> Html {
    let shown = if **all {
        text.to_owned()
    } else {
        shorten(text, TEXT_CHARS_FIRST)
    };
    let is_long = shown.len() < text.len();
    let all = all.clone();
    let onclick = Callback::from(move |_: MouseEvent| all.set(true));
    html! {
        <>
            <pre class="payload payload-text" dir="auto" translate="no">{ shown }</pre>
            if is_long {
                <p class="note"><button type="button" class="link-button" {onclick}>{ "Show all" }</button></p>
            }
        </>
    }
}

/// Text as it is; bytes as digits.
fn copied(payload: &Payload) -> String {
    match payload.text() {
        Some(text) => text.to_owned(),
        None => hex::start(payload.kept(), KEPT_BYTES_MAX),
    }
}

fn why_no_json(payload: &Payload) -> String {
    if payload.is_cut() {
        return "It is too large to be laid out as JSON here.".to_owned();
    }
    let text = payload.text().map(json::check);
    match text {
        None => "It is binary, not JSON.".to_owned(),
        Some(Ok(())) => "Its nesting is too deep to be laid out.".to_owned(),
        Some(Err(fault)) => format!("It is not JSON: {fault}."),
    }
}
