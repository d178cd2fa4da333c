//! The topic filter of a board: shown, changed with Enter, explained when it is wrong.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::draft::use_draft;
use crate::model::filter;

#[derive(Properties, PartialEq)]
pub struct FilterFieldProps {
    /// Unique in the page.
    pub id: AttrValue,
    /// The filter in use.
    pub filter: AttrValue,
    pub on_change: Callback<String>,
}

#[component]
pub fn FilterField(props: &FilterFieldProps) -> Html {
    let draft = use_draft(&props.filter);
    let problem = filter::check(&draft).err();
    let changed = *draft != *props.filter;
    let oninput = {
        let draft = draft.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                draft.set(input.value());
            }
        })
    };
    let apply = {
        let (draft, on_change) = (draft.clone(), props.on_change.clone());
        move || {
            if filter::check(&draft).is_ok() {
                on_change.emit((*draft).clone());
            }
        }
    };
    let onkeydown = {
        let (draft, filter, apply) = (draft.clone(), props.filter.clone(), apply.clone());
        Callback::from(move |event: KeyboardEvent| match &*event.key() {
            "Enter" => apply(),
            "Escape" => draft.set(filter.to_string()),
            _ => {}
        })
    };
    let onclick = Callback::from(move |_: MouseEvent| apply());
    let problem_id = format!("{}-problem", props.id);
    let invalid = problem.is_some();
    // Of the filter in use the board itself says what is wrong.
    let said = problem.filter(|_| changed).unwrap_or_default();
    html! {
        <div class="filter">
            <label for={props.id.clone()}>{ "Topic filter" }</label>
            <div class="filter-row">
                <input id={props.id.clone()} class="filter-input" type="text" value={(*draft).clone()}
                    {oninput} {onkeydown} autocomplete="off" autocapitalize="off" spellcheck="false"
                    aria-invalid={if invalid { "true" } else { "false" }}
                    aria-describedby={invalid.then(|| problem_id.clone())} />
                <button type="button" class="button filter-apply" disabled={!changed || invalid} {onclick}>
                    { "Apply" }
                </button>
            </div>
            <p id={problem_id} class="filter-problem" role="alert">{ said }</p>
        </div>
    }
}
