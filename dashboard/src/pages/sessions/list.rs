//! The list of sessions: searched, narrowed and ordered by the broker, a page at a time.

use ebbtide_api::{Order, SessionQuery, SessionState};
use yew::prelude::*;

use super::row::row;
use super::{ORDER, SORT, STATE};
use crate::api::{self, Polled, use_polled};
use crate::components::page_head::page_head;
use crate::components::pager::pager;
use crate::components::state_panel::{message, rows_skeleton};
use crate::model::format::count;
use crate::model::location::{Location, SEARCH};
use crate::model::page::Page;
use crate::model::session::{COLUMNS, Column, FIRST_COLUMN, column_named, range, state_named};
use crate::shell::{Shell, Step, use_shell};

/// The broker looks at every session for an answer.
const ASKED_EVERY_MS: u32 = 4_000;
const PAGE_LEN: usize = 50;

#[component]
pub fn List() -> Html {
    let shell = use_shell();
    let asked = asked(&shell.location);
    // The cursors of the pages before this one, of the question that is asked now.
    let way = use_state_eq(|| (SessionQuery::default(), Vec::<String>::new()));
    let cursors = if way.0 == asked {
        way.1.clone()
    } else {
        Vec::new()
    };
    let question = SessionQuery {
        cursor: cursors.last().cloned(),
        ..asked.clone()
    };
    let polled = use_polled(question, ASKED_EVERY_MS, |question| {
        api::sessions(&question)
    });
    let to_page = |cursors: Vec<String>| {
        let (way, asked) = (way.clone(), asked.clone());
        Callback::from(move |()| way.set((asked.clone(), cursors.clone())))
    };
    let page = polled.value.as_deref();
    let previous = (!cursors.is_empty()).then(|| to_page(cursors[..cursors.len() - 1].to_vec()));
    let next = page
        .and_then(|page| page.next.clone())
        .map(|next| to_page(cursors.iter().cloned().chain([next]).collect()));
    let range = page.map_or_else(String::new, |page| {
        let first = (cursors.len() * PAGE_LEN) as u64;
        range(first, page.sessions.len() as u64, page.total)
    });
    let is_stale = polled.fault.is_some() || !shell.connection.is_online();
    html! {
        <section class="page" data-stale={is_stale.then_some("true")}>
            { page_head(Page::Sessions, Html::default(), pager("Pages of sessions", range, previous, next)) }
            <div class="page-tools">{ states(&shell, &asked) }</div>
            if let (Some(fault), Some(_)) = (&polled.fault, page) {
                <p class="note" role="status">{ format!("{fault} What is shown may have been overtaken.") }</p>
            }
            { sessions_or_state(&shell, &asked, &polled) }
        </section>
    }
}

fn asked(location: &Location) -> SessionQuery {
    let column = location.get(SORT).and_then(column_named);
    let column = column.unwrap_or(FIRST_COLUMN);
    let search = location.search().trim();
    SessionQuery {
        q: (!search.is_empty()).then(|| search.to_owned()),
        state: location.get(STATE).and_then(state_named),
        sort: column.sort,
        order: match location.get(ORDER) {
            Some("desc") => Order::Desc,
            Some("asc") => Order::Asc,
            _ => column.first_order(),
        },
        cursor: None,
        limit: Some(PAGE_LEN),
    }
}

fn states(shell: &Shell, asked: &SessionQuery) -> Html {
    let choices = [
        (None, "", "All"),
        (Some(SessionState::Connected), "connected", "Connected"),
        (Some(SessionState::Away), "away", "Away"),
    ];
    let chips = choices.map(|(state, name, words)| {
        let to = shell.location.clone().with(STATE, name);
        let onclick = shell.go.reform(move |_: MouseEvent| (to.clone(), Step::Replace));
        let pressed = if asked.state == state { "true" } else { "false" };
        html! { <button type="button" class="chip" aria-pressed={pressed} {onclick}>{ words }</button> }
    });
    html! { <div class="chips" role="group" aria-label="Show by state">{ for chips }</div> }
}

fn sessions_or_state(
    shell: &Shell,
    asked: &SessionQuery,
    polled: &Polled<ebbtide_api::SessionPage>,
) -> Html {
    let Some(page) = polled.value.as_deref() else {
        return match &polled.fault {
            Some(fault) => message(
                "The sessions are not known",
                &fault.to_string(),
                Html::default(),
            ),
            None => rows_skeleton(),
        };
    };
    if page.sessions.is_empty() {
        if asked.q.is_none() && asked.state.is_none() {
            let text = "A client has a session from when it connects until it has been away for as long as it wished.";
            return message("No sessions", text, Html::default());
        }
        let all = shell.location.clone().with(SEARCH, "").with(STATE, "");
        let onclick = shell
            .go
            .reform(move |_: MouseEvent| (all.clone(), Step::Replace));
        let button =
            html! { <button type="button" class="button" {onclick}>{ "Show all" }</button> };
        return message("No match", "No session is like that.", button);
    }
    let heads = COLUMNS.iter().map(|column| head(shell, asked, column));
    let mut heads: Vec<Html> = heads.collect();
    heads.insert(1, html! { <th scope="col">{ "State" }</th> });
    heads.insert(
        2,
        html! { <th scope="col" class="wide-only">{ "Connection" }</th> },
    );
    let rows = page.sessions.iter().map(row);
    let caption = format!("Sessions, {} in all", count(page.total));
    html! {
        <div class="table-scroll" aria-busy={(!polled.is_current).then_some("true")}>
            <table class="table table-sessions">
                <caption class="visually-hidden">{ caption }</caption>
                <thead><tr>{ for heads }</tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

/// The head of a column, which orders by it; again: the other way round.
fn head(shell: &Shell, asked: &SessionQuery, column: &Column) -> Html {
    let is_chosen = asked.sort == column.sort;
    let is_descending = asked.order == Order::Desc;
    let is_first = column.name == FIRST_COLUMN.name;
    let order = match (is_chosen, asked.order) {
        (true, order) if order != column.first_order() => "",
        (true, Order::Desc) => "asc",
        (true, Order::Asc) => "desc",
        (false, _) => "",
    };
    let to = shell.location.clone();
    let to = to.with(SORT, if is_first { "" } else { column.name });
    let to = to.with(ORDER, order);
    let onclick = shell
        .go
        .reform(move |_: MouseEvent| (to.clone(), Step::Replace));
    let sorted = is_chosen.then_some(if is_descending {
        "descending"
    } else {
        "ascending"
    });
    let class = classes!(
        column.is_number.then_some("number"),
        matches!(column.name, "subscriptions" | "in_flight").then_some("wide-only"),
        matches!(column.name, "expires_at" | "dropped").then_some("medium-only"),
    );
    html! {
        <th scope="col" {class} aria-sort={sorted}>
            <button type="button" class="sort-head" {onclick}>{ column.title }<span class="sort-mark" aria-hidden="true"></span></button>
        </th>
    }
}
