//! Measures opening a large store after a kill: with and without redb's quick repair, with and without the check of
//! every page; and the memory that each cache size costs. Prints one line per run.
//!
//! `cargo run --release -p ebbtide-store --features redb --example open_time -- [rows]`

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use bytes::Bytes;
use ebbtide_protocol::{QoS, TopicName};
use ebbtide_store::{
    Accept, Incarnation, Message, Operation, Queue, Recipient, RecipientSet, RedbStore, Sequence,
    Store, WallTime, redb::Settings,
};

const ROWS: u64 = 1_000_000;
const BATCH: u64 = 1000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", path, rows, quick] => fill(path.as_ref(), rows.parse()?, quick == "true"),
        ["open", path, quick, check, cache] => open(
            path.as_ref(),
            settings(quick == "true", check == "true", cache.parse()?),
        ),
        [rows] => measure(rows.parse()?),
        _ => measure(ROWS),
    }
}

fn settings(quick_repair: bool, check_on_open: bool, cache_mib: usize) -> Settings {
    let mut settings = Settings::default();
    settings.quick_repair = quick_repair;
    settings.check_on_open = check_on_open;
    settings.cache_bytes = cache_mib << 20;
    settings
}

fn measure(rows: u64) -> Result<()> {
    let directory = tempfile::tempdir()?;
    for quick in [false, true] {
        let path = directory.path().join(format!("quick-{quick}"));
        killed_when_full(&path, rows, quick)?;
        let size = fs::metadata(&path)?.len() >> 20;
        println!("quick_repair={quick}: {rows} rows, file {size} MiB");
        for (check, cache) in [(false, 8), (true, 1), (true, 8), (true, 64)] {
            let copy = directory.path().join("copy");
            fs::copy(&path, &copy)?;
            for state in ["killed", "closed"] {
                print!("  check_on_open={check} cache={cache} MiB {state}: ");
                std::io::stdout().flush()?;
                child(&[
                    "open",
                    &text(&copy),
                    &quick.to_string(),
                    &check.to_string(),
                    &cache.to_string(),
                ])?
                .wait()?;
            }
        }
    }
    Ok(())
}

/// A child fills the file, says so, and is killed with the store open.
fn killed_when_full(path: &Path, rows: u64, quick: bool) -> Result<()> {
    let this = std::env::current_exe()?;
    let mut child = Command::new(this)
        .args(["fill", &text(path), &rows.to_string(), &quick.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    child.kill()?;
    child.wait()?;
    print!("{line}");
    Ok(())
}

fn child(arguments: &[&str]) -> Result<std::process::Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args(arguments)
        .spawn()?)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn fill(path: &Path, rows: u64, quick: bool) -> Result<()> {
    let store = RedbStore::open_with(path, settings(quick, true, 8))?;
    let recipients: RecipientSet = [Recipient {
        session: Incarnation(1),
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_identifiers: Vec::new(),
    }]
    .into();
    let session = Operation::PutSession(ebbtide_store::SessionRow {
        incarnation: Incarnation(1),
        client_id: "measured".into(),
        user: None,
        session_expiry_interval: u32::MAX,
        disconnected_at: None,
        next_packet_id: ebbtide_protocol::PacketId::MIN,
        maybe_sent: Sequence(0),
    });
    store.commit(&[session])?;
    let message = Message {
        topic: TopicName::new("site/4/state")?,
        payload: Bytes::from_static(b"twenty-four bytes of it."),
        qos: QoS::AtLeastOnce,
        retain: false,
        accepted_at: WallTime(1_700_000_000_000),
        properties: Default::default(),
    };
    let message = std::sync::Arc::new(message);
    let start = Instant::now();
    let mut next = 1;
    while next <= rows {
        let batch: Vec<Operation> = (next..(next + BATCH).min(rows + 1))
            .map(|number| {
                Operation::Accept(Accept {
                    queued: Some(Queue {
                        sequence: Sequence(number),
                        message: message.clone(),
                        recipients: recipients.clone(),
                    }),
                    retained: None,
                    inbound: None,
                })
            })
            .collect();
        store.commit(&batch)?;
        next += BATCH;
    }
    println!("filled in {} ms", start.elapsed().as_millis());
    // To be killed. Ends by itself when nobody does.
    std::thread::sleep(std::time::Duration::from_secs(60));
    Ok(())
}

fn open(path: &Path, settings: Settings) -> Result<()> {
    let start = Instant::now();
    let store = RedbStore::open_with(path, settings)?;
    let opened = start.elapsed().as_millis();
    let opened_rss = resident_kib();
    let mut rows = 0_u64;
    store.recover(&mut |_| rows += 1)?;
    let recovered = start.elapsed().as_millis() - opened;
    println!(
        "open {opened} ms (RSS {opened_rss} KiB), recover {recovered} ms, {rows} rows, RSS {} KiB",
        resident_kib()
    );
    Ok(())
}

/// Zero where the system has no /proc.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
