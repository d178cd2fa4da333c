//! What is shown to the broker with each request: the token of who is signed in, in the memory of this tab and nowhere else.
//!
//! Whoever asks without it, or with one that does not count any more, is told so once by the hook of the app; until somebody
//! has signed in again nothing is asked at all.

use std::cell::RefCell;

use yew::Callback;

#[derive(Clone, Default, PartialEq)]
pub enum Bearer {
    /// Nobody is signed in: asked without a name.
    #[default]
    Nobody,
    Token(String),
    /// Somebody has to sign in first.
    Closed,
}

#[derive(Default)]
struct Desk {
    bearer: Bearer,
    on_refused: Callback<()>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Who is told that the broker wants to know who asks.
pub fn on_refused(hook: Callback<()>) {
    DESK.with_borrow_mut(|desk| desk.on_refused = hook);
}

pub fn set(bearer: Bearer) {
    DESK.with_borrow_mut(|desk| desk.bearer = bearer);
}

pub fn get() -> Bearer {
    DESK.with_borrow(|desk| desk.bearer.clone())
}

/// The broker has answered 401 to a request that showed this.
pub fn refused(shown: &Bearer) {
    // An answer to an earlier token says nothing about the present one.
    let hook = DESK.with_borrow(|desk| (desk.bearer == *shown).then(|| desk.on_refused.clone()));
    if let Some(hook) = hook {
        hook.emit(());
    }
}
