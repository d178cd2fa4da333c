//! The root component: holds the boards, applies what the feed brings, and keeps the view in the URL.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;
use yew::prelude::*;

use crate::browser;
use crate::components::banner::Banner;
use crate::components::config_board::config_board;
use crate::components::header::{Header, SEARCH_ID};
use crate::components::now::NowProvider;
use crate::components::presence_board::presence_board;
use crate::components::toast::{Notice, Toast};
use crate::feed::{Event as FeedEvent, Feed, Outcome, Watch, Watching};
use crate::model::board::{Board, Change};
use crate::model::connection::{Connection, Link};
use crate::model::link::{Pane, View};
use crate::model::presence::{Presence, Status};
use crate::model::select::{self, Counts, Search};
use crate::model::{filter, link};

pub enum Msg {
    Feed(Vec<FeedEvent>),
    /// The viewer chose something.
    View(ViewChange),
    Reconnect,
    PublishSample(Pane),
    Published {
        topic: String,
        outcome: Outcome,
    },
    /// Takes back a sample.
    Undo(String),
    DismissNotice,
}

pub enum ViewChange {
    Filter(Pane, String),
    Search(String),
    Sort(link::Sort),
    Status(Option<Status>),
    Pane(Pane),
    /// Draws more of a long list.
    More(Pane),
}

/// Cards drawn at first, and added each time the viewer asks for more.
const SHOWN_STEP: usize = 2_000;

/// What belongs to one board's subscription.
#[derive(Default)]
struct Source {
    watching: Option<Watching>,
    /// Why the filter could not be used, in words.
    problem: Option<String>,
}

/// What a board's component needs to know beside its entries.
pub struct BoardState<'a> {
    pub connection: &'a Connection,
    pub view: &'a View,
    pub problem: Option<&'a str>,
    /// How many entries may be drawn.
    pub shown_max: usize,
    pub searching: bool,
}

pub struct App {
    feed: Result<Feed, String>,
    connection: Connection,
    view: View,
    presence: Board<Presence>,
    config: Board<()>,
    presence_source: Source,
    config_source: Source,
    presence_shown_max: usize,
    config_shown_max: usize,
    notice: Option<Notice>,
    _shortcuts: EventListener,
}

impl Component for App {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let feed = Feed::open(&browser::broker_url(), ctx.link().callback(Msg::Feed));
        let connection = match &feed {
            Ok(_) => Connection::default(),
            Err(reason) => Connection::default().next(
                Link::Offline {
                    reason: reason.clone(),
                    retry_at_ms: None,
                },
                browser::now_ms(),
            ),
        };
        let mut app = Self {
            feed,
            connection,
            view: View::from_query(&browser::query()),
            presence: Board::default(),
            config: Board::default(),
            presence_source: Source::default(),
            config_source: Source::default(),
            presence_shown_max: SHOWN_STEP,
            config_shown_max: SHOWN_STEP,
            notice: None,
            _shortcuts: focus_search_on_slash(),
        };
        app.watch(Pane::Presence);
        app.watch(Pane::Config);
        app
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Feed(events) => {
                let now_ms = browser::now_ms();
                for event in events {
                    self.take(event, now_ms);
                }
            }
            Msg::View(change) => self.change_view(change),
            Msg::Reconnect => {
                if let Ok(feed) = &self.feed {
                    feed.reconnect_now();
                }
            }
            Msg::PublishSample(pane) => self.publish_sample(ctx, pane),
            Msg::Published { topic, outcome } => {
                self.notice = Some(match outcome {
                    Ok(()) => Notice::published(topic),
                    Err(reason) => Notice::failed(&topic, &reason),
                });
            }
            Msg::Undo(topic) => {
                self.notice = None;
                if let Ok(feed) = &self.feed {
                    let done = ctx.link().batch_callback({
                        let topic = topic.clone();
                        move |outcome: Outcome| {
                            let topic = topic.clone();
                            outcome
                                .is_err()
                                .then_some(Msg::Published { topic, outcome })
                        }
                    });
                    feed.publish_retained(&topic, String::new(), done);
                }
            }
            Msg::DismissNotice => self.notice = None,
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let link = ctx.link();
        let search = Search::new(&self.view.search);
        let (people, counts) =
            select::presence(&self.presence, &search, self.view.status, self.view.sort);
        let values = select::config(&self.config, &search);
        html! {
            <NowProvider>
                <Header
                    connection={self.connection.clone()}
                    search={self.view.search.clone()}
                    on_search={link.callback(|text| Msg::View(ViewChange::Search(text)))}
                />
                { self.pane_switch(ctx, &counts, values.len()) }
                <main id="main" class="boards" data-pane={self.view.pane.name()} tabindex="-1">
                    { presence_board(link, &self.board_state(Pane::Presence), &self.presence, &people, counts) }
                    { config_board(link, &self.board_state(Pane::Config), &self.config, &values) }
                </main>
                <Banner
                    connection={self.connection.clone()}
                    on_retry={link.callback(|()| Msg::Reconnect)}
                />
                <Toast
                    notice={self.notice.clone()}
                    on_undo={link.callback(Msg::Undo)}
                    on_dismiss={link.callback(|()| Msg::DismissNotice)}
                />
            </NowProvider>
        }
    }
}

impl App {
    fn take(&mut self, event: FeedEvent, now_ms: i64) {
        match event {
            FeedEvent::Link(link) => {
                let change = match link {
                    Link::Online => Some(Change::Restarted),
                    Link::Connecting => None,
                    _ => Some(Change::Lost),
                };
                if let Some(change) = change {
                    self.presence.apply(change.clone(), now_ms);
                    self.config.apply(change, now_ms);
                }
                self.connection = std::mem::take(&mut self.connection).next(link, now_ms);
            }
            FeedEvent::Board(pane, watch, change) => {
                if self.source(pane).current() != Some(watch) {
                    return;
                }
                match pane {
                    Pane::Presence => self.presence.apply(change, now_ms),
                    Pane::Config => self.config.apply(change, now_ms),
                }
            }
        }
    }

    fn change_view(&mut self, change: ViewChange) {
        match change {
            ViewChange::Filter(pane, text) => {
                let filter = match pane {
                    Pane::Presence => &mut self.view.presence_filter,
                    Pane::Config => &mut self.view.config_filter,
                };
                if *filter == text && self.source(pane).problem.is_none() {
                    return;
                }
                match pane {
                    Pane::Presence => self.view.presence_filter = text,
                    Pane::Config => self.view.config_filter = text,
                }
                self.watch(pane);
            }
            ViewChange::Search(text) => self.view.search = text,
            ViewChange::Sort(sort) => self.view.sort = sort,
            ViewChange::Status(status) => self.view.status = status,
            ViewChange::Pane(pane) => self.view.pane = pane,
            ViewChange::More(Pane::Presence) => self.presence_shown_max += SHOWN_STEP,
            ViewChange::More(Pane::Config) => self.config_shown_max += SHOWN_STEP,
        }
        browser::replace_query(&self.view.to_query());
    }

    /// Begins a board's subscription anew, with the filter of the view.
    fn watch(&mut self, pane: Pane) {
        let filter = match pane {
            Pane::Presence => &self.view.presence_filter,
            Pane::Config => &self.view.config_filter,
        };
        let watching = filter::check(filter).and_then(|()| match &self.feed {
            Ok(feed) => feed.watch(pane, filter),
            Err(reason) => Err(reason.clone()),
        });
        let source = match watching {
            Ok(watching) => Source {
                watching: Some(watching),
                problem: None,
            },
            Err(problem) => Source {
                watching: None,
                problem: Some(problem),
            },
        };
        match pane {
            Pane::Presence => {
                self.presence = Board::default();
                self.presence_shown_max = SHOWN_STEP;
                self.presence_source = source;
            }
            Pane::Config => {
                self.config = Board::default();
                self.config_shown_max = SHOWN_STEP;
                self.config_source = source;
            }
        }
    }

    fn publish_sample(&mut self, ctx: &Context<Self>, pane: Pane) {
        let now = browser::iso_time(browser::now_ms()).unwrap_or_default();
        let (topic, payload) = match pane {
            Pane::Presence => (
                filter::example_topic(&self.view.presence_filter, "sample"),
                format!(
                    r#"{{"status":"online","since":"{now}","meta":{{"from":"the dashboard"}}}}"#
                ),
            ),
            Pane::Config => (
                filter::example_topic(&self.view.config_filter, "sample"),
                r#"{"enabled":true,"interval_s":30}"#.to_owned(),
            ),
        };
        if let Ok(feed) = &self.feed {
            let done = ctx.link().callback({
                let topic = topic.clone();
                move |outcome| Msg::Published {
                    topic: topic.clone(),
                    outcome,
                }
            });
            feed.publish_retained(&topic, payload, done);
        }
    }

    fn source(&self, pane: Pane) -> &Source {
        match pane {
            Pane::Presence => &self.presence_source,
            Pane::Config => &self.config_source,
        }
    }

    fn board_state(&self, pane: Pane) -> BoardState<'_> {
        BoardState {
            connection: &self.connection,
            view: &self.view,
            problem: self.source(pane).problem.as_deref(),
            shown_max: match pane {
                Pane::Presence => self.presence_shown_max,
                Pane::Config => self.config_shown_max,
            },
            searching: !self.view.search.trim().is_empty(),
        }
    }

    /// Chooses the board on screens that have room for one only.
    fn pane_switch(&self, ctx: &Context<Self>, counts: &Counts, values: usize) -> Html {
        let tab = |pane: Pane, name: &str, count: usize| {
            let choose = ctx
                .link()
                .callback(move |_: MouseEvent| Msg::View(ViewChange::Pane(pane)));
            let chosen = if self.view.pane == pane {
                "true"
            } else {
                "false"
            };
            html! {
                <button type="button" class="pane-tab" aria-pressed={chosen} onclick={choose}>
                    { name.to_owned() }{ " " }<span class="count">{ count }</span>
                </button>
            }
        };
        html! {
            <nav class="pane-switch" aria-label="Boards">
                { tab(Pane::Presence, "Presence", counts.all) }
                { tab(Pane::Config, "Config", values) }
            </nav>
        }
    }
}

impl Source {
    fn current(&self) -> Option<Watch> {
        self.watching.as_ref().map(|watching| watching.watch)
    }
}

/// `/` goes to the search field, unless the viewer is typing somewhere.
fn focus_search_on_slash() -> EventListener {
    let document = gloo_document();
    EventListener::new_with_options(
        &document,
        "keydown",
        EventListenerOptions::enable_prevent_default(),
        |event| {
            let Some(key) = event.dyn_ref::<KeyboardEvent>() else {
                return;
            };
            let modified = key.ctrl_key() || key.meta_key() || key.alt_key();
            if key.key() == "/" && !modified && !browser::is_typing() {
                event.prevent_default();
                browser::focus(SEARCH_ID);
            }
        },
    )
}

fn gloo_document() -> web_sys::Document {
    web_sys::window()
        .and_then(|window| window.document())
        .expect("the dashboard runs in a page")
}
