//! Where the programs are that tests drive. `cargo xtask test` gets them and says so in the environment.
//!
//! A test that needs a program which is not there fails, unless xtask gave a file to note the skip in.

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

/// A program that a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Node with the packages of `tests/bundlers`.
    Bundlers,
    /// `caddy`.
    Caddy,
    /// Chromium, driven by playwright-core.
    Chromium,
    /// `faketime`, which says where its library is.
    Faketime,
    /// `mosquitto_pub`.
    Mosquitto,
    /// `mosquitto`, the broker.
    MosquittoBroker,
    /// `nginx`.
    Nginx,
    /// Node with the packages of `tests/node`.
    Node,
    /// Python with paho.
    Python,
}

impl Tool {
    fn variable(self) -> &'static str {
        match self {
            Self::Bundlers => "EBBTIDE_TEST_BUNDLERS",
            Self::Caddy => "EBBTIDE_TEST_CADDY",
            Self::Chromium => "EBBTIDE_TEST_CHROMIUM",
            Self::Faketime => "EBBTIDE_TEST_FAKETIME",
            Self::Mosquitto => "EBBTIDE_TEST_MOSQUITTO_PUB",
            Self::MosquittoBroker => "EBBTIDE_TEST_MOSQUITTO",
            Self::Nginx => "EBBTIDE_TEST_NGINX",
            Self::Node => "EBBTIDE_TEST_NODE",
            Self::Python => "EBBTIDE_TEST_PYTHON",
        }
    }

    fn path(self) -> Option<OsString> {
        env::var_os(self.variable()).filter(|path| !path.is_empty())
    }
}

/// True if all of them are there. If not, the caller returns: the test is counted as skipped.
///
/// # Panics
/// When one is missing and nobody counts skips, as in a plain `cargo test`.
#[must_use]
pub fn present(needed: &[Tool]) -> bool {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|tool| tool.path().is_none())
        .map(|tool| tool.variable())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let missing = missing.join(", ");
    assert!(
        env::var_os("EBBTIDE_TEST_SKIPS").is_some(),
        "{missing} not set: run `cargo xtask test`"
    );
    note_skip(&missing);
    false
}

/// Notes that the test is skipped, and why: it returns then, and is counted.
///
/// # Panics
/// When nobody counts skips, as in a plain `cargo test`.
pub fn note_skip(why: &str) {
    let file = env::var_os("EBBTIDE_TEST_SKIPS");
    let file =
        file.unwrap_or_else(|| panic!("{why}, and nobody counts it: run `cargo xtask test`"));
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let mut notes = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .expect("the file of skips can be written");
    writeln!(notes, "{name}: {why}").expect("the file of skips can be written");
}

/// The broker program: the one that `EBBTIDE_TEST_BROKER` names, else built here, once.
pub fn broker() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| env::var_os("EBBTIDE_TEST_BROKER").map_or_else(build_broker, PathBuf::from))
        .clone()
}

fn build_broker() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ebbtide"])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the broker must compile"
    );
    let test = env::current_exe().expect("the running test has a path");
    // <target>/debug/deps/<test>
    let folder = test
        .ancestors()
        .nth(2)
        .expect("a test lies in the build directory");
    folder.join("ebbtide")
}

/// A Python script of `tests/python`.
pub fn python(script: &str) -> Command {
    let mut command = program(Tool::Python);
    command
        .arg(folder("python").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A Node script of `tests/node`.
pub fn node(script: &str) -> Command {
    let mut command = program(Tool::Node);
    command.arg(folder("node").join(script));
    command
}

/// A Node script of `tests/bundlers`.
pub fn bundlers(script: &str) -> Command {
    let mut command = program(Tool::Bundlers);
    command.arg(folder("bundlers").join(script));
    command
}

/// The web assets that the broker program has in it.
pub fn web_assets() -> PathBuf {
    // From .cargo/config.toml, or from xtask when it builds elsewhere.
    PathBuf::from(env::var_os("EBBTIDE_WEB_DIR").expect("cargo runs the tests"))
}

/// `mosquitto_pub`.
pub fn mosquitto_pub() -> Command {
    program(Tool::Mosquitto)
}

/// `mosquitto`, the broker.
pub fn mosquitto_broker() -> Command {
    program(Tool::MosquittoBroker)
}

/// `caddy`.
pub fn caddy() -> Command {
    program(Tool::Caddy)
}

/// `nginx`.
pub fn nginx() -> Command {
    program(Tool::Nginx)
}

/// Another client that comes with it. It prints line by line, though its output is no terminal.
pub fn mosquitto(name: &str) -> Command {
    let publisher = PathBuf::from(program(Tool::Mosquitto).get_program());
    let mut command = Command::new("stdbuf");
    command.arg("-oL").arg(publisher.with_file_name(name));
    command
}

/// The library that gives a program another wall clock, when it is loaded before all others.
pub fn faketime_library() -> Result<String> {
    let output = program(Tool::Faketime)
        .args(["-f", "+0", "printenv", "LD_PRELOAD"])
        .output()
        .context("starting faketime")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn program(tool: Tool) -> Command {
    Command::new(
        tool.path()
            .unwrap_or_else(|| panic!("{} not set: ask `present` first", tool.variable())),
    )
}

/// A folder of this crate.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
