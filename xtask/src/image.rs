//! `cargo xtask image`: builds the container image from `docs/deploy/Dockerfile` and runs it as the hardening guide says: not root, a
//! root file system that is read-only, no rights, no network but its own.
//!
//! Every client is the program in the image, run inside it. What was acknowledged has to be there after a stop, in a new container with
//! the same volume. Without an engine, or one that cannot fetch the base images, `--full` says so and goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::progress;
use crate::project::Project;

const DOCKERFILE: &str = "docs/deploy/Dockerfile";
const PROGRAM: &str = "/usr/local/bin/ebbtide";
const HARDENED: [&str; 5] = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=none",
    "--detach",
];
const READY_WITHIN: Duration = Duration::from_secs(30);
const SMALL_BYTES: u64 = 100_000_000;

/// Words for the engine, should the machine need more than its name.
struct Engine {
    words: Vec<String>,
    build: Vec<String>,
    run: Vec<String>,
}

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let mut engine = Engine {
        words: Vec::new(),
        build: Vec::new(),
        run: Vec::new(),
    };
    let mut arguments = arguments.into_iter();
    while let Some(flag) = arguments.next() {
        let to = match flag.as_str() {
            "--engine" => &mut engine.words,
            "--build-options" => &mut engine.build,
            "--run-options" => &mut engine.run,
            _ => bail!(
                "`{flag}` is unknown: [--engine 'docker'] [--build-options '…'] [--run-options '…']"
            ),
        };
        let value = arguments
            .next()
            .with_context(|| format!("{flag} of what?"))?;
        to.extend(value.split_whitespace().map(str::to_owned));
    }
    if engine.words.is_empty() {
        engine.words = vec![found().context("neither docker nor podman answers")?];
    }
    check(project, &engine)
}

/// As a part of the long gate: not a failure where no image can be built.
pub fn run_if_possible(project: &Project) -> Result<()> {
    let Some(name) = found() else {
        eprintln!("    skipped: neither docker nor podman answers");
        return Ok(());
    };
    let engine = Engine {
        words: vec![name],
        build: Vec::new(),
        run: Vec::new(),
    };
    for base in bases(project)? {
        if !engine.does(&["pull", &base])? {
            eprintln!("    skipped: {} cannot fetch {base}", engine.words[0]);
            return Ok(());
        }
    }
    check(project, &engine)
}

/// The engine that answers.
fn found() -> Option<String> {
    ["docker", "podman"]
        .map(str::to_owned)
        .into_iter()
        .find(|name| {
            let answer = Command::new(name).arg("info").output();
            answer.is_ok_and(|output| output.status.success())
        })
}

/// What the Dockerfile begins with.
fn bases(project: &Project) -> Result<Vec<String>> {
    let text = fs::read_to_string(project.root.join(DOCKERFILE)).context(DOCKERFILE)?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("FROM "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

fn check(project: &Project, engine: &Engine) -> Result<()> {
    let name = format!("ebbtide-check-{}", process::id());
    let image = format!("localhost/{name}");
    let mut build = engine.command(&["build"]);
    build.args(&engine.build);
    build.args(["--file", DOCKERFILE, "--tag", &image, "."]);
    build.current_dir(&project.root);
    let log = project.target.join("logs/image.log");
    progress::step("image", "what the Dockerfile makes", &mut build, &log)?;

    let config = project.target.join(format!("{name}.toml"));
    fs::write(&config, "# As it comes.\n").context("writing the configuration")?;
    let outcome = try_image(engine, &name, &image, &config);
    for words in [
        ["rm", "--force", &name],
        ["volume", "rm", &name],
        ["rmi", "--force", &image],
    ] {
        engine.does(&words)?;
    }
    fs::remove_file(&config).context("removing the configuration")?;
    outcome
}

fn try_image(engine: &Engine, name: &str, image: &str, config: &Path) -> Result<()> {
    let user = engine.said(&["image", "inspect", "--format={{.Config.User}}", image])?;
    let root = ["", "0", "root"];
    ensure!(!root.contains(&user.trim()), "it runs as root");
    let bytes = engine.said(&["image", "inspect", "--format={{.Size}}", image])?;
    let bytes: u64 = bytes.trim().parse().context("the size of the image")?;
    ensure!(
        bytes < SMALL_BYTES,
        "an image of {bytes} bytes is not small"
    );

    engine.start(name, image, config)?;
    engine.until_ready(name)?;
    let published = ["pub", "-t", "kept", "-m", "by the volume", "--retain"];
    engine.inside(name, &published)?;
    engine.said(&["stop", "--time=10", name])?;
    let code = engine.said(&["inspect", "--format={{.State.ExitCode}}", name])?;
    ensure!(code.trim() == "0", "it ended with {}", code.trim());
    engine.said(&["rm", name])?;

    engine.start(name, image, config)?;
    engine.until_ready(name)?;
    let kept = engine.inside(name, &["retained", "get", "kept"])?;
    ensure!(kept == "by the volume", "the volume has kept `{kept}`");
    println!(
        "image: {bytes} bytes, user {}, kept what it acknowledged",
        user.trim()
    );
    Ok(())
}

impl Engine {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(words);
        command
    }

    fn output(&self, words: &[&str]) -> Result<Output> {
        let output = self.command(words).output();
        output.with_context(|| format!("starting {}", self.words[0]))
    }

    fn does(&self, words: &[&str]) -> Result<bool> {
        Ok(self.output(words)?.status.success())
    }

    fn said(&self, words: &[&str]) -> Result<String> {
        let output = self.output(words)?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!("{} {}: {}", self.words[0], words.join(" "), why.trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The command of the image, as it is.
    fn start(&self, name: &str, image: &str, config: &Path) -> Result<()> {
        let config: PathBuf = config.canonicalize().context("the configuration")?;
        let config = format!("{}:/etc/ebbtide.toml:ro", config.display());
        let volume = format!("{name}:/data");
        let mut words = vec!["run", "--name", name, "--volume", &volume];
        words.extend(["--volume", &config]);
        words.extend(HARDENED);
        words.extend(self.run.iter().map(String::as_str));
        words.push(image);
        self.said(&words).map(drop)
    }

    fn inside(&self, name: &str, words: &[&str]) -> Result<String> {
        let mut all = vec!["exec", name, PROGRAM];
        all.extend(words);
        self.said(&all)
    }

    fn until_ready(&self, name: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.inside(name, &["retained", "list"]) {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > READY_WITHIN => {
                    let log = self.output(&["logs", name])?;
                    let log = String::from_utf8_lossy(&log.stderr).into_owned();
                    return Err(error.context(format!("not ready. Its log:\n{log}")));
                }
                Err(_) => thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}
