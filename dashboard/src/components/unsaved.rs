//! Changes that are not saved: whoever is about to leave them is asked once.

use yew::prelude::*;

/// Of one editor.
pub struct Unsaved {
    asked: UseStateHandle<bool>,
    /// Closes the editor, or asks first.
    pub close: Callback<()>,
    /// Closes it, whatever is lost.
    leave: Callback<()>,
}

#[hook]
pub fn use_unsaved(is_dirty: bool, on_close: &Callback<()>) -> Unsaved {
    let asked = use_state_eq(|| false);
    let leave = on_close.clone();
    let close = {
        let (asked, leave) = (asked.clone(), leave.clone());
        Callback::from(move |()| {
            if is_dirty && !*asked {
                asked.set(true);
            } else {
                leave.emit(());
            }
        })
    };
    Unsaved {
        asked,
        close,
        leave,
    }
}

impl Unsaved {
    /// Nothing is asked any more: the viewer goes on.
    pub fn go_on(&self) -> Callback<()> {
        let asked = self.asked.clone();
        Callback::from(move |()| asked.set(false))
    }

    /// The question while it is asked, else what can be done.
    pub fn actions(&self, question: &'static str, otherwise: Html) -> Html {
        if !*self.asked {
            return html! { <div class="dialog-actions">{ otherwise }</div> };
        }
        html! {
            <div class="dialog-actions">
                <p class="problem dialog-question" role="alert">{ question }</p>
                { button("Go on editing", "button", self.go_on()) }
                { button("Discard", "button button-danger", self.leave.clone()) }
            </div>
        }
    }
}

pub fn button(words: &'static str, class: &'static str, act: Callback<()>) -> Html {
    html! { <button type="button" {class} onclick={act.reform(|_: MouseEvent| ())}>{ words }</button> }
}
