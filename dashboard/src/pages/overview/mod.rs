//! The overview: how the broker is, who is there, what is configured, and what has happened. What matters in five seconds.

mod charts;
mod digest;
mod happened;
mod tiles;

use std::cell::RefCell;
use std::rc::Rc;

use ebbtide_api::{HistoryQuery, Stats, StoreState};
use yew::prelude::*;

use self::charts::Charts;
use self::digest::{Presences, Values};
use crate::api::{self, use_polled};
use crate::components::board_frame::first_steps;
use crate::components::page_head::page_head;
use crate::model::change::Phase;
use crate::model::format::duration_s;
use crate::model::page::Page;
use crate::model::past::{Series, Span};
use crate::model::presence::Presence;
use crate::model::recent::Recent;
use crate::shell::{Shell, Step, use_shell};
use crate::watched::Watched;

const SPAN: &str = "span";
const ASKED_EVERY_MS: u32 = 2_000;

pub fn page(
    shell: &Shell,
    presence: &Watched<Presence>,
    config: &Watched<()>,
    recent: &Rc<Recent>,
) -> Html {
    // Who has something configured knows the way.
    let is_new = config.board.phase == Phase::Live && config.board.is_empty();
    let first = if is_new {
        first_steps(shell, presence, Page::Presence)
    } else {
        Html::default()
    };
    html! {
        <Overview {first} presences={Presences::of(shell, presence)} values={Values::of(shell, config)} recent={Rc::clone(recent)} />
    }
}

#[derive(Properties, PartialEq)]
struct OverviewProps {
    /// How to begin, where there is nothing yet.
    first: Html,
    presences: Presences,
    values: Values,
    recent: Rc<Recent>,
}

#[component]
fn Overview(props: &OverviewProps) -> Html {
    let shell = use_shell();
    let stats = use_polled((), ASKED_EVERY_MS, |()| api::stats());
    let chosen = shell.location.get(SPAN).and_then(Span::from_name);
    let span = chosen.unwrap_or_else(|| fitting(stats.value.as_deref()));
    let series = use_series(span);
    let is_stale = stats.fault.is_some() || !shell.connection.is_online();
    let spans = Span::ALL.into_iter().map(|choice| {
        let name = if choice == Span::default() { "" } else { choice.name() };
        let to = shell.location.clone().with(SPAN, name);
        let onclick = shell.go.reform(move |_: MouseEvent| (to.clone(), Step::Replace));
        let pressed = if choice == span { "true" } else { "false" };
        html! { <button type="button" class="chip" aria-pressed={pressed} {onclick}>{ choice.words() }</button> }
    });
    let mark = health(stats.value.as_deref(), stats.fault.as_ref());
    html! {
        <section class="page overview" data-stale={is_stale.then_some("true")}>
            { page_head(Page::Overview, mark, html! { <div class="chips" role="group" aria-label="How far back">{ for spans }</div> }) }
            <div class="slot">{ props.first.clone() }</div>
            { tiles::tiles(stats.value.as_deref(), series.as_deref()) }
            <div class="overview-body">
                <Charts {series} {span} />
                <div class="overview-side">
                    { digest::presences(&props.presences) }
                    { digest::values(&props.values) }
                    { happened::happened(&shell, &props.recent) }
                </div>
            </div>
        </section>
    }
}

/// Of a broker that has just begun, the last hour would be a few points.
fn fitting(stats: Option<&Stats>) -> Span {
    match stats {
        Some(stats) if stats.uptime_s * 1_000 < Span::Minutes.length_ms() => Span::Minutes,
        _ => Span::default(),
    }
}

/// The points of the span, and what is added to them.
#[hook]
fn use_series(span: Span) -> Option<Rc<Series>> {
    let known = use_memo(span, |_| RefCell::new(Series::default()));
    let polled = use_polled(span, ASKED_EVERY_MS, move |span| {
        let known = Rc::clone(&known);
        async move {
            let asked = HistoryQuery {
                step_s: Some(span.step_s()),
                after_ms: known.borrow().last_ms(),
            };
            let history = api::history(&asked).await?;
            let mut series = known.borrow_mut();
            series.extend(&history, span);
            Ok(series.clone())
        }
    });
    polled.value.filter(|_| polled.is_current)
}

/// How the broker is, in words.
fn health(stats: Option<&Stats>, fault: Option<&api::Fault>) -> Html {
    let (state, words) = match (stats, fault) {
        (_, Some(fault)) => ("unknown", fault.to_string()),
        (None, None) => ("loading", "Asking the broker".to_owned()),
        (Some(stats), None) => match stats.store {
            StoreState::Working => ("well", "Working: everything is taken in.".to_owned()),
            StoreState::Full => (
                "ill",
                "The disk is full: nothing that must be kept is taken in.".to_owned(),
            ),
            StoreState::Failed => (
                "ill",
                "The store has failed: nothing that must be kept is taken in until it works again."
                    .to_owned(),
            ),
        },
    };
    let about = stats.map(|stats| {
        let up = duration_s(stats.uptime_s);
        html! { <span class="note">{ format!("Ebbtide {}, up for {up}", stats.version) }</span> }
    });
    html! {
        <p class="health">
            <span class="health-state" role="status" data-testid="health" data-state={state}>{ words }</span>
            { about }
        </p>
    }
}
