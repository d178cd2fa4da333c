//! Random histories: batches of operations such as a broker might send, and some that it would not.
//!
//! Numbers are small and come from few sessions, topics and ids, so that operations meet, replace and undo each other.

use proptest::prelude::*;

use super::sample;
use crate::{Accept, Incarnation, Marks, Operation, Revision, Sequence};

/// Sessions, topics and filters are numbered below this.
pub(super) const SESSIONS: u64 = 6;
/// Messages are numbered below this.
pub(super) const SEQUENCES: u64 = 24;

/// Several batches of several operations.
pub(super) fn history() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    prop::collection::vec(prop::collection::vec(operation(), 0..8), 1..14)
}

fn operation() -> impl Strategy<Value = Operation> {
    let session = 1..SESSIONS;
    let sequence = 1..SEQUENCES;
    let packet_id = 1_u16..5;
    let seed = 0_u64..40;
    let flow = (session.clone(), sequence.clone(), packet_id.clone());
    prop_oneof![
        1 => marks().prop_map(Operation::Reserve),
        4 => (session.clone(), seed.clone()).prop_map(|(s, x)| sample::put_session(s, x)),
        1 => session.clone().prop_map(|s| Operation::RemoveSession(Incarnation(s))),
        3 => (session.clone(), 0..SESSIONS, seed.clone())
            .prop_map(|(s, f, x)| sample::put_subscription(s, f, x)),
        1 => (session.clone(), 0..SESSIONS).prop_map(|(s, f)| Operation::RemoveSubscription {
            session: Incarnation(s),
            filter: sample::filter(f),
        }),
        2 => session.clone().prop_map(sample::put_group),
        1 => session.clone().prop_map(|s| Operation::RemoveGroup(Incarnation(s))),
        3 => (flow.clone(), session.clone(), sequence.clone())
            .prop_map(|((s, n, id), from, copy)| sample::move_shared(n, from, copy, s, id)),
        8 => accept().prop_map(Operation::Accept),
        3 => flow.clone().prop_map(|(s, n, id)| sample::sent(s, n, id)),
        2 => flow.prop_map(|(s, n, id)| sample::released(s, n, id)),
        6 => (session.clone(), sequence.clone(), 0_u16..5, 0..SEQUENCES)
            .prop_map(|(s, n, id, c)| sample::done(s, n, id, c.min(n))),
        2 => sequence.prop_map(|n| Operation::RemoveMessage(Sequence(n))),
        1 => (session.clone(), packet_id).prop_map(|(s, id)| Operation::ReleaseInbound {
            session: Incarnation(s),
            packet_id: sample::id(id),
        }),
        1 => (session.clone(), seed.clone()).prop_map(|(s, x)| sample::put_dropped(s, x)),
        1 => session.clone().prop_map(|s| Operation::RemoveDropped(Incarnation(s))),
        2 => (0_u64..4, seed.clone()).prop_map(|(k, x)| sample::put_access(k, x)),
        1 => (0_u64..4, seed.clone()).prop_map(|(k, x)| sample::remove_access(k, x)),
        2 => (session.clone(), seed).prop_map(|(s, x)| sample::put_will(s, x)),
        1 => session.clone().prop_map(|s| Operation::RemoveWill(Incarnation(s))),
        1 => (session, accept()).prop_map(|(s, accept)| Operation::FireWill {
            session: Incarnation(s),
            accept,
        }),
    ]
}

fn marks() -> impl Strategy<Value = Marks> {
    (0_u64..99, 0_u64..99, 0_u64..99).prop_map(|(sequence, revision, incarnation)| Marks {
        sequence: Sequence(sequence),
        revision: Revision(revision),
        incarnation: Incarnation(incarnation),
    })
}

fn accept() -> impl Strategy<Value = Accept> {
    let sessions = prop::collection::vec(1..SESSIONS, 1..5);
    let queue = (1..SEQUENCES, sessions, 0_u64..40);
    let queue = queue.prop_map(|(n, sessions, x)| sample::queue(n, sessions, x));
    let retained = prop_oneof![
        3 => (0..SESSIONS, 1_u64..40).prop_map(|(t, r)| sample::set_retained(t, r)),
        1 => (0..SESSIONS, 1_u64..40).prop_map(|(t, r)| sample::clear_retained(t, r)),
    ];
    let inbound = (1..SESSIONS, 1_u16..5);
    let inbound = inbound.prop_map(|(s, id)| (Incarnation(s), sample::id(id)));
    (
        prop_oneof![3 => queue, 1 => Just(None)],
        prop::option::of(retained),
        prop::option::of(inbound),
    )
        .prop_map(|(queued, retained, inbound)| Accept {
            queued,
            retained,
            inbound,
        })
}
