//! From a backup to chunks of rows. What it says is believed frame by frame, each once its check is right.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::{BODY_BYTES_MAX, CHECK_BYTES, MAGIC, Part, Written};
use crate::redb::{chunk::Chunk, shape::Shape};

/// What is wrong with a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("it is not a backup of Ebbtide, or of a later version")]
    Foreign,
    /// It ends before its end mark.
    #[error(
        "it is cut off after {0} bytes: its end is missing, so the download or the copy was not complete"
    )]
    CutOff(u64),
    /// A check is wrong.
    #[error("it is damaged before byte {0}")]
    Damaged(u64),
    /// The frame is whole, but this program cannot make sense of it.
    #[error("what is in it before byte {at} makes no sense: {why}")]
    Senseless {
        /// Where.
        at: u64,
        /// What.
        why: String,
    },
    /// The store that it comes from was written by a later version.
    #[error(
        "it comes from a store of format version {found}; this program reads versions 1 to {expected}"
    )]
    Newer {
        /// The version in it.
        found: u64,
        /// The version that this program writes.
        expected: u64,
    },
}

/// Reads a backup to its end without keeping anything of it.
///
/// # Errors
/// When it is not a whole backup.
pub fn verify(from: impl Read) -> Result<Written, BackupError> {
    let (mut reader, _) = Reader::begin(from)?;
    while reader.next()?.is_some() {}
    Ok(Written {
        rows: reader.rows(),
        bytes: reader.bytes(),
    })
}

/// Reads a backup.
pub(in crate::redb) struct Reader<R> {
    from: R,
    digest: Sha256,
    bytes: u64,
    rows: u64,
    body: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning. Gives the format of the store that it comes from.
    pub(in crate::redb) fn begin(from: R) -> Result<(Self, u64), BackupError> {
        let mut reader = Self {
            from,
            digest: Sha256::new(),
            bytes: 0,
            rows: 0,
            body: Vec::new(),
        };
        let mut magic = [0; MAGIC.len()];
        match reader.exactly(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Ok(()) | Err(BackupError::CutOff(_)) => return Err(BackupError::Foreign),
            Err(error) => return Err(error),
        }
        reader.frame()?;
        match reader.part()? {
            Part::Begin { format } => Ok((reader, format)),
            _ => Err(reader.senseless("it does not begin with its beginning")),
        }
    }

    /// The next rows; `None` at the end, which is there.
    pub(in crate::redb) fn next(&mut self) -> Result<Option<Chunk>, BackupError> {
        self.frame()?;
        match self.part()? {
            Part::Begin { .. } => Err(self.senseless("it begins twice")),
            Part::Rows { table, count, rows } => {
                let shape = Shape::named(table).ok_or_else(|| {
                    self.senseless(format!("there is no table `{}`", table.escape_debug()))
                })?;
                let chunk = Chunk::of(shape, count, rows.0.to_vec());
                self.rows = self.rows.saturating_add(count);
                Ok(Some(chunk))
            }
            Part::End { rows } if rows == self.rows => {
                // A second backup behind it, or a line end that a transfer has added: not what was written.
                match self.from.read(&mut [0])? {
                    0 => Ok(None),
                    _ => Err(self.senseless("something follows its end")),
                }
            }
            Part::End { .. } => Err(self.senseless("it has not as many rows as it says")),
        }
    }

    /// Bytes read so far.
    pub(in crate::redb) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows read so far.
    pub(in crate::redb) fn rows(&self) -> u64 {
        self.rows
    }

    pub(in crate::redb) fn senseless(&self, why: impl Into<String>) -> BackupError {
        BackupError::Senseless {
            at: self.bytes,
            why: why.into(),
        }
    }

    /// Reads a frame into `body`.
    fn frame(&mut self) -> Result<(), BackupError> {
        let mut length = [0; 4];
        self.exactly(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > BODY_BYTES_MAX {
            return Err(BackupError::Damaged(self.bytes));
        }
        // Grows with what is there: a damaged length does not claim memory.
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let found = (&mut self.from)
            .take(length.into())
            .read_to_end(&mut body)?;
        self.bytes += found as u64;
        if found < length as usize {
            return Err(BackupError::CutOff(self.bytes));
        }
        self.digest.update(&body);
        self.body = body;
        let expected = self.digest.clone().finalize();
        let mut check = [0; CHECK_BYTES];
        self.exactly(&mut check)?;
        if check[..] != expected[..CHECK_BYTES] {
            return Err(BackupError::Damaged(self.bytes));
        }
        Ok(())
    }

    fn part(&self) -> Result<Part<'_>, BackupError> {
        match postcard::take_from_bytes(&self.body) {
            Ok((part, [])) => Ok(part),
            Ok(_) => Err(self.senseless("a frame is longer than its content")),
            Err(error) => Err(self.senseless(error.to_string())),
        }
    }

    fn exactly(&mut self, out: &mut [u8]) -> Result<(), BackupError> {
        match self.from.read_exact(out) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(BackupError::CutOff(self.bytes));
            }
            Err(error) => return Err(error.into()),
        }
        self.bytes += out.len() as u64;
        self.digest.update(&*out);
        Ok(())
    }
}
