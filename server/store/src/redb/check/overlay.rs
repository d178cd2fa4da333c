//! A file that is only read: what redb writes when it opens one (repairs after a kill, its own notes at the end) stays in
//! memory, over the file.
//!
//! It holds the lock of a reader, so that no broker has the file open meanwhile, and none opens it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs::File,
    io,
    ops::Bound,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{BackendError, StorageBackend, backends::FileBackend};

/// Writes are kept by blocks of this size.
const BLOCK_BYTES: usize = 4096;

pub(super) struct Overlay {
    file: FileBackend,
    file_bytes: u64,
    over: Mutex<Over>,
    read_bytes: AtomicU64,
    on_read: Box<dyn Fn(u64) + Send + Sync>,
}

struct Over {
    bytes: u64,
    /// By number.
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Overlay")
    }
}

impl Overlay {
    /// `on_read` gets the number of bytes read so far.
    pub(super) fn new(
        file: File,
        on_read: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Self, redb::Error> {
        let file = FileBackend::new(file)?;
        let file_bytes = file.len()?;
        Ok(Self {
            file,
            file_bytes,
            over: Mutex::new(Over {
                bytes: file_bytes,
                blocks: BTreeMap::new(),
            }),
            read_bytes: AtomicU64::new(0),
            on_read: Box::new(on_read),
        })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is in the file; zeros are behind its end.
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.file_bytes.saturating_sub(offset).min(out.len() as u64) as usize;
        out[there..].fill(0);
        if there > 0 {
            self.file.read(offset, &mut out[..there])?;
        }
        Ok(())
    }
}

/// The blocks that a piece touches: number, where in the block, and where in the piece.
fn pieces(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES as u64) as usize;
        let end = length.min(done + BLOCK_BYTES - within);
        let piece = done..end;
        done = end;
        Some((at / BLOCK_BYTES as u64, within, piece))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let length = out.len();
        {
            let over = self.over();
            if offset + length as u64 > over.bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read_file(offset, out)?;
            for (number, within, piece) in pieces(offset, length) {
                if let Some(block) = over.blocks.get(&number) {
                    let bytes = piece.len();
                    out[piece].copy_from_slice(&block[within..within + bytes]);
                }
            }
        }
        let before = self.read_bytes.fetch_add(length as u64, Ordering::Relaxed);
        (self.on_read)(before + length as u64);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut over = self.over();
        // What is cut off comes back as zeros.
        if len < over.bytes {
            let first = len.div_ceil(BLOCK_BYTES as u64);
            let last = over.bytes.div_ceil(BLOCK_BYTES as u64);
            for number in first..last {
                over.blocks.insert(number, Box::new([0; BLOCK_BYTES]));
            }
        }
        over.bytes = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        for (number, within, piece) in pieces(offset, data.len()) {
            let block = match over.blocks.entry(number) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut block = Box::new([0; BLOCK_BYTES]);
                    self.read_file(number * BLOCK_BYTES as u64, &mut block[..])?;
                    entry.insert(block)
                }
            };
            block[within..within + piece.len()].copy_from_slice(&data[piece]);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    /// Several may read at the same time.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
