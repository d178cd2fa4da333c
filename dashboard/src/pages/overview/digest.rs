//! Who is there and what is configured, in a glance: the first few of each board, and the way to all.

use std::rc::Rc;

use yew::prelude::*;

use crate::components::link::PageLink;
use crate::components::topic_path::{level_name, topic_path};
use crate::model::board::Entry;
use crate::model::change::Phase;
use crate::model::connection::Link;
use crate::model::filter::{fixed_part, relative};
use crate::model::format::count;
use crate::model::location::Location;
use crate::model::page::Page;
use crate::model::payload::shorten;
use crate::model::presence::{Presence, Status, display_name};
use crate::model::select::{self, Counts, Search, Sort};
use crate::shell::Shell;
use crate::watched::Watched;

const PEOPLE_SHOWN: usize = 24;
const VALUES_SHOWN: usize = 8;
/// Of a name.
const NAME_CHARS_MAX: usize = 60;
/// Of a value on its line.
const VALUE_CHARS_MAX: usize = 60;

/// What the overview knows of the presence board.
#[derive(Clone, PartialEq)]
pub struct Presences {
    counts: Counts,
    unknown: Option<&'static str>,
    /// Names and status, those online first.
    shown: Vec<(AttrValue, Status)>,
}

impl Presences {
    pub fn of(shell: &Shell, watched: &Watched<Presence>) -> Self {
        let board = &watched.board;
        let (entries, counts) = select::presence(board, &Search::new(""), None, Sort::Status);
        let fixed = fixed_part(&watched.filter);
        let shown = entries.iter().take(PEOPLE_SHOWN).map(|entry| {
            let name = shorten(&display_name(relative(&entry.topic, fixed)), NAME_CHARS_MAX);
            (name.into(), entry.value.status)
        });
        Self {
            counts,
            unknown: unknown(shell, watched),
            shown: shown.collect(),
        }
    }
}

/// What the overview knows of the config board.
#[derive(Clone, PartialEq)]
pub struct Values {
    count: usize,
    unknown: Option<&'static str>,
    /// Topics below the fixed part and the start of their values.
    shown: Vec<(AttrValue, AttrValue)>,
}

impl Values {
    pub fn of(shell: &Shell, watched: &Watched<()>) -> Self {
        let board = &watched.board;
        let fixed = fixed_part(&watched.filter);
        let shown = board.entries().take(VALUES_SHOWN).map(|entry| {
            let path = relative(&entry.topic, fixed).to_owned();
            (path.into(), value(entry).into())
        });
        Self {
            count: board.entries().count(),
            unknown: unknown(shell, watched),
            shown: shown.collect(),
        }
    }
}

/// Why it is not known what is on a board; `None`: it is, or was the last time.
fn unknown<V>(shell: &Shell, watched: &Watched<V>) -> Option<&'static str> {
    let connection = &shell.connection;
    match (&watched.board.phase, &connection.link) {
        _ if watched.problem.is_some() => Some("This board cannot be watched."),
        (Phase::Refused(_), _) => Some("The broker refused the filter of this board."),
        _ if !watched.board.is_empty() => None,
        (Phase::Live, _) => None,
        (_, Link::NeedsAuth { .. }) => Some("The broker asks you to sign in."),
        _ if connection.lost_at_ms.is_some() => Some("The broker cannot be reached."),
        _ => Some("Loading"),
    }
}

fn value(entry: &Rc<Entry<()>>) -> String {
    let text = entry.payload.text();
    let text = text.map_or_else(
        || format!("binary, {} bytes", entry.payload.bytes()),
        |text| text.split_whitespace().collect::<Vec<_>>().join(" "),
    );
    shorten(&text, VALUE_CHARS_MAX)
}

pub fn presences(of: &Presences) -> Html {
    let people = of.shown.iter().map(|(name, status)| {
        html! {
            <li class="person" data-status={status.name()} dir="auto">
                { level_name(name) }<span class="visually-hidden">{ format!(", {}", status.word()) }</span>
            </li>
        }
    });
    let more = of.counts.all.saturating_sub(of.shown.len());
    html! {
        <section class="panel digest" aria-labelledby="digest-presence">
            <div class="digest-head">
                <h2 id="digest-presence"><PageLink to={Location::new(Page::Presence)}>{ "Presence" }</PageLink></h2>
                if of.unknown.is_none() {
                    <p class="digest-count"><strong>{ count(of.counts.online as u64) }</strong>{ format!(" of {} online", count(of.counts.all as u64)) }</p>
                }
            </div>
            if let Some(why) = of.unknown {
                <p class="note">{ why }</p>
            } else if of.shown.is_empty() {
                <p class="note">{ "Nobody is here yet. " }<PageLink to={Location::new(Page::Presence)}>{ "How somebody gets here" }</PageLink></p>
            } else {
                <ul class="people">{ for people }</ul>
            }
            if more > 0 {
                <p class="digest-more"><PageLink to={Location::new(Page::Presence)}>{ format!("{} more", count(more as u64)) }</PageLink></p>
            }
        </section>
    }
}

pub fn values(of: &Values) -> Html {
    let lines = of.shown.iter().map(|(path, value)| {
        html! { <><dt>{ topic_path(path) }</dt><dd dir="auto">{ value.clone() }</dd></> }
    });
    let more = of.count.saturating_sub(of.shown.len());
    html! {
        <section class="panel digest" aria-labelledby="digest-config">
            <div class="digest-head">
                <h2 id="digest-config"><PageLink to={Location::new(Page::Config)}>{ "Config" }</PageLink></h2>
                if of.unknown.is_none() {
                    <p class="digest-count"><strong>{ count(of.count as u64) }</strong>{ if of.count == 1 { " value" } else { " values" } }</p>
                }
            </div>
            if let Some(why) = of.unknown {
                <p class="note">{ why }</p>
            } else if of.shown.is_empty() {
                <p class="note">{ "Nothing is configured yet. " }<PageLink to={Location::new(Page::Config)}>{ "How something is" }</PageLink></p>
            } else {
                <dl class="digest-values">{ for lines }</dl>
            }
            if more > 0 {
                <p class="digest-more"><PageLink to={Location::new(Page::Config)}>{ format!("{} more", count(more as u64)) }</PageLink></p>
            }
        </section>
    }
}
