//! What an operation holds, for the limits on what waits for the disk.

use std::sync::Arc;

use ebbtide_store::{Accept, Operation, Queue, RetainedChange, content_size, set_size};

fn accept_of(operation: &Operation) -> Option<&Accept> {
    match operation {
        Operation::Accept(accept) | Operation::FireWill { accept, .. } => Some(accept),
        _ => None,
    }
}

/// The message that waits from now on.
pub(super) fn queue_of(operation: &Operation) -> Option<&Queue> {
    match operation {
        Operation::MoveShared { copy, .. } => Some(copy),
        _ => accept_of(operation)?.queued.as_ref(),
    }
}

/// Bytes of memory that an operation holds, roughly.
pub(super) fn size_of(operation: &Operation) -> usize {
    let queued = queue_of(operation).map(|queue| &queue.message);
    let retained = accept_of(operation).and_then(|accept| match &accept.retained {
        Some(RetainedChange::Set(row)) => Some(&row.message),
        _ => None,
    });
    // What is both is one message.
    let message = queued
        .or(retained)
        .map_or(0, |message| message.size_bytes());
    let will = match operation {
        Operation::PutWill(row) => {
            let will = &row.will;
            let content = content_size(&will.topic, &will.payload, &will.properties);
            size_of_val(&**row) + row.client_id.len() + content
        }
        _ => 0,
    };
    // A set that this one alone holds. One that is remembered is there once for all of them, and was counted when it was made
    // (`Journal::hold`).
    let recipients = queue_of(operation)
        .filter(|queue| Arc::strong_count(&queue.recipients) == 1)
        .map_or(0, |queue| set_size(&queue.recipients));
    size_of_val(operation) + message + will + recipients
}
