//! The numbers by which the broker orders and names things. They are never reused: a start continues above the
//! reserved [`Marks`], so the number of a row that was never written cannot come back.

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl $name {
            /// The one after it.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }
    };
}

number! {
    /// The place of a message in the one log: greater is later. The first is 1.
    Sequence
}
number! {
    /// The age of a retained value: grows with every change of any retained message. The first is 1.
    Revision
}
number! {
    /// One life of one session. A client id that starts anew gets a new one, so mail for a deleted session cannot
    /// reach its successor. Sessions that are not kept have one, too. The first is 1.
    Incarnation
}

/// Wall-clock time in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// The numbers below which everything may have been handed out. Handing out is allowed only below the committed mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// No sequence at or above it has been handed out.
    pub sequence: Sequence,
    /// No revision at or above it has been handed out.
    pub revision: Revision,
    /// No incarnation at or above it has been handed out.
    pub incarnation: Incarnation,
}
