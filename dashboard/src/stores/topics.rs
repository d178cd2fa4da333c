//! The topics under one filter, from the first time that somebody looks until the app ends or the filter changes.

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use yew::Callback;

use super::Page;
use crate::browser;
use crate::feed::{Feed, Watching};
use crate::model::change::Change;
use crate::model::filter;
use crate::model::topics::Topics;

#[derive(Clone, Default)]
pub struct TopicStore(Rc<Inner>);

#[derive(Default)]
struct Inner {
    topics: RefCell<Topics>,
    /// The filter in use, once there is one.
    filter: RefCell<Option<String>>,
    problem: RefCell<Option<String>>,
    watching: RefCell<Option<Watching>>,
    page: Page,
}

impl PartialEq for TopicStore {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl TopicStore {
    pub fn topics(&self) -> Ref<'_, Topics> {
        self.0.topics.borrow()
    }

    pub fn topics_mut(&self) -> RefMut<'_, Topics> {
        self.0.topics.borrow_mut()
    }

    /// Why the filter cannot be used, in words.
    pub fn problem(&self) -> Option<String> {
        self.0.problem.borrow().clone()
    }

    /// Who is told of changes; `None`: nobody any more.
    pub fn show_on(&self, page: Option<Callback<()>>) {
        self.0.page.set(page);
    }

    /// Begins anew, unless this is the filter in use.
    pub fn watch(&self, feed: Option<&Feed>, filter: &str) {
        let inner = &self.0;
        if inner.filter.borrow().as_deref() == Some(filter) {
            return;
        }
        *inner.filter.borrow_mut() = Some(filter.to_owned());
        *inner.topics.borrow_mut() = Topics::default();
        let sink = {
            let inner = Rc::downgrade(inner);
            Callback::from(move |changes: Vec<Change>| {
                if let Some(inner) = inner.upgrade() {
                    inner.take(changes);
                }
            })
        };
        let watching = filter::check(filter).and_then(|()| match feed {
            Some(feed) => feed.watch(filter, sink),
            None => Err("There is no connection.".to_owned()),
        });
        let (watching, problem) = match watching {
            Ok(watching) => (Some(watching), None),
            Err(problem) => (None, Some(problem)),
        };
        // The old one ends here, and with it what still waited of it.
        drop(inner.watching.replace(watching));
        *inner.problem.borrow_mut() = problem;
    }
}

impl Inner {
    fn take(&self, changes: Vec<Change>) {
        let now_ms = browser::now_ms();
        let mut topics = self.topics.borrow_mut();
        for change in changes {
            topics.apply(change, now_ms);
        }
        drop(topics);
        self.page.tell();
    }
}
