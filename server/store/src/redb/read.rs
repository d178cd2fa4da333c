//! Reading queued messages back, from one snapshot.
//!
//! A row that cannot be decoded is left out like one that is gone: it must not keep back the messages behind it. The
//! next recovery puts it aside and reports it.

use redb::{AccessGuard, Range, ReadOnlyTable, ReadTransaction};

use super::{
    encoding::{RowError, SetBytes, decode_queued_unless},
    progress::Progress,
    recent::Recent,
    table::{self, Bytes},
};
use crate::{Incarnation, Part, Queued, Recipient, Sequence};

/// To go on to the next row costs a tenth of a search, so up to so many rows are passed over for one that is asked for.
const PASSED_MAX: u64 = 4;

pub(super) fn read_part(
    snapshot: &ReadTransaction,
    recent: &Recent,
    session: Incarnation,
    sequences: &[Sequence],
    bytes_max: usize,
) -> Result<Part, redb::Error> {
    let is_known = |owners| -> Result<bool, redb::Error> {
        Ok(snapshot.open_table(owners)?.get(session.0)?.is_some())
    };
    if !is_known(table::SESSIONS)? && !is_known(table::GROUPS)? {
        return Part::read(sequences, bytes_max, |_| Ok(None));
    }
    let progress = match snapshot.open_table(table::PROGRESS)?.get(session.0)? {
        // As recovery does without the row: better twice than never.
        Some(row) => Progress::decode(row.value()).unwrap_or_default(),
        None => Progress::default(),
    };
    let mut messages = Rows::of(snapshot.open_table(table::MESSAGES)?, sequences)?;
    let sets = snapshot.open_table(table::SETS)?;
    // Neighbours mostly have the same recipients.
    let mut last: Option<(u64, Option<Recipient>)> = None;
    Part::read(sequences, bytes_max, |sequence| {
        if progress.is_done(sequence) {
            return Ok(None);
        }
        let Some(row) = messages.get(sequence)? else {
            return Ok(None);
        };
        let known = recent.get(sequence);
        let is_known = known.is_some();
        let Ok((set, message)) = decode_queued_unless(row.value(), known) else {
            return Ok(None);
        };
        if !is_known {
            recent.put(sequence, &message);
        }
        let recipient = match &last {
            Some((known, recipient)) if *known == set => recipient.clone(),
            _ => {
                let recipient = match sets.get(set)? {
                    Some(row) => find(row.value(), session).unwrap_or_default(),
                    None => None,
                };
                last = Some((set, recipient.clone()));
                recipient
            }
        };
        Ok(recipient.map(|recipient| Queued {
            sequence,
            message,
            recipient,
        }))
    })
}

fn find(set: &[u8], session: Incarnation) -> Result<Option<Recipient>, RowError> {
    SetBytes::new(set)?.find(session)
}

/// The rows of some numbers, asked for one after the other.
enum Rows {
    /// Far apart, or not one behind the other.
    Searched(ReadOnlyTable<u64, Bytes>),
    /// Close together and ascending.
    InTurn(Box<InTurn>),
}

struct InTurn {
    range: Range<'static, u64, Bytes>,
    /// A row behind the one that was asked for.
    ahead: Option<(u64, AccessGuard<'static, Bytes>)>,
}

impl Rows {
    fn of(
        table: ReadOnlyTable<u64, Bytes>,
        sequences: &[Sequence],
    ) -> Result<Self, redb::StorageError> {
        let (Some(first), Some(last)) = (sequences.first(), sequences.last()) else {
            return Ok(Self::Searched(table));
        };
        let is_close = last.0.saturating_sub(first.0) / PASSED_MAX < sequences.len() as u64;
        if !is_close || !sequences.is_sorted_by(|before, next| before < next) {
            return Ok(Self::Searched(table));
        }
        let range = table.range(first.0..=last.0)?;
        Ok(Self::InTurn(Box::new(InTurn { range, ahead: None })))
    }

    fn get(
        &mut self,
        sequence: Sequence,
    ) -> Result<Option<AccessGuard<'static, Bytes>>, redb::StorageError> {
        match self {
            Self::Searched(table) => table.get(sequence.0),
            Self::InTurn(turn) => turn.get(sequence),
        }
    }
}

impl InTurn {
    fn get(
        &mut self,
        sequence: Sequence,
    ) -> Result<Option<AccessGuard<'static, Bytes>>, redb::StorageError> {
        loop {
            let (key, row) = match self.ahead.take() {
                Some(ahead) => ahead,
                None => match self.range.next().transpose()? {
                    Some((key, row)) => (key.value(), row),
                    None => return Ok(None),
                },
            };
            if key > sequence.0 {
                self.ahead = Some((key, row));
                return Ok(None);
            }
            if key == sequence.0 {
                return Ok(Some(row));
            }
        }
    }
}
