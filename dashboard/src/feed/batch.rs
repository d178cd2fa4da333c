//! Events that wait for the next animation frame, and who gets them.
//!
//! Each watcher gets its changes in the order in which they came, those of the connection among them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use yew::Callback;

use crate::model::change::Change;
use crate::model::connection::Link;

/// Pages in the background get no animation frames: with so many events waiting they are handed over at once.
const WAITING_MAX: usize = 4_096;

/// One subscription of this page.
pub type Watch = u32;

pub enum Event {
    Link(Link),
    Change(Watch, Change),
}

pub struct Batch {
    on_link: Callback<Link>,
    watches: Cell<Watch>,
    sinks: RefCell<BTreeMap<Watch, Callback<Vec<Change>>>>,
    waiting: RefCell<Vec<Event>>,
    frame: RefCell<Option<AnimationFrame>>,
}

impl Batch {
    pub fn new(on_link: Callback<Link>) -> Self {
        Self {
            on_link,
            watches: Cell::default(),
            sinks: RefCell::default(),
            waiting: RefCell::default(),
            frame: RefCell::default(),
        }
    }

    pub fn remember(&self, sink: Callback<Vec<Change>>) -> Watch {
        let watch = self.watches.get().wrapping_add(1);
        self.watches.set(watch);
        self.sinks.borrow_mut().insert(watch, sink);
        watch
    }

    pub fn forget(&self, watch: Watch) {
        self.sinks.borrow_mut().remove(&watch);
    }

    pub fn push(self: &Rc<Self>, event: Event) {
        // Told at once: in a page in the background no frame may come for long.
        let urgent = matches!(event, Event::Link(_));
        let waiting = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(event);
            waiting.len()
        };
        if urgent || waiting >= WAITING_MAX {
            self.hand_over();
        } else if self.frame.borrow().is_none() {
            let batch = Rc::clone(self);
            let frame = request_animation_frame(move |_| batch.hand_over());
            *self.frame.borrow_mut() = Some(frame);
        }
    }

    fn hand_over(&self) {
        // Dropping the frame cancels it, if it has not come yet.
        drop(self.frame.borrow_mut().take());
        let mut links = Vec::new();
        let mut changes: BTreeMap<Watch, Vec<Change>> = BTreeMap::new();
        for event in self.waiting.take() {
            match event {
                Event::Change(watch, change) => changes.entry(watch).or_default().push(change),
                Event::Link(link) => {
                    let change = match link {
                        Link::Online => Some(Change::Restarted),
                        Link::Connecting => None,
                        _ => Some(Change::Lost),
                    };
                    if let Some(change) = change {
                        for watch in self.sinks.borrow().keys() {
                            changes.entry(*watch).or_default().push(change.clone());
                        }
                    }
                    links.push(link);
                }
            }
        }
        for link in links {
            self.on_link.emit(link);
        }
        for (watch, changes) in changes {
            // One that was forgotten meanwhile gets nothing.
            let sink = self.sinks.borrow().get(&watch).cloned();
            if let Some(sink) = sink {
                sink.emit(changes);
            }
        }
    }
}
