//! Events that wait for the next animation frame, and who gets them.
//!
//! Each watcher gets its changes in the order in which they came, those of the connection among them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use yew::Callback;

use crate::frames::Frames;
use crate::model::change::Change;
use crate::model::connection::Link;

/// One subscription of this page.
pub type Watch = u32;

pub enum Event {
    Link(Link),
    Change(Watch, Change),
}

type Sinks = RefCell<BTreeMap<Watch, Callback<Vec<Change>>>>;

pub struct Batch {
    watches: Cell<Watch>,
    sinks: Rc<Sinks>,
    frames: Rc<Frames<Event>>,
}

impl Batch {
    pub fn new(on_link: Callback<Link>) -> Self {
        let sinks = Rc::new(Sinks::default());
        let frames = Frames::new({
            let sinks = Rc::clone(&sinks);
            move |events| hand_over(events, &sinks, &on_link)
        });
        Self {
            watches: Cell::default(),
            sinks,
            frames: Rc::new(frames),
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

    pub fn push(&self, event: Event) {
        // Told at once: in a page in the background no frame may come for long.
        let urgent = matches!(event, Event::Link(_));
        self.frames.push(event);
        if urgent {
            self.frames.hand_over();
        }
    }
}

fn hand_over(events: Vec<Event>, sinks: &Sinks, on_link: &Callback<Link>) {
    let mut links = Vec::new();
    let mut changes: BTreeMap<Watch, Vec<Change>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Change(watch, change) => changes.entry(watch).or_default().push(change),
            Event::Link(link) => {
                let change = match link {
                    Link::Online => Some(Change::Restarted),
                    Link::Connecting => None,
                    _ => Some(Change::Lost),
                };
                if let Some(change) = change {
                    for watch in sinks.borrow().keys() {
                        changes.entry(*watch).or_default().push(change.clone());
                    }
                }
                links.push(link);
            }
        }
    }
    for link in links {
        on_link.emit(link);
    }
    for (watch, changes) in changes {
        // One that was forgotten meanwhile gets nothing.
        let sink = sinks.borrow().get(&watch).cloned();
        if let Some(sink) = sink {
            sink.emit(changes);
        }
    }
}
