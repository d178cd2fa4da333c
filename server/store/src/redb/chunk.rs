//! Some rows of one table, written one after the other: what backups are made of, and what moves from one file to
//! another.

use super::{
    encoding::{Blob, RowError},
    shape::{Key, Shape},
};

/// A chunk is full when it has this many bytes; a longer row is one by itself.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// Rows of one table.
pub(super) struct Chunk {
    shape: Shape,
    count: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            count: 0,
            bytes: Vec::new(),
        }
    }

    /// From what [`Chunk::bytes`] gave. Rows are looked at when they are read.
    pub(super) fn of(shape: Shape, count: u64, bytes: Vec<u8>) -> Self {
        Self {
            shape,
            count,
            bytes,
        }
    }

    pub(super) fn push(&mut self, key: Key<'_>, row: &[u8]) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(&(key, Blob(row)), bytes)
            .expect("these types have no case that postcard refuses");
        self.count += 1;
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// How many rows it has.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The rows, and an error if there are not as many as there should be.
    pub(super) fn rows(&self) -> impl Iterator<Item = Result<(Key<'_>, &[u8]), RowError>> {
        let mut rest = self.bytes.as_slice();
        let mut left = self.count;
        std::iter::from_fn(move || {
            if left == 0 {
                let trailing = std::mem::take(&mut rest).len();
                return (trailing > 0).then_some(Err(RowError::Trailing(trailing)));
            }
            match postcard::take_from_bytes::<(Key<'_>, Blob<'_>)>(rest) {
                Ok(((key, Blob(row)), after)) => {
                    rest = after;
                    left -= 1;
                    Some(Ok((key, row)))
                }
                Err(error) => {
                    (rest, left) = (&[], 0);
                    Some(Err(error.into()))
                }
            }
        })
    }
}
