//! What an operation holds, for the limits on what waits for the disk.

use ebbtide_store::{Accept, Operation, RetainedChange, WallTime};

use crate::wills;

pub(super) fn accept_of(operation: &Operation) -> Option<&Accept> {
    match operation {
        Operation::Accept(accept) | Operation::FireWill { accept, .. } => Some(accept),
        _ => None,
    }
}

/// Bytes of memory that an operation holds, roughly.
pub(super) fn size_of(operation: &Operation) -> usize {
    let accept = accept_of(operation);
    let queued = accept.and_then(|accept| Some(&accept.queued.as_ref()?.message));
    let retained = accept.and_then(|accept| match &accept.retained {
        Some(RetainedChange::Set(row)) => Some(&row.message),
        _ => None,
    });
    // What is both is one message.
    let message = queued
        .or(retained)
        .map_or(0, |message| message.size_bytes());
    let will = match operation {
        Operation::PutWill(row) => {
            let message = wills::message(row.will.clone(), WallTime(0));
            size_of_val(&**row) + row.client_id.len() + message.size_bytes()
        }
        _ => 0,
    };
    size_of_val(operation) + message + will
}
