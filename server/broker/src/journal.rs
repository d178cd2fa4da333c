//! The queue of operations on their way to the store, and which of them have arrived.

use std::task::Waker;

use ebbtide_store::Operation;

/// The place of an operation in the journal; later is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Operations to be committed together, in this order.
#[derive(Debug)]
pub struct Batch {
    /// May be empty when all that was queued proved unnecessary: it still has to be reported as committed.
    pub operations: Vec<Operation>,
    /// The last ticket in it.
    pub last: Ticket,
}

/// The queue between the core and the writer.
#[derive(Debug, Default)]
pub struct Journal {}

impl Journal {
    /// Who is woken when a batch waits.
    pub fn set_waker(&self, _waker: Waker) {
        unimplemented!()
    }

    /// Everything that waits, as one batch; `None` when nothing does.
    pub fn take(&self) -> Option<Batch> {
        unimplemented!()
    }

    /// The batch is durable: the replies that wait for it may leave.
    pub fn committed(&self, _batch: &Batch) {
        unimplemented!()
    }

    /// The batch failed: connections that wait for it are closed without an acknowledgement.
    pub fn failed(&self, _batch: &Batch) {
        unimplemented!()
    }
}
