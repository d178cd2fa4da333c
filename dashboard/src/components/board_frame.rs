//! What the pages share that show a board: its entries or why there are none, and how old they may be.

use yew::prelude::*;

use super::first_run::{first_run, is_done};
use super::link::PageLink;
use super::state_panel::{message, skeleton};
use crate::browser;
use crate::model::board::ENTRIES_MAX;
use crate::model::change::Phase;
use crate::model::connection::Link;
use crate::model::location::{Location, SEARCH};
use crate::model::page::Page;
use crate::shell::{Shell, Step};
use crate::watched::Watched;

/// With no more than these the other ways to fill a board are still shown to who has just filled it.
const FIRST_ENTRIES_MAX: usize = 3;

/// The entries, or why there are none. `narrowing` are the parameters that leave entries out.
pub fn entries_or_state<V>(
    shell: &Shell,
    watched: &Watched<V>,
    narrowing: &'static [&'static str],
    none_match: bool,
    entries: impl FnOnce() -> Html,
) -> Html {
    let (board, filter) = (&watched.board, &watched.filter);
    let page = shell.location.page;
    if let Some(problem) = &watched.problem {
        let title = match shell.feed {
            Some(_) => "This filter cannot be used",
            None => "This browser cannot connect",
        };
        return message(title, problem, Html::default());
    }
    if let Phase::Refused(reason) = &board.phase {
        return refused(shell, filter, reason);
    }
    if !board.is_empty() && none_match {
        return no_match(shell, narrowing);
    }
    if !board.is_empty() {
        return html! {
            <>
                if board.overflowed {
                    <p class="note">{ format!("Showing the first {ENTRIES_MAX} topics. Narrow the filter to see others.") }</p>
                }
                { entries() }
                { first_steps(shell, watched, page) }
            </>
        };
    }
    match (&shell.connection.link, &board.phase) {
        (Link::NeedsAuth { reason }, _) => message(
            "This broker asks you to sign in",
            &format!("It did not let this page in: {reason}."),
            Html::default(),
        ),
        (_, Phase::Live) => first_steps(shell, watched, page),
        _ if shell.connection.lost_at_ms.is_some() => message(
            "The broker cannot be reached",
            "This board fills as soon as the connection stands.",
            Html::default(),
        ),
        _ => skeleton(match page {
            Page::Config => "config",
            _ => "presence",
        }),
    }
}

/// The broker did not grant a filter, and why.
pub fn refused(shell: &Shell, filter: &str, reason: &str) -> Html {
    let Some(account) = &shell.account else {
        let text = format!("Its answer to “{filter}”: {reason}.");
        return message("The broker refused this filter", &text, Html::default());
    };
    let user = &account.user;
    let text = format!(
        "Its answer to “{filter}” for {user}: {reason}. A rule has to let {user} subscribe to it."
    );
    let rules = Location::new(Page::Access).with("part", "rules");
    let link = html! { <PageLink to={rules} class="button">{ "Look at the rules" }</PageLink> };
    message("No rule allows this filter", &text, link)
}

/// How to fill a board that is empty, or was when the viewer came and has hardly anything yet; else nothing.
pub fn first_steps<V>(shell: &Shell, watched: &Watched<V>, page: Page) -> Html {
    let (board, filter) = (&watched.board, &watched.filter);
    let has = |topic: &str| board.get(topic).is_some();
    let has_begun = board.began_empty && board.len() <= FIRST_ENTRIES_MAX;
    if board.phase == Phase::Live && board.is_empty() {
        first_run(shell, page, filter, false, &has)
    } else if has_begun && !is_done(page, filter, &has) {
        first_run(shell, page, filter, true, &has)
    } else {
        Html::default()
    }
}

fn no_match(shell: &Shell, narrowing: &'static [&'static str]) -> Html {
    let location = shell.location.clone();
    let searched = location.search().to_owned();
    let clear = shell.go.reform(move |_: MouseEvent| {
        let clear = |location: Location, name: &&str| location.with(name, "");
        let all = narrowing.iter().fold(location.clone(), clear);
        (all.with(SEARCH, ""), Step::Replace)
    });
    let button = html! {
        <button type="button" class="button" onclick={clear}>{ "Show all" }</button>
    };
    let text = if searched.trim().is_empty() {
        "Nothing on this board has this status.".to_owned()
    } else {
        format!("Nothing on this board matches “{searched}”.")
    };
    message("No match", &text, button)
}

/// Says that what is shown may have been overtaken.
pub fn stale_mark(since_ms: Option<i64>, is_empty: bool) -> Html {
    match since_ms {
        Some(since_ms) if !is_empty => html! {
            <span class="stale" data-testid="stale" title={browser::exact_time(since_ms)}>
                { format!("As of {}", as_of(since_ms)) }
            </span>
        },
        _ => Html::default(),
    }
}

/// With its day when it is not today's.
fn as_of(at_ms: i64) -> String {
    const TODAY_MS: i64 = 12 * 60 * 60 * 1_000;
    if browser::now_ms().saturating_sub(at_ms) > TODAY_MS {
        browser::exact_time(at_ms)
    } else {
        browser::time_of_day(at_ms)
    }
}
