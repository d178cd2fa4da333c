//! `cargo xtask simulate`: more seeds of the broker's simulation than the gate runs, with optimisation.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::{args, progress};

const SEEDS: &str = "100000";

/// `--seeds N` runs so many, from `--seed K` on; `--seed K` alone replays that one and prints its history.
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
    let mut cargo = project.cargo();
    cargo.args(["test", "--quiet", "--release", "-p", "ebbtide-broker"]);
    cargo.args(["--test", "simulation", "promises_hold_for_every_seed"]);
    cargo.args(["--", "--nocapture"]);
    match (seeds, seed) {
        (None, Some(seed)) => cargo.env("EBBTIDE_SEED", seed),
        (seeds, seed) => cargo
            .env("EBBTIDE_SEEDS", seeds.unwrap_or_else(|| SEEDS.to_owned()))
            .env("EBBTIDE_FIRST_SEED", seed.unwrap_or_else(|| "0".to_owned())),
    };
    progress::show("the simulation", &mut cargo)
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
