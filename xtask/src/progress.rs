//! Long steps made visible: what runs, why, for how long. Output of a step goes to a log that is shown only when the step fails.
//!
//! Lines are plain text and end with a newline, so they read the same in a terminal and in a CI log.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A step that takes longer says so at this pace.
const HEARTBEAT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// How much of the log a failed step shows.
const LOG_TAIL_BYTES: u64 = 8 * 1024;

/// Announces a step that shows its own output.
pub fn announce(what: &str, why: &str) {
    eprintln!("==> {what}: {why}");
}

/// Runs one long command quietly, with a line at its start, at its end and in between.
pub fn step(what: &str, why: &str, command: &mut Command, log: &Path) -> Result<()> {
    announce(what, why);
    let started = Instant::now();
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("creating {}", directory.display()))?;
    }
    let output = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    command.stdout(output.try_clone()?).stderr(output);
    let status = wait(what, command, log, started)?;
    if !status.success() {
        bail!(
            "{what} failed ({status}). The end of {}:\n{}",
            log.display(),
            tail(log)
        );
    }
    eprintln!("    {what}: done in {}", elapsed(started));
    Ok(())
}

/// Runs a command whose output the reader should see.
pub fn show(what: &str, command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {what}"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// `1.2 s`, `75 s`, `4 min 05 s`.
pub fn elapsed(since: Instant) -> String {
    let seconds = since.elapsed().as_secs_f64();
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{} min {:02} s", (s / 60.0) as u64, (s % 60.0) as u64),
    }
}

fn wait(what: &str, command: &mut Command, log: &Path, started: Instant) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("starting `{program}`"))?;
    let mut next = started + HEARTBEAT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= next {
            next += HEARTBEAT;
            eprintln!(
                "    {what}: {} so far: {}",
                elapsed(started),
                last_line(log)
            );
        }
        thread::sleep(POLL);
    }
}

fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

fn last_line(log: &Path) -> String {
    let text = tail(log);
    text.lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no output yet")
        .to_owned()
}
