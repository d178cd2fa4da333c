//! The root component: the connection, the place, what is watched throughout, and the frame around every page.

use std::rc::Rc;

use gloo::events::EventListener;
use yew::html::Scope;
use yew::prelude::*;

use crate::api::Listening;
use crate::browser;
use crate::components::banner::Banner;
use crate::components::link::PageLink;
use crate::components::navigation::navigation;
use crate::components::now::NowProvider;
use crate::components::state_panel::message;
use crate::components::toast::{Notice, Toast};
use crate::components::top_bar::{SEARCH_ID, top_bar};
use crate::feed::Feed;
use crate::frames::Frames;
use crate::keys;
use crate::model::change::Change;
use crate::model::connection::{Connection, Link};
use crate::model::location::{FILTER, Location, SEARCH};
use crate::model::page::Page;
use crate::model::presence::Presence;
use crate::model::recent::Recent;
use crate::pages;
use crate::shell::{Shell, Step};
use crate::watched::Watched;

const PRESENCE_FILTER: &str = "presence/+";
/// The title of an address that leads nowhere.
const NOWHERE: &str = "Not found · Ebbtide";
const CONFIG_FILTER: &str = "config/#";

pub enum Msg {
    Link(Link),
    Presence(Vec<Change>),
    Config(Vec<Change>),
    /// A board is due to be kept in the browser.
    KeepPresence,
    KeepConfig,
    /// The page may be gone in a moment.
    Leaving,
    Happened(Vec<ebbtide_api::Event>),
    /// Somebody sees the page, or nobody does any more.
    Seen,
    Go(Location, Step),
    /// Something was typed into the search field.
    Search(String),
    /// The viewer went back or forth in the history.
    Moved,
    Reconnect,
    Notify(Notice),
    DismissNotice,
}

pub struct App {
    shell: Shell,
    /// Why there is no feed, in words.
    no_feed: String,
    /// The address that the viewer came with is none of a page.
    is_nowhere: bool,
    /// Where the viewer was last on each page.
    last: Vec<Location>,
    /// The viewer has just gone somewhere: what had the focus may be gone with the place that they left.
    has_gone: bool,
    presence: Watched<Presence>,
    config: Watched<()>,
    recent: Rc<Recent>,
    notice: Option<Notice>,
    events: Option<Listening>,
    _seen: Option<EventListener>,
    _keys: EventListener,
    _history: Option<EventListener>,
    _leaving: Option<EventListener>,
}

impl Component for App {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let link = ctx.link();
        let feed = Feed::open(&browser::broker_url(), link.callback(Msg::Link));
        let (feed, connection, no_feed) = match feed {
            Ok(feed) => (Some(Rc::new(feed)), Connection::default(), String::new()),
            Err(reason) => {
                let offline = Link::Offline {
                    reason: reason.clone(),
                    retry_at_ms: None,
                };
                let connection = Connection::default().next(offline, browser::now_ms());
                (None, connection, reason)
            }
        };
        let named = here();
        let is_nowhere = named.is_none();
        let location = named.unwrap_or_else(|| Location::new(Page::HOME));
        let last = vec![location.clone()];
        let source = feed.as_deref().ok_or(no_feed.as_str());
        let presence_filter = filter_of(&last, Page::Presence, PRESENCE_FILTER);
        let config_filter = filter_of(&last, Page::Config, CONFIG_FILTER);
        browser::set_title(&if is_nowhere {
            NOWHERE.to_owned()
        } else {
            title(&location)
        });
        Self {
            presence: watch_presence(link, source, presence_filter),
            config: watch_config(link, source, config_filter),
            shell: Shell {
                feed,
                stores: Rc::default(),
                connection,
                location,
                go: link.callback(|(location, step)| Msg::Go(location, step)),
                notify: link.callback(Msg::Notify),
            },
            no_feed,
            is_nowhere,
            last,
            has_gone: false,
            recent: Rc::default(),
            notice: None,
            events: listen(link),
            _seen: web_sys::window()
                .and_then(|window| window.document())
                .map(|document| {
                    let seen = link.callback(|()| Msg::Seen);
                    EventListener::new(&document, "visibilitychange", move |_| seen.emit(()))
                }),
            _keys: keys::slash_focuses(SEARCH_ID),
            _history: web_sys::window().map(|window| {
                let moved = link.callback(|()| Msg::Moved);
                EventListener::new(&window, "popstate", move |_| moved.emit(()))
            }),
            _leaving: web_sys::window().map(|window| {
                let leaving = link.callback(|()| Msg::Leaving);
                EventListener::new(&window, "pagehide", move |_| leaving.emit(()))
            }),
        }
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Link(link) => {
                let connection = std::mem::take(&mut self.shell.connection);
                self.shell.connection = connection.next(link, browser::now_ms());
            }
            Msg::Presence(changes) => self.presence.apply(changes, browser::now_ms()),
            Msg::Config(changes) => self.config.apply(changes, browser::now_ms()),
            Msg::KeepPresence => {
                self.presence.keep(browser::now_ms());
                return false;
            }
            Msg::KeepConfig => {
                self.config.keep(browser::now_ms());
                return false;
            }
            Msg::Leaving => {
                self.presence.keep(browser::now_ms());
                self.config.keep(browser::now_ms());
                return false;
            }
            Msg::Happened(events) => {
                let (recent, now_ms) = (Rc::make_mut(&mut self.recent), browser::now_ms());
                for event in &events {
                    recent.add(event, now_ms);
                }
            }
            Msg::Seen => {
                self.events = listen(ctx.link());
                return false;
            }
            Msg::Go(location, step) => {
                browser::set_address(&location.url(), step);
                let is_other_page = location.page != self.shell.location.page;
                self.arrive(ctx, location);
                self.has_gone = true;
                if is_other_page {
                    browser::scroll_to_top();
                    browser::focus("main");
                }
            }
            Msg::Search(text) => {
                let here = &self.shell.location;
                let (location, step) = match here.page.searched() {
                    page if page == here.page => (here.clone(), Step::Replace),
                    other => (Location::new(other), Step::Push),
                };
                let location = location.with(SEARCH, &text);
                browser::set_address(&location.url(), step);
                // The field keeps the focus, on another page too: there is more to type.
                self.arrive(ctx, location);
            }
            Msg::Moved => {
                let location = here().unwrap_or_else(|| Location::new(Page::HOME));
                self.arrive(ctx, location);
            }
            Msg::Reconnect => {
                if let Some(feed) = &self.shell.feed {
                    feed.reconnect_now();
                }
            }
            Msg::Notify(notice) => self.notice = Some(notice),
            Msg::DismissNotice => self.notice = None,
        }
        true
    }

    fn rendered(&mut self, _: &Context<Self>, _: bool) {
        if std::mem::take(&mut self.has_gone) && browser::has_no_focus() {
            browser::focus("main");
        }
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let link = ctx.link();
        let shell = &self.shell;
        let page = shell.location.page;
        let on_search = link.callback(Msg::Search);
        html! {
            <ContextProvider<Shell> context={shell.clone()}>
                <NowProvider>
                    { top_bar(&shell.connection, page.searched().search_hint(), shell.location.search(), on_search) }
                    { navigation(page, self.places()) }
                    <main id="main" tabindex="-1" data-page={page.title()}>
                        { self.page() }
                    </main>
                    <Banner
                        connection={shell.connection.clone()}
                        on_retry={link.callback(|()| Msg::Reconnect)}
                    />
                    <Toast
                        notice={self.notice.clone()}
                        on_dismiss={link.callback(|()| Msg::DismissNotice)}
                    />
                </NowProvider>
            </ContextProvider<Shell>>
        }
    }
}

impl App {
    fn page(&self) -> Html {
        if self.is_nowhere {
            return nowhere();
        }
        match self.shell.location.page {
            Page::Overview => {
                pages::overview::page(&self.shell, &self.presence, &self.config, &self.recent)
            }
            Page::Presence => pages::presence::page(&self.shell, &self.presence),
            Page::Config => pages::config::page(&self.shell, &self.config),
            Page::Topics => pages::topics::page(&self.shell),
            Page::Publish => pages::publish::page(&self.shell),
            Page::Sessions => pages::sessions::page(&self.shell),
        }
    }

    /// Each page's link leads to where the viewer was on it.
    fn places(&self) -> impl Iterator<Item = Location> {
        Page::ALL.into_iter().map(|page| {
            let last = self.last.iter().find(|last| last.page == page);
            last.cloned().unwrap_or_else(|| Location::new(page))
        })
    }

    fn arrive(&mut self, ctx: &Context<Self>, location: Location) {
        browser::set_title(&title(&location));
        self.last.retain(|last| last.page != location.page);
        self.last.push(location.clone());
        self.shell.location = location;
        self.is_nowhere = false;
        let source = self.shell.feed.as_deref().ok_or(self.no_feed.as_str());
        let filter = filter_of(&self.last, Page::Presence, PRESENCE_FILTER);
        if filter != self.presence.filter {
            self.presence = watch_presence(ctx.link(), source, filter);
        }
        let filter = filter_of(&self.last, Page::Config, CONFIG_FILTER);
        if filter != self.config.filter {
            self.config = watch_config(ctx.link(), source, filter);
        }
    }
}

type Source<'a> = Result<&'a Feed, &'a str>;

fn watch_presence(link: &Scope<App>, source: Source<'_>, filter: &str) -> Watched<Presence> {
    let on_keep = link.callback(|()| Msg::KeepPresence);
    let sink = link.callback(Msg::Presence);
    Watched::new(source, "presence", filter, sink, on_keep)
}

fn watch_config(link: &Scope<App>, source: Source<'_>, filter: &str) -> Watched<()> {
    let on_keep = link.callback(|()| Msg::KeepConfig);
    Watched::new(
        source,
        "config",
        filter,
        link.callback(Msg::Config),
        on_keep,
    )
}

/// Only while the page is seen: a browser opens six connections to a server and no more, for all its tabs together, and a
/// stream of events holds one.
fn listen(link: &Scope<App>) -> Option<Listening> {
    if browser::is_hidden() {
        return None;
    }
    let happened = link.callback(Msg::Happened);
    let frames = Rc::new(Frames::new(move |events| happened.emit(events)));
    Listening::start(Callback::from(move |event| frames.push(event)))
}

/// The place that the address names. `None`: there is no such page.
fn here() -> Option<Location> {
    let (path, query) = browser::address();
    Location::parse(&path, &query)
}

/// For an address that leads nowhere (the server answers it with this dashboard and status 404).
fn nowhere() -> Html {
    let home = html! { <PageLink to={Location::new(Page::HOME)} class="button">{ "To the overview" }</PageLink> };
    let text = "The address may be mistyped, or the link is of another version.";
    html! {
        <section class="page" data-testid="nowhere">
            <h1 class="visually-hidden">{ "Not found" }</h1>
            { message("There is nothing at this address", text, home) }
        </section>
    }
}

fn filter_of<'a>(last: &'a [Location], page: Page, default: &'a str) -> &'a str {
    let last = last.iter().find(|location| location.page == page);
    last.and_then(|last| last.get(FILTER)).unwrap_or(default)
}

fn title(location: &Location) -> String {
    format!("{} · Ebbtide", location.page.title())
}
