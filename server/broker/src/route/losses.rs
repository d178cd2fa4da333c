//! What a session has lost to limits since it was told last: counted, kept on disk, and told when its client returns.

use ebbtide_store::{DroppedRow, Incarnation, WallTime};
use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<Option<DroppedRow>>);

impl Losses {
    /// One message more; gives what is to be kept.
    pub fn add(&self, session: Incarnation, at: WallTime) -> DroppedRow {
        let mut row = self.0.lock();
        let row = row.get_or_insert(DroppedRow {
            session,
            count: 0,
            first_at: at,
            last_at: at,
        });
        row.count += 1;
        row.last_at = at;
        *row
    }

    pub fn get(&self) -> Option<DroppedRow> {
        *self.0.lock()
    }

    /// The client has been told this much; gives what has come since.
    pub fn told(&self, told: DroppedRow) -> Option<DroppedRow> {
        let mut row = self.0.lock();
        *row = row.and_then(|row| {
            let count = row.count.saturating_sub(told.count);
            (count > 0).then_some(DroppedRow {
                count,
                first_at: told.last_at,
                ..row
            })
        });
        *row
    }

    /// As it was kept.
    pub fn recover(&self, row: DroppedRow) {
        *self.0.lock() = Some(row);
    }
}
