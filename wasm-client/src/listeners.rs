//! Callbacks that may do anything while they run: add others, drop themselves, call the client.
//!
//! A callback is out of the list while it runs, and no borrow is held while one runs or is dropped.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::mem;

/// Callbacks by key, ascending: keys are given out in order, so a new one goes to the end. A deque since outcomes of
/// publishes leave from the front; a tree would be several kilobytes more to download. `None`: running right now.
#[derive(Debug)]
pub(crate) struct Listeners<K, F> {
    entries: RefCell<VecDeque<(K, Option<F>)>>,
    next: Cell<u32>,
}

impl<K, F> Default for Listeners<K, F> {
    fn default() -> Self {
        Self {
            entries: RefCell::new(VecDeque::new()),
            next: Cell::new(0),
        }
    }
}

impl<K: Copy + Ord, F> Listeners<K, F> {
    /// The key must be above all before.
    pub(crate) fn insert(&self, key: K, callback: F) {
        self.entries.borrow_mut().push_back((key, Some(callback)));
    }

    pub(crate) fn remove(&self, key: K) -> Option<F> {
        let mut entries = self.entries.borrow_mut();
        let place = entries.binary_search_by_key(&key, |entry| entry.0).ok()?;
        entries.remove(place)?.1
    }

    /// Runs the callback, unless it was removed.
    pub(crate) fn call(&self, key: K, run: impl FnOnce(&mut F)) {
        let Some(mut callback) = self.swap(key, None) else {
            return;
        };
        run(&mut callback);
        // It comes back if it removed itself, and is dropped here, without a borrow.
        self.swap(key, Some(callback));
    }

    /// Changes what is at the key; gives back what was there, or what finds no place.
    fn swap(&self, key: K, callback: Option<F>) -> Option<F> {
        let mut entries = self.entries.borrow_mut();
        match entries.binary_search_by_key(&key, |entry| entry.0) {
            Ok(place) => mem::replace(&mut entries[place].1, callback),
            Err(_) => callback,
        }
    }

    pub(crate) fn keys(&self) -> Vec<K> {
        self.entries.borrow().iter().map(|entry| entry.0).collect()
    }
}

impl<F> Listeners<u32, F> {
    /// Inserts under a key of its own.
    pub(crate) fn add(&self, callback: F) -> u32 {
        let key = self.next.get();
        self.next.set(key + 1);
        self.insert(key, callback);
        key
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_callback_may_remove_itself_and_add_others() {
        let listeners: Rc<Listeners<u32, Box<dyn FnMut()>>> = Rc::default();
        let calls = Rc::new(Cell::new(0));
        let (inner, count) = (Rc::clone(&listeners), Rc::clone(&calls));
        let key = listeners.add(Box::new(move || {
            count.set(count.get() + 1);
            inner.remove(0);
            inner.add(Box::new(|| {}));
        }));
        assert_eq!(key, 0);
        listeners.call(0, |callback| callback());
        listeners.call(0, |callback| callback());
        assert_eq!(calls.get(), 1);
        assert_eq!(listeners.keys(), [1]);
    }
}
