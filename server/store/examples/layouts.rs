//! Measures the layout (one log, shared recipient sets, one row of progress per session) against its alternative, a row
//! per delivery: messages for N sessions taken in, then acknowledged by all of them. In turn in one run, on one disk.
//!
//! `cargo run --release -p ebbtide-store --features redb --example layouts`

use std::{
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ebbtide_protocol::{PacketId, QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Message, Operation, Queue, Recipient, RecipientSet, RedbStore, Sequence,
    SessionRow, Store, WallTime,
};
use redb::{Builder, Database, TableDefinition};

const PAYLOAD_BYTES: usize = 256;
/// Deliveries of each measurement: so that all take about as long.
const DELIVERIES: u64 = 1_000_000;
const MESSAGES_MAX: u64 = 20_000;
/// Messages of one commit.
const BATCH: u64 = 100;
const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
const DELIVERY: TableDefinition<'_, (u64, u64), u8> = TableDefinition::new("deliveries");
/// As much as the store gives redb.
const CACHE_BYTES: usize = 8 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What one layout took.
struct Taken {
    accept: Duration,
    bytes: u64,
    acknowledge: Duration,
}

fn main() -> Result<()> {
    println!(
        "| sessions | messages | | taken in, messages/s | file, bytes a message | acknowledged, deliveries/s |\n\
         |---:|---:|---|---:|---:|---:|"
    );
    for sessions in [1, 10, 100, 1_000, 10_000] {
        let messages = (DELIVERIES / sessions).clamp(BATCH, MESSAGES_MAX);
        let directory = tempfile::tempdir()?;
        let ours = log(&directory.path().join("log"), sessions, messages)?;
        let rows = row_per_delivery(&directory.path().join("rows"), sessions, messages)?;
        for (name, taken) in [("log and sets", ours), ("row per delivery", rows)] {
            println!(
                "| {sessions} | {messages} | {name} | {:.0} | {} | {:.0} |",
                messages as f64 / taken.accept.as_secs_f64(),
                taken.bytes / messages,
                (messages * sessions) as f64 / taken.acknowledge.as_secs_f64()
            );
        }
    }
    Ok(())
}

fn log(path: &Path, sessions: u64, messages: u64) -> Result<Taken> {
    let store = RedbStore::open(path)?;
    store.recover(&mut |_| {})?;
    let rows: Vec<Operation> = (1..=sessions).map(session).collect();
    store.commit(&rows)?;
    let recipients: RecipientSet = (1..=sessions).map(recipient).collect();
    let message = Arc::new(message()?);
    let start = Instant::now();
    for first in (1..=messages).step_by(BATCH as usize) {
        let accept = |number| {
            Operation::Accept(Accept {
                queued: Some(Queue {
                    sequence: Sequence(number),
                    message: message.clone(),
                    recipients: recipients.clone(),
                }),
                retained: None,
                inbound: None,
            })
        };
        let batch: Vec<Operation> = (first..first + BATCH).map(accept).collect();
        store.commit(&batch)?;
    }
    let accept = start.elapsed();
    let bytes = std::fs::metadata(path)?.len();
    let start = Instant::now();
    for first in (1..=messages).step_by(BATCH as usize) {
        let mut batch = Vec::new();
        for session in 1..=sessions {
            batch.extend((first..first + BATCH).map(|number| done(session, number)));
        }
        batch.extend(
            (first..first + BATCH).map(|number| Operation::RemoveMessage(Sequence(number))),
        );
        store.commit(&batch)?;
    }
    Ok(Taken {
        accept,
        bytes,
        acknowledge: start.elapsed(),
    })
}

fn row_per_delivery(path: &Path, sessions: u64, messages: u64) -> Result<Taken> {
    let database = Builder::new().set_cache_size(CACHE_BYTES).create(path)?;
    // As many bytes as a row of the store has.
    let row = [7; PAYLOAD_BYTES + 32];
    let start = Instant::now();
    for first in (1..=messages).step_by(BATCH as usize) {
        commit(&database, |payloads, deliveries| {
            for number in first..first + BATCH {
                payloads.insert(number, row.as_slice())?;
                for session in 1..=sessions {
                    deliveries.insert((session, number), 1)?;
                }
            }
            Ok(())
        })?;
    }
    let accept = start.elapsed();
    let bytes = std::fs::metadata(path)?.len();
    let start = Instant::now();
    for first in (1..=messages).step_by(BATCH as usize) {
        commit(&database, |payloads, deliveries| {
            for session in 1..=sessions {
                for number in first..first + BATCH {
                    deliveries.remove((session, number))?;
                }
            }
            for number in first..first + BATCH {
                payloads.remove(number)?;
            }
            Ok(())
        })?;
    }
    Ok(Taken {
        accept,
        bytes,
        acknowledge: start.elapsed(),
    })
}

type Payloads<'a> = redb::Table<'a, u64, &'static [u8]>;
type Deliveries<'a> = redb::Table<'a, (u64, u64), u8>;

fn commit(
    database: &Database,
    change: impl FnOnce(&mut Payloads<'_>, &mut Deliveries<'_>) -> Result<()>,
) -> Result<()> {
    let transaction = database.begin_write()?;
    {
        let mut payloads = transaction.open_table(MESSAGES)?;
        let mut deliveries = transaction.open_table(DELIVERY)?;
        change(&mut payloads, &mut deliveries)?;
    }
    transaction.commit()?;
    Ok(())
}

fn session(number: u64) -> Operation {
    Operation::PutSession(SessionRow {
        incarnation: Incarnation(number),
        client_id: format!("client {number}").into(),
        user: None,
        session_expiry_interval: u32::MAX,
        disconnected_at: None,
        next_packet_id: PacketId::MIN,
        maybe_sent: Sequence(0),
    })
}

fn recipient(session: u64) -> Recipient {
    Recipient {
        session: Incarnation(session),
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    }
}

fn message() -> Result<Message> {
    Ok(Message {
        topic: TopicName::new("site/4/state")?,
        payload: Bytes::from(vec![7; PAYLOAD_BYTES]),
        qos: QoS::AtLeastOnce,
        retain: false,
        accepted_at: WallTime(1_700_000_000_000),
        properties: Default::default(),
    })
}

fn done(session: u64, number: u64) -> Operation {
    Operation::Done {
        session: Incarnation(session),
        sequence: Sequence(number),
        packet_id: None,
        cursor: Sequence(number + 1),
    }
}
