//! `ebbtide bench` at a broker that refuses something: what it did not do is not counted as done.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::program::{Said, ebbtide, run};
use serde_json::Value;
use tempfile::TempDir;

use super::load_generator::figure;

/// A broker where one user may do this below `bench`, and the address with which its clients come.
fn may(actions: &str) -> Result<(TempDir, Broker, String)> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("ebbtide.toml");
    let user = "[[users]]\nname = \"ann\"\npassword = \"a-good-password\"\n";
    let rule = format!("effect = \"allow\"\nwho = \"authenticated\"\nactions = {actions}\n");
    let rule = format!("[[rules]]\n{rule}topics = [\"bench/#\"]\n");
    std::fs::write(&config, format!("auth = [\"password\"]\n{user}{rule}"))?;
    let broker = Broker::start_with(&["--config", &config.display().to_string()])?;
    let url = format!("mqtt://ann:a-good-password@{}", broker.mqtt());
    Ok((folder, broker, url))
}

fn load(url: &str, arguments: &[&str]) -> Result<Said> {
    let arguments = [&["bench"], arguments, &["--url", url]].concat();
    run(ebbtide(&arguments), "")
}

/// A PUBREC with an error ends the exchange: no PUBREL follows, and no PUBCOMP [MQTT-4.3.3-4].
#[test]
fn what_is_not_retained_is_not_counted() -> Result<()> {
    let (_folder, _broker, url) = may("[\"publish\", \"subscribe\"]")?;
    for qos in ["1", "2"] {
        let said = load(&url, &["retained", "--messages", "20", "--qos", qos])?;
        let why = "the broker refused 20 of them";
        ensure!(said.code == 6 && said.stderr.contains(why), "{said:?}");
    }
    Ok(())
}

/// Takes everything, and sends a client away that comes back to its session. Packets are short: their length is one byte.
fn sends_away(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut header = [0; 2];
        stream.read_exact(&mut header)?;
        let mut body = vec![0; usize::from(header[1])];
        stream.read_exact(&mut body)?;
        match header[0] >> 4 {
            1 => {
                stream.write_all(&[0x20, 3, 0, 0, 0])?;
                let is_clean = body[7] & 2 != 0;
                if !is_clean {
                    stream.write_all(&[0xe0, 1, 0x97])?;
                }
            }
            3 => {
                let id_at = 2 + usize::from(body[1]);
                stream.write_all(&[0x40, 2, body[id_at], body[id_at + 1]])?;
            }
            8 => stream.write_all(&[0x90, 4, body[0], body[1], 0, 1])?,
            _ => {}
        }
    }
}

#[test]
fn a_session_that_is_sent_away_is_told_with_its_reason() -> Result<()> {
    let server = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("mqtt://{}", server.local_addr()?);
    thread::spawn(move || {
        for stream in server.incoming().map_while(Result::ok) {
            thread::spawn(move || sends_away(stream));
        }
    });
    let few = [
        "--sessions",
        "2",
        "--messages",
        "3",
        "--payload-bytes",
        "16",
    ];
    let said = load(&url, &[&["offline", "--qos", "1"], &few[..]].concat())?;
    ensure!(said.code == 6, "{said:?}");
    ensure!(said.stderr.contains("0x97 (Quota exceeded)"), "{said:?}");
    Ok(())
}

/// Somebody may set what is retained, and not read it: the rate of the one is not lost with the other.
#[test]
fn what_was_measured_before_a_refusal_is_shown() -> Result<()> {
    let (_folder, _broker, url) = may("[\"publish\", \"retain\"]")?;
    let said = load(
        &url,
        &["retained", "--messages", "20", "--qos", "1", "--json"],
    )?;
    ensure!(said.code == 0, "{said:?}");
    let figures: Value = serde_json::from_str(&said.stdout)?;
    ensure!(figure(&figures, "set_per_s")? > 0.0, "{figures}");
    ensure!(figures.get("wildcard_last_ms").is_none(), "{figures}");
    for note in [
        "not read: the broker refused",
        "not looked up: the broker refused",
    ] {
        ensure!(said.stderr.contains(note), "{said:?}");
        ensure!(figures["notes"].to_string().contains(note), "{figures}");
    }
    ensure!(!said.stderr.contains("are left"), "{said:?}");
    Ok(())
}
