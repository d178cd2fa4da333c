//! Reads the book when all is over, and says what was promised and not kept. Pure: the same book gives the same faults.
//!
//! A file per promise. What cannot be known (it was under way when the broker was killed) is never a fault.

mod history;
mod messages;
mod repetitions;
mod sessions;
mod subscriptions;
#[cfg(test)]
mod tests;
mod values;
mod wills;

use super::book::{Entry, Event};

pub use history::History;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An accepted QoS 1 message did not reach a subscriber.
    LostQos1,
    /// An accepted QoS 2 message did not.
    LostQos2,
    /// A retained message that was set is not there, or one that was cleared or replaced is.
    Retained,
    /// A subscription that was acknowledged is gone, or one that was removed is there.
    Subscription,
    /// Session Present says what is not so.
    Session,
    /// A will did not come.
    WillMissing,
    /// A will came although its client had said goodbye, or was back in time.
    WillUncalledFor,
    /// A QoS 2 message came twice.
    TwiceQos2,
    /// A QoS 1 message came again although the broker had the acknowledgement on disk, or without DUP.
    RepeatedQos1,
    /// Messages of one publisher and one QoS to one topic came in another order.
    OutOfOrder,
    /// Messages of one publisher to one topic came in another order because their QoS differs: Ebbtide's promise alone.
    OutOfOrderAcrossQos,
    /// A message came that nobody had sent, or was hidden under a packet id in use.
    Strange,
    /// The broker was there and did not do what it has to.
    Stuck,
}

/// All kinds, in the order of the report.
pub const KINDS: [Kind; 13] = [
    Kind::LostQos1,
    Kind::LostQos2,
    Kind::Retained,
    Kind::Subscription,
    Kind::Session,
    Kind::WillMissing,
    Kind::WillUncalledFor,
    Kind::TwiceQos2,
    Kind::RepeatedQos1,
    Kind::OutOfOrder,
    Kind::OutOfOrderAcrossQos,
    Kind::Strange,
    Kind::Stuck,
];

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one.
    pub kind: Kind,
    /// The entries it is about, in order.
    pub entries: Vec<usize>,
    /// In words; clients by number, as in the printed book.
    pub what: String,
}

impl Fault {
    fn new(kind: Kind, entries: impl IntoIterator<Item = usize>, what: String) -> Self {
        let mut entries: Vec<usize> = entries.into_iter().collect();
        entries.sort_unstable();
        Self {
            kind,
            entries,
            what,
        }
    }
}

/// How many checks had something to check: a run in which nothing was promised proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// SIGKILLs.
    pub kills: usize,
    /// QoS 1 messages accepted.
    pub accepted_qos1: usize,
    /// QoS 2 messages accepted.
    pub accepted_qos2: usize,
    /// Deliveries of QoS 1 messages that had to be.
    pub deliveries_qos1: usize,
    /// Deliveries of QoS 2 messages that had to be.
    pub deliveries_qos2: usize,
    /// QoS 1 messages that came again, as they may.
    pub repetitions: usize,
    /// Retained messages looked up after a start.
    pub values: usize,
    /// Subscriptions tried after a start.
    pub subscriptions: usize,
    /// Connections of which Session Present is known beforehand.
    pub sessions: usize,
    /// Wills that had to be published.
    pub wills: usize,
    /// Wills that had not to be.
    pub wills_kept_back: usize,
}

/// Everything that was promised and not kept, and how much was.
pub fn check(book: &[Entry]) -> (Vec<Fault>, Counts) {
    let history = History::read(book);
    let mut counts = Counts {
        kills: history.kills.len(),
        ..Counts::default()
    };
    let mut faults = Vec::new();
    messages::check(&history, &mut counts, &mut faults);
    repetitions::check(&history, &mut counts, &mut faults);
    values::check(book, &history, &mut counts, &mut faults);
    subscriptions::check(book, &mut counts, &mut faults);
    sessions::check(&history, &mut counts, &mut faults);
    wills::check(book, &history, &mut counts, &mut faults);
    for (at, entry) in book.iter().enumerate() {
        match &entry.event {
            Event::Stuck { client, what } => faults.push(Fault::new(
                Kind::Stuck,
                [at],
                format!("client {}: {what}", client.0),
            )),
            Event::Hidden { client, .. } => faults.push(Fault::new(
                Kind::Strange,
                [at],
                format!(
                    "client {} got a message under a packet id that belongs to another",
                    client.0
                ),
            )),
            _ => {}
        }
    }
    faults.sort_by_key(|fault| (fault.kind, fault.entries.clone()));
    (faults, counts)
}
