//! What a session has lost to limits since it was told last: counted, kept on disk, and told when its client returns.

use ebbtide_store::{DroppedRow, Incarnation, WallTime};
use parking_lot::Mutex;

/// What has changed is noted under the lock: of two threads the later must not be overwritten by the earlier. Most sessions lose nothing,
/// so it takes memory only once something is lost.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<Option<Box<DroppedRow>>>);

impl Losses {
    /// One message more; `note` gets what is to be kept.
    pub fn add(&self, session: Incarnation, at: WallTime, note: impl FnOnce(DroppedRow)) {
        let mut row = self.0.lock();
        let row = row.get_or_insert_with(|| {
            Box::new(DroppedRow {
                session,
                count: 0,
                first_at: at,
                last_at: at,
            })
        });
        row.count += 1;
        row.last_at = at;
        note(**row);
    }

    pub fn get(&self) -> Option<DroppedRow> {
        self.0.lock().as_deref().copied()
    }

    /// The client has been told this much; `note` gets what has come since.
    pub fn told(&self, told: DroppedRow, note: impl FnOnce(Option<DroppedRow>)) {
        let mut row = self.0.lock();
        if let Some(lost) = row.as_deref_mut() {
            lost.count = lost.count.saturating_sub(told.count);
            lost.first_at = told.last_at;
        }
        row.take_if(|lost| lost.count == 0);
        note(row.as_deref().copied());
    }

    /// As it was kept.
    pub fn recover(&self, row: DroppedRow) {
        *self.0.lock() = Some(Box::new(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_change_it_note_it_in_the_same_order() {
        let losses = Losses::default();
        let mut noted = Vec::new();
        let at = WallTime(0);
        for _ in 0..2 {
            losses.add(Incarnation(1), at, |row| {
                assert!(losses.0.is_locked(), "another may note a newer row first");
                noted.push(Some(row));
            });
        }
        let first = noted[0].expect("it was added");
        losses.told(first, |row| {
            assert!(losses.0.is_locked());
            noted.push(row);
        });
        let counts = noted.iter().map(|row| row.map(|row| row.count));
        assert_eq!(counts.collect::<Vec<_>>(), [Some(1), Some(2), Some(1)]);
    }
}
