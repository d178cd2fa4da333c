//! Measures what the layout costs over redb itself: batches of Accepts with 256 bytes of payload against plain inserts
//! of the same bytes into one table, in turn in one run. Prints rates and their ratio.
//!
//! `cargo run --release -p ebbtide-store --features redb --example throughput`

use std::{
    error::Error,
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
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(800);
const RECIPIENTS: u64 = 10;
const RAW: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("raw");

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for batch in [1, 100, 1000] {
        let store = RedbStore::open(directory.path().join(format!("store-{batch}")))?;
        let sessions: Vec<Operation> = (1..=RECIPIENTS).map(session).collect();
        store.commit(&sessions)?;
        // The cache of the store's default.
        let raw = Builder::new()
            .set_cache_size(8 << 20)
            .create(directory.path().join(format!("raw-{batch}")))?;
        let (mut stored, mut inserted) = (Rate::default(), Rate::default());
        for _ in 0..ROUNDS {
            stored.round(batch, |first| accept(&store, first, batch))?;
            inserted.round(batch, |first| insert(&raw, first, batch))?;
        }
        println!(
            "batch {batch}: store {:.0}/s, raw redb {:.0}/s, ratio {:.2}",
            stored.per_second(),
            inserted.per_second(),
            stored.per_second() / inserted.per_second()
        );
    }
    Ok(())
}

#[derive(Default)]
struct Rate {
    count: u64,
    time: Duration,
}

impl Rate {
    fn round(&mut self, batch: u64, mut commit: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < ROUND {
            commit(self.count + 1)?;
            self.count += batch;
        }
        self.time += start.elapsed();
        Ok(())
    }

    fn per_second(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }
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

fn accept(store: &RedbStore, first: u64, count: u64) -> Result<()> {
    let recipient = |session| Recipient {
        session: Incarnation(session),
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    };
    let recipients: RecipientSet = (1..=RECIPIENTS).map(recipient).collect();
    let topic = TopicName::new("site/4/state")?;
    let message = Message {
        topic,
        payload: Bytes::from(vec![7; PAYLOAD_BYTES]),
        qos: QoS::AtLeastOnce,
        retain: false,
        accepted_at: WallTime(1_700_000_000_000),
        properties: Default::default(),
    };
    let message = Arc::new(message);
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
    let batch: Vec<Operation> = (first..first + count).map(accept).collect();
    Ok(store.commit(&batch)?)
}

fn insert(database: &Database, first: u64, count: u64) -> Result<()> {
    // As many bytes as the store's row has: the payload, the topic, and about 20 of the message's other fields.
    let row = [7; PAYLOAD_BYTES + 32];
    let transaction = database.begin_write()?;
    let mut table = transaction.open_table(RAW)?;
    for number in first..first + count {
        table.insert(number, row.as_slice())?;
    }
    drop(table);
    transaction.commit()?;
    Ok(())
}
