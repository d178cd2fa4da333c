//! Puts a text on the clipboard and says whether that worked. Not there where the browser does not allow it.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

use crate::browser;

const CONFIRMED_MS: u32 = 2_000;

#[derive(Properties, PartialEq)]
pub struct CopyButtonProps {
    pub text: AttrValue,
    /// What is copied.
    pub label: AttrValue,
    #[prop_or_default]
    pub class: Classes,
}

#[component]
pub fn CopyButton(props: &CopyButtonProps) -> Html {
    let outcome = use_state_eq(|| None::<bool>);
    use_effect_with(*outcome, {
        let outcome = outcome.clone();
        move |shown| {
            let end = shown.map(|_| Timeout::new(CONFIRMED_MS, move || outcome.set(None)));
            move || drop(end)
        }
    });
    if !browser::can_copy() {
        return Html::default();
    }
    let onclick = {
        let (text, outcome) = (props.text.clone(), outcome.clone());
        Callback::from(move |_: MouseEvent| {
            let (text, outcome) = (text.to_string(), outcome.clone());
            wasm_bindgen_futures::spawn_local(async move {
                outcome.set(Some(browser::copy(text).await));
            });
        })
    };
    let words = match *outcome {
        None => "Copy",
        Some(true) => "Copied",
        Some(false) => "Failed",
    };
    html! {
        <button type="button" class={classes!("button", "button-small", "copy-button", props.class.clone())} {onclick}>
            { words }<span class="visually-hidden">{ format!(" {}", props.label) }</span>
        </button>
    }
}
