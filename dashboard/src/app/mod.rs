//! The root component: the connection, the place, what is watched throughout, and the frame around every page.

mod visitor;

use std::rc::Rc;

use ebbtide_api::{LoginResponse, LoginStatus};
use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use yew::html::Scope;
use yew::prelude::*;

use self::visitor::Standing;
use crate::api::{Fault, Listening, bearer};
use crate::browser;
use crate::components::account::account;
use crate::components::banner::Banner;
use crate::components::link::PageLink;
use crate::components::navigation::navigation;
use crate::components::now::NowProvider;
use crate::components::page_head::page_head;
use crate::components::sign_in::{SignedIn, sign_in_again, sign_in_page};
use crate::components::state_panel::{message, rows_skeleton};
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
    /// Of the connection of this visit.
    Link(u32, Link),
    LoginStatus(LoginStatus),
    /// The broker wants to know who asks.
    Unauthorized,
    /// With the visit in which the broker was asked.
    SignedIn(u32, SignedIn),
    RenewalDue,
    /// The same.
    Renewed(u32, Result<LoginResponse, Fault>),
    SignOut,
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
    /// Of this visit: what came of the deeds of an earlier one is nobody else's business.
    Notify(u32, Notice),
    DismissNotice,
}

pub struct App {
    shell: Shell,
    standing: Standing,
    /// Counts those who came: what belongs to an earlier one is passed over.
    visit: u32,
    renewal: Option<Timeout>,
    renew_at_ms: i64,
    renewed_at_ms: i64,
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
        bearer::on_refused(link.callback(|()| Msg::Unauthorized));
        Self::ask_status(ctx);
        let named = here();
        let is_nowhere = named.is_none();
        let location = named.unwrap_or_else(|| Location::new(Page::HOME));
        let last = vec![location.clone()];
        // What was known last is painted before the broker has said whether it asks who somebody is.
        let source: Source<'_> = Err("");
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
                feed: None,
                stores: Rc::default(),
                connection: Connection::default(),
                account: None,
                sign_out: link.callback(|()| Msg::SignOut),
                location,
                go: link.callback(|(location, step)| Msg::Go(location, step)),
                notify: notify(link, 0),
            },
            standing: Standing::Unknown,
            visit: 0,
            renewal: None,
            renew_at_ms: 0,
            renewed_at_ms: 0,
            no_feed: String::new(),
            is_nowhere,
            last,
            has_gone: false,
            recent: Rc::default(),
            notice: None,
            events: None,
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
            Msg::Link(visit, _)
            | Msg::Notify(visit, _)
            | Msg::SignedIn(visit, _)
            | Msg::Renewed(visit, _)
                if visit != self.visit =>
            {
                return false;
            }
            Msg::Link(_, link) => {
                let needs_auth = matches!(link, Link::NeedsAuth { .. });
                let connection = std::mem::take(&mut self.shell.connection);
                self.shell.connection = connection.next(link, browser::now_ms());
                if needs_auth {
                    self.connection_needs_auth(ctx);
                }
            }
            Msg::LoginStatus(status) => self.login_status(ctx, status),
            Msg::Unauthorized => self.unauthorized(ctx),
            Msg::SignedIn(_, who) => self.signed_in(ctx, who),
            Msg::RenewalDue => {
                self.renew(ctx);
                return false;
            }
            Msg::Renewed(_, answer) => self.renewed(ctx, answer),
            Msg::SignOut => self.sign_out(ctx),
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
                self.renew_if_late(ctx);
                self.listen(ctx);
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
            Msg::Moved => self.arrive_here(ctx),
            Msg::Reconnect => {
                self.renewed_at_ms = 0;
                if let Some(feed) = &self.shell.feed {
                    feed.reconnect_now();
                }
            }
            Msg::Notify(_, notice) => self.notice = Some(notice),
            Msg::DismissNotice => self.notice = None,
        }
        self.shell.account = self.standing.account().cloned();
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
        let visit = self.visit;
        let on_signed_in = link.callback(move |who| Msg::SignedIn(visit, who));
        let page = shell.location.page;
        if let Standing::Asked {
            by_password,
            has_left,
        } = &self.standing
        {
            return sign_in_page(*by_password, *has_left, &on_signed_in);
        }
        let on_search = link.callback(Msg::Search);
        let who = shell.account.as_ref();
        let end = who.map_or_else(Html::default, |who| account(who, &shell.sign_out));
        html! {
            <ContextProvider<Shell> context={shell.clone()}>
                <NowProvider>
                    { top_bar(&shell.connection, page.searched().search_hint(), shell.location.search(), on_search, end) }
                    { navigation((!self.is_nowhere).then_some(page), self.places()) }
                    <main id="main" key={self.visit.to_string()} tabindex="-1" data-page={page.title()}>
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
                    if let Standing::Again(account) = &self.standing {
                        { sign_in_again(&account.user, &on_signed_in, &shell.sign_out) }
                    }
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
        let page = self.shell.location.page;
        if self.standing == Standing::Unknown && !matches!(page, Page::Presence | Page::Config) {
            return html! {
                <section class="page">{ page_head(page, Html::default(), Html::default()) }{ rows_skeleton() }</section>
            };
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
            Page::Access => pages::access::page(&self.shell),
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
        if filter_of(&self.last, Page::Presence, PRESENCE_FILTER) != self.presence.filter {
            self.watch_presence(ctx);
        }
        if filter_of(&self.last, Page::Config, CONFIG_FILTER) != self.config.filter {
            self.watch_config(ctx);
        }
    }

    /// Where the address says.
    fn arrive_here(&mut self, ctx: &Context<Self>) {
        let named = here();
        let is_nowhere = named.is_none();
        self.arrive(ctx, named.unwrap_or_else(|| Location::new(Page::HOME)));
        if is_nowhere {
            self.is_nowhere = true;
            browser::set_title(NOWHERE);
        }
    }

    fn watch_anew(&mut self, ctx: &Context<Self>) {
        self.watch_presence(ctx);
        self.watch_config(ctx);
    }

    fn watch_presence(&mut self, ctx: &Context<Self>) {
        let filter = filter_of(&self.last, Page::Presence, PRESENCE_FILTER);
        self.presence = watch_presence(ctx.link(), self.source(), filter);
    }

    fn watch_config(&mut self, ctx: &Context<Self>) {
        let filter = filter_of(&self.last, Page::Config, CONFIG_FILTER);
        self.config = watch_config(ctx.link(), self.source(), filter);
    }

    fn source(&self) -> Source<'_> {
        self.shell.feed.as_deref().ok_or(self.no_feed.as_str())
    }

    /// Only while the page is seen: a browser opens six connections to a server and no more, for all its tabs together, and a
    /// stream of events holds one.
    fn listen(&mut self, ctx: &Context<Self>) {
        self.events = None;
        if browser::is_hidden()
            || matches!(self.standing, Standing::Unknown | Standing::Asked { .. })
        {
            return;
        }
        let happened = ctx.link().callback(Msg::Happened);
        let frames = Rc::new(Frames::new(move |events| happened.emit(events)));
        self.events = Listening::start(Callback::from(move |event| frames.push(event)));
    }
}

fn notify(link: &Scope<App>, visit: u32) -> Callback<Notice> {
    link.callback(move |notice| Msg::Notify(visit, notice))
}

/// Opens the connection of a visit. Without one: how that is told, and why in words.
fn connect(
    link: &Scope<App>,
    visit: u32,
    token: Option<String>,
) -> (Option<Rc<Feed>>, Connection, String) {
    let on_link = link.callback(move |link| Msg::Link(visit, link));
    match Feed::open(&browser::broker_url(), token, on_link) {
        Ok(feed) => (Some(Rc::new(feed)), Connection::default(), String::new()),
        Err(reason) => {
            let offline = Link::Offline {
                reason: reason.clone(),
                retry_at_ms: None,
            };
            let connection = Connection::default().next(offline, browser::now_ms());
            (None, connection, reason)
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
