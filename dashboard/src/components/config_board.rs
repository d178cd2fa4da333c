//! The config board: what is configured; and the parts that both boards share.

use std::rc::Rc;

use yew::html::Scope;
use yew::prelude::*;

use super::config_entry::ConfigEntry;
use super::filter_field::FilterField;
use super::first_run::FirstRun;
use super::state_panel::{message, skeleton};
use crate::app::{App, BoardState, Msg, ViewChange};
use crate::browser;
use crate::model::board::{Board, ENTRIES_MAX, Entry, Phase};
use crate::model::connection::Link;
use crate::model::filter::{fixed_part, relative};
use crate::model::link::Pane;

pub fn config_board(
    link: &Scope<App>,
    state: &BoardState<'_>,
    board: &Board<()>,
    shown: &[Rc<Entry<()>>],
) -> Html {
    let fixed = fixed_part(&state.view.config_filter);
    let entries = shown.iter().take(state.shown_max).map(|entry| {
        let path = relative(&entry.topic, fixed).to_owned();
        html! { <ConfigEntry key={&*entry.topic} entry={Rc::clone(entry)} {path} /> }
    });
    let entries = html! { <ul class="grid config-grid" aria-label="Config">{ for entries }</ul> };
    let on_filter = link.callback(|text| Msg::View(ViewChange::Filter(Pane::Config, text)));
    html! {
        <section class="board" data-stale={board.stale_since_ms.map(|_| "true")} data-board="config" aria-labelledby="config-title">
            <div class="board-head">
                <div class="board-title">
                    <h2 id="config-title">{ "Config" }</h2>
                </div>
                <FilterField id="config-filter" filter={state.view.config_filter.clone()} on_change={on_filter} />
            </div>
            <div class="board-tools">
                <p class="board-count"><span class="count">{ shown.len() }</span>{ if shown.len() == 1 { " value" } else { " values" } }</p>
                { stale_mark(board) }
            </div>
            { entries_or_state(link, state, Pane::Config, board, shown.is_empty(), entries) }
            { more_button(link, Pane::Config, state.shown_max, shown.len()) }
        </section>
    }
}

/// The entries, or why there are none.
pub fn entries_or_state<V>(
    link: &Scope<App>,
    state: &BoardState<'_>,
    pane: Pane,
    board: &Board<V>,
    none_match: bool,
    entries: Html,
) -> Html {
    let filter = match pane {
        Pane::Presence => &state.view.presence_filter,
        Pane::Config => &state.view.config_filter,
    };
    if let Some(problem) = state.problem {
        return message("This filter cannot be used", problem, Html::default());
    }
    if let Phase::Refused(reason) = &board.phase {
        let text = format!("Its answer to “{filter}”: {reason}.");
        return message("The broker refused this filter", &text, Html::default());
    }
    if !board.is_empty() && none_match {
        let clear = link.batch_callback(|_: MouseEvent| {
            vec![
                Msg::View(ViewChange::Search(String::new())),
                Msg::View(ViewChange::Status(None)),
            ]
        });
        let button = html! {
            <button type="button" class="button" onclick={clear}>{ "Show all" }</button>
        };
        let text = if state.searching {
            format!("Nothing on this board matches “{}”.", state.view.search)
        } else {
            "Nothing on this board has this status.".to_owned()
        };
        return message("No match", &text, button);
    }
    if !board.is_empty() {
        return html! {
            <>
                if board.overflowed {
                    <p class="board-note">{ format!("Showing the first {ENTRIES_MAX} topics. Narrow the filter to see others.") }</p>
                }
                { entries }
            </>
        };
    }
    match (&state.connection.link, &board.phase) {
        (Link::NeedsAuth { reason }, _) => message(
            "This broker asks you to sign in",
            &format!("It did not let this page in: {reason}."),
            Html::default(),
        ),
        (_, Phase::Live) => {
            let on_sample = link.callback(move |()| Msg::PublishSample(pane));
            let online = state.connection.is_online();
            html! { <FirstRun {pane} filter={filter.clone()} {online} {on_sample} /> }
        }
        _ if state.connection.lost_at_ms.is_some() => message(
            "The broker cannot be reached",
            "This board fills as soon as the connection stands.",
            Html::default(),
        ),
        _ => skeleton(match pane {
            Pane::Presence => "presence",
            Pane::Config => "config",
        }),
    }
}

/// Says that what is shown may have been overtaken.
pub fn stale_mark<V>(board: &Board<V>) -> Html {
    match board.stale_since_ms {
        Some(since_ms) if !board.is_empty() => html! {
            <span class="stale" data-testid="stale" title={browser::exact_time(since_ms)}>
                { format!("As of {}", browser::time_of_day(since_ms)) }
            </span>
        },
        _ => Html::default(),
    }
}

pub fn more_button(link: &Scope<App>, pane: Pane, shown_max: usize, all: usize) -> Html {
    if all <= shown_max {
        return Html::default();
    }
    let onclick = link.callback(move |_: MouseEvent| Msg::View(ViewChange::More(pane)));
    html! {
        <p class="board-more">
            <span>{ format!("Showing {shown_max} of {all}.") }</span>
            <button type="button" class="button" {onclick}>{ "Show more" }</button>
        </p>
    }
}
