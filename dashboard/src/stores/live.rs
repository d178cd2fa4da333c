//! The live list of the publish page and the subscriptions that fill it, for as long as the app runs.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use yew::Callback;

use super::Page;
use crate::feed::{Feed, Watching};
use crate::model::change::Change;
use crate::model::filter;
use crate::model::live::Live;

/// At a time: each is a subscription at the broker.
pub const SUBSCRIPTIONS_MAX: usize = 20;

#[derive(Clone, Default)]
pub struct LiveStore(Rc<Inner>);

#[derive(Default)]
struct Inner {
    live: RefCell<Live>,
    subscriptions: RefCell<Vec<Subscription>>,
    page: Page,
}

struct Subscription {
    filter: String,
    qos: u8,
    /// In words, when the broker did not grant it.
    refused: Option<String>,
    _watching: Watching,
}

/// One of them, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    pub filter: String,
    pub qos: u8,
    pub refused: Option<String>,
}

impl PartialEq for LiveStore {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl LiveStore {
    pub fn live(&self) -> Ref<'_, Live> {
        self.0.live.borrow()
    }

    pub fn live_mut(&self) -> RefMut<'_, Live> {
        self.0.live.borrow_mut()
    }

    /// Who is told of changes; `None`: nobody any more.
    pub fn show_on(&self, page: Option<Callback<()>>) {
        self.0.page.set(page);
    }

    pub fn subscriptions(&self) -> Vec<Subscribed> {
        let all = self.0.subscriptions.borrow();
        let shown = all.iter().map(|subscription| Subscribed {
            filter: subscription.filter.clone(),
            qos: subscription.qos,
            refused: subscription.refused.clone(),
        });
        shown.collect()
    }

    /// The error is a sentence that tells what to do.
    pub fn subscribe(&self, feed: Option<&Feed>, filter: &str, qos: u8) -> Result<(), String> {
        filter::check(filter)?;
        let feed = feed.ok_or("There is no connection.")?;
        {
            let known = self.0.subscriptions.borrow();
            if known.iter().any(|known| known.filter == filter) {
                return Err("This filter is subscribed already: end it first.".to_owned());
            }
            if known.len() >= SUBSCRIPTIONS_MAX {
                return Err(format!("{SUBSCRIPTIONS_MAX} at a time: end one first."));
            }
        }
        let sink = {
            let (inner, filter) = (Rc::downgrade(&self.0), filter.to_owned());
            Callback::from(move |changes: Vec<Change>| {
                if let Some(inner) = inner.upgrade() {
                    inner.take(&filter, changes);
                }
            })
        };
        let watching = feed.watch_at(filter, qos, sink)?;
        self.0.subscriptions.borrow_mut().push(Subscription {
            filter: filter.to_owned(),
            qos,
            refused: None,
            _watching: watching,
        });
        Ok(())
    }

    pub fn unsubscribe(&self, filter: &str) {
        let mut all = self.0.subscriptions.borrow_mut();
        let place = all.iter().position(|known| known.filter == filter);
        let ended = place.map(|place| all.remove(place));
        drop(all);
        drop(ended);
        self.0.page.tell();
    }
}

impl Inner {
    fn take(&self, filter: &str, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Message(message) => self.live.borrow_mut().take(message),
                Change::Refused(reason) => self.mark(filter, Some(reason)),
                Change::SnapshotComplete => self.mark(filter, None),
                Change::Restarted | Change::Lost => {}
            }
        }
        self.page.tell();
    }

    fn mark(&self, filter: &str, refused: Option<String>) {
        let mut all = self.subscriptions.borrow_mut();
        if let Some(known) = all.iter_mut().find(|known| known.filter == filter) {
            known.refused = refused;
        }
    }
}
