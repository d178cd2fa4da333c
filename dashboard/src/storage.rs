//! What the page keeps by name: in the storage of the browser, or while the broker asks who somebody is, in the memory of
//! this tab, from which it goes at sign-out.
//!
//! A browser profile may have several users: nothing of one of them is ever found there by another one.

use std::cell::RefCell;

use web_sys::Storage;

/// What begins with this belongs to the dashboard.
const PREFIX: &str = "ebbtide.dashboard.";
/// The boards, which are kept without anybody asking for it.
pub const LAST_KNOWN: &str = "ebbtide.dashboard.last-known.";

thread_local! {
    /// `Some`: in memory.
    static MEMORY: RefCell<Option<Vec<(String, String)>>> = const { RefCell::new(None) };
}

fn browser() -> Option<Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

/// From now on in memory, which begins empty. The boards that were kept before, when nobody was asked, go.
pub fn use_memory() {
    MEMORY.set(Some(Vec::new()));
    let Some(storage) = browser() else { return };
    let names =
        (0..storage.length().unwrap_or_default()).filter_map(|at| storage.key(at).ok().flatten());
    let boards: Vec<String> = names.filter(|name| name.starts_with(LAST_KNOWN)).collect();
    for name in boards {
        let _refused = storage.remove_item(&name);
    }
}

/// What is kept under a name. `None` also where the browser may not keep anything.
pub fn kept(name: &str) -> Option<String> {
    debug_assert!(name.starts_with(PREFIX));
    MEMORY.with_borrow(|memory| match memory {
        Some(memory) => {
            let found = memory.iter().find(|(known, _)| known == name);
            found.map(|(_, text)| text.clone())
        }
        None => browser()?.get_item(name).ok().flatten(),
    })
}

/// Tells whether there was room for it; an empty text is taken away.
pub fn keep(name: &str, text: &str) -> bool {
    debug_assert!(name.starts_with(PREFIX));
    MEMORY.with_borrow_mut(|memory| match memory {
        Some(memory) => {
            memory.retain(|(known, _)| known != name);
            memory.push((name.to_owned(), text.to_owned()));
            true
        }
        None => browser().is_some_and(|storage| {
            if text.is_empty() {
                storage.remove_item(name).is_ok()
            } else {
                storage.set_item(name, text).is_ok()
            }
        }),
    })
}
