//! Callbacks that may do anything while they run: add others, drop themselves, call the client.
//!
//! A callback is out of the map while it runs, and no borrow is held while one runs or is dropped.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Callbacks by key. `None`: running right now.
#[derive(Debug)]
pub(crate) struct Listeners<K, F> {
    entries: RefCell<BTreeMap<K, Option<F>>>,
    next: Cell<u32>,
}

impl<K, F> Default for Listeners<K, F> {
    fn default() -> Self {
        Self {
            entries: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
        }
    }
}

impl<K: Copy + Ord, F> Listeners<K, F> {
    pub(crate) fn insert(&self, key: K, callback: F) {
        let replaced = self.entries.borrow_mut().insert(key, Some(callback));
        drop(replaced);
    }

    pub(crate) fn remove(&self, key: K) -> Option<F> {
        let removed = self.entries.borrow_mut().remove(&key);
        removed.flatten()
    }

    /// Runs the callback, unless it was removed.
    pub(crate) fn call(&self, key: K, run: impl FnOnce(&mut F)) {
        let taken = self
            .entries
            .borrow_mut()
            .get_mut(&key)
            .and_then(Option::take);
        let Some(mut callback) = taken else { return };
        run(&mut callback);
        let mut entries = self.entries.borrow_mut();
        match entries.get_mut(&key) {
            Some(slot) if slot.is_none() => *slot = Some(callback),
            // Removed, or removed and replaced, by itself.
            _ => {
                drop(entries);
                drop(callback);
            }
        }
    }

    pub(crate) fn keys(&self) -> Vec<K> {
        self.entries.borrow().keys().copied().collect()
    }
}

impl<F> Listeners<u32, F> {
    /// Inserts under a key of its own.
    pub(crate) fn add(&self, callback: F) -> u32 {
        let key = self.next.get();
        self.next.set(key.wrapping_add(1));
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
