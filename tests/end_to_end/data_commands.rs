//! `check`, `backup`, `restore` and `compact` say what they found or refused, by text and by exit code, and change nothing then.

use std::fs;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::{self, Broker};
use ebbtide_tests::http;
use ebbtide_tests::load::{Link, clean, publish};
use tempfile::TempDir;

/// Runs a command; gives its exit code and what it said.
fn run(folder: &Path, arguments: &[&str]) -> Result<(i32, String, String)> {
    let Output {
        status,
        stdout,
        stderr,
    } = broker::run_to_end(arguments, folder)?;
    let code = status
        .code()
        .with_context(|| format!("{arguments:?} ended by a signal"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((code, text(stdout), text(stderr)))
}

/// It must end with this code and name these words.
fn expect(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) -> Result<String> {
    let (found, stdout, stderr) = run(folder, arguments)?;
    ensure!(found == code, "{arguments:?}: {found}: {stdout}{stderr}");
    for word in words {
        let said = stdout.contains(word) || stderr.contains(word);
        ensure!(said, "{arguments:?}: no `{word}` in: {stdout}{stderr}");
    }
    Ok(stdout)
}

/// A broker with a retained message.
fn used() -> Result<Broker> {
    let broker = Broker::start()?;
    let message = |number| (format!("site/{number}"), "on".into());
    publish(broker.mqtt(), "publisher", 20, 10, true, message)?;
    Ok(broker)
}

#[test]
fn check_needs_the_broker_to_be_gone_and_then_finds_all_in_order() -> Result<()> {
    let folder = TempDir::new()?;
    let mut broker = used()?;
    let data = broker.data_dir();
    let data = data.to_str().context("UTF-8")?;
    expect(folder.path(), &["check", data], 4, &[data, "stop it first"])?;
    ensure!(broker.end()?.success());
    let file = broker.data_dir().join("ebbtide.redb");
    let before = fs::read(&file)?;
    expect(folder.path(), &["check", data], 0, &["retained", "clean"])?;
    expect(folder.path(), &["check", "--data-dir", data], 0, &["clean"])?;
    let json = expect(folder.path(), &["check", data, "--json"], 0, &[])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    let tables = json["tables"].as_array().context("tables")?;
    let rows = |name| {
        tables
            .iter()
            .find(|table| table["name"] == name)
            .map(|table| &table["rows"])
    };
    ensure!(rows("retained") == Some(&20.into()), "{json}");
    ensure!(fs::read(&file)? == before, "the file has changed");
    expect(
        folder.path(),
        &["check", "nowhere"],
        4,
        &["nowhere", "no data"],
    )?;
    Ok(())
}

#[test]
fn check_names_the_damage() -> Result<()> {
    let folder = TempDir::new()?;
    let mut broker = used()?;
    ensure!(broker.end()?.success());
    let data = broker.data_dir();
    let data = data.to_str().context("UTF-8")?;
    let file = broker.data_dir().join("ebbtide.redb");
    let sound = fs::read(&file)?;
    let database = redb::Database::open(&file)?;
    let change = database.begin_write()?;
    {
        let table = redb::TableDefinition::<&[u8], &[u8]>::new("retained");
        let mut retained = change.open_table(table)?;
        let old = retained.insert(b"site/7".as_slice(), [9_u8].as_slice())?;
        ensure!(old.is_some(), "retained messages lie elsewhere by now");
    }
    change.commit()?;
    drop(database);
    let words = [
        "retained, `site/7`",
        "the retained message of that topic is gone",
        "1 rows are damaged",
    ];
    expect(folder.path(), &["check", data], 5, &words)?;
    let json = expect(folder.path(), &["check", data, "--json"], 5, &[])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    ensure!(
        json["clean"] == false && json["faults"][0]["key"] == "`site/7`",
        "{json}"
    );

    let mut broken = sound;
    let at = broken.len() / 2;
    broken[at..].fill(0x5a);
    fs::write(&file, &broken)?;
    expect(
        folder.path(),
        &["check", data],
        5,
        &["damaged", "restore a backup"],
    )?;
    ensure!(fs::read(&file)? == broken, "the file has changed");
    Ok(())
}

#[test]
fn a_backup_goes_into_a_new_folder_only() -> Result<()> {
    let folder = TempDir::new()?;
    let broker = used()?;
    let url = format!("http://{}", broker.http());
    expect(
        folder.path(),
        &["backup", "b", "--url", &url],
        0,
        &["verified"],
    )?;
    ensure!(!folder.path().join("b.part").exists());
    let whole = fs::read(folder.path().join("b"))?;
    let (code, _, _) = run(folder.path(), &["backup", "-", "--url", &url])?;
    ensure!(code == 0);
    expect(
        folder.path(),
        &["restore", "b", "--data-dir", "new"],
        0,
        &["clean"],
    )?;
    expect(
        folder.path(),
        &["restore", "b", "--data-dir", "new"],
        7,
        &["new", "not empty"],
    )?;
    let data = broker.data_dir();
    let data = data.to_str().context("UTF-8")?;
    expect(
        folder.path(),
        &["restore", "b", "--data-dir", data],
        7,
        &["not empty"],
    )?;
    expect(
        folder.path(),
        &["restore", "b", "--ephemeral"],
        2,
        &["--data-dir"],
    )?;
    expect(
        folder.path(),
        &["restore", "c", "--data-dir", "other"],
        7,
        &["cannot read c"],
    )?;
    let half = &whole[..whole.len() / 2];
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    let others = [
        (half, "cut off"),
        (changed.as_slice(), "damaged"),
        (b"what is this".as_slice(), "not a backup"),
    ];
    for (content, why) in others {
        fs::write(folder.path().join("c"), content)?;
        let words = [why, "nothing was restored"];
        expect(
            folder.path(),
            &["restore", "c", "--data-dir", "other"],
            5,
            &words,
        )?;
        let left = fs::read_dir(folder.path().join("other"))?.count();
        ensure!(left == 0, "{why}: something is left");
    }
    Ok(())
}

#[test]
fn a_broker_that_is_not_there_is_named() -> Result<()> {
    let folder = TempDir::new()?;
    // Free again at the end of the line.
    let address = std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .to_string();
    let url = format!("http://{address}");
    for command in [&["backup", "b"][..], &["compact"]] {
        let arguments = [command, &["--url", &url]].concat();
        expect(folder.path(), &arguments, 6, &[&address, "is it running"])?;
        let arguments = [command, &["--url", "mqtt://here"]].concat();
        expect(folder.path(), &arguments, 2, &["http://HOST:PORT"])?;
    }
    Ok(())
}

/// A page of somebody else's must not get at it, and must not set it to work.
#[test]
fn foreign_pages_get_no_backup() -> Result<()> {
    let broker = used()?;
    let address = broker.http();
    for route in ["backup", "compact"] {
        let ask = |more: &str| {
            let head = format!(
                "POST /api/v1/{route} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 2\r\n{more}\r\n{{}}"
            );
            http::request(address, &head)
        };
        let form = "Content-Type: text/plain\r\n";
        let json = "Content-Type: application/json\r\n";
        ensure!(ask(form)?.status == 415, "{route}");
        let foreign = format!("{json}Origin: https://evil.example\r\n");
        ensure!(ask(&foreign)?.status == 403, "{route}");
        ensure!(ask(json)?.status == 200, "{route}");
        let get = http::get(address, &format!("/api/v1/{route}"))?;
        ensure!(get.status == 405, "{route}");
    }
    Link::connect(broker.mqtt(), clean("somebody")).map(drop)
}

/// The copy of a compaction must not take the room that messages need.
#[test]
fn a_full_disk_gets_a_backup_and_no_compaction() -> Result<()> {
    let folder = TempDir::new()?;
    // So much is to be held back that nothing is left.
    let broker = Broker::start_with(&["--disk-reserve-bytes", "9000000000000000"])?;
    let url = format!("http://{}", broker.http());
    let message = |number| (format!("site/{number}"), "on".into());
    ensure!(publish(broker.mqtt(), "publisher", 1, 1, true, message).is_err());
    let words = ["no room for the copy"];
    expect(folder.path(), &["compact", "--url", &url], 6, &words)?;
    ensure!(
        fs::read_dir(broker.data_dir())?.count() == 1,
        "something is left"
    );
    expect(
        folder.path(),
        &["backup", "b", "--url", &url],
        0,
        &["verified"],
    )?;
    Ok(())
}
