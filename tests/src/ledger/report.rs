//! What a campaign showed: counts as a row of a table, and each broken promise with what happened around it.

use std::{
    fmt::{self, Write as _},
    fs,
    path::PathBuf,
};

use anyhow::{Context, Result};

use super::{
    book::{Entry, Event},
    check::{Counts, Fault, Kind},
    server::Server,
};

/// So many faults are told in full.
const TOLD: usize = 20;
/// So many acknowledgements before the kill.
const ACKNOWLEDGEMENTS: usize = 12;

/// The columns of [`Report::row`].
pub const HEADER: &str = "\
| broker | scripts kept | kills | accepted QoS 1 | accepted QoS 2 | lost QoS 1 | lost QoS 2 | retained wrong | subscriptions wrong | sessions wrong | wills missing | wills uncalled for | QoS 2 twice | QoS 1 repeated | out of order | out of order across QoS | other |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// The outcome of a campaign.
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// How much there was to check.
    pub counts: Counts,
    /// What was promised and not kept.
    pub faults: Vec<Fault>,
    /// The clients, by number.
    pub names: Vec<String>,
    /// Everything that happened.
    pub book: Vec<Entry>,
    /// Where book, log and data are kept.
    pub kept_in: Option<PathBuf>,
}

impl Report {
    /// How many promises of that kind were broken.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        let faults = self.faults.iter();
        faults.filter(|fault| fault.kind == kind).count()
    }

    /// A row under [`HEADER`]. Losses are told as deliveries that were not, out of those that had to be.
    #[must_use]
    pub fn row(&self, name: &str, scripts: &str) -> String {
        let counts = &self.counts;
        let of = |kind, total: usize| format!("{} of {total}", self.count(kind));
        let cells = [
            name.to_owned(),
            scripts.to_owned(),
            counts.kills.to_string(),
            counts.accepted_qos1.to_string(),
            counts.accepted_qos2.to_string(),
            of(Kind::LostQos1, counts.deliveries_qos1),
            of(Kind::LostQos2, counts.deliveries_qos2),
            of(Kind::Retained, counts.values),
            of(Kind::Subscription, counts.subscriptions),
            of(Kind::Session, counts.sessions),
            of(Kind::WillMissing, counts.wills),
            of(Kind::WillUncalledFor, counts.wills_kept_back),
            self.count(Kind::TwiceQos2).to_string(),
            self.count(Kind::RepeatedQos1).to_string(),
            self.count(Kind::OutOfOrder).to_string(),
            self.count(Kind::OutOfOrderAcrossQos).to_string(),
            (self.count(Kind::Strange) + self.count(Kind::Stuck)).to_string(),
        ];
        format!("| {} |", cells.join(" | "))
    }

    /// Keeps the book, and what is left of the broker.
    pub fn keep(&mut self, server: &mut Server) -> Result<()> {
        let place = format!("ebbtide-ledger-{}-{}", self.seed, std::process::id());
        let folder = std::env::temp_dir().join(place);
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut text = String::new();
        for (number, name) in self.names.iter().enumerate() {
            writeln!(text, "client {number} is {name}")?;
        }
        for at in 0..self.book.len() {
            writeln!(text, "{}", self.line(at))?;
        }
        fs::write(folder.join("book.txt"), text)?;
        server.keep(&folder)?;
        self.kept_in = Some(folder);
        Ok(())
    }

    fn line(&self, at: usize) -> String {
        let Entry { at: time, event } = &self.book[at];
        format!("{at:>7} {:>9.3} s  {event:?}", time.as_secs_f64())
    }

    fn tell(&self, fault: &Fault, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:?}: {}", fault.kind, fault.what)?;
        for at in &fault.entries {
            writeln!(formatter, "  {}", self.line(*at))?;
        }
        let first = fault.entries.first().copied().unwrap_or_default();
        let kill = (first..self.book.len()).find(|at| self.book[*at].event == Event::Kill);
        let Some(kill) = kill else {
            return Ok(());
        };
        writeln!(formatter, "  acknowledged before the kill that followed:")?;
        let acknowledged = |at: &usize| {
            matches!(
                self.book[*at].event,
                Event::Accepted { .. }
                    | Event::Subscribed { .. }
                    | Event::Unsubscribed { .. }
                    | Event::Connected { .. }
                    | Event::Left { .. }
            )
        };
        let mut last: Vec<usize> = (0..kill).rev().filter(acknowledged).collect();
        last.truncate(ACKNOWLEDGEMENTS);
        for at in last.into_iter().rev().chain([kill]) {
            writeln!(formatter, "    {}", self.line(at))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.faults.iter().take(TOLD) {
            self.tell(fault, formatter)?;
        }
        if self.faults.len() > TOLD {
            writeln!(formatter, "and {} more", self.faults.len() - TOLD)?;
        }
        if !self.faults.is_empty() {
            for (number, name) in self.names.iter().enumerate() {
                write!(formatter, "{number} is {name}; ")?;
            }
            writeln!(
                formatter,
                "\nagain: cargo xtask crash --kills {} --seed {}. The seed fixes what clients and killer choose; how \
                 the processes run beside each other no seed can fix, so it may take several runs.",
                self.counts.kills, self.seed
            )?;
        }
        if let Some(folder) = &self.kept_in {
            writeln!(
                formatter,
                "book, log and data of the broker are in {}",
                folder.display()
            )?;
        }
        write!(formatter, "{:?}", self.counts)
    }
}
