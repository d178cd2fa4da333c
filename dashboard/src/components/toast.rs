//! Tells what an action came to, with a way back where there is one.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

const SHOWN_MS: u32 = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    text: String,
    /// The topic that was filled and can be emptied again.
    undo_topic: Option<String>,
}

impl Notice {
    pub fn published(topic: String) -> Self {
        Self {
            text: format!("Published to {topic}. The broker has kept it."),
            undo_topic: Some(topic),
        }
    }

    pub fn failed(topic: &str, reason: &str) -> Self {
        Self {
            text: format!("Nothing was published to {topic}: {reason}."),
            undo_topic: None,
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct ToastProps {
    pub notice: Option<Notice>,
    pub on_undo: Callback<String>,
    pub on_dismiss: Callback<()>,
}

#[component]
pub fn Toast(props: &ToastProps) -> Html {
    use_effect_with(props.notice.clone(), {
        let on_dismiss = props.on_dismiss.clone();
        move |notice| {
            let end = notice
                .is_some()
                .then(|| Timeout::new(SHOWN_MS, move || on_dismiss.emit(())));
            move || drop(end)
        }
    });
    let shown = props.notice.as_ref().map(|notice| {
        let undo = notice.undo_topic.clone().map(|topic| {
            let onclick = props.on_undo.reform(move |_: MouseEvent| topic.clone());
            html! { <button type="button" class="button" {onclick}>{ "Undo" }</button> }
        });
        let onclick = props.on_dismiss.reform(|_: MouseEvent| ());
        html! {
            <div class="toast">
                <p>{ notice.text.clone() }</p>
                { undo }
                <button type="button" class="button button-quiet" {onclick}>{ "Dismiss" }</button>
            </div>
        }
    });
    // The live region stays in the page: only then is a change of it read aloud.
    html! { <div class="toasts" role="status">{ shown }</div> }
}
