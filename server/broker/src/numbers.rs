//! Handing out sequences, revisions and incarnations, and the lock that puts publishes in order.
//!
//! Whoever holds the lock around [`Numbers`] is the only one to accept a message that is kept: what it takes a number
//! for, it pushes to mailboxes and submits to the journal before it lets go. So mailboxes, retained values
//! and the disk agree on the order. Numbers are handed out only below marks that are committed.

use ebbtide_store::{Incarnation, Marks, Operation, Revision, Sequence};

use crate::journal::{Journal, Ticket};

/// How many messages and revisions are reserved at a time: far more than can wait for one commit.
const CHUNK: u64 = 1 << 24;

/// The next numbers, and how far they may go.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: Marks,
    granted: Marks,
    asked: Option<(Marks, Ticket)>,
}

/// No number is left below the committed marks: the disk lags far behind.
#[derive(Debug)]
pub(crate) struct Exhausted;

impl Numbers {
    /// Continues above the committed marks; none is handed out until the next marks are committed.
    pub fn new(committed: Marks, journal: &Journal) -> Self {
        let first = Marks {
            sequence: committed.sequence.max(Sequence(1)),
            revision: committed.revision.max(Revision(1)),
            incarnation: committed.incarnation.max(Incarnation(1)),
        };
        let mut numbers = Self {
            next: first,
            granted: first,
            asked: None,
        };
        numbers.ask(journal);
        numbers
    }

    pub fn sequence(&mut self, journal: &Journal) -> Result<Sequence, Exhausted> {
        self.sequences(1, journal)
    }

    /// So many in a row, far fewer than a chunk; gives the first.
    pub fn sequences(&mut self, count: u64, journal: &Journal) -> Result<Sequence, Exhausted> {
        let number = self.next.sequence;
        let end = Sequence(number.0 + count - 1);
        self.check(
            end.0,
            self.granted.sequence.0,
            |granted| granted.sequence.0,
            journal,
        )?;
        self.next.sequence = end.next();
        Ok(number)
    }

    pub fn revision(&mut self, journal: &Journal) -> Result<Revision, Exhausted> {
        let number = self.next.revision;
        self.check(
            number.0,
            self.granted.revision.0,
            |granted| granted.revision.0,
            journal,
        )?;
        self.next.revision = number.next();
        Ok(number)
    }

    pub fn incarnation(&mut self, journal: &Journal) -> Result<Incarnation, Exhausted> {
        let number = self.next.incarnation;
        self.check(
            number.0,
            self.granted.incarnation.0,
            |granted| granted.incarnation.0,
            journal,
        )?;
        self.next.incarnation = number.next();
        Ok(number)
    }

    /// The commit after which there are more of them, if it has been asked for.
    pub fn more_after(&self) -> Option<Ticket> {
        self.asked.map(|(_, ticket)| ticket)
    }

    /// The newest sequence that was handed out.
    pub fn last_sequence(&self) -> Sequence {
        Sequence(self.next.sequence.0 - 1)
    }

    /// The newest revision that was handed out.
    pub fn last_revision(&self) -> Revision {
        Revision(self.next.revision.0 - 1)
    }

    fn check(
        &mut self,
        next: u64,
        granted: u64,
        of: fn(&Marks) -> u64,
        journal: &Journal,
    ) -> Result<(), Exhausted> {
        if next + CHUNK / 2 < granted {
            return Ok(());
        }
        if let Some((marks, ticket)) = self.asked
            && journal.is_durable(ticket)
        {
            self.granted = marks;
            self.asked = None;
        }
        if self.asked.is_none() && next + CHUNK / 2 >= of(&self.granted) {
            self.ask(journal);
        }
        if next < of(&self.granted) {
            Ok(())
        } else {
            Err(Exhausted)
        }
    }

    fn ask(&mut self, journal: &Journal) {
        let marks = Marks {
            sequence: Sequence(self.next.sequence.0 + CHUNK),
            revision: Revision(self.next.revision.0 + CHUNK),
            incarnation: Incarnation(self.next.incarnation.0 + CHUNK),
        };
        self.asked = Some((marks, journal.submit(Operation::Reserve(marks))));
    }
}
