//! `cargo xtask bench` and `cargo xtask scale`: what the release build does, as cited in docs. Everything but building is done by
//! the programs in `tests/src/bin`.

use anyhow::{Result, bail};

use crate::guard;
use crate::project::Project;
use crate::server::{self, Profile};
use crate::test::Environment;
use crate::web;

/// `bench peers …` and `bench growth …` are programs of their own; `bench guard` needs no broker at all.
pub fn bench(project: &Project, mut arguments: Vec<String>) -> Result<()> {
    let of_its_own = [PEERS, GROWTH].into_iter();
    let mut of_its_own =
        of_its_own.filter(|name| arguments.first().is_some_and(|first| first == name));
    if let Some(program) = of_its_own.next() {
        arguments.remove(0);
        return run(project, program, arguments);
    }
    if arguments.first().is_some_and(|first| first == "guard") {
        arguments.remove(0);
        return guard::run(project, arguments);
    }
    run(project, "bench", arguments)
}

/// Beside other brokers.
const PEERS: &str = "peers";
/// With more and more of something.
const GROWTH: &str = "growth";

pub fn scale(project: &Project, arguments: Vec<String>) -> Result<()> {
    run(project, "scale", arguments)
}

fn run(project: &Project, program: &str, arguments: Vec<String>) -> Result<()> {
    let broker = server::build(project, Profile::Release, &web::build(project)?)?;
    // The browser, and what runs in it.
    let mut environment = Environment::prepare(project)?;
    if program == PEERS {
        environment.add_peers(project);
    }
    // Not before: what has just been installed is to be on its search path.
    let mut cargo = project.cargo();
    cargo.args(["run", "--release", "--quiet", "-p", "ebbtide-tests"]);
    cargo.args(["--bin", program, "--"]);
    environment.apply(&mut cargo);
    cargo.args(arguments).env("EBBTIDE_TEST_BROKER", broker);
    if !cargo.status()?.success() {
        bail!("not as it should be");
    }
    Ok(())
}
