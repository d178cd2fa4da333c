//! Who looks at the page: whether the broker asks for that, signing in, renewing the token, and leaving.
//!
//! Signing in begins everything anew, but for the same user whose token has run out: then the page stays as it stands. After
//! leaving nothing is left of the user: no connection, no board, no page, no address, nothing in the browser's storage.

use std::rc::Rc;

use ebbtide_api::{LoginResponse, LoginStatus};
use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::{App, Msg, connect, notify};
use crate::api::bearer::{self, Bearer};
use crate::api::{self, Fault};
use crate::browser;
use crate::components::sign_in::SignedIn;
use crate::model::account::{Account, renew_in_ms};
use crate::model::connection::{Connection, Link};
use crate::model::location::Location;
use crate::model::page::Page;
use crate::shell::Step;
use crate::storage;

/// When a renewal found no broker, the next attempt.
const RENEW_AGAIN_MS: u32 = 10_000;
/// A connection that asks for another token gets one at once, and then not again for so long.
const ANOTHER_TOKEN_MS: i64 = 10_000;

const TITLE: &str = "Sign in · Ebbtide";

/// How the viewer stands to the broker.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// The broker has not said yet whether it asks.
    Unknown,
    /// Nobody is asked, as far as is known.
    Open,
    /// The broker asks, and nobody is signed in.
    Asked {
        by_password: bool,
        has_left: bool,
    },
    In(Rc<Account>),
    /// The token does not count any more.
    Again(Rc<Account>),
}

impl Standing {
    pub fn account(&self) -> Option<&Rc<Account>> {
        match self {
            Self::In(account) | Self::Again(account) => Some(account),
            Self::Unknown | Self::Open | Self::Asked { .. } => None,
        }
    }
}

impl App {
    /// Asks whether anybody has to sign in. Who gets no answer asks again when the connection says so.
    pub(super) fn ask_status(ctx: &Context<Self>) {
        let told = ctx.link().callback(Msg::LoginStatus);
        wasm_bindgen_futures::spawn_local(async move {
            told.emit(api::login::status().await.unwrap_or_default());
        });
    }

    pub(super) fn login_status(&mut self, ctx: &Context<Self>, status: LoginStatus) {
        let by_password = status.by_password;
        match self.standing {
            Standing::Unknown | Standing::Open if status.required => {
                self.shut(ctx, by_password, false);
            }
            Standing::Unknown => self.open(ctx),
            _ => {}
        }
    }

    /// The broker wants to know who asks.
    pub(super) fn unauthorized(&mut self, ctx: &Context<Self>) {
        match &self.standing {
            // It is told how to sign in as well.
            Standing::Open => Self::ask_status(ctx),
            Standing::In(account) => {
                self.standing = Standing::Again(Rc::clone(account));
                self.renewal = None;
                bearer::set(Bearer::Closed);
            }
            Standing::Unknown | Standing::Asked { .. } | Standing::Again(_) => {}
        }
    }

    /// The connection wants another token than it has.
    pub(super) fn connection_needs_auth(&mut self, ctx: &Context<Self>) {
        match &self.standing {
            Standing::Open => Self::ask_status(ctx),
            Standing::In(_) if browser::now_ms() - self.renewed_at_ms > ANOTHER_TOKEN_MS => {
                self.renew(ctx);
            }
            _ => {}
        }
    }

    pub(super) fn signed_in(&mut self, ctx: &Context<Self>, (user, answer): SignedIn) {
        let is_same = matches!(&self.standing, Standing::Again(account) if account.user == user);
        if !is_same {
            // Not in the name of who comes.
            self.settle();
        }
        let token = answer.token.0.clone();
        bearer::set(Bearer::Token(token.clone()));
        let account = Account {
            user,
            scopes: answer.scopes.clone(),
        };
        self.standing = Standing::In(Rc::new(account));
        if is_same {
            self.go_on(token);
            self.listen(ctx);
        } else {
            self.begin(ctx, Some(token));
        }
        self.expect_renewal(ctx, renew_in_ms(answer.expires_in_s));
    }

    /// Nobody is asked, or there is no answer: the page begins, with what was known before.
    fn open(&mut self, ctx: &Context<Self>) {
        self.standing = Standing::Open;
        let (feed, connection, no_feed) = connect(ctx.link(), self.visit, None);
        self.shell.feed = feed;
        self.shell.connection = connection;
        self.no_feed = no_feed;
        let source = self.shell.feed.as_deref().ok_or(self.no_feed.as_str());
        self.presence.begin(source);
        self.config.begin(source);
        self.listen(ctx);
    }

    fn go_on(&mut self, token: String) {
        self.renewed_at_ms = browser::now_ms();
        let Some(feed) = &self.shell.feed else { return };
        feed.renew(token);
        if matches!(self.shell.connection.link, Link::NeedsAuth { .. }) {
            feed.reconnect_now();
        }
    }

    pub(super) fn renew(&self, ctx: &Context<Self>) {
        let visit = self.visit;
        let told = ctx
            .link()
            .callback(move |answer| Msg::Renewed(visit, answer));
        wasm_bindgen_futures::spawn_local(async move { told.emit(api::login::renew().await) });
    }

    pub(super) fn renewed(&mut self, ctx: &Context<Self>, answer: Result<LoginResponse, Fault>) {
        let Standing::In(account) = &self.standing else {
            return;
        };
        match answer {
            Ok(answer) => {
                self.standing = Standing::In(Rc::new(Account {
                    user: account.user.clone(),
                    scopes: answer.scopes,
                }));
                let token = answer.token.0;
                bearer::set(Bearer::Token(token.clone()));
                self.go_on(token);
                self.expect_renewal(ctx, renew_in_ms(answer.expires_in_s));
            }
            // Of one that does not count the page has been told by now.
            Err(_) => self.expect_renewal(ctx, RENEW_AGAIN_MS),
        }
    }

    fn expect_renewal(&mut self, ctx: &Context<Self>, in_ms: u32) {
        let due = ctx.link().callback(|()| Msg::RenewalDue);
        self.renew_at_ms = browser::now_ms() + i64::from(in_ms);
        self.renewal = Some(Timeout::new(in_ms, move || due.emit(())));
    }

    /// A computer that slept has missed the time.
    pub(super) fn renew_if_late(&self, ctx: &Context<Self>) {
        if matches!(self.standing, Standing::In(_)) && browser::now_ms() >= self.renew_at_ms {
            self.renew(ctx);
        }
    }

    pub(super) fn sign_out(&mut self, ctx: &Context<Self>) {
        self.settle();
        self.shut(ctx, true, true);
        let home = Location::new(Page::HOME);
        browser::set_address(&home.url(), Step::Replace);
        self.last.clear();
        self.arrive(ctx, home);
        browser::set_title(TITLE);
    }

    /// Who leaves has decided: what is announced is done by who confirmed it, while the broker still knows who that is. Where it does
    /// not any more, nothing is sent, now or later.
    fn settle(&mut self) {
        if let Some(notice) = self.notice.take() {
            notice.act();
        }
    }

    /// Ends all that was there, until somebody signs in.
    fn shut(&mut self, ctx: &Context<Self>, by_password: bool, has_left: bool) {
        self.standing = Standing::Asked {
            by_password,
            has_left,
        };
        bearer::set(Bearer::Closed);
        storage::use_memory();
        self.renewal = None;
        self.events = None;
        self.end(ctx);
        browser::set_title(TITLE);
    }

    /// Without a connection, and with nothing known.
    fn end(&mut self, ctx: &Context<Self>) {
        if let Some(feed) = self.shell.feed.take() {
            feed.close();
        }
        self.visit += 1;
        self.shell.notify = notify(ctx.link(), self.visit);
        self.no_feed = "Nobody is signed in.".to_owned();
        self.shell.connection = Connection::default();
        self.shell.stores = Rc::default();
        self.recent = Rc::default();
        self.notice = None;
        self.watch_anew(ctx);
    }

    /// With a connection, from the beginning.
    fn begin(&mut self, ctx: &Context<Self>, token: Option<String>) {
        self.end(ctx);
        self.renewed_at_ms = browser::now_ms();
        let (feed, connection, no_feed) = connect(ctx.link(), self.visit, token);
        self.shell.feed = feed;
        self.shell.connection = connection;
        self.no_feed = no_feed;
        self.last.clear();
        self.arrive_here(ctx);
        self.watch_anew(ctx);
        self.listen(ctx);
    }
}
