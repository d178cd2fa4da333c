//! The documented rules of operations and rows, one by one, so that a store that breaks one is told which.

use super::{Subject, compare::kept, sample};
use crate::{
    Accept, FlowStage, Incarnation, Marks, Operation, Revision, Row, Sequence, SessionRow, Store,
};

pub(super) fn run(subject: &mut impl Subject) {
    marks_are_never_lowered(subject);
    a_later_revision_wins(subject);
    a_cursor_is_never_lowered(subject);
    a_number_above_the_cursor_is_done_alone(subject);
    a_part_ends_behind_its_bytes(subject);
    a_message_stays_for_those_who_wait(subject);
    a_removed_message_is_gone(subject);
    a_removed_session_leaves_its_will(subject);
    a_removed_session_takes_along_what_is_its_own(subject);
    a_flow_goes_from_sent_to_released_to_its_end(subject);
    an_end_of_an_old_flow_leaves_the_new_one(subject);
    an_inbound_id_lasts_until_its_release(subject);
    what_was_dropped_stays_until_it_is_told(subject);
    a_fired_will_is_a_message(subject);
    a_message_waits_for_a_group(subject);
    a_moved_message_waits_for_its_member_alone(subject);
    a_moved_message_leaves_the_members_own_copy(subject);
    a_move_raises_the_cursor_of_the_group(subject);
}

/// The rows after these batches and a restart, and the store.
fn after<S: Subject>(subject: &mut S, batches: &[&[Operation]]) -> (Vec<Row>, S::Store) {
    let store = subject.create();
    for batch in batches {
        store.commit(batch).expect("commits");
    }
    let store = subject.restart(store);
    (kept(&store).rows, store)
}

fn accept(number: u64, sessions: impl IntoIterator<Item = u64>) -> Operation {
    Operation::Accept(Accept {
        queued: sample::queue(number, sessions, 1),
        retained: None,
        inbound: None,
    })
}

fn retain(change: crate::RetainedChange) -> Operation {
    Operation::Accept(Accept {
        queued: None,
        retained: Some(change),
        inbound: None,
    })
}

fn reserve(sequence: u64, revision: u64, incarnation: u64) -> Operation {
    Operation::Reserve(Marks {
        sequence: Sequence(sequence),
        revision: Revision(revision),
        incarnation: Incarnation(incarnation),
    })
}

fn session(number: u64) -> Operation {
    sample::put_session(number, 1)
}

/// Sequence and sessions of each queued message.
fn queued(rows: &[Row]) -> Vec<(u64, Vec<u64>)> {
    let waiting = |row: &Row| match row {
        Row::Queued {
            sequence,
            recipients,
            ..
        } => Some((sequence.0, recipients.iter().map(|r| r.session.0).collect())),
        _ => None,
    };
    rows.iter().filter_map(waiting).collect()
}

fn count(rows: &[Row], which: impl Fn(&Row) -> bool) -> usize {
    rows.iter().filter(|row| which(row)).count()
}

/// Sequence, id and stage of each flow.
fn flows(rows: &[Row]) -> Vec<(u64, u16, FlowStage)> {
    let flow = |row: &Row| match row {
        Row::Flow(flow) => Some((flow.sequence.0, flow.packet_id.get(), flow.stage)),
        _ => None,
    };
    rows.iter().filter_map(flow).collect()
}

fn marks_are_never_lowered(subject: &mut impl Subject) {
    let (rows, _) = after(subject, &[&[reserve(5, 9, 2)], &[reserve(7, 3, 2)]]);
    let Operation::Reserve(highest) = reserve(7, 9, 2) else {
        unreachable!("it reserves")
    };
    assert_eq!(rows, [Row::Marks(highest)], "each mark keeps its highest");
}

fn a_later_revision_wins(subject: &mut impl Subject) {
    let set = |revision| retain(sample::set_retained(1, revision));
    let clear = |revision| retain(sample::clear_retained(1, revision));
    let cases: [(&[Operation], Option<u64>); 6] = [
        (&[set(2), set(3)], Some(3)),
        (&[set(3), set(2)], Some(3)),
        (&[set(2), clear(3)], None),
        (&[set(3), clear(2)], Some(3)),
        (&[set(3), clear(3)], Some(3)),
        (&[clear(3), set(4)], Some(4)),
    ];
    for (changes, expected) in cases {
        let (rows, _) = after(subject, &[changes]);
        let revision = rows.iter().find_map(|row| match row {
            Row::Retained(row) => Some(row.revision.0),
            _ => None,
        });
        assert_eq!(revision, expected, "after {changes:#?}");
    }
}

fn a_cursor_is_never_lowered(subject: &mut impl Subject) {
    let begin = [session(1), accept(3, [1]), accept(5, [1])];
    let batches: [&[Operation]; 3] = [
        &begin,
        &[sample::done(1, 4, 0, 4)],
        &[sample::done(1, 1, 0, 1)],
    ];
    let (rows, _) = after(subject, &batches);
    assert_eq!(queued(&rows), [(5, vec![1])], "3 is below the cursor");
}

fn a_number_above_the_cursor_is_done_alone(subject: &mut impl Subject) {
    let begin = [session(1), accept(1, [1]), accept(2, [1]), accept(3, [1])];
    let (rows, store) = after(subject, &[&begin, &[sample::done(1, 2, 0, 1)]]);
    assert_eq!(queued(&rows), [(1, vec![1]), (3, vec![1])]);
    let all = [1, 2, 3].map(Sequence);
    let read = store.read(Incarnation(1), &all).expect("reads");
    let read: Vec<_> = read.iter().map(|queued| queued.sequence.0).collect();
    assert_eq!(read, [1, 3]);
}

fn a_part_ends_behind_its_bytes(subject: &mut impl Subject) {
    let begin = [session(1), accept(1, [1]), accept(2, [1]), accept(4, [1])];
    let (_, store) = after(subject, &[&begin]);
    let all = [1, 2, 3, 4].map(Sequence);
    let part = |bytes_max| {
        let part = store.read_part(Incarnation(1), &all, bytes_max);
        let part = part.expect("reads");
        let read: Vec<_> = part.messages.iter().map(|one| one.sequence.0).collect();
        (read, part.looked_at)
    };
    let one = store.read(Incarnation(1), &all[..1]).expect("reads");
    let bytes = one[0].message.size_bytes();
    assert_eq!(part(0), (vec![1], 1), "one at least");
    assert_eq!(part(bytes - 1), (vec![1], 1));
    assert_eq!(part(bytes), (vec![1, 2], 2));
    assert_eq!(part(2 * bytes), (vec![1, 2, 4], 4), "what is gone has none");
    assert_eq!(
        store
            .read_part(Incarnation(9), &all, 0)
            .expect("reads")
            .looked_at,
        4
    );
}

fn a_message_stays_for_those_who_wait(subject: &mut impl Subject) {
    let begin = [session(1), session(2), accept(1, [1, 2])];
    let (rows, store) = after(subject, &[&begin, &[sample::done(1, 1, 0, 2)]]);
    assert_eq!(queued(&rows), [(1, vec![2])]);
    store.commit(&[sample::done(2, 1, 0, 2)]).expect("commits");
    let store = subject.restart(store);
    let last = kept(&store);
    assert_eq!(queued(&last.rows), [], "nobody waits");
    assert_eq!(last.swept, 1, "the message had not been removed");
}

fn a_removed_message_is_gone(subject: &mut impl Subject) {
    let begin = [session(1), accept(1, [1]), accept(2, [1])];
    let remove = [Operation::RemoveMessage(Sequence(1))];
    let (rows, store) = after(subject, &[&begin, &remove]);
    assert_eq!(queued(&rows), [(2, vec![1])]);
    let read = store.read(Incarnation(1), &[Sequence(1)]);
    assert_eq!(read.expect("reads"), []);
}

fn a_removed_session_leaves_its_will(subject: &mut impl Subject) {
    let begin = [session(1), sample::put_will(1, 1)];
    let gone = Operation::RemoveSession(Incarnation(1));
    let (rows, _) = after(subject, &[&begin, &[gone]]);
    assert!(
        matches!(&rows[..], [Row::Marks(_), Row::Will(will)] if will.session.0 == 1),
        "{rows:#?}"
    );
}

fn a_removed_session_takes_along_what_is_its_own(subject: &mut impl Subject) {
    let own = |number| {
        let mut own = vec![
            session(number),
            sample::put_subscription(number, 1, 1),
            sample::sent(number, 9, 1),
            sample::done(number, 7, 0, 3),
            sample::put_dropped(number, 3),
        ];
        own.push(Operation::Accept(Accept {
            queued: sample::queue(9 + number, [number], 1),
            retained: None,
            inbound: Some((Incarnation(number), sample::id(1))),
        }));
        own
    };
    let gone = Operation::RemoveSession(Incarnation(1));
    let (other, _) = after(subject, &[&own(2)]);
    let (rows, store) = after(subject, &[&own(1), &own(2), &[gone]]);
    assert_eq!(rows, other);
    // Its progress is gone, too: were the number ever used again, nothing of it would count as done.
    let again = [session(1), accept(1, [1]), accept(7, [1])];
    store.commit(&again).expect("commits");
    let store = subject.restart(store);
    let waiting = queued(&kept(&store).rows);
    assert_eq!(waiting, [(1, vec![1]), (7, vec![1]), (11, vec![2])]);
}

fn a_flow_goes_from_sent_to_released_to_its_end(subject: &mut impl Subject) {
    let begin = [session(1), accept(1, [1]), sample::sent(1, 1, 4)];
    let (rows, store) = after(subject, &[&begin]);
    assert_eq!(flows(&rows), [(1, 4, FlowStage::Sent)]);
    store.commit(&[sample::released(1, 1, 4)]).expect("commits");
    let store = subject.restart(store);
    assert_eq!(flows(&kept(&store).rows), [(1, 4, FlowStage::Released)]);
    store.commit(&[sample::done(1, 1, 4, 2)]).expect("commits");
    let store = subject.restart(store);
    let rows = kept(&store).rows;
    assert_eq!((flows(&rows), queued(&rows)), (vec![], vec![]));
}

fn an_end_of_an_old_flow_leaves_the_new_one(subject: &mut impl Subject) {
    let begin = [session(1), sample::sent(1, 1, 4), sample::sent(1, 2, 4)];
    let (rows, _) = after(subject, &[&begin, &[sample::done(1, 1, 4, 2)]]);
    assert_eq!(flows(&rows), [(2, 4, FlowStage::Sent)]);
}

fn an_inbound_id_lasts_until_its_release(subject: &mut impl Subject) {
    let received = Operation::Accept(Accept {
        queued: None,
        retained: None,
        inbound: Some((Incarnation(1), sample::id(3))),
    });
    let (rows, store) = after(subject, &[&[session(1), received]]);
    let inbound = |row: &Row| matches!(row, Row::Inbound { packet_id, .. } if packet_id.get() == 3);
    assert_eq!(count(&rows, inbound), 1);
    let release = Operation::ReleaseInbound {
        session: Incarnation(1),
        packet_id: sample::id(3),
    };
    store.commit(&[release]).expect("commits");
    let store = subject.restart(store);
    assert_eq!(count(&kept(&store).rows, inbound), 0);
}

fn what_was_dropped_stays_until_it_is_told(subject: &mut impl Subject) {
    let drops = [sample::put_dropped(1, 3), sample::put_dropped(1, 5)];
    let (rows, store) = after(subject, &[&[session(1)], &drops]);
    let dropped = |row: &Row| matches!(row, Row::Dropped(row) if row.count == 6);
    assert_eq!(count(&rows, dropped), 1, "{rows:#?}");
    let told = [Operation::RemoveDropped(Incarnation(1))];
    store.commit(&told).expect("commits");
    let store = subject.restart(store);
    assert_eq!(
        count(&kept(&store).rows, |row| matches!(row, Row::Dropped(_))),
        0
    );
}

fn a_fired_will_is_a_message(subject: &mut impl Subject) {
    let fire = Operation::FireWill {
        session: Incarnation(1),
        accept: Accept {
            queued: sample::queue(1, [2], 1),
            retained: Some(sample::set_retained(1, 1)),
            inbound: None,
        },
    };
    let begin = [sample::put_will(1, 1), session(2)];
    let (rows, _) = after(subject, &[&begin, &[fire]]);
    assert_eq!(count(&rows, |row| matches!(row, Row::Will(_))), 0);
    assert_eq!(count(&rows, |row| matches!(row, Row::Retained(_))), 1);
    assert_eq!(queued(&rows), [(1, vec![2])]);
    let client = |row: &Row| matches!(row, Row::Session(SessionRow { incarnation, .. }) if incarnation.0 == 2);
    assert_eq!(count(&rows, client), 1);
}

fn a_message_waits_for_a_group(subject: &mut impl Subject) {
    let begin = [sample::put_group(4), accept(3, [4]), accept(5, [4])];
    let (rows, store) = after(subject, &[&begin, &[sample::done(4, 3, 0, 4)]]);
    assert_eq!(queued(&rows), [(5, vec![4])]);
    let group = Row::Group(crate::GroupRow {
        group: Incarnation(4),
        filter: sample::filter(13),
    });
    assert!(rows.contains(&group), "{rows:#?}");
    let read = store.read(Incarnation(4), &[Sequence(3), Sequence(5)]);
    let read = read.expect("reads");
    assert_eq!(read.len(), 1, "what is done is not read again: {read:#?}");

    let gone = [Operation::RemoveGroup(Incarnation(4))];
    let (rows, _) = after(subject, &[&begin, &gone]);
    assert_eq!(queued(&rows), [], "nobody is left who waits");
    assert_eq!(count(&rows, |row| matches!(row, Row::Group(_))), 0);
}

fn a_moved_message_waits_for_its_member_alone(subject: &mut impl Subject) {
    let begin = [
        session(1),
        session(2),
        sample::put_group(4),
        accept(3, [2, 4]),
    ];
    let moves = [sample::move_shared(3, 4, 6, 1, 7)];
    let (rows, store) = after(subject, &[&begin, &moves, &moves]);
    assert_eq!(queued(&rows), [(3, vec![2]), (6, vec![1])]);
    assert_eq!(flows(&rows), [(6, 7, FlowStage::Sent)]);
    let Operation::MoveShared { copy, .. } = &moves[0] else {
        unreachable!("it moves")
    };
    let both = [Sequence(3), Sequence(6)];
    let mine = store.read(Incarnation(1), &both).expect("reads");
    assert_eq!(mine.len(), 1, "{mine:#?}");
    assert_eq!(mine[0].message, copy.message);
    assert_eq!(mine[0].recipient, copy.recipients[0]);
    let group = store.read(Incarnation(4), &both).expect("reads");
    assert_eq!(group, [], "the group has it no longer [MQTT-4.8.2-5]");
}

fn a_moved_message_leaves_the_members_own_copy(subject: &mut impl Subject) {
    let begin = [
        session(1),
        sample::put_group(4),
        accept(3, [1, 4]),
        sample::sent(1, 3, 6),
        sample::move_shared(3, 4, 5, 1, 7),
    ];
    let (rows, _) = after(subject, &[&begin]);
    assert_eq!(queued(&rows), [(3, vec![1]), (5, vec![1])]);
    let sent = FlowStage::Sent;
    assert_eq!(flows(&rows), [(3, 6, sent), (5, 7, sent)]);
    let (rows, _) = after(subject, &[&begin, &[sample::done(1, 3, 6, 4)]]);
    assert_eq!(queued(&rows), [(5, vec![1])]);
    assert_eq!(flows(&rows), [(5, 7, sent)]);
    let (rows, _) = after(subject, &[&begin, &[sample::done(1, 5, 7, 3)]]);
    assert_eq!(queued(&rows), [(3, vec![1])]);
    assert_eq!(flows(&rows), [(3, 6, sent)]);
}

fn a_move_raises_the_cursor_of_the_group(subject: &mut impl Subject) {
    let begin = [
        session(1),
        sample::put_group(4),
        accept(2, [4]),
        accept(3, [4]),
    ];
    let mut moves = sample::move_shared(3, 4, 5, 1, 7);
    let Operation::MoveShared { cursor, .. } = &mut moves else {
        unreachable!("it moves")
    };
    *cursor = Sequence(4);
    let (rows, _) = after(subject, &[&begin, &[moves]]);
    assert_eq!(queued(&rows), [(5, vec![1])]);
}
