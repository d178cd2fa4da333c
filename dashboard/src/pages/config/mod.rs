//! The config page: what is configured.

mod entry;

use std::rc::Rc;

use yew::prelude::*;

use self::entry::ConfigEntry;
use crate::components::board_frame::{entries_or_state, stale_mark};
use crate::components::filter_field::FilterField;
use crate::components::page_head::PageHead;
use crate::model::filter::{fixed_part, relative};
use crate::model::location::FILTER;
use crate::model::page::Page;
use crate::model::select::{self, Search};
use crate::shell::{Shell, Step};
use crate::watched::Watched;

/// Drawn at the most.
const ENTRIES_SHOWN_MAX: usize = 2_000;

pub fn page(shell: &Shell, watched: &Watched<()>) -> Html {
    let location = &shell.location;
    let shown = select::config(&watched.board, &Search::new(location.search()));
    let on_filter = shell.go.reform({
        let location = location.clone();
        move |filter: String| (location.clone().with(FILTER, &filter), Step::Replace)
    });
    let mark = stale_mark(&watched.board);
    let fixed = fixed_part(&watched.filter);
    let entries = || {
        let entries = shown.iter().take(ENTRIES_SHOWN_MAX).map(|entry| {
            let path = relative(&entry.topic, fixed).to_owned();
            html! { <ConfigEntry key={&*entry.topic} entry={Rc::clone(entry)} {path} /> }
        });
        html! { <ul class="grid config-grid" aria-label="Config">{ for entries }</ul> }
    };
    html! {
        <section class="page" data-stale={watched.board.stale_since_ms.map(|_| "true")} data-board="config">
            <PageHead page={Page::Config} {mark}>
                <FilterField id="config-filter" filter={watched.filter.clone()} on_change={on_filter} />
            </PageHead>
            <div class="page-tools">
                <p class="note"><span class="count">{ shown.len() }</span>{ if shown.len() == 1 { " value" } else { " values" } }</p>
            </div>
            { entries_or_state(shell, watched, &[], shown.is_empty(), entries) }
            if shown.len() > ENTRIES_SHOWN_MAX {
                <p class="note">{ format!("Showing {ENTRIES_SHOWN_MAX} of {}. Narrow the filter or search to see others.", shown.len()) }</p>
            }
        </section>
    }
}
