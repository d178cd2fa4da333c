//! Reading queued messages back, from one snapshot.

use redb::ReadTransaction;

use super::{
    encoding::{SetBytes, decode_queued},
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
    if snapshot
        .open_table(table::SESSIONS)?
        .get(session.0)?
        .is_none()
    {
        return Ok(queued);
    }
    let progress = match snapshot.open_table(table::PROGRESS)?.get(session.0)? {
        Some(row) => Progress::decode(row.value())?,
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
        let (set, message) = decode_queued(row.value())?;
        let recipient = match &last {
            Some((known, recipient)) if *known == set => recipient.clone(),
            _ => {
                let row = sets.get(set)?.ok_or_else(|| missing(set))?;
                let recipient = SetBytes::new(row.value())?.find(session)?;
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

fn missing(set: u64) -> redb::Error {
    redb::Error::Corrupted(format!("recipient set {set} is missing"))
}
