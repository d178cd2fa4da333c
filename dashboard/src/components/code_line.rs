//! A piece of code to take away: shown whole, copied with one click where the browser allows it.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

use crate::browser;

const CONFIRMED_MS: u32 = 2_000;

#[derive(Properties, PartialEq)]
pub struct CodeLineProps {
    pub code: AttrValue,
    /// What is copied, for those who do not see the button's place.
    pub label: AttrValue,
}

#[component]
pub fn CodeLine(props: &CodeLineProps) -> Html {
    let outcome = use_state_eq(|| None::<bool>);
    use_effect_with(*outcome, {
        let outcome = outcome.clone();
        move |shown| {
            let end = shown.map(|_| Timeout::new(CONFIRMED_MS, move || outcome.set(None)));
            move || drop(end)
        }
    });
    let onclick = {
        let (code, outcome) = (props.code.to_string(), outcome.clone());
        Callback::from(move |_: MouseEvent| {
            let (code, outcome) = (code.clone(), outcome.clone());
            wasm_bindgen_futures::spawn_local(async move {
                outcome.set(Some(browser::copy(code).await));
            });
        })
    };
    let words = match *outcome {
        None => "Copy",
        Some(true) => "Copied",
        Some(false) => "Failed",
    };
    html! {
        <div class="code">
            <pre translate="no" role="group" tabindex="0" aria-label={props.label.clone()}><code>{ props.code.clone() }</code></pre>
            if browser::can_copy() {
                <button type="button" class="button code-copy" {onclick}>
                    { words }<span class="visually-hidden">{ format!(": {}", props.label) }</span>
                </button>
            }
        </div>
    }
}
