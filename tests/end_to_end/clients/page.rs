//! `docs/tested-clients.md`: the table of what the tests here play. A cell that is no footnote is a run that passed, or a failing test.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::matrix::{BEHAVIOURS, Behaviour, Kind, Version, cannot};

const PAGE: &str = "docs/tested-clients.md";
/// Set, it makes the test write the page.
const WRITE: &str = "EBBTIDE_TEST_WRITE_PAGES";

const HEAD: &str = "# Tested clients

<!-- Made by the test `the_page_says_what_is_played`; do not edit. -->

These clients are tested with every change: `cargo xtask test end-to-end` plays every behaviour with every client, in both versions
of MQTT, against the real program. A cell names the versions that passed. A number says why the client cannot do it; that is not
a limit of Ebbtide, and the wire cases in [tests/wire](../tests/wire/README.md) show it without a client.

";

#[test]
fn the_page_says_what_is_played() -> Result<()> {
    let path = root().join(PAGE);
    let page = page()?;
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &page)?;
    }
    ensure!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "{PAGE} is not current; run this test with {WRITE}=1"
    );
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> Result<String> {
    let mut page = HEAD.to_owned();
    page.push_str("| client | version tested |\n|---|---|\n");
    for kind in Kind::ALL {
        writeln!(page, "| {} | {} |", kind.name(), version_of(kind)?)?;
    }
    page.push_str("\n| behaviour |");
    for kind in Kind::ALL {
        write!(page, " {} |", kind.name())?;
    }
    writeln!(page, "\n|---|{}", "---|".repeat(Kind::ALL.len()))?;
    let mut reasons = Vec::new();
    for behaviour in BEHAVIOURS {
        write!(page, "| {} |", behaviour.title)?;
        for kind in Kind::ALL {
            write!(page, " {} |", cell(kind, behaviour, &mut reasons))?;
        }
        page.push('\n');
    }
    page.push('\n');
    for (at, reason) in reasons.iter().enumerate() {
        writeln!(page, "{}. {reason}", at + 1)?;
    }
    Ok(page)
}

fn cell(kind: Kind, behaviour: &Behaviour, reasons: &mut Vec<&'static str>) -> String {
    let mut words: Vec<String> = Vec::new();
    for (version, name) in [(Version::V3, "3.1.1"), (Version::V5, "5.0")] {
        if version == Version::V3 && behaviour.is_of_5 {
            continue;
        }
        let word = match cannot(kind, version, behaviour.title) {
            None => name.to_owned(),
            Some(reason) => {
                let known = reasons.iter().position(|known| *known == reason);
                let at = known.unwrap_or_else(|| {
                    reasons.push(reason);
                    reasons.len() - 1
                });
                format!("({})", at + 1)
            }
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

/// As it is pinned.
fn version_of(kind: Kind) -> Result<String> {
    let read = |path: &str| fs::read_to_string(root().join(path)).with_context(|| path.to_owned());
    match kind {
        Kind::Paho | Kind::Aiomqtt => {
            let pins = read("tests/python/requirements.txt")?;
            let mut pins = pins.lines().filter_map(|line| line.split_once("=="));
            let pin = pins.find(|(name, _)| *name == kind.name());
            Ok(pin.context("a pinned package")?.1.to_owned())
        }
        Kind::MqttJs | Kind::MqttJsWebSocket => {
            let package: Value = serde_json::from_str(&read("tests/node/package.json")?)?;
            let version = package["dependencies"]["mqtt"].as_str();
            Ok(version.context("a pinned package")?.to_owned())
        }
        Kind::Mosquitto => Ok("that of the system, 2.0 or later".to_owned()),
        Kind::Rumqttc => {
            let lock = read("Cargo.lock")?;
            let (_, rest) = lock
                .split_once("name = \"rumqttc\"\nversion = \"")
                .context("a locked crate")?;
            Ok(rest.split('"').next().unwrap_or_default().to_owned())
        }
    }
}
