//! What narrows and orders the presence page.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::{SORT, STATUS};
use crate::model::format::count;
use crate::model::presence::Status;
use crate::model::select::{Counts, Sort};
use crate::shell::{Shell, Step};

/// Counts that narrow the page when pressed.
pub fn status_chips(shell: &Shell, chosen: Option<Status>, counts: Counts) -> Html {
    let chip = |status: Option<Status>, word: &'static str, number: usize| {
        let name = status.map(Status::name);
        let to = shell
            .location
            .clone()
            .with(STATUS, name.unwrap_or_default());
        let onclick = shell
            .go
            .reform(move |_: MouseEvent| (to.clone(), Step::Replace));
        let pressed = if chosen == status { "true" } else { "false" };
        html! {
            <button type="button" class="chip" aria-pressed={pressed} data-status={name} {onclick}>
                { word }{ " " }<span class="count">{ count(number as u64) }</span>
            </button>
        }
    };
    let by_status = Status::ALL
        .into_iter()
        .map(|status| chip(Some(status), status.word(), counts.of(status)));
    html! {
        <div class="chips" role="group" aria-label="Show by status">
            { chip(None, "All", counts.all) }
            { for by_status }
        </div>
    }
}

pub fn sort_choice(shell: &Shell, chosen: Sort) -> Html {
    let onchange = {
        let (go, location) = (shell.go.clone(), shell.location.clone());
        Callback::from(move |event: Event| {
            let select = event.target_dyn_into::<HtmlSelectElement>();
            let sort = select.and_then(|select| Sort::from_name(&select.value()));
            if let Some(sort) = sort {
                let name = if sort == Sort::default() {
                    ""
                } else {
                    sort.name()
                };
                go.emit((location.clone().with(SORT, name), Step::Replace));
            }
        })
    };
    let options = Sort::ALL.into_iter().map(|sort| {
        html! { <option value={sort.name()} selected={sort == chosen}>{ sort.words() }</option> }
    });
    html! {
        <label class="sort">
            <span>{ "Sort by" }</span>
            <select {onchange}>{ for options }</select>
        </label>
    }
}
