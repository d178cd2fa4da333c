//! What of a batch has to be written, once nobody waits for some of its messages.

use ebbtide_store::{Accept, Operation, Sequence};
use rustc_hash::FxHashSet;

/// Drops what concerns only unneeded messages; the retained change and the inbound id of their `Accept` stay.
pub(super) fn is_needed(operation: &mut Operation, unneeded: &FxHashSet<Sequence>) -> bool {
    match operation {
        Operation::Sent { sequence, .. }
        | Operation::Released { sequence, .. }
        | Operation::Done { sequence, .. } => !unneeded.contains(sequence),
        // The group is done with it, whatever has become of the copy.
        Operation::MoveShared {
            sequence,
            from,
            cursor,
            copy,
            ..
        } if unneeded.contains(&copy.sequence) => {
            let (session, sequence, cursor) = (*from, *sequence, *cursor);
            *operation = Operation::Done {
                session,
                sequence,
                packet_id: None,
                cursor,
            };
            !unneeded.contains(&sequence)
        }
        Operation::Accept(accept) => {
            strip(accept, unneeded);
            accept.queued.is_some() || accept.retained.is_some() || accept.inbound.is_some()
        }
        Operation::FireWill { accept, .. } => {
            strip(accept, unneeded);
            true
        }
        _ => true,
    }
}

fn strip(accept: &mut Accept, unneeded: &FxHashSet<Sequence>) {
    if accept
        .queued
        .as_ref()
        .is_some_and(|queue| unneeded.contains(&queue.sequence))
    {
        accept.queued = None;
    }
}
