//! Tells what an action came to, with a way back where there is one; or what is about to be done, unless it is taken back.
//!
//! A deed that waits is done when its notice ends, however that ends: its time is up, it is dismissed, another takes its
//! place, the page is left. The time stands still while the pointer or the focus is on the notice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use wasm_bindgen::JsCast;
use web_sys::{Element, EventTarget, HtmlElement, Node};
use yew::prelude::*;

use crate::browser;
use crate::keys;
use crate::model::deed::{Countdown, Deed};

const SHOWN_MS: f64 = 10_000.0;
/// As often the time that is left is looked at.
const LOOK_EVERY_MS: u32 = 100;
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
}

#[derive(Properties, PartialEq)]
pub struct ToastProps {
    pub notice: Option<Notice>,
    pub on_dismiss: Callback<()>,
}

/// What keeps a notice from ending.
#[derive(Clone, Copy, Default)]
struct Held {
    by_pointer: bool,
    by_focus: bool,
}

#[component]
pub fn Toast(props: &ToastProps) -> Html {
    let place = use_node_ref();
    let held = use_mut_ref(Held::default);
    // Where the focus was before it came here.
    let before = use_mut_ref(|| None::<HtmlElement>);
    let left_s = use_state_eq(|| 0);
    let dismiss = {
        let (place, before, held) = (place.clone(), Rc::clone(&before), Rc::clone(&held));
        let on_dismiss = props.on_dismiss.clone();
        Callback::from(move |()| {
            let before = before.borrow_mut().take();
            if has_focus(&place) {
                browser::focus_again(before, ELSEWHERE);
            }
            // What holds it goes without a word when it is taken out of the page.
            *held.borrow_mut() = Held::default();
            on_dismiss.emit(());
        })
    };
    let undo = props.notice.as_ref().and_then(|notice| {
        let (undo, deed) = (notice.undo.clone()?, notice.deed.clone());
        let dismiss = dismiss.clone();
        Some(Callback::from(move |()| {
            let is_undone = deed.as_ref().is_none_or(Deed::take_back);
            dismiss.emit(());
            if is_undone {
                undo.emit(());
            }
        }))
    });
    use_effect_with(props.notice.clone(), {
        let (held, left_s, dismiss) = (Rc::clone(&held), left_s.clone(), dismiss.clone());
        move |notice| {
            let running = notice.as_ref().map(|notice| {
                let deed = notice.deed.clone();
                let leaving = deed.clone().zip(web_sys::window()).map(|(deed, window)| {
                    EventListener::new(&window, "pagehide", move |_| deed.act())
                });
                (runs_out(held, left_s, dismiss), leaving, deed)
            });
            move || {
                if let Some((_, _, Some(deed))) = &running {
                    deed.act();
                }
            }
        }
    });
    use_effect_with((undo.clone(), place.clone()), {
        move |(undo, place): &(Option<Callback<()>>, NodeRef)| {
            let place = place.clone();
            let to_notice = move || {
                let first = place.cast::<Element>();
                let first = first.and_then(|place| place.query_selector("button").ok().flatten());
                first.is_some_and(|button| browser::focus_on(&button))
            };
            let heard = keys::for_notices(undo.clone(), to_notice);
            move || drop(heard)
        }
    });
    let hold = |change: fn(&mut Held)| {
        let held = Rc::clone(&held);
        move || change(&mut held.borrow_mut())
    };
    let (enter, leave) = (
        hold(|held| held.by_pointer = true),
        hold(|held| held.by_pointer = false),
    );
    let (into, out) = (
        hold(|held| held.by_focus = true),
        hold(|held| held.by_focus = false),
    );
    let onpointerout = {
        let place = place.clone();
        Callback::from(move |event: PointerEvent| {
            let to = event.related_target();
            if !to.is_some_and(|to| is_within(&place, &to)) {
                leave();
            }
        })
    };
    let onfocusin = {
        let place = place.clone();
        Callback::from(move |event: FocusEvent| {
            into();
            if let Some(from) = event
                .related_target()
                .filter(|from| !is_within(&place, from))
            {
                *before.borrow_mut() = from.dyn_into().ok();
            }
        })
    };
    let onkeydown = {
        let dismiss = dismiss.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                dismiss.emit(());
            }
        })
    };
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
    html! {
        <div class="toasts" role="status" ref={place} {onkeydown} {onfocusin}
            onfocusout={move |_: FocusEvent| out()}
            onpointerover={move |_: PointerEvent| enter()} {onpointerout}>
            { shown }
        </div>
    }
}

/// Dismisses when the time is up.
fn runs_out(
    held: Rc<RefCell<Held>>,
    left_s: UseStateHandle<u32>,
    dismiss: Callback<()>,
) -> Interval {
    let countdown = Cell::new(Countdown::new(browser::running_ms(), SHOWN_MS));
    left_s.set(countdown.get().left_s());
    Interval::new(LOOK_EVERY_MS, move || {
        let Held {
            by_pointer,
            by_focus,
        } = *held.borrow();
        let mut now = countdown.get();
        now.look(browser::running_ms(), by_pointer || by_focus);
        countdown.set(now);
        left_s.set(now.left_s());
        if now.is_over() {
            dismiss.emit(());
        }
    })
}

fn is_within(place: &NodeRef, target: &EventTarget) -> bool {
    let node = target.dyn_ref::<Node>();
    place.get().is_some_and(|place| place.contains(node))
}

fn has_focus(place: &NodeRef) -> bool {
    browser::focused().is_some_and(|element| is_within(place, &element))
}
