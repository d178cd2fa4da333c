//! The config page: what is configured.

mod editor;
mod entry;

use std::rc::Rc;

use ebbtide_api::Scope;
use yew::prelude::*;

use self::editor::Editor;
use self::entry::ConfigEntry;
use crate::components::board_frame::{entries_or_state, stale_mark};
use crate::components::filter_field::FilterField;
use crate::components::link::PageLink;
use crate::components::needs::needs;
use crate::components::page_head::page_head;
use crate::model::filter::{fixed_part, relative};
use crate::model::format::count;
use crate::model::location::FILTER;
use crate::model::page::Page;
use crate::model::select::{self, Search};
use crate::shell::{Shell, Step};
use crate::watched::Watched;

/// The parameter of the address that names the topic being edited.
const EDIT: &str = "edit";
/// The same for a topic that is still to be named.
const NEW: &str = "new";
/// Drawn at the most.
const ENTRIES_SHOWN_MAX: usize = 2_000;

pub fn page(shell: &Shell, watched: &Watched<()>) -> Html {
    let location = &shell.location;
    let shown = select::config(&watched.board, &Search::new(location.search()));
    let on_filter = shell.go.reform({
        let location = location.clone();
        move |filter: String| (location.clone().with(FILTER, &filter), Step::Replace)
    });
    let mark = stale_mark(watched.board.stale_since_ms, watched.board.is_empty());
    let fixed = fixed_part(&watched.filter);
    let entries = || {
        let entries = shown.iter().take(ENTRIES_SHOWN_MAX).map(|entry| {
            let path = relative(&entry.topic, fixed).to_owned();
            html! { <ConfigEntry key={&*entry.topic} entry={Rc::clone(entry)} {path} edit={location.clone().with(EDIT, &entry.topic)} /> }
        });
        html! { <ul class="grid config-grid" aria-label="Config">{ for entries }</ul> }
    };
    html! {
        <section class="page" data-stale={watched.board.stale_since_ms.map(|_| "true")} data-board="config">
            { page_head(Page::Config, mark, html! { <FilterField id="config-filter" filter={watched.filter.clone()} on_change={on_filter} /> }) }
            <div class="page-tools">
                <p class="note"><span class="count">{ count(shown.len() as u64) }</span>{ if shown.len() == 1 { " value" } else { " values" } }</p>
                if shell.may(Scope::Publish) {
                    <PageLink to={location.clone().with(NEW, "1")} class="button button-small">{ "New value" }</PageLink>
                } else {
                    <button type="button" class="button button-small" disabled={true}>{ "New value" }</button>
                }
            </div>
            { needs(shell, Scope::Publish) }
            { entries_or_state(shell, watched, &[], shown.is_empty(), entries) }
            if shown.len() > ENTRIES_SHOWN_MAX {
                <p class="note">{ format!("Showing {ENTRIES_SHOWN_MAX} of {}. Narrow the filter or search to see others.", shown.len()) }</p>
            }
            { editor(shell, watched) }
        </section>
    }
}

/// What the address asks to edit.
fn editor(shell: &Shell, watched: &Watched<()>) -> Html {
    let location = &shell.location;
    let topic = location.get(EDIT).map(str::to_owned);
    // Before the board is complete, what is stored is not known.
    if topic.is_none() && location.get(NEW).is_none() || !watched.board.completed_once() {
        return Html::default();
    }
    let on_close = shell.go.reform({
        let location = location.clone();
        move |()| (location.clone().with(EDIT, "").with(NEW, ""), Step::Replace)
    });
    let entry = topic.as_deref().and_then(|topic| watched.board.get(topic));
    let stored = entry.map(|entry| (entry.payload.clone(), entry.properties.clone()));
    let prefix = fixed_part(&watched.filter).to_owned();
    let key = topic.clone().unwrap_or_default();
    html! { <Editor {key} {topic} {prefix} {stored} {on_close} /> }
}
