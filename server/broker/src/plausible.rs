//! Times on disk, looked at by another run. A clock that was set in between makes nonsense of them: what seems to come from the
//! future, or from an absurdly distant past (a clock without a battery, set since), counts as of the start of this run. It
//! must not end sessions or messages, nor keep them for ever.

use std::sync::Arc;

use ebbtide_store::{Message, WallTime};

/// Ten years: nobody was away that long.
const ABSURD_MS: u64 = 10 * 365 * 24 * 3600 * 1000;

/// Milliseconds between two looks at the wall clock; `None`: they make no sense.
pub(crate) fn elapsed_ms(from: WallTime, to: WallTime) -> Option<u64> {
    to.0.checked_sub(from.0).filter(|ms| *ms <= ABSURD_MS)
}

/// Lets the lifetime of a message count from the start of this run if the time it was accepted at makes no sense. `true`:
/// it did not.
pub(crate) fn correct(message: &mut Arc<Message>, started: WallTime, now: WallTime) -> bool {
    let is_wrong = message.expires_at().is_some() && elapsed_ms(message.accepted_at, now).is_none();
    if is_wrong {
        Arc::make_mut(message).accepted_at = started;
    }
    is_wrong
}

/// Whether a message may go by this end, of which nobody knows any more when it began. If it is long past, the message may have
/// been accepted at a time that makes no sense: then [`correct`] judges once it is read.
pub(crate) fn is_expiry(expires_at: WallTime, now: WallTime) -> bool {
    expires_at > now || elapsed_ms(expires_at, now).is_some()
}
