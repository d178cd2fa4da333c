//! Reading queued messages back, from one snapshot.
//!
//! A row that cannot be decoded is left out like one that is gone: it must not keep back the messages behind it. The
//! next recovery puts it aside and reports it.

use redb::ReadTransaction;

use super::{
    encoding::{RowError, SetBytes, decode_queued},
    progress::Progress,
    table,
};
use crate::{Incarnation, Part, Queued, Recipient, Sequence};

pub(super) fn read_part(
    snapshot: &ReadTransaction,
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
    let messages = snapshot.open_table(table::MESSAGES)?;
    let sets = snapshot.open_table(table::SETS)?;
    // Neighbours mostly have the same recipients.
    let mut last: Option<(u64, Option<Recipient>)> = None;
    Part::read(sequences, bytes_max, |sequence| {
        if progress.is_done(sequence) {
            return Ok(None);
        }
        let Some(row) = messages.get(sequence.0)? else {
            return Ok(None);
        };
        let Ok((set, message)) = decode_queued(row.value()) else {
            return Ok(None);
        };
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
