//! The time, as an argument.

use ebbtide_store::WallTime;

/// Milliseconds on a clock that never goes back; its start means nothing. Deadlines within one run use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

/// One moment on both clocks: deadlines of this run use the monotonic one, what is kept the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines within this run.
    pub monotonic: Monotonic,
    /// For what is kept.
    pub wall: WallTime,
}

impl Now {
    /// The deadline that this time on the wall clock is.
    pub(crate) fn when(self, at: WallTime) -> Monotonic {
        self.monotonic.plus_ms(at.0.saturating_sub(self.wall.0))
    }
}

impl Monotonic {
    /// That many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}
