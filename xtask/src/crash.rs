//! `cargo xtask crash`: the ledger (`tests/src/ledger`) against a broker, ours or another. `--peers` fills the table of
//! docs/crash-tests.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::server::{self, Profile};
use crate::tools::{self, SystemTool};

/// What all peers get: without a bound on queues, so that nothing is missed for want of room.
const MOSQUITTO: &str = "\
user root
allow_anonymous true
max_queued_messages 0
";

/// A port of its own for each: what is left in TIME_WAIT of one must not keep the next from binding.
const PEERS: [(&str, u16, &str); 4] = [
    ("Mosquitto, default", 18_831, ""),
    (
        "Mosquitto, `persistence true`",
        18_832,
        "persistence true\n",
    ),
    (
        "Mosquitto, `persistence true`, `autosave_interval 1`",
        18_833,
        "persistence true\nautosave_interval 1\n",
    ),
    (
        "Mosquitto, `persistence true`, `autosave_interval 1`, `autosave_on_changes true`",
        18_834,
        "persistence true\nautosave_interval 1\nautosave_on_changes true\n",
    ),
];

/// Everything but building is done by the runner: `tests/src/bin/crash.rs`.
pub fn run(project: &Project, mut arguments: Vec<String>) -> Result<()> {
    let peers = arguments.iter().position(|argument| argument == "--peers");
    if let Some(at) = peers {
        arguments.remove(at);
        return run_peers(project, &arguments);
    }
    let is_ours = !arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "--command" | "--help"));
    if is_ours {
        server::build(project, Profile::Dev, "")?;
    }
    if !runner(project).args(arguments).status()?.success() {
        bail!("not all that was acknowledged is there");
    }
    Ok(())
}

/// Ours, ours without a disk, and the peers, one after the other, with the same arguments. Their losses are what it is for.
fn run_peers(project: &Project, arguments: &[String]) -> Result<()> {
    let missing = tools::ensure_system(&[SystemTool::MOSQUITTO]);
    if !missing.is_empty() {
        bail!("missing: {}", missing.join("; "));
    }
    server::build(project, Profile::Dev, "")?;
    let folder = project.target.join("ledger");
    let mut rows = Vec::new();
    let mut header = Vec::new();
    let mut take = |mut command: Command| -> Result<()> {
        let output = command.output().context("starting the runner")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let table: Vec<&str> = text.lines().rev().take(3).collect();
        let [row, rule, names] = table[..] else {
            bail!("no table: {}", String::from_utf8_lossy(&output.stderr));
        };
        if !row.starts_with('|') {
            bail!("no table: {}", String::from_utf8_lossy(&output.stderr));
        }
        header = vec![names.to_owned(), rule.to_owned()];
        eprintln!("{row}");
        rows.push(row.to_owned());
        Ok(())
    };
    for (name, flags) in [
        ("Ebbtide", &[][..]),
        ("Ebbtide, `--ephemeral`", &["--", "--ephemeral"][..]),
    ] {
        let mut command = runner(project);
        command.args(arguments).args(["--name", name]).args(flags);
        take(command)?;
    }
    for (name, port, settings) in PEERS {
        let file = configure(&folder.join(port.to_string()), port, settings)?;
        let mut command = runner(project);
        command
            .args(arguments)
            .args(["--name", name, "--port", &port.to_string()])
            .args(["--command", &format!("mosquitto -c '{file}'")]);
        take(command)?;
    }
    println!("{}\n{}", header.join("\n"), rows.join("\n"));
    Ok(())
}

/// A new folder with a configuration, and nothing kept.
fn configure(folder: &Path, port: u16, settings: &str) -> Result<String> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let place = folder.display();
    let text =
        format!("listener {port} 127.0.0.1\n{MOSQUITTO}{settings}persistence_location {place}/\n");
    let file = folder.join("mosquitto.conf");
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file.display().to_string())
}

fn runner(project: &Project) -> Command {
    let mut cargo = project.cargo();
    cargo.args([
        "run",
        "--quiet",
        "-p",
        "ebbtide-tests",
        "--bin",
        "crash",
        "--",
    ]);
    cargo.env("EBBTIDE_TEST_BROKER", project.target.join("debug/ebbtide"));
    cargo
}
