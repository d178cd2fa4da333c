//! What every page can reach: the broker, the address, and the place where outcomes are told.

use std::rc::Rc;

use yew::prelude::*;

use ebbtide_api::Scope;

use crate::components::toast::Notice;
use crate::feed::Feed;
use crate::model::account::Account;
use crate::model::connection::Connection;
use crate::model::location::Location;
use crate::stores::Stores;

/// How a change of place enters the history of the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A place to come back to: another page, something that was opened.
    Push,
    /// The same place, seen differently: a search, an order.
    Replace,
}

#[derive(Clone)]
pub struct Shell {
    /// `None`: the browser cannot open a connection at all.
    pub feed: Option<Rc<Feed>>,
    /// What pages leave behind for their next visit.
    pub stores: Rc<Stores>,
    pub connection: Connection,
    /// Who is signed in. `None`: nobody is asked.
    pub account: Option<Rc<Account>>,
    pub sign_out: Callback<()>,
    pub location: Location,
    pub go: Callback<(Location, Step)>,
    pub notify: Callback<Notice>,
}

impl PartialEq for Shell {
    /// The feed and the callbacks are the same for as long as the page lives, or the same user is signed in.
    fn eq(&self, other: &Self) -> bool {
        self.connection == other.connection
            && self.location == other.location
            && self.account == other.account
    }
}

impl Shell {
    pub fn may(&self, scope: Scope) -> bool {
        self.account
            .as_ref()
            .is_none_or(|account| account.may(scope))
    }

    /// Why the viewer may not do something, in a sentence.
    pub fn lacks(&self, scope: Scope) -> Option<String> {
        self.account
            .as_ref()
            .and_then(|account| account.lacks(scope))
    }
}

/// The shell; drawn again when connection or address change.
#[hook]
pub fn use_shell() -> Shell {
    use_context::<Shell>().expect("every component is inside the app")
}
