//! What happens to clients and sessions, told to whoever watches. Nobody watching, it costs one look.

use std::{fmt::Debug, sync::Arc};

use ebbtide_protocol::{ByteString, ReasonCode, Version};
use ebbtide_store::WallTime;

use crate::{Now, Origin, shared::Shared};

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client is in.
    Connected {
        /// It.
        client_id: ByteString,
        /// Its user; `None`: anonymous.
        user: Option<ByteString>,
        /// Where it comes from.
        origin: Arc<Origin>,
        /// What it speaks.
        version: Version,
        /// It goes on with a session that was there.
        session_present: bool,
        /// Another connection held its client id, and was ended.
        taken_over: bool,
    },
    /// A client that was in has gone.
    Disconnected {
        /// It.
        client_id: ByteString,
        /// Why; `Success` for a normal end.
        reason: ReasonCode,
        /// The same in words.
        explanation: String,
    },
    /// A session has ended that was to stay without its client.
    SessionEnded {
        /// Its client.
        client_id: ByteString,
        /// Why.
        why: SessionEnd,
    },
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its client was away for too long.
    Expired,
    /// Its client begins anew.
    CleanStart,
    /// An operator wanted it.
    Deleted,
}

/// Who watches. It is called wherever something happens, with no lock held, and must not wait.
pub trait Observer: Debug + Send + Sync {
    /// Whether it wants to be told at all now.
    fn is_watching(&self) -> bool;

    /// Something has happened.
    fn event(&self, at: WallTime, event: Event);
}

impl Shared {
    /// Tells whoever watches.
    pub fn tell(&self, now: Now, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.observer
            && observer.is_watching()
        {
            observer.event(now.wall, event());
        }
    }
}
