//! What lives as long as the app though its page may not be shown: the topics of this visit, and the live list.
//!
//! A store keeps its subscription itself and tells the page that is shown, if one is, that something has changed. Only
//! that page is drawn again.

mod live;
mod topics;

pub use live::{LiveStore, Subscribed};
pub use topics::TopicStore;

use std::cell::RefCell;

use yew::Callback;

#[derive(Default)]
pub struct Stores {
    pub topics: TopicStore,
    pub live: LiveStore,
}

/// The page that is shown, if it is the store's.
#[derive(Default)]
struct Page(RefCell<Option<Callback<()>>>);

impl Page {
    fn set(&self, page: Option<Callback<()>>) {
        *self.0.borrow_mut() = page;
    }

    fn tell(&self) {
        let page = self.0.borrow().clone();
        if let Some(page) = page {
            page.emit(());
        }
    }
}
