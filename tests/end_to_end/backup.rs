//! Backups and compactions of the real program while it is at full speed: what was acknowledged before a backup began is in it,
//! and the broker itself loses nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::{self, Broker};
use ebbtide_tests::load::publish;
use tempfile::TempDir;

use crate::traffic::{PUBLISHERS, Traffic, collect_away, collect_retained, leave_away};

/// Messages of each publisher between two steps.
const MORE: usize = 300;
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a command of the program, which must succeed.
pub fn ebbtide(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = broker::run_to_end(arguments, folder)?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{arguments:?}: {}: {text}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_backup_under_load_has_everything_acknowledged_before_it_began() -> Result<()> {
    let folder = TempDir::new()?;
    let mut broker = Broker::start()?;
    let url = format!("http://{}", broker.http());
    leave_away(broker.mqtt())?;
    let traffic = Traffic::start(broker.mqtt(), 100, true);
    let mut backups = Vec::new();
    for name in ["one", "two"] {
        traffic.wait_for_more(MORE)?;
        backups.push((name, traffic.acknowledged()));
        ebbtide(folder.path(), &["backup", name, "--url", &url])?;
        traffic.wait_for_more(MORE)?;
        ebbtide(folder.path(), &["compact", "--url", &url])?;
    }
    traffic.wait_for_more(MORE)?;
    let acknowledged = traffic.stop()?;
    // It has been compacted twice, and opened anew never.
    collect_away(broker.mqtt(), acknowledged)?;
    collect_retained(broker.mqtt(), acknowledged)?;
    let status = broker.end()?;
    ensure!(status.success(), "{status}: {}", broker.log());
    is_clean(&broker.data_dir())?;
    for (name, before) in backups {
        is_restored(&folder.path().join(name), before)?;
    }
    Ok(())
}

fn is_restored(backup: &Path, before: [usize; PUBLISHERS]) -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let (backup, to) = (
        backup.to_str().context("UTF-8")?,
        data.to_str().context("UTF-8")?,
    );
    ebbtide(folder.path(), &["restore", backup, "--data-dir", to])?;
    is_clean(&data)?;
    let broker = Broker::start_with_data(folder)?;
    collect_away(broker.mqtt(), before)?;
    collect_retained(broker.mqtt(), before)
}

fn is_clean(data: &Path) -> Result<()> {
    let to = data.to_str().context("a path in UTF-8")?;
    let report = ebbtide(data, &["check", to, "--json"])?;
    let report: serde_json::Value = serde_json::from_str(&report)?;
    ensure!(report["clean"] == true, "{report}");
    Ok(())
}

/// A client that takes nothing cannot keep the pages of the file for longer than the deadline.
#[test]
fn a_backup_that_is_not_taken_is_broken_off_at_its_deadline() -> Result<()> {
    let folder = TempDir::new()?;
    let broker = Broker::start()?;
    let url = format!("http://{}", broker.http());
    // More than the buffers of a connection hold.
    let message = |number| (format!("large/{number}"), vec![b'.'; 4 << 20].into());
    publish(broker.mqtt(), "publisher", 4, 2, true, message)?;
    let mut idle = TcpStream::connect(broker.http())?;
    idle.set_read_timeout(Some(DEADLINE))?;
    let request = format!(
        "POST /api/v1/backup HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n\
         {{\"deadline_s\": 2}}",
        broker.http()
    );
    idle.write_all(request.as_bytes())?;
    let mut begin = [0; 15];
    idle.read_exact(&mut begin)?;
    ensure!(&begin == b"HTTP/1.1 200 OK", "{}", begin.escape_ascii());
    // One at a time; the next one is free to begin when this one has been given up.
    let command = ["backup", "b", "--url", &url];
    let refused = broker::run_to_end(&command, folder.path())?;
    let text = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(6) && text.contains("under way"),
        "{text}"
    );
    let started = Instant::now();
    while !broker::run_to_end(&command, folder.path())?
        .status
        .success()
    {
        ensure!(started.elapsed() < DEADLINE, "the first one is still there");
    }
    ensure!(
        broker.log().contains("a backup was broken off"),
        "{}",
        broker.log()
    );
    // What has been sent is not the whole body, and does not look like it.
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    ensure!(!rest.ends_with(b"0\r\n\r\n"), "it ends like a whole one");
    Ok(())
}
