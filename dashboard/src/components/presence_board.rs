//! The presence board: who is online, since when, with what metadata.

use std::rc::Rc;

use web_sys::HtmlSelectElement;
use yew::html::Scope;
use yew::prelude::*;

use super::config_board::{entries_or_state, more_button, stale_mark};
use super::filter_field::FilterField;
use super::presence_card::PresenceCard;
use crate::app::{App, BoardState, Msg, ViewChange};
use crate::model::board::{Board, Entry};
use crate::model::filter::{fixed_part, relative};
use crate::model::link::{Pane, Sort};
use crate::model::presence::{Presence, Status};
use crate::model::select::Counts;

pub fn presence_board(
    link: &Scope<App>,
    state: &BoardState<'_>,
    board: &Board<Presence>,
    shown: &[Rc<Entry<Presence>>],
    counts: Counts,
) -> Html {
    let fixed = fixed_part(&state.view.presence_filter);
    let cards = shown.iter().take(state.shown_max).map(|entry| {
        let name = relative(&entry.topic, fixed).to_owned();
        html! { <PresenceCard key={&*entry.topic} entry={Rc::clone(entry)} {name} /> }
    });
    let cards = html! { <ul class="grid presence-grid" aria-label="Presence">{ for cards }</ul> };
    let on_filter = link.callback(|text| Msg::View(ViewChange::Filter(Pane::Presence, text)));
    html! {
        <section class="board" data-stale={board.stale_since_ms.map(|_| "true")} data-board="presence" aria-labelledby="presence-title">
            <div class="board-head">
                <div class="board-title">
                    <h2 id="presence-title">{ "Presence" }</h2>
                    { stale_mark(board) }
                </div>
                <FilterField id="presence-filter" filter={state.view.presence_filter.clone()} on_change={on_filter} />
            </div>
            <div class="board-tools">
                { status_chips(link, state.view.status, counts) }
                { sort_choice(link, state.view.sort) }
            </div>
            { entries_or_state(link, state, Pane::Presence, board, shown.is_empty(), cards) }
            { more_button(link, Pane::Presence, state.shown_max, shown.len()) }
        </section>
    }
}

/// Counts that narrow the board when pressed.
fn status_chips(link: &Scope<App>, chosen: Option<Status>, counts: Counts) -> Html {
    let chip = |status: Option<Status>, word: &'static str, count: usize| {
        let onclick = link.callback(move |_: MouseEvent| Msg::View(ViewChange::Status(status)));
        let pressed = if chosen == status { "true" } else { "false" };
        html! {
            <button type="button" class="chip" aria-pressed={pressed} data-status={status.map(Status::name)} {onclick}>
                { word }{ " " }<span class="count">{ count }</span>
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

fn sort_choice(link: &Scope<App>, chosen: Sort) -> Html {
    let onchange = link.batch_callback(|event: Event| {
        let select = event.target_dyn_into::<HtmlSelectElement>()?;
        let sort = Sort::from_name(&select.value())?;
        Some(Msg::View(ViewChange::Sort(sort)))
    });
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
