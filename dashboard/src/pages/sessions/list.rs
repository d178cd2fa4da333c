//! The list of sessions: searched, narrowed and ordered by the broker, a page at a time.

use ebbtide_api::{Order, SessionPage, SessionQuery, SessionState};
use yew::prelude::*;

use super::row::row;
use super::{ORDER, SORT, STATE};
use crate::api::{self, Fault, Polled, use_polled};
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

/// A question, and the cursors of the pages up to the one that is meant.
#[derive(Clone, Default, PartialEq)]
struct Way {
    of: SessionQuery,
    cursors: Vec<String>,
}

/// The page at the end of a way, or the last one before it on which there still is something.
async fn look(mut way: Way) -> Result<(Way, SessionPage), Fault> {
    loop {
        let question = SessionQuery {
            cursor: way.cursors.last().cloned(),
            ..way.of.clone()
        };
        let page = api::sessions(&question).await?;
        if !page.sessions.is_empty() || way.cursors.pop().is_none() {
            return Ok((way, page));
        }
    }
}

#[component]
pub fn List() -> Html {
    let shell = use_shell();
    let asked = asked(&shell.location);
    // The way to the page that is asked for, which begins anew with another question.
    let way = use_state_eq(Way::default);
    let wanted = match way.of == asked {
        true => (*way).clone(),
        false => Way {
            of: asked.clone(),
            cursors: Vec::new(),
        },
    };
    let polled = use_polled(wanted, ASKED_EVERY_MS, look);
    // From the page that is shown: what was pressed before the next one has come leads no further.
    let shown = polled.value.as_deref();
    let mut pager_of = (String::new(), None, None);
    if let Some((from, page)) = shown {
        let to_page = |cursors: Vec<String>| {
            let (way, of) = (way.clone(), asked.clone());
            Callback::from(move |()| {
                way.set(Way {
                    of: of.clone(),
                    cursors: cursors.clone(),
                });
            })
        };
        let (before, is_same) = (&from.cursors, from.of == asked);
        let previous = before.split_last().filter(|_| is_same);
        let next = page.next.clone().filter(|_| is_same);
        let len = page.sessions.len() as u64;
        // Some of those before may have ended since.
        let first = ((before.len() * PAGE_LEN) as u64).min(page.total.saturating_sub(len));
        pager_of = (
            range(first, len, page.total),
            previous.map(|(_, before)| to_page(before.to_vec())),
            next.map(|next| to_page(before.iter().cloned().chain([next]).collect())),
        );
    }
    let (range, previous, next) = pager_of;
    let is_stale = polled.fault.is_some() || !shell.connection.is_online();
    html! {
        <section class="page" data-stale={is_stale.then_some("true")}>
            { page_head(Page::Sessions, Html::default(), pager("Pages of sessions", range, previous, next)) }
            <div class="page-tools">{ states(&shell, &asked) }</div>
            if let (Some(fault), Some(_)) = (&polled.fault, shown) {
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
    polled: &Polled<(Way, SessionPage)>,
) -> Html {
    let Some((_, page)) = polled.value.as_deref() else {
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
