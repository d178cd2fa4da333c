//! Events that wait for the next animation frame, and who gets them.
//!
//! Each watcher gets its changes in the order in which they came, those of the connection among them.

use std::cell::{Cell, RefCell};
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

/// A few, in the order in which they came: a tree would be several kilobytes more to download.
type Sinks = RefCell<Vec<(Watch, Callback<Vec<Change>>)>>;

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
        self.sinks.borrow_mut().push((watch, sink));
        watch
    }

    pub fn forget(&self, watch: Watch) {
        self.sinks.borrow_mut().retain(|(known, _)| *known != watch);
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
    let mut changes: Vec<(Watch, Vec<Change>)> = Vec::new();
    let mut add = |watch: Watch, change: Change| match changes
        .iter_mut()
        .find(|(known, _)| *known == watch)
    {
        Some((_, changes)) => changes.push(change),
        None => changes.push((watch, vec![change])),
    };
    for event in events {
        match event {
            Event::Change(watch, change) => add(watch, change),
            Event::Link(link) => {
                let change = match link {
                    Link::Online => Some(Change::Restarted),
                    Link::Connecting => None,
                    _ => Some(Change::Lost),
                };
                if let Some(change) = change {
                    for (watch, _) in &*sinks.borrow() {
                        add(*watch, change.clone());
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
        let all = sinks.borrow();
        let sink = all.iter().find(|(known, _)| *known == watch);
        let sink = sink.map(|(_, sink)| sink.clone());
        drop(all);
        if let Some(sink) = sink {
            sink.emit(changes);
        }
    }
}
