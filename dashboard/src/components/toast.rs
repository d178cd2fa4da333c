//! Tells what an action came to, with a way back where there is one.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

const SHOWN_MS: u32 = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub text: String,
    /// Takes back what was done.
    pub undo: Option<Callback<()>>,
}

impl Notice {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            undo: None,
        }
    }

    #[must_use]
    pub fn with_undo(self, undo: Callback<()>) -> Self {
        Self {
            undo: Some(undo),
            ..self
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct ToastProps {
    pub notice: Option<Notice>,
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
        let undo = notice.undo.clone().map(|undo| {
            let on_dismiss = props.on_dismiss.clone();
            let onclick = Callback::from(move |_: MouseEvent| {
                on_dismiss.emit(());
                undo.emit(());
            });
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
