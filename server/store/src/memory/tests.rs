//! A store in memory keeps what it has to, shares it, and does not grow with time.

use super::*;
use crate::conformance::sample;

fn session(number: u64) -> Operation {
    Operation::PutSession(SessionRow {
        incarnation: Incarnation(number),
        client_id: "a".into(),
        user: None,
        session_expiry_interval: 60,
        disconnected_at: None,
        next_packet_id: PacketId::MIN,
        maybe_sent: Sequence(0),
    })
}

#[test]
fn clones_share_what_is_committed() -> Result<(), StoreError> {
    let store = MemoryStore::new();
    store.clone().commit(&[session(1)])?;
    let mut rows = Vec::new();
    store.recover(&mut |row| rows.push(row))?;
    assert!(matches!(&rows[..], [Row::Marks(_), Row::Session(row)] if row.incarnation.0 == 1));
    Ok(())
}

#[test]
fn a_lower_cursor_does_not_undo() -> Result<(), StoreError> {
    let store = MemoryStore::new();
    let done = |sequence, cursor| Operation::Done {
        session: Incarnation(1),
        sequence: Sequence(sequence),
        packet_id: None,
        cursor: Sequence(cursor),
    };
    store.commit(&[session(1), done(4, 5), done(7, 2)])?;
    let state = store.state();
    let is_done = |number| state.is_done(Incarnation(1), Sequence(number));
    assert!(is_done(4) && is_done(7) && !is_done(5) && !is_done(6));
    Ok(())
}

fn done(session: u64, sequence: u64, cursor: u64) -> Operation {
    Operation::Done {
        session: Incarnation(session),
        sequence: Sequence(sequence),
        packet_id: None,
        cursor: Sequence(cursor),
    }
}

/// It runs a broker for months: what a session is done with is no longer remembered one by one.
#[test]
fn what_the_cursor_has_passed_is_forgotten() -> Result<(), StoreError> {
    let store = MemoryStore::new();
    store.commit(&[session(1)])?;
    // Acknowledged in pairs, the second first.
    for pair in 0..1_000 {
        store.commit(&[
            done(1, 2 * pair + 1, 2 * pair),
            done(1, 2 * pair, 2 * pair + 2),
        ])?;
    }
    let state = store.state();
    let progress = &state.done[&Incarnation(1)].progress;
    assert_eq!(progress.ranges.len(), 0);
    assert!(progress.is_done(Sequence(1_999)) && !progress.is_done(Sequence(2_000)));
    Ok(())
}

fn put(sequence: u64, recipient: u64) -> Operation {
    Operation::Accept(Accept {
        queued: sample::queue(sequence, [recipient], 1),
        retained: None,
        inbound: None,
    })
}

/// Would fail if each number that is done behind one that is open were remembered, or each gap between them where another session's
/// numbers lie.
#[test]
fn what_is_done_behind_an_open_message_takes_no_more_and_more() -> Result<(), StoreError> {
    const MANY: u64 = 20_000;
    let store = MemoryStore::new();
    store.commit(&[session(1), session(2), put(1, 1)])?;
    for pair in 1..=MANY {
        let (own, other) = (2 * pair, 2 * pair + 1);
        store.commit(&[put(own, 1), put(other, 2)])?;
        store.commit(&[done(1, own, 1), Operation::RemoveMessage(Sequence(own))])?;
        store.commit(&[done(2, other, other + 1)])?;
        store.commit(&[Operation::RemoveMessage(Sequence(other))])?;
        let ranges = store.state().done[&Incarnation(1)].progress.ranges.len();
        assert!(ranges <= RANGES_STEP, "{ranges}");
    }
    let state = store.state();
    let is_done = |number| state.is_done(Incarnation(1), Sequence(number));
    assert!(!is_done(1) && is_done(2) && is_done(2 * MANY));
    assert!(!is_done(2 * MANY + 2), "it has not come yet");
    Ok(())
}

/// Would fail if acknowledgements that make one more range, and one less, looked at all of them each time.
#[test]
fn what_cannot_be_joined_is_looked_at_again_when_it_is_twice_as_much() -> Result<(), StoreError> {
    let store = MemoryStore::new();
    store.commit(&[session(1)])?;
    let many = RANGES_STEP as u64;
    for pair in 1..=many {
        let (open, own) = (2 * pair, 2 * pair + 1);
        store.commit(&[put(open, 1), put(own, 1), done(1, own, 1)])?;
    }
    let joined_at = || {
        let done = &store.state().done[&Incarnation(1)];
        (done.progress.ranges.len(), done.join_at)
    };
    assert_eq!(joined_at(), (RANGES_STEP, 2 * RANGES_STEP));
    store.commit(&[done(1, 4, 1)])?;
    assert_eq!(joined_at(), (RANGES_STEP - 1, 2 * RANGES_STEP));
    let own = 2 * many + 3;
    store.commit(&[put(own - 1, 1), put(own, 1), done(1, own, 1)])?;
    assert_eq!(joined_at(), (RANGES_STEP, 2 * RANGES_STEP));
    Ok(())
}

/// Nor is anything forgotten that waits.
#[test]
fn what_waits_between_is_not_done() -> Result<(), StoreError> {
    let store = MemoryStore::new();
    store.commit(&[session(1)])?;
    let many = 2 * RANGES_STEP as u64;
    for pair in 1..=many {
        let (open, own) = (2 * pair, 2 * pair + 1);
        store.commit(&[put(open, 1), put(own, 1), done(1, own, 1)])?;
    }
    let all: Vec<_> = (1..=2 * many + 1).map(Sequence).collect();
    assert_eq!(store.read(Incarnation(1), &all)?.len() as u64, many);
    Ok(())
}
