//! `cargo xtask`: sets up, runs, tests, checks and measures Ebbtide. The only build script there is.
//!
//! One file or folder per command. What a command needs it gets itself (see `tools`); nothing here reads stdin, and nothing is
//! installed outside the per-user tool cache, except what `apt` installs for the tests.

mod advisories;
mod args;
mod ci;
mod crash;
mod fuzz;
mod guard;
mod image;
mod measure;
mod package;
mod progress;
mod project;
mod reference;
mod run;
mod server;
mod simulate;
mod sizes;
mod test;
mod tidy;
mod tools;
mod web;
mod wire;

use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;

/// A command of `cargo xtask`.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&Project, Vec<String>) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "run",
        help: "build everything that is missing or changed, start the broker, print the URLs to open",
        run: run::run,
    },
    Command {
        name: "test",
        help: "get what the tests need and run them all; `--list` names the stages",
        run: test::run,
    },
    Command {
        name: "ci",
        help: "the gate: format, clippy, tidy, deny, test; --full adds what takes long",
        run: ci::run,
    },
    Command {
        name: "advisories",
        help: "what is known against the crates in the lock file; skipped with a message when offline",
        run: advisories::run,
    },
    Command {
        name: "tidy",
        help: "check imports, module headers, file sizes, links, clauses of the standard and generated pages; --write makes the pages anew",
        run: tidy::run,
    },
    Command {
        name: "web",
        help: "build the web assets into <target>/web",
        run: web::run,
    },
    Command {
        name: "reference",
        help: "write docs/client/reference from the types of the npm package; --check only compares",
        run: reference::run,
    },
    Command {
        name: "wire",
        help: "play the wire cases against Ebbtide, or any broker: --addr HOST:PORT, --ws URL",
        run: wire::run,
    },
    Command {
        name: "simulate",
        help: "more runs of the simulation than the gate does: --seeds N, --seed K replays one",
        run: simulate::run,
    },
    Command {
        name: "fuzz",
        help: "any input for packets, topic filters, the core, rules, the configuration, the HTTP API and what proxies say: [TARGET] --seconds N; needs nightly",
        run: fuzz::run,
    },
    Command {
        name: "crash",
        help: "kill Ebbtide, or any broker, again and again and compare what it acknowledged with what is there",
        run: crash::run,
    },
    Command {
        name: "sizes",
        help: "measure binary, wasm and idle memory, as cited in docs",
        run: sizes::run,
    },
    Command {
        name: "bench",
        help: "measure what durability costs, the client and the dashboard: [--short] [NAME]; beside other brokers: peers; growth; guard",
        run: measure::bench,
    },
    Command {
        name: "scale",
        help: "measure a million rows on disk, as cited in docs: [--rows N] [SCENARIO]",
        run: measure::scale,
    },
    Command {
        name: "package",
        help: "what is shipped, the program and the npm tarball: --out DIR",
        run: package::run,
    },
    Command {
        name: "image",
        help: "build the container image and run it, hardened: [--engine 'docker'] [--build-options '…'] [--run-options '…']",
        run: image::run,
    },
    Command {
        name: "screenshots",
        help: "take the pictures in docs/images from a real run",
        run: test::screenshots,
    },
    Command {
        name: "setup",
        help: "install tools only: build | test | all",
        run: tools::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "--help".to_owned());
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        let names = COMMANDS.iter().map(|command| command.name);
        eprintln!(
            "error: {}\n\n{}",
            args::unknown("command", &name, names),
            help()
        );
        return ExitCode::from(2);
    };
    let outcome =
        Project::locate().and_then(|project| (command.run)(&project, arguments.collect()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = "usage: cargo xtask <command>\n\n".to_owned();
    for command in COMMANDS {
        text.push_str(&format!("  {:<12} {}\n", command.name, command.help));
    }
    text
}
