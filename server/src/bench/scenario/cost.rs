//! What broker and generator take for each thing that is done: a load that costs more than what it is put on measures itself.

use super::Stage;
use crate::bench::{
    process::{Process, Usage},
    report::Report,
};

/// What speaks against rates and latencies then.
const DEARER: &str = "the generator took more processor time than the broker: on the same machine, what is measured is in part its own";

/// What both have taken up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Without `--pid` nothing is known of it.
    broker: Option<Usage>,
    generator: Option<Usage>,
}

impl Stage<'_> {
    pub fn look(&self) -> Look {
        Look {
            broker: self.process.and_then(Process::usage),
            generator: Process(std::process::id()).usage(),
        }
    }

    /// Notes how much memory of the broker each of `count` takes, in units of `unit_bytes`. A process keeps what it has freed, so only
    /// the first round shows it.
    pub fn note_memory(&self, report: &mut Report, name: &str, cost: Cost, unit_bytes: f64) {
        if let Some((before, after)) = cost.broker()
            && self.settings.is_first
        {
            let units = after.grown_bytes_since(before) / unit_bytes;
            report.note(&format!("broker_memory_{name}"), units / cost.count);
        }
    }
}

/// What was taken between two looks, for so many things of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    before: Look,
    after: Look,
    count: f64,
}

impl Look {
    /// From then to this one.
    pub fn since(self, before: Self, count: f64) -> Cost {
        Cost {
            before,
            after: self,
            count,
        }
    }
}

impl Cost {
    /// Before and after.
    pub fn broker(&self) -> Option<(Usage, Usage)> {
        self.before.broker.zip(self.after.broker)
    }

    fn broker_cpu_us(&self) -> Option<f64> {
        let (before, after) = self.broker()?;
        Some(after.cpu_us_since(before))
    }

    pub fn generator_cpu_us(&self) -> Option<f64> {
        let (before, after) = self.before.generator.zip(self.after.generator)?;
        Some(after.cpu_us_since(before))
    }

    /// Notes the processor time of both, over `each` of them.
    pub fn note_cpu(&self, report: &mut Report, each: &str) {
        let (broker, generator) = (self.broker_cpu_us(), self.generator_cpu_us());
        for (who, cpu_us) in [("broker", broker), ("generator", generator)] {
            let each_us = cpu_us.map(|cpu_us| cpu_us / self.count);
            report.note(&format!("{who}_cpu_us_per_{each}"), each_us);
        }
        let is_dearer = broker
            .zip(generator)
            .is_some_and(|(broker, generator)| generator > broker);
        if is_dearer && !report.remarks.iter().any(|remark| remark == DEARER) {
            report.remarks.push(DEARER.to_owned());
        }
    }

    /// Notes what the broker has handed to the disk, over `each` of them.
    pub fn note_written(&self, report: &mut Report, each: &str) {
        let written = self
            .broker()
            .and_then(|(before, after)| after.written_bytes_since(before));
        let each_bytes = written.map(|bytes| bytes / self.count);
        report.note(&format!("broker_written_bytes_per_{each}"), each_bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn look(broker_ms: Option<u64>, generator_ms: u64) -> Look {
        let usage = |ms| Usage {
            cpu: Duration::from_millis(ms),
            ..Usage::default()
        };
        Look {
            broker: broker_ms.map(usage),
            generator: Some(usage(generator_ms)),
        }
    }

    #[test]
    fn who_took_more_is_told_once() {
        for (broker_ms, generator_ms, is_told) in [
            (Some(30), 20, false),
            (Some(20), 20, false),
            (Some(20), 30, true),
            // Nothing is known of the broker.
            (None, 30, false),
        ] {
            let before = look(broker_ms.map(|_| 100), 100);
            let after = look(broker_ms.map(|ms| 100 + ms), 100 + generator_ms);
            let cost = after.since(before, 10.0);
            let mut report = Report::new("connect");
            cost.note_cpu(&mut report, "connection");
            cost.note_cpu(&mut report, "once_more");
            let figure = |name: &str| report.figures.get(name).and_then(serde_json::Value::as_f64);
            let broker_us = broker_ms.map(|ms| ms as f64 * 100.0);
            assert_eq!(figure("broker_cpu_us_per_connection"), broker_us);
            let generator_us = generator_ms as f64 * 100.0;
            assert_eq!(
                figure("generator_cpu_us_per_connection"),
                Some(generator_us)
            );
            let told = usize::from(is_told);
            assert_eq!(report.remarks.len(), told, "{broker_ms:?} {generator_ms}");
        }
    }
}
