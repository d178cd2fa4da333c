//! Everything that a store gives back, in a form that can be compared.

use super::history::{SEQUENCES, SESSIONS};
use crate::{Incarnation, Row, Sequence, Store};

/// What a recovery gave back.
#[derive(Debug, PartialEq)]
pub struct Kept {
    /// In the order in which it came, except that rows of one kind which have no documented order are sorted.
    pub rows: Vec<Row>,
    /// Messages that nobody waited for.
    pub swept: u64,
}

/// Recovers, and checks the documented order.
///
/// # Panics
/// When the store fails, reports a bad row, or gives rows out of order.
pub fn kept(store: &impl Store) -> Kept {
    let mut rows = Vec::new();
    let report = store.recover(&mut |row| rows.push(row)).expect("recovers");
    assert_eq!(report.put_aside, Vec::<String>::new());
    let kinds = |row: &Row| match documented_order(row) {
        // Retained and queued messages come mixed.
        (8 | 9, ..) => (8, 0, 0),
        order => order,
    };
    assert!(rows.is_sorted_by_key(kinds), "order: {rows:#?}");
    let queued = rows.iter().filter(|row| matches!(row, Row::Queued { .. }));
    assert!(
        queued.is_sorted_by_key(documented_order),
        "order: {rows:#?}"
    );
    let marks = rows.iter().filter(|row| matches!(row, Row::Marks(_)));
    assert_eq!(marks.count(), 1, "marks come once");
    rows.sort_by_key(|row| (documented_order(row), whole_order(row)));
    Kept {
        rows,
        swept: report.swept,
    }
}

/// Reads each small number for each small session from both.
///
/// # Panics
/// When one fails or they differ.
pub fn assert_same_reads(store: &impl Store, model: &impl Store) {
    // Not ascending, and with repetitions: the order asked for is the order given.
    let sequences: Vec<Sequence> = (0..SEQUENCES * 2)
        .map(|n| Sequence(n * 7 % SEQUENCES))
        .collect();
    for session in (0..=SESSIONS).map(Incarnation) {
        let found = store.read(session, &sequences).expect("reads");
        let expected = model.read(session, &sequences).expect("reads");
        assert_eq!(found, expected, "read for {session:?}");
    }
}

/// Ascends with the documented order; equal where that leaves the order open.
fn documented_order(row: &Row) -> (u8, u64, u64) {
    match row {
        Row::Marks(_) => (0, 0, 0),
        Row::Access(_) => (0, 1, 0),
        Row::Session(_) => (1, 0, 0),
        Row::Group(_) => (2, 0, 0),
        Row::Subscription { .. } => (3, 0, 0),
        Row::Inbound { .. } => (4, 0, 0),
        Row::Dropped(_) => (5, 0, 0),
        Row::Will(_) => (6, 0, 0),
        Row::Flow(flow) => (7, flow.session.0, flow.sequence.0),
        Row::Retained(_) => (8, 0, 0),
        Row::Queued { sequence, .. } => (9, sequence.0, 0),
    }
}

fn whole_order(row: &Row) -> String {
    format!("{row:?}")
}
