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
use crate::{Incarnation, Queued, Recipient, Sequence};

pub(super) fn read(
    snapshot: &ReadTransaction,
    session: Incarnation,
    sequences: &[Sequence],
) -> Result<Vec<Queued>, redb::Error> {
    let mut queued = Vec::with_capacity(sequences.len());
    let is_known = |owners| -> Result<bool, redb::Error> {
        Ok(snapshot.open_table(owners)?.get(session.0)?.is_some())
    };
    if !is_known(table::SESSIONS)? && !is_known(table::GROUPS)? {
        return Ok(queued);
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
    for &sequence in sequences {
        if progress.is_done(sequence) {
            continue;
        }
        let Some(row) = messages.get(sequence.0)? else {
            continue;
        };
        let Ok((set, message)) = decode_queued(row.value()) else {
            continue;
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
        queued.extend(recipient.map(|recipient| Queued {
            sequence,
            message,
            recipient,
        }));
    }
    Ok(queued)
}

fn find(set: &[u8], session: Incarnation) -> Result<Option<Recipient>, RowError> {
    SetBytes::new(set)?.find(session)
}
