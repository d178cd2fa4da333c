//! `ebbtide bench`: a load for any MQTT broker, and what it did with it.
//!
//! One thread plays all clients, and looks at what comes without copying it, so that the generator costs less than what it
//! measures. Reading order: `options`, `scenario`, then `endpoint` and `link`.

mod alarm;
mod endpoint;
mod frame;
mod interrupt;
mod link;
mod numbers;
mod options;
mod pace;
mod process;
mod report;
mod scenario;
mod tally;
mod target;
mod template;

pub use self::options::Arguments;

use std::io;

use tokio::{runtime::Runtime, task::LocalSet};

use self::{
    interrupt::Interrupt,
    process::Process,
    report::{Report, notes, table},
    scenario::Stage,
    target::{Dialer, Target},
};
use crate::{
    cli::{Login, PasswordError},
    progress::Progress,
};

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The async runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// What was typed cannot be used.
    #[error("{0}")]
    Typed(String),
    /// No password is where it should be.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The broker was not reached, refused, or broke off.
    #[error("{target}: {source}")]
    Broker {
        /// Which.
        target: Target,
        /// What happened.
        source: io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted; sessions and retained messages of this load may be left in the broker")]
    Interrupted,
}

impl Arguments {
    /// Plays the scenario as often as was asked for, to each broker in turn, and prints what it found, also if it had to end early.
    pub fn run(&self) -> Result<(), BenchError> {
        self.check().map_err(BenchError::Typed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BenchError::Runtime)?;
        let login = self.login.clone().login()?;
        for (pid, flag) in [(self.pid, "--pid"), (self.compare_pid, "--compare-pid")] {
            if pid.is_some_and(|pid| Process(pid).usage().is_none()) {
                let why = "there is no such process, or this system does not tell what it takes";
                return Err(BenchError::Typed(format!("{flag}: {why}")));
            }
        }
        let mut reports = Vec::new();
        let outcome = self.play_all(&runtime, &login, &mut reports);
        if !self.json {
            print!("{}", table(&reports));
        }
        for note in notes(&reports) {
            eprintln!("note: {note}");
        }
        outcome
    }

    fn play_all(
        &self,
        runtime: &Runtime,
        login: &Login,
        reports: &mut Vec<Report>,
    ) -> Result<(), BenchError> {
        let mut targets = vec![(&self.url, self.pid)];
        targets.extend(self.compare.as_ref().map(|url| (url, self.compare_pid)));
        let interrupt = Interrupt::new();
        for round in 1..=self.rounds {
            for (number, (target, pid)) in targets.iter().enumerate() {
                let (name, rounds) = (self.scenario.name(), self.rounds);
                eprintln!("{name} at {target}, round {round} of {rounds}");
                let failed = |source| BenchError::Broker {
                    target: (*target).clone(),
                    source,
                };
                let dialer = Dialer::new((*target).clone(), self.trust(), login.clone());
                let run = format!("{}-{}", std::process::id(), reports.len());
                let settings = self.settings(&run, round);
                let progress = Progress::new();
                let stage = Stage {
                    dialer: &dialer.map_err(failed)?,
                    settings: &settings,
                    process: pid.map(Process),
                    progress: &progress,
                    interrupt: &interrupt,
                };
                let playing = async {
                    tokio::select! {
                        report = self.scenario.play(&stage) => report.map(Some),
                        () = interrupt.cancelled(self.scenario.can_end_early()) => Ok(None),
                    }
                };
                let played = runtime.block_on(LocalSet::new().run_until(playing));
                progress.finish();
                let mut report = played.map_err(failed)?.ok_or(BenchError::Interrupted)?;
                // Two logins at one broker look alike as well: they are not shown.
                report.target = match number > 0 && target.to_string() == self.url.to_string() {
                    true => format!("{target} (2)"),
                    false => target.to_string(),
                };
                report.round = round;
                report.qos = settings.qos as u8;
                report.protocol = settings.version.name();
                report.payload_bytes = settings.payload_bytes;
                if self.json {
                    let line = serde_json::to_string(&report);
                    println!("{}", line.expect("names and numbers"));
                }
                reports.push(report);
                if interrupt.has_come() {
                    return Err(BenchError::Interrupted);
                }
            }
        }
        Ok(())
    }
}
