//! Runs the ledger against a broker: ours, or one that `--command` starts. The last line is a row of the table in
//! docs/crash-tests.md.

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ebbtide_tests::ledger::{self, Server};

const USAGE: &str = "usage: crash [--kills N] [--seed S] [--command LINE --port N] [--name TEXT] [-- FLAGS FOR EBBTIDE]

Plays the scripts first: histories that chance seldom finds. Then clients work, the broker is killed by SIGKILL and started again, N times (25); then the ledger compares what was acknowledged
with what is there. Without `--command` the broker is Ebbtide. A command must become the broker, in the foreground, and
listen on that port of 127.0.0.1; what it keeps on disk must be empty before, unless losing it is the point.";

struct Options {
    kills: u32,
    seed: u64,
    command: Option<String>,
    port: Option<u16>,
    name: Option<String>,
    flags: Vec<String>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        kills: 25,
        seed: u64::from(std::process::id()),
        command: None,
        port: None,
        name: None,
        flags: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--kills" => options.kills = value()?.parse().context("--kills takes a number")?,
            "--seed" => options.seed = value()?.parse().context("--seed takes a number")?,
            "--command" => options.command = Some(value()?),
            "--port" => options.port = Some(value()?.parse().context("--port takes a number")?),
            "--name" => options.name = Some(value()?),
            "--" => options.flags = arguments.by_ref().collect(),
            "--help" | "-h" => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => bail!("`{other}` is not known\n\n{USAGE}"),
        }
    }
    if options.command.is_some() != options.port.is_some() {
        bail!("`--command` and `--port` go together\n\n{USAGE}");
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool> {
    let started = Instant::now();
    let mut server = match (&options.command, options.port) {
        (Some(command), Some(port)) => Server::command(command, port)?,
        _ => {
            let flags: Vec<&str> = options.flags.iter().map(String::as_str).collect();
            Server::ours(&flags)?
        }
    };
    let kept = play_scripts(&mut server)?;
    let report = ledger::run(&mut server, options.kills, options.seed, true)?;
    let name = match (&options.name, &options.command) {
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => "Ebbtide",
    };
    println!("{report}");
    println!("seed {}, {:.1?}\n", options.seed, started.elapsed());
    let scripts = ledger::scenarios::ALL.len();
    let cells = format!("{kept} of {scripts}");
    println!("{}\n{}", ledger::HEADER, report.row(name, &cells));
    Ok(report.faults.is_empty() && kept == scripts)
}

/// How many of them found all promises kept.
fn play_scripts(server: &mut Server) -> Result<usize> {
    // A broker that keeps what it should keeps that of the last time, too.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let mut kept = 0;
    for (number, (name, play)) in ledger::scenarios::ALL.into_iter().enumerate() {
        match play(server, &format!("script-{now:x}-{number}")) {
            Ok(()) => {
                kept += 1;
                println!("script: {name}: all kept");
            }
            Err(error) => println!("script: {name}: {error:#}"),
        }
    }
    println!();
    Ok(kept)
}
