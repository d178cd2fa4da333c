//! redb by itself: inserts under growing keys, one durable commit for each batch.

use std::ops::Bound;
use std::time::{Duration, Instant};

use anyhow::Result;
use redb::{Builder, TableDefinition};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
/// The cache that the broker gives it.
const CACHE_BYTES: usize = 8 << 20;

/// How rows get into the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each by itself: what redb's own figures, and those of other stores, are about.
    Insert,
    /// Behind the last one through a cursor: what the broker does with messages.
    Cursor,
}

/// Rows a second.
pub fn insert(way: Way, payload_bytes: usize, batch: u64, time: Duration) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create(folder.path().join("raw.redb"))?;
    let row = vec![b'x'; payload_bytes];
    let start = Instant::now();
    let mut next = 0;
    while start.elapsed() < time {
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(ROWS)?;
            match way {
                Way::Insert => {
                    for key in next..next + batch {
                        table.insert(key, row.as_slice())?;
                    }
                }
                Way::Cursor => {
                    let mut end = table.upper_bound_mut(Bound::<u64>::Unbounded)?;
                    for key in next..next + batch {
                        end.insert_before(key, row.as_slice())?;
                    }
                    end.close()?;
                }
            }
        }
        transaction.commit()?;
        next += batch;
    }
    Ok(next as f64 / start.elapsed().as_secs_f64())
}
