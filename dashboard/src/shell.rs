//! What every page can reach: the broker, the address, and the place where outcomes are told.

use std::rc::Rc;

use yew::prelude::*;

use crate::components::toast::Notice;
use crate::feed::Feed;
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
    pub location: Location,
    pub go: Callback<(Location, Step)>,
    pub notify: Callback<Notice>,
}

impl PartialEq for Shell {
    /// The feed and the callbacks are the same for as long as the page lives.
    fn eq(&self, other: &Self) -> bool {
        self.connection == other.connection && self.location == other.location
    }
}

/// The shell; drawn again when connection or address change.
#[hook]
pub fn use_shell() -> Shell {
    use_context::<Shell>().expect("every component is inside the app")
}
