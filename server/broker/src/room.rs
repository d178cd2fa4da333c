//! Whether there is room for what has to be kept. What nobody has to keep is never asked about, and what makes the store
//! smaller is always taken: a full disk is emptied that way.
//!
//! It knows no disk: how many bytes may still come is told from outside, and so is that a commit has failed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ebbtide_protocol::packet::Connect;
use ebbtide_store::Message;

use crate::{session::Session, shared::Shared};

/// Why what has to be kept is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// There would be too little left of the disk.
    Full,
    /// A commit has failed, and the store is not yet in use again.
    Failed,
}

impl NoRoom {
    /// The reason in words, for clients.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Full => "the disk is full: what would have to be kept is not taken",
            Self::Failed => {
                "the store failed: what would have to be kept is not taken until it works again"
            }
        }
    }
}

/// What the outside has told.
#[derive(Debug)]
pub(crate) struct Room {
    /// How many bytes of operations may wait for the writer.
    bytes: AtomicU64,
    has_failed: AtomicBool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(u64::MAX),
            has_failed: AtomicBool::new(false),
        }
    }
}

impl Room {
    pub fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn set_failed(&self, has_failed: bool) {
        self.has_failed.store(has_failed, Ordering::Release);
    }

    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// Why nothing more may come while so many bytes are on their way to the disk.
    pub fn hindrance(&self, under_way: impl FnOnce() -> usize) -> Option<NoRoom> {
        if self.has_failed() {
            return Some(NoRoom::Failed);
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        let is_full = bytes != u64::MAX && under_way() as u64 >= bytes;
        is_full.then_some(NoRoom::Full)
    }
}

/// For a publish. `is_queued`: sessions that are kept are to get it; `has_inbound`: its packet id is to be kept.
pub(crate) fn for_publish(
    shared: &Shared,
    message: &Message,
    is_queued: bool,
    has_inbound: bool,
) -> Result<(), NoRoom> {
    if !is_queued && !has_inbound && !message.retain {
        return Ok(());
    }
    match shared.journal.no_room() {
        None => Ok(()),
        // It only removes a retained message.
        Some(NoRoom::Full) if !is_queued && !has_inbound && message.payload.is_empty() => Ok(()),
        Some(no_room) => Err(no_room),
    }
}

/// For a client that comes in with this Session Expiry Interval. While the disk is full it may if nothing new is kept for it, and if it
/// has a session already, for only then can it take what waits there.
///
/// - `will_grows`: its will makes what is kept more, so a session that it has does not help.
/// - `waits`: CONNACK waits for something else that is written: the end of the session that was there before, or its entry of presence.
///   A full disk does not hinder that, for it is there already or small; a store that has failed does.
pub(crate) fn for_connect(
    shared: &Shared,
    connect: &Connect,
    expiry: u32,
    rested: Option<&Session>,
    will_grows: bool,
    waits: bool,
) -> Result<(), NoRoom> {
    if expiry == 0 && connect.will.is_none() && rested.is_none() && !waits {
        return Ok(());
    }
    match shared.journal.no_room() {
        None => Ok(()),
        Some(NoRoom::Full) if rested.is_some() && !will_grows => Ok(()),
        Some(NoRoom::Full) if expiry == 0 && connect.will.is_none() => Ok(()),
        Some(no_room) => Err(no_room),
    }
}

/// The same as far as it is known before the client has its session: while the store has failed nobody takes up a session, nor begins what
/// would be kept. While the disk is full a will that makes what is kept more is refused; the rest depends on the session.
pub(crate) fn before_claim(
    shared: &Shared,
    connect: &Connect,
    expiry: u32,
    will_grows: bool,
) -> Result<(), NoRoom> {
    match shared.journal.no_room() {
        Some(NoRoom::Full) if will_grows => Err(NoRoom::Full),
        Some(NoRoom::Failed)
            if expiry > 0 || connect.will.is_some() || shared.registry.has(&connect.client_id) =>
        {
            Err(NoRoom::Failed)
        }
        _ => Ok(()),
    }
}

/// For one subscription of a session that is kept. One that it has already only replaces its row.
pub(crate) fn for_subscription(shared: &Shared, is_new: bool) -> Result<(), NoRoom> {
    match shared.journal.no_room() {
        None => Ok(()),
        Some(NoRoom::Full) if !is_new => Ok(()),
        Some(no_room) => Err(no_room),
    }
}
