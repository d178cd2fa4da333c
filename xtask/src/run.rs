//! `cargo xtask run`: everything that is missing is fetched and built, then the broker runs in the foreground.
//!
//! Words after `--` go to `ebbtide`. The broker itself prints the URLs to open.

use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use crate::project::Project;
use crate::server::{self, Profile};
use crate::{args, progress, web};

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let mut words = arguments.split(|word| word == "--");
    let own = words.next().unwrap_or_default();
    let for_broker = &arguments[(own.len() + 1).min(arguments.len())..];
    args::only(own, &["--release"])?;
    let profile = if own.is_empty() {
        Profile::Dev
    } else {
        Profile::Release
    };

    let started = Instant::now();
    let program = match profile {
        // A dev build reads the assets when it serves them, so both are built side by side.
        Profile::Dev => thread::scope(|scope| {
            let broker = scope.spawn(|| server::build(project, profile, ""));
            web::build(project)?;
            broker
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the thread that builds the broker panicked")))
        })?,
        Profile::Release => server::build(project, profile, &web::build(project)?)?,
    };
    eprintln!("    ready after {}", progress::elapsed(started));

    // In the caller's folder and terminal: `./ebbtide-data` is where a plain `ebbtide` would have it.
    let mut broker = Command::new(&program);
    broker.args(for_broker);
    become_program(&mut broker).with_context(|| format!("starting {}", program.display()))
}

/// This process becomes the broker: signals reach it alone, and its exit code is the one that is seen.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}
