//! The presence page: who is online, since when, with what metadata.

mod card;
mod tools;

use std::rc::Rc;

use yew::prelude::*;

use self::card::PresenceCard;
use crate::components::board_frame::{entries_or_state, stale_mark};
use crate::components::filter_field::FilterField;
use crate::components::page_head::page_head;
use crate::components::virtual_list::{DrawItem, VirtualList};
use crate::model::board::Entry;
use crate::model::filter::{fixed_part, relative};
use crate::model::location::FILTER;
use crate::model::page::Page;
use crate::model::presence::{Presence, Status};
use crate::model::rows::Layout;
use crate::model::select::{self, Search, Sort};
use crate::shell::{Shell, Step};
use crate::watched::Watched;

const SORT: &str = "sort";
const STATUS: &str = "status";

/// The height is that of the card in the stylesheet.
const CARDS: Layout = Layout {
    row_px: 124.0,
    gap_px: 12.0,
    column_px_min: Some(248.0),
};

pub fn page(shell: &Shell, watched: &Watched<Presence>) -> Html {
    let location = &shell.location;
    let sort = location.get(SORT).and_then(Sort::from_name);
    let sort = sort.unwrap_or_default();
    let status = location.get(STATUS).and_then(Status::from_name);
    let search = Search::new(location.search());
    let (shown, counts) = select::presence(&watched.board, &search, status, sort);
    let on_filter = shell.go.reform({
        let location = location.clone();
        move |filter: String| (location.clone().with(FILTER, &filter), Step::Replace)
    });
    let mark = stale_mark(watched.board.stale_since_ms, watched.board.is_empty());
    let none_match = shown.is_empty();
    let cards = || cards(shown, &watched.filter);
    html! {
        <section class="page" data-stale={watched.board.stale_since_ms.map(|_| "true")} data-board="presence">
            { page_head(Page::Presence, mark, html! { <FilterField id="presence-filter" filter={watched.filter.clone()} on_change={on_filter} /> }) }
            <div class="page-tools">
                { tools::status_chips(shell, status, counts) }
                { tools::sort_choice(shell, sort) }
            </div>
            { entries_or_state(shell, watched, &[STATUS], none_match, cards) }
        </section>
    }
}

fn cards(shown: Vec<Rc<Entry<Presence>>>, filter: &str) -> Html {
    let fixed = fixed_part(filter).to_owned();
    let items = shown.len();
    let draw = DrawItem::new(move |index| {
        let entry = Rc::clone(&shown[index]);
        let name = relative(&entry.topic, &fixed).to_owned();
        let key = Rc::clone(&entry.topic);
        html! { <PresenceCard key={&*key} {entry} {name} {index} {items} /> }
    });
    html! { <VirtualList {items} layout={CARDS} {draw} label="Presence" /> }
}
