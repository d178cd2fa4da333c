//! Collects what arrives and hands it over once per animation frame.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};

/// Pages in the background get no animation frames: with so many waiting they are handed over at once.
const WAITING_MAX: usize = 4_096;

pub struct Frames<T> {
    sink: Box<dyn Fn(Vec<T>)>,
    waiting: RefCell<Vec<T>>,
    frame: RefCell<Option<AnimationFrame>>,
}

impl<T: 'static> Frames<T> {
    pub fn new(sink: impl Fn(Vec<T>) + 'static) -> Self {
        Self {
            sink: Box::new(sink),
            waiting: RefCell::default(),
            frame: RefCell::default(),
        }
    }

    pub fn push(self: &Rc<Self>, item: T) {
        let waiting = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(item);
            waiting.len()
        };
        if waiting >= WAITING_MAX {
            self.hand_over();
        } else if self.frame.borrow().is_none() {
            let frames = Rc::clone(self);
            let frame = request_animation_frame(move |_| frames.hand_over());
            *self.frame.borrow_mut() = Some(frame);
        }
    }

    /// Now, all that waits.
    pub fn hand_over(&self) {
        // Dropping the frame cancels it, if it has not come yet.
        drop(self.frame.borrow_mut().take());
        let items = self.waiting.take();
        if !items.is_empty() {
            (self.sink)(items);
        }
    }
}
