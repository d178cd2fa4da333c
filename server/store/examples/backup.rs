//! How long a backup, a restore, a check and a compaction take, and how large the files are.
//!
//! `cargo run --release -p ebbtide-store --features redb --example backup -- 1000000`: so many messages of 256 bytes for one
//! session, in batches of 1,000; then nine of ten are acknowledged and the file is compacted.

use std::{error::Error, fs, ops::ControlFlow, path::Path, time::Instant};

use ebbtide_protocol::{PacketId, QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Marks, Message, Operation, Properties, Queue, Recipient, RecipientSet,
    RedbStore, Revision, Sequence, SessionRow, Store, WallTime,
    redb::{check::check, restore::restore},
};

const BATCH: u64 = 1000;
const PAYLOAD_BYTES: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 1_000_000,
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store");
    let store = RedbStore::open(&path)?;
    let started = Instant::now();
    fill(&store, count)?;
    say("filled", started, &path)?;

    let backup = folder.path().join("backup");
    let started = Instant::now();
    let out = std::io::BufWriter::new(fs::File::create(&backup)?);
    store.snapshot()?.write(out)?;
    say("backed up", started, &backup)?;
    let restored = folder.path().join("restored");
    let started = Instant::now();
    let from = std::io::BufReader::new(fs::File::open(&backup)?);
    restore(from, &restored, |_| {})?;
    say("restored", started, &restored)?;
    let started = Instant::now();
    check(&restored, |_| {})?;
    say("checked", started, &restored)?;

    compact(&store, "compacted full", &path)?;
    for first in (1..=count).step_by(BATCH as usize) {
        let gone = (first..first + BATCH).filter(|n| n % 10 != 0 && *n <= count);
        let batch: Vec<_> = gone
            .map(|n| Operation::RemoveMessage(Sequence(n)))
            .collect();
        store.commit(&batch)?;
    }
    println!(
        "{:<18} {:>12}",
        "nine of ten gone",
        fs::metadata(&path)?.len()
    );
    compact(&store, "compacted", &path)
}

fn compact(store: &RedbStore, what: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let done = store.compact(&mut |_| ControlFlow::Continue(()))?;
    say(what, started, path)?;
    println!("    paused {:?}", done.paused);
    Ok(())
}

fn say(what: &str, started: Instant, path: &Path) -> Result<(), Box<dyn Error>> {
    let took = started.elapsed();
    println!(
        "{what:<18} {:>12} bytes  {took:.2?}",
        fs::metadata(path)?.len()
    );
    Ok(())
}

fn fill(store: &RedbStore, count: u64) -> Result<(), Box<dyn Error>> {
    let session = Incarnation(1);
    let recipients: RecipientSet = [Recipient {
        session,
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    }]
    .into();
    store.commit(&[
        Operation::Reserve(Marks {
            sequence: Sequence(count + 1),
            revision: Revision(1),
            incarnation: Incarnation(2),
        }),
        Operation::PutSession(SessionRow {
            incarnation: session,
            client_id: "somebody".into(),
            user: None,
            session_expiry_interval: u32::MAX,
            disconnected_at: Some(WallTime(1)),
            next_packet_id: PacketId::MIN,
            maybe_sent: Sequence(0),
        }),
    ])?;
    for first in (1..=count).step_by(BATCH as usize) {
        let accept = |number| -> Result<Operation, Box<dyn Error>> {
            Ok(Operation::Accept(Accept {
                queued: Some(Queue {
                    sequence: Sequence(number),
                    message: Message {
                        topic: TopicName::new(format!("site/{}/state", number % 100))?,
                        payload: vec![number as u8; PAYLOAD_BYTES].into(),
                        qos: QoS::AtLeastOnce,
                        retain: false,
                        accepted_at: WallTime(1_700_000_000_000),
                        properties: Properties::default(),
                    }
                    .into(),
                    recipients: recipients.clone(),
                }),
                retained: None,
                inbound: None,
            }))
        };
        let batch: Result<Vec<_>, _> = (first..(first + BATCH).min(count + 1))
            .map(accept)
            .collect();
        store.commit(&batch?)?;
    }
    Ok(())
}
