//! `ebbtide bench`: a load for any MQTT broker, and what it did with it.
//!
//! One thread plays all clients, and looks at what comes without copying it, so that the generator costs less than what it
//! measures. Reading order: `options`, `scenario`, then `endpoint` and `link`.

mod endpoint;
mod frame;
mod link;
mod options;
mod pace;
mod process;
mod report;
mod scenario;
mod tally;
mod target;

pub use self::options::Arguments;

use std::io;

use tokio::task::LocalSet;

use self::{
    process::Process,
    report::{Report, table},
    scenario::Stage,
    target::{Dialer, Target},
};
use crate::progress::Progress;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The async runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// The broker was not reached, refused, or broke off.
    #[error("{target}: {source}")]
    Broker {
        /// Which.
        target: Target,
        /// What happened.
        source: io::Error,
    },
}

impl Arguments {
    /// Plays the scenario as often as was asked for, to each broker in turn, and prints what it found.
    pub fn run(&self) -> Result<(), BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(BenchError::Runtime)?;
        let mut targets = vec![(&self.url, self.pid)];
        targets.extend(self.compare.as_ref().map(|url| (url, self.compare_pid)));
        let mut reports = Vec::new();
        for round in 1..=self.rounds {
            for (target, pid) in &targets {
                eprintln!(
                    "{} at {target}, round {round} of {}",
                    self.scenario.name(),
                    self.rounds
                );
                let run = format!("{}-{}", std::process::id(), reports.len());
                let played = runtime.block_on(LocalSet::new().run_until(self.play(
                    target,
                    pid.map(Process),
                    &run,
                )));
                let mut report = played.map_err(|source| BenchError::Broker {
                    target: (*target).clone(),
                    source,
                })?;
                report.target = target.to_string();
                report.round = round;
                if self.json {
                    let line = serde_json::to_string(&report);
                    println!("{}", line.expect("names and numbers"));
                }
                reports.push(report);
            }
        }
        if !self.json {
            print!("{}", table(&reports));
        }
        Ok(())
    }

    async fn play(
        &self,
        target: &Target,
        process: Option<Process>,
        run: &str,
    ) -> io::Result<Report> {
        let dialer = Dialer::new(target.clone(), self.cafile.as_deref())?;
        let progress = Progress::new();
        let settings = self.settings(run);
        let stage = Stage {
            dialer: &dialer,
            settings: &settings,
            process,
            progress: &progress,
        };
        let report = self.scenario.play(&stage).await;
        progress.finish();
        report
    }
}
