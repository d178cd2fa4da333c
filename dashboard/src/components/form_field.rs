//! A field with its label, what is wrong with it, and what it holds.

use yew::prelude::*;

use crate::browser;

#[derive(Default)]
pub struct TextField {
    /// Unique in the page.
    pub id: &'static str,
    pub label: &'static str,
    pub value: String,
    pub on_input: Callback<String>,
    /// A sentence; empty: nothing is wrong.
    pub problem: String,
    pub placeholder: &'static str,
    /// Several lines.
    pub is_long: bool,
    pub onkeydown: Callback<KeyboardEvent>,
}

pub fn text_field(of: TextField) -> Html {
    let on_input = of.on_input;
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(value) = browser::value_of(&event) {
            on_input.emit(value);
        }
    });
    let problem_id = format!("{}-problem", of.id);
    let is_wrong = !of.problem.is_empty();
    let invalid = if is_wrong { "true" } else { "false" };
    let described = is_wrong.then(|| problem_id.clone());
    html! {
        <div class="field">
            <label for={of.id}>{ of.label }</label>
            if of.is_long {
                <textarea id={of.id} class="text-area" value={of.value} {oninput} onkeydown={of.onkeydown} rows="9"
                    autocomplete="off" autocapitalize="off" spellcheck="false" dir="auto"
                    aria-invalid={invalid} aria-describedby={described} />
            } else {
                <input id={of.id} class="input" type="text" value={of.value} {oninput} onkeydown={of.onkeydown}
                    placeholder={of.placeholder} autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-invalid={invalid} aria-describedby={described} />
            }
            <p id={problem_id} class="field-problem" role="alert">{ of.problem }</p>
        </div>
    }
}
