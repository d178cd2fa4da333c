//! `cargo xtask fuzz`: the fuzz targets, each for a bounded time, with a corpus that grows under <target>.
//!
//! What is found is written to a file; as a case in `tests/fuzz/regressions` it becomes a test that needs no nightly.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::{args, progress, tools};

const TARGETS: [&str; 9] = [
    "decoder",
    "packet",
    "topic_filter",
    "broker",
    "sequence",
    "rules",
    "configuration",
    "http",
    "proxy",
];
const SECONDS: &str = "60";
/// The longest input that is tried.
const BYTES_MAX: &str = "4096";

/// `cargo xtask fuzz [TARGET] [--seconds N]`
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let (chosen, seconds) = parse(&arguments)?;
    tools::require_nightly(project)?;
    tools::ensure_fuzz(project)?;
    let work = project.target.join("fuzz");
    if chosen.contains(&"decoder") {
        write_seeds(project, &work.join("corpus/decoder"))?;
    }
    let mut failed = Vec::new();
    for target in chosen {
        progress::announce(target, &format!("any input, for {seconds} s"));
        if fuzz(project, &work, target, seconds).is_err() {
            failed.push(target);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let found = work.join("artifacts");
    bail!(
        "{} failed. The inputs are in {}: put them into tests/fuzz/regressions/<target>/, where \
         `cargo test -p ebbtide-tests --test fuzz_cases` runs them",
        failed.join(", "),
        found.display()
    )
}

fn parse(arguments: &[String]) -> Result<(Vec<&'static str>, &str)> {
    let (mut chosen, mut seconds) = (Vec::new(), SECONDS);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let value = words.next().context("--seconds needs a number")?;
            if !value.parse::<u32>().is_ok_and(|seconds| seconds > 0) {
                bail!("--seconds is to be a number above 0, not `{value}`");
            }
            seconds = value;
            continue;
        }
        match TARGETS.into_iter().find(|target| target == word) {
            Some(target) => chosen.push(target),
            None => {
                let allowed = TARGETS.into_iter().chain(["--seconds"]);
                bail!(args::unknown("target", word, allowed));
            }
        }
    }
    if chosen.is_empty() {
        chosen.extend(TARGETS);
    }
    Ok((chosen, seconds))
}

fn fuzz(project: &Project, work: &Path, target: &str, seconds: &str) -> Result<()> {
    let corpus = work.join("corpus").join(target);
    let artifacts = work.join("artifacts").join(target);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let inputs = ["regressions", "seeds"].map(|kind| {
        let folder = project.root.join("tests/fuzz").join(kind);
        folder.join(target)
    });
    let mut command = project.command("rustup");
    command.args([
        "run",
        "nightly",
        "cargo",
        "fuzz",
        "run",
        "--fuzz-dir",
        "tests/fuzz",
    ]);
    command.arg("--target-dir").arg(work.join("target"));
    command.env("CARGO_TARGET_DIR", work.join("target"));
    command.arg(target).arg(corpus);
    command.args(inputs.iter().filter(|folder| folder.is_dir()));
    command.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={BYTES_MAX}"),
        format!("-artifact_prefix={}/", artifacts.display()),
        "-timeout=20".to_owned(),
        "-print_final_stats=1".to_owned(),
    ]);
    progress::show(&format!("the target {target}"), &mut command)
}

/// What the wire cases send, as a beginning: right and wrong packets of every kind.
fn write_seeds(project: &Project, folder: &Path) -> Result<()> {
    let mut cargo = project.cargo();
    cargo.args([
        "run",
        "--quiet",
        "-p",
        "ebbtide-tests",
        "--bin",
        "fuzz_seeds",
        "--",
    ]);
    cargo.arg(folder);
    progress::show("writing the seeds of the decoder", &mut cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn targets_and_time_are_understood() -> Result<()> {
        assert_eq!(parse(&[])?, (TARGETS.to_vec(), SECONDS));
        let some = words("decoder --seconds 5 broker");
        assert_eq!(parse(&some)?, (vec!["decoder", "broker"], "5"));
        for wrong in ["decode", "--seconds", "--seconds x", "--seconds 0"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
        Ok(())
    }
}
