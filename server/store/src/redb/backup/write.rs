//! From a snapshot to a backup.

use std::io::{self, Write};

use redb::ReadTransaction;
use sha2::{Digest, Sha256};

use super::{CHECK_BYTES, MAGIC, Part};
use crate::redb::{
    chunk::Chunk,
    encoding::Blob,
    shape::{self, Shape},
    table,
};

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Why it was not finished.
#[derive(Debug)]
pub(in crate::redb) enum WriteError {
    Read(redb::Error),
    Write(io::Error),
}

impl From<redb::Error> for WriteError {
    fn from(error: redb::Error) -> Self {
        Self::Read(error)
    }
}

/// Writes all rows.
pub(in crate::redb) fn write(
    snapshot: &ReadTransaction,
    out: impl Write,
) -> Result<Written, WriteError> {
    let mut frames = Frames::begin(out, table::FORMAT_VERSION)?;
    for shape in shape::ALL {
        frames.table(snapshot, shape)?;
    }
    frames.end()
}

/// A backup being written.
pub(in crate::redb) struct Frames<W> {
    out: W,
    digest: Sha256,
    written: Written,
}

impl<W: Write> Frames<W> {
    /// Of a store of that format.
    pub(in crate::redb) fn begin(out: W, format: u64) -> Result<Self, WriteError> {
        let mut frames = Self {
            out,
            digest: Sha256::new(),
            written: Written::default(),
        };
        frames.bytes(MAGIC)?;
        frames.part(&Part::Begin { format })?;
        Ok(frames)
    }

    pub(in crate::redb) fn end(mut self) -> Result<Written, WriteError> {
        let rows = self.written.rows;
        self.part(&Part::End { rows })?;
        self.out.flush().map_err(WriteError::Write)?;
        Ok(self.written)
    }

    fn table(&mut self, snapshot: &ReadTransaction, shape: Shape) -> Result<(), WriteError> {
        let mut chunk = Chunk::new(shape);
        shape.scan(snapshot, &mut |key, row| -> Result<(), WriteError> {
            chunk.push(key, row);
            if chunk.is_full() {
                self.chunk(&chunk)?;
                chunk.clear();
            }
            Ok(())
        })?;
        if chunk.count() > 0 {
            self.chunk(&chunk)?;
        }
        Ok(())
    }

    pub(in crate::redb) fn chunk(&mut self, chunk: &Chunk) -> Result<(), WriteError> {
        let shape = chunk.shape();
        self.part(&Part::Rows {
            table: shape.name(),
            count: chunk.count(),
            rows: Blob(chunk.bytes()),
        })?;
        self.written.rows += chunk.count();
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>) -> Result<(), WriteError> {
        let body =
            postcard::to_stdvec(part).expect("these types have no case that postcard refuses");
        let length = u32::try_from(body.len()).map_err(|_| {
            WriteError::Write(io::Error::other("a row is larger than a backup can hold"))
        })?;
        self.bytes(&length.to_le_bytes())?;
        self.bytes(&body)?;
        let check = self.digest.clone().finalize();
        self.bytes(&check[..CHECK_BYTES])
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.digest.update(bytes);
        self.written.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(WriteError::Write)
    }
}
