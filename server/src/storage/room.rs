//! How much may still be written, from what the file system has left.
//!
//! A part of the disk is held in reserve: the store copies before it changes, so even what makes it smaller needs pages, and
//! what has been taken in must still be written when the disk fills up.

/// A row takes up to so many times its bytes: pages are not always full.
const SPREAD: u64 = 2;
/// There is room again once this part of the reserve is free beyond it: 1/8.
const MARGIN_DIVISOR: u64 = 8;

/// Watches the disk.
#[derive(Debug)]
pub(super) struct Watch {
    reserve_bytes: u64,
    is_full: bool,
}

impl Watch {
    pub fn new(reserve_bytes: u64) -> Self {
        Self {
            reserve_bytes,
            is_full: false,
        }
    }

    /// How many bytes of operations may wait, when the file system has `free_bytes` left and the file can take in
    /// `reusable_bytes` without growing. Logs when it becomes none, and when it is some again.
    pub fn room_bytes(&mut self, free_bytes: Option<u64>, reusable_bytes: u64) -> u64 {
        let Some(free_bytes) = free_bytes.filter(|_| self.reserve_bytes > 0) else {
            return u64::MAX;
        };
        let available = free_bytes.saturating_add(reusable_bytes);
        let reserve = self.reserve_bytes;
        let margin = if self.is_full {
            reserve / MARGIN_DIVISOR
        } else {
            0
        };
        let is_full = available <= reserve.saturating_add(margin);
        if is_full != self.is_full {
            self.is_full = is_full;
            if is_full {
                tracing::error!(
                    free_bytes,
                    disk_reserve_bytes = reserve,
                    "the disk is full: what would have to be kept is refused until there is room"
                );
            } else {
                tracing::info!(
                    free_bytes,
                    reusable_bytes,
                    "there is room on the disk again"
                );
            }
        }
        if is_full {
            0
        } else {
            (available - reserve) / SPREAD
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_not_given_away() {
        let mut watch = Watch::new(800);
        assert_eq!(watch.room_bytes(Some(1_000), 0), 100);
        assert_eq!(watch.room_bytes(Some(800), 0), 0);
        // A little more is not enough to go on: it would be gone at once.
        assert_eq!(watch.room_bytes(Some(850), 0), 0);
        assert_eq!(watch.room_bytes(Some(902), 0), 51);
        assert_eq!(watch.room_bytes(Some(850), 0), 25);
    }

    #[test]
    fn what_was_removed_from_the_file_is_room() {
        let mut watch = Watch::new(800);
        assert_eq!(watch.room_bytes(Some(100), 0), 0);
        assert_eq!(watch.room_bytes(Some(100), 900), 100);
    }

    #[test]
    fn without_a_figure_there_is_no_limit() {
        assert_eq!(Watch::new(800).room_bytes(None, 0), u64::MAX);
    }

    #[test]
    fn without_a_reserve_it_does_not_look() {
        assert_eq!(Watch::new(0).room_bytes(Some(0), 0), u64::MAX);
    }
}
