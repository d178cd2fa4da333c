//! `cargo xtask test`: gets what the tests need, runs all of them, and closes with one line that counts.
//!
//! What cannot be installed is named, and the tests that need it count as skipped. With CI=true a skip is a failure: a gate
//! that quietly tests less is none.

mod environment;
mod failures;
mod stages;
mod tally;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

pub use self::environment::{Environment, PROPERTY_SEED};
pub use self::tally::Tally;
use crate::project::Project;
use crate::server::{self, Profile};
use crate::{args, progress, web};

/// `cargo xtask test`.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let names: Vec<&str> = stages::ALL.iter().map(|stage| stage.name).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for stage in stages::ALL {
            println!("{:<12} {}", stage.name, stage.what);
        }
        return Ok(());
    }
    args::only(&arguments, &names)?;
    let total = run_stages(project, &arguments)?;
    println!("{total}");
    total.verdict()
}

/// Runs the stages with these names, or all. One that cannot run counts as a failure, and the others still run.
pub fn run_stages(project: &Project, names: &[String]) -> Result<Tally> {
    let chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let environment = Environment::prepare(project)?;
    let mut total = Tally::default();
    for stage in stages::ALL.iter().filter(|stage| chosen(stage.name)) {
        progress::announce(stage.name, stage.what);
        let started = Instant::now();
        let tally = (stage.run)(project, &environment).unwrap_or_else(|error| {
            eprintln!("    {}: {error:#}", stage.name);
            Tally::failed_stage()
        });
        eprintln!(
            "    {}: {tally} in {}",
            stage.name,
            progress::elapsed(started)
        );
        if started.elapsed() > stage.budget {
            let budget = stage.budget.as_secs() / 60;
            eprintln!(
                "    {}: OVER ITS BUDGET of {budget} min: find out why before it grows",
                stage.name
            );
        }
        // A stage that counts nothing cannot fail, so it is a failure itself.
        total.add(if tally == Tally::default() {
            Tally::failed_stage()
        } else {
            tally
        });
    }
    environment.failures.borrow().show();
    for remedy in &environment.missing {
        eprintln!("missing: {remedy}");
    }
    Ok(total)
}

/// Whether nothing may be left out.
pub fn is_strict() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Takes the pictures of README from a run of the end-to-end test that paints the dashboard.
pub fn screenshots(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    let environment = Environment::prepare(project)?;
    if !environment.missing.is_empty() {
        bail!("missing: {}", environment.missing.join("; "));
    }
    server::build(project, Profile::Dev, &web::build(project)?)?;
    let folder: &Path = &project.root.join("docs/images");
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut cargo = project.cargo();
    environment.apply(&mut cargo);
    cargo.env("EBBTIDE_TEST_SCREENSHOTS", folder);
    cargo.args([
        "test",
        "--quiet",
        "-p",
        "ebbtide-tests",
        "--test",
        "end_to_end",
        "--",
        "cold_start::the_dashboard_paints",
        "dashboard_tasks::topics",
    ]);
    progress::show("the screenshots' test", &mut cargo)
}
