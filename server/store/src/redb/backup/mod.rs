//! The format of a backup, written in one go and read in one go.
//!
//! A line that names the format, then frames. A frame is the length of its body (four bytes, little endian), the body (a
//! [`Part`] in postcard) and a check (eight bytes): the beginning of the SHA-256 of everything up to there. So a byte that
//! has changed, a frame that is missing and frames in another order are noticed at that frame, and an end that was cut off by
//! the missing [`Part::End`].
//!
//! Rows are as in the store, by table; the store's own format number says how to read them. Nothing depends on redb.
//! Why not a copy of the file: `docs/decisions/007-logical-backups.md`.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::encoding::Blob;

pub(super) use self::read::Reader;
#[cfg(test)]
pub(super) use self::write::Frames;
pub(super) use self::write::{WriteError, write};
pub use self::{
    read::{BackupError, verify},
    write::Written,
};

/// What a backup begins with; the digit is the version of what follows.
const MAGIC: &[u8] = b"ebbtide-backup 1\n";
/// Bytes of each check.
const CHECK_BYTES: usize = 8;
/// The largest body that is believed: the largest row that MQTT allows, and its frame.
const BODY_BYTES_MAX: u32 = 512 * 1024 * 1024;

/// The body of a frame. Cases are only ever appended.
#[derive(Serialize, Deserialize)]
enum Part<'a> {
    /// The first.
    Begin {
        /// The format of the store that the rows come from.
        format: u64,
    },
    /// Rows of one table, as a chunk has them.
    Rows {
        table: &'a str,
        count: u64,
        #[serde(borrow)]
        rows: Blob<'a>,
    },
    /// The last.
    End {
        /// In all.
        rows: u64,
    },
}
