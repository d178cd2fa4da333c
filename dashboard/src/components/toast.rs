//! Tells what an action came to, with a way back where there is one; or what is about to be done, unless it is taken back.
//!
//! A deed that waits is done when its notice ends, however that ends: its time is up, it is dismissed, another takes its
//! place, the page is left. The time stands still while the pointer or the focus is on the notice, and while the viewer has to
//! sign in again: before that nothing can be done, and the notice is out of reach.

use std::cell::Cell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use yew::prelude::*;

use crate::browser;
use crate::keys;
use crate::model::deed::{Countdown, Deed};

const SHOWN_MS: f64 = 10_000.0;
/// As often the time that is left is looked at.
const LOOK_EVERY_MS: u32 = 100;
/// In the words of stylesheets: it has the focus; its time stands still.
const FOCUSED: &str = ".toast:focus-within";
const HELD: &str = ".toast:focus-within, .toast:hover, .sign-in-dialog";
/// Where the focus goes when there is nothing left to go back to.
const ELSEWHERE: &str = "main";

#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub text: String,
    /// Takes back what was done.
    pub undo: Option<Callback<()>>,
    /// What is about to be done.
    deed: Option<Deed>,
}

impl Notice {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            undo: None,
            deed: None,
        }
    }

    #[must_use]
    pub fn with_undo(self, undo: Callback<()>) -> Self {
        Self {
            undo: Some(undo),
            ..self
        }
    }

    /// Announces what will be done when this notice ends. `undone` is called instead when it is taken back.
    pub fn before(
        text: impl Into<String>,
        act: impl FnOnce() + 'static,
        undone: Callback<()>,
    ) -> Self {
        Self {
            deed: Some(Deed::new(act)),
            ..Self::new(text).with_undo(undone)
        }
    }

    /// Does at once what it announces, if that is still to be done.
    pub fn act(&self) {
        act(self.deed.as_ref());
    }
}

#[derive(Properties, PartialEq)]
pub struct ToastProps {
    pub notice: Option<Notice>,
    pub on_dismiss: Callback<()>,
}

/// What has been shown with a notice, until another or none is.
struct Shown {
    deed: Option<Deed>,
    _time: Interval,
    _leaving: [EventListener; 2],
    _keys: EventListener,
}

impl Drop for Shown {
    fn drop(&mut self) {
        act(self.deed.as_ref());
    }
}

#[component]
pub fn Toast(props: &ToastProps) -> Html {
    // What had the focus before it.
    let before = use_mut_ref(|| None::<HtmlElement>);
    let onfocusin = {
        let before = Rc::clone(&before);
        Callback::from(move |event: FocusEvent| {
            let from = event.related_target();
            let from = from.and_then(|from| from.dyn_into::<HtmlElement>().ok());
            let is_inside = |from: &HtmlElement| matches!(from.closest(".toast"), Ok(Some(_)));
            if !from.as_ref().is_some_and(is_inside) {
                *before.borrow_mut() = from;
            }
        })
    };
    let left_s = use_state_eq(|| 0);
    let dismiss = {
        let on_dismiss = props.on_dismiss.clone();
        Callback::from(move |()| {
            if browser::finds(FOCUSED) {
                browser::focus_again(before.borrow_mut().take(), ELSEWHERE);
            }
            on_dismiss.emit(());
        })
    };
    let undo = props.notice.as_ref().and_then(|notice| {
        let (undo, deed, dismiss) = (notice.undo.clone()?, notice.deed.clone(), dismiss.clone());
        Some(Callback::from(move |()| {
            let is_undone = deed.as_ref().is_none_or(Deed::take_back);
            dismiss.emit(());
            if is_undone {
                undo.emit(());
            }
        }))
    });
    use_effect_with(props.notice.clone(), {
        let (left_s, dismiss, undo) = (left_s.clone(), dismiss.clone(), undo.clone());
        move |notice| {
            let shown = notice
                .as_ref()
                .zip(web_sys::window())
                .map(|(notice, window)| {
                    // The first is the better moment, and not every way of leaving has it.
                    let leaving = ["beforeunload", "pagehide"].map(|moment| {
                        let deed = notice.deed.clone();
                        EventListener::new(&window, moment, move |_| act(deed.as_ref()))
                    });
                    Shown {
                        deed: notice.deed.clone(),
                        _leaving: leaving,
                        _keys: keys::for_notice(undo, dismiss.clone()),
                        _time: runs_out(left_s, dismiss),
                    }
                });
            move || drop(shown)
        }
    });
    let shown = props.notice.as_ref().map(|notice| {
        let waits = notice.deed.is_some();
        let onclick = dismiss.reform(|_: MouseEvent| ());
        let undo = undo.map(|undo| {
            let onclick = undo.reform(|_: MouseEvent| ());
            html! {
                <button type="button" class="button" title="Control and Z" aria-keyshortcuts="Control+Z Meta+Z" {onclick}>{ "Undo" }</button>
            }
        });
        html! {
            <div class="toast" data-waits={waits.then_some("true")}>
                <p>
                    { notice.text.clone() }
                    if waits {
                        // Not read aloud each second.
                        <span class="toast-left" aria-hidden="true">{ format!(" In {} s.", *left_s) }</span>
                    }
                </p>
                <div class="toast-actions">
                    { undo }
                    <button type="button" class="button button-quiet" {onclick}>{ if waits { "Do it now" } else { "Dismiss" } }</button>
                </div>
            </div>
        }
    });
    // The live region stays in the page: only then is a change of it read aloud.
    html! { <div class="toasts" role="status" {onfocusin}>{ shown }</div> }
}

fn act(deed: Option<&Deed>) {
    if let Some(deed) = deed {
        deed.act();
    }
}

/// Dismisses when the time is up.
fn runs_out(left_s: UseStateHandle<u32>, dismiss: Callback<()>) -> Interval {
    let countdown = Cell::new(Countdown::new(browser::running_ms(), SHOWN_MS));
    left_s.set(countdown.get().left_s());
    Interval::new(LOOK_EVERY_MS, move || {
        let mut now = countdown.get();
        now.look(browser::running_ms(), browser::finds(HELD));
        countdown.set(now);
        left_s.set(now.left_s());
        if now.is_over() {
            dismiss.emit(());
        }
    })
}
