//! `cargo xtask simulate`: more seeds of the simulations than the gate runs, and more histories of the store with the power cut
//! after every step, with optimisation.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::{args, progress};

const SEEDS: &str = "100000";

/// Of the store, each cut after every step.
const HISTORIES: &str = "500";

/// Clients of the broker, and the durable client on the broker.
const SIMULATIONS: [&str; 2] = ["simulation", "client_simulation"];

/// `--seeds N` runs so many seeds, from `--seed K` on; `--seed K` alone replays that one and prints its history. Without them the
/// store has its turn as well.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let (mut seeds, mut seed) = (None, None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "--seeds" => &mut seeds,
            "--seed" => &mut seed,
            other => bail!(args::unknown(
                "argument",
                other,
                ["--seeds", "--seed"].into_iter()
            )),
        };
        *value = Some(number(word, words.next())?);
    }
    for simulation in SIMULATIONS {
        let mut cargo = project.cargo();
        cargo.args(["test", "--quiet", "--release", "-p", "ebbtide-broker"]);
        cargo.args(["--test", simulation, "promises"]);
        cargo.args(["--", "--nocapture"]);
        match (&seeds, &seed) {
            (None, Some(seed)) => cargo.env("EBBTIDE_SEED", seed),
            (seeds, seed) => cargo
                .env("EBBTIDE_SEEDS", seeds.as_deref().unwrap_or(SEEDS))
                .env("EBBTIDE_FIRST_SEED", seed.as_deref().unwrap_or("0")),
        };
        progress::show(simulation, &mut cargo)?;
    }
    if seeds.is_some() || seed.is_some() {
        return Ok(());
    }
    let mut cargo = project.cargo();
    cargo.args(["test", "--quiet", "--release", "-p", "ebbtide-store"]);
    cargo.args(["--features", "redb", "--lib", "tests::crash::a_power_cut"]);
    cargo.env("EBBTIDE_HISTORIES", HISTORIES);
    progress::show("power cuts", &mut cargo)
}

fn number(word: &str, value: Option<&String>) -> Result<String> {
    match value {
        Some(value) if value.parse::<u64>().is_ok() => Ok(value.clone()),
        Some(value) => bail!("{word} is to be a number, not `{value}`"),
        None => bail!("{word} needs a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_number() {
        assert!(number("--seed", Some(&"17".to_owned())).is_ok());
        assert!(number("--seed", Some(&"x".to_owned())).is_err());
        assert!(number("--seed", None).is_err());
    }
}
