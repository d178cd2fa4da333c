//! A start that cannot work says why and what to do, and leaves nothing half done.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::{self, Broker};
use ebbtide_tests::wire::Wire;
use redb::{ReadableDatabase, ReadableTableMetadata};
use tempfile::TempDir;

/// Where redb notes in its header what it found after a kill.
const NOTED_BYTES: usize = 320;

/// Runs a start that must fail; returns what it wrote to standard error.
fn refusal(arguments: &[&str]) -> Result<String> {
    let folder = TempDir::new()?;
    let output = broker::run_to_end(arguments, folder.path())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "{arguments:?} must fail");
    ensure!(
        output.status.code().is_some(),
        "{arguments:?} must not end by a signal: {text}"
    );
    ensure!(!text.contains("panicked"), "{arguments:?}: {text}");
    ensure!(
        !folder.path().join("ebbtide-data").exists(),
        "{arguments:?} left a data directory"
    );
    Ok(text)
}

fn names(text: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(text.contains(word), "`{word}` is not in: {text}");
    }
    Ok(())
}

#[test]
fn an_unknown_flag_names_the_nearest() -> Result<()> {
    names(
        &refusal(&["serve", "--data-dri", "x"])?,
        &["--data-dri", "--data-dir"],
    )
}

#[test]
fn an_unknown_command_names_the_nearest() -> Result<()> {
    names(&refusal(&["sevre"])?, &["sevre", "serve"])
}

#[test]
fn a_bad_value_names_what_is_allowed() -> Result<()> {
    names(
        &refusal(&["--mqtt", "here"])?,
        &["--mqtt", "here", "127.0.0.1:1883"],
    )
}

#[test]
fn an_unknown_word_names_what_is_allowed_and_the_nearest() -> Result<()> {
    names(
        &refusal(&["--log-format", "jsn"])?,
        &[
            "--log-format",
            "jsn",
            "[possible values: text, json]",
            "'json'",
        ],
    )
}

#[test]
fn an_unknown_key_in_the_file_names_file_line_and_nearest() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("mine.toml");
    fs::write(&file, "\nmqqt = \"127.0.0.1:0\"\n")?;
    let file = file.to_str().context("a path in UTF-8")?;
    names(
        &refusal(&["--config", file])?,
        &["mine.toml", "2", "mqqt", "`mqtt`"],
    )
}

#[test]
fn a_missing_configuration_file_is_named() -> Result<()> {
    names(&refusal(&["--config", "nowhere.toml"])?, &["nowhere.toml"])
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_chooses_another() -> Result<()> {
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let address = taken.local_addr()?.to_string();
    for (flag, other) in [("--mqtt", "--http"), ("--http", "--mqtt")] {
        names(
            &refusal(&["--ephemeral", flag, &address, other, "127.0.0.1:0"])?,
            &[&address, flag],
        )?;
    }
    Ok(())
}

#[test]
fn an_address_reachable_from_outside_needs_a_word() -> Result<()> {
    for (flag, other) in [("--mqtt", "--http"), ("--http", "--mqtt")] {
        let text = refusal(&["--ephemeral", flag, "0.0.0.0:0", other, "127.0.0.1:0"])?;
        names(&text, &["0.0.0.0", "allow-anonymous"])?;
    }
    Ok(())
}

#[test]
fn a_data_directory_in_use_is_refused_and_the_owner_goes_on() -> Result<()> {
    let owner = Broker::start()?;
    let directory = owner.data_dir();
    let text = start_on(&directory)?;
    names(&text, &[&directory.display().to_string(), "in use"])?;
    ensure!(
        ebbtide_tests::http::get(owner.http(), "/readyz")?.status == 200,
        "the owner must go on"
    );
    Ok(())
}

#[test]
fn a_damaged_file_is_named_and_left_as_it_is() -> Result<()> {
    let directory = used_data_directory()?;
    let file = data_file(directory.path())?;
    let length = usize::try_from(fs::metadata(&file)?.len())?;
    let damaged = vec![0x5a; length];
    fs::write(&file, &damaged)?;
    let text = start_on(directory.path())?;
    names(&text, &[&file.display().to_string(), "damaged", "backup"])?;
    ensure!(fs::read(&file)? == damaged, "the damaged file was changed");
    Ok(())
}

#[test]
fn a_truncated_file_is_named_and_left_as_it_is() -> Result<()> {
    let directory = used_data_directory()?;
    let file = data_file(directory.path())?;
    let half = fs::read(&file)?[..usize::try_from(fs::metadata(&file)?.len() / 2)?].to_vec();
    fs::write(&file, &half)?;
    let text = start_on(directory.path())?;
    names(&text, &[&file.display().to_string()])?;
    let after = fs::read(&file)?;
    ensure!(after.len() == half.len(), "its length was changed");
    ensure!(
        after[NOTED_BYTES..] == half[NOTED_BYTES..],
        "what it holds was changed"
    );
    Ok(())
}

#[test]
fn a_file_of_another_format_version_is_named_and_left_as_it_is() -> Result<()> {
    const META: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("ebbtide");
    const LATER: [u8; 8] = 4711_u64.to_le_bytes();
    let directory = used_data_directory()?;
    let file = data_file(directory.path())?;
    // As a later Ebbtide would write it: the same key, a version that this one does not know.
    let database = redb::Database::open(&file)?;
    let change = database.begin_write()?;
    {
        let mut meta = change.open_table(redb::TableDefinition::<&[u8], &[u8]>::new("ebbtide"))?;
        let known = meta.insert(b"format".as_slice(), 4711_u64.to_le_bytes().as_slice())?;
        ensure!(known.is_some(), "the format version lies elsewhere by now");
    }
    change.commit()?;
    drop(database);
    let text = start_on(directory.path())?;
    names(
        &text,
        &[
            &file.display().to_string(),
            "format version 4711",
            "run the version of ebbtide that wrote it",
        ],
    )?;
    // To look into it is to write its header, but nothing that it holds has changed.
    let database = redb::Database::open(&file)?;
    let read = database.begin_read()?;
    let meta = read.open_table(META)?;
    let version = meta
        .get(b"format".as_slice())?
        .map(|row| row.value().to_vec());
    ensure!(version.as_deref() == Some(&LATER), "{version:?}");
    let retained = read.open_table(redb::TableDefinition::<&[u8], &[u8]>::new("retained"))?;
    ensure!(retained.len()? == 1, "the retained message is gone");
    Ok(())
}

#[test]
fn sigterm_ends_with_success_and_frees_the_data_directory() -> Result<()> {
    let broker = Broker::start()?;
    let (status, log) = broker.terminate()?;
    ensure!(status.code() == Some(0), "{status}: {log}");
    Ok(())
}

/// A data directory that a broker made and left.
fn used_data_directory() -> Result<TempDir> {
    let directory = TempDir::new()?;
    let broker = Broker::start()?;
    let made = broker.data_dir();
    let mut wire = Wire::connect(broker.mqtt(), "someone")?;
    // PUBLISH, QoS 1, retained, topic `a`, packet id 1, no properties, payload `b`.
    wire.send(b"\x33\x07\x00\x01a\x00\x01\x00b")?;
    ensure!(
        wire.packet()?
            .is_some_and(|packet| packet.first() == Some(&0x40)),
        "a PUBACK was expected"
    );
    for entry in fs::read_dir(&made)? {
        // Copied while the owner has it open: the same as after a crash.
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), directory.path().join(entry.file_name()))?;
        }
    }
    Ok(directory)
}

/// The largest file of a data directory is where the data is.
fn data_file(directory: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    files
        .into_iter()
        .max()
        .map(|(_, path)| path)
        .context("a data directory holds a file")
}

fn start_on(directory: &Path) -> Result<String> {
    let directory = directory.to_str().context("a path in UTF-8")?;
    refusal(&[
        "serve",
        "--mqtt",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--data-dir",
        directory,
    ])
}

#[test]
fn a_relaxed_listener_is_named_in_the_log() -> Result<()> {
    let broker = Broker::start_with(&["--mqtt-durability", "relaxed"])?;
    Wire::connect(broker.mqtt(), "client")?.ping()?;
    let (status, log) = broker.terminate()?;
    ensure!(status.success(), "{status}: {log}");
    ensure!(log.contains("mqtt_durability is relaxed"), "{log}");
    ensure!(!log.contains("http_durability is relaxed"), "{log}");
    Ok(())
}
