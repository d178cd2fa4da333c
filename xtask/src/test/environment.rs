//! The programs that tests drive, installed where possible, and told to the tests by environment variables.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::failures::Failures;
use crate::project::Project;
use crate::tools::{self, SystemTool};

/// What proptest begins its random cases with. The same in each run, so that a commit passes always or never; new cases are sought by
/// `cargo xtask ci --full`.
pub const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

pub struct Environment {
    variables: Vec<(&'static str, PathBuf)>,
    /// The end-to-end tests note here what they had to leave out.
    pub skips: PathBuf,
    /// What to install by hand.
    pub missing: Vec<String>,
    /// What failing tests printed.
    pub failures: RefCell<Failures>,
}

impl Environment {
    pub fn prepare(project: &Project) -> Result<Self> {
        let mut missing = tools::ensure_system(&[
            SystemTool::CADDY,
            SystemTool::CHROMIUM,
            SystemTool::FAKETIME,
            SystemTool::MOSQUITTO,
            SystemTool::MOSQUITTO_CLIENTS,
            SystemTool::NGINX,
        ]);
        let mut variables = vec![("EBBTIDE_TEST_BROKER", project.target.join("debug/ebbtide"))];
        let system = [
            ("EBBTIDE_TEST_CADDY", SystemTool::CADDY),
            ("EBBTIDE_TEST_CHROMIUM", SystemTool::CHROMIUM),
            ("EBBTIDE_TEST_FAKETIME", SystemTool::FAKETIME),
            ("EBBTIDE_TEST_MOSQUITTO", SystemTool::MOSQUITTO),
            ("EBBTIDE_TEST_MOSQUITTO_PUB", SystemTool::MOSQUITTO_CLIENTS),
            ("EBBTIDE_TEST_NGINX", SystemTool::NGINX),
        ];
        variables.extend(
            system
                .into_iter()
                .filter_map(|(name, tool)| Some((name, tool.find()?))),
        );
        match tools::python_environment(project) {
            Ok(python) => variables.push(("EBBTIDE_TEST_PYTHON", python)),
            Err(error) => missing.push(format!("{error:#}")),
        }
        for (variable, folder, why) in [
            (
                "EBBTIDE_TEST_NODE",
                "tests/node",
                "clients and browsers for the tests",
            ),
            (
                "EBBTIDE_TEST_BUNDLERS",
                "tests/bundlers",
                "what users build the npm package with",
            ),
        ] {
            match tools::npm_install_locked(project, &project.root.join(folder), why) {
                Ok(()) => variables.push((variable, PathBuf::from("node"))),
                Err(error) => missing.push(format!("{error:#}")),
            }
        }
        // What the browser tests have seen is kept, to be looked at.
        let screenshots = project.target.join("screenshots");
        fs::create_dir_all(&screenshots).context("creating the folder of screenshots")?;
        variables.push(("EBBTIDE_TEST_SCREENSHOTS", screenshots));
        let skips = project.target.join("skipped-tests.txt");
        fs::create_dir_all(&project.target).context("creating the build directory")?;
        fs::write(&skips, "").with_context(|| format!("writing {}", skips.display()))?;
        Ok(Self {
            variables,
            skips,
            missing,
            failures: RefCell::default(),
        })
    }

    /// The brokers that benchmarks compare ours with. One that cannot be had is left out, and named.
    pub fn add_peers(&mut self, project: &Project) {
        let missing = tools::ensure_system(&[SystemTool::NATS]);
        self.missing.extend(missing);
        let nats = SystemTool::NATS.find();
        self.variables
            .extend(nats.map(|path| ("EBBTIDE_TEST_NATS", path)));
        if self
            .variables
            .iter()
            .any(|(name, _)| *name == "EBBTIDE_TEST_NODE")
        {
            self.variables
                .push(("EBBTIDE_TEST_AEDES", PathBuf::from("node")));
        }
        match tools::ensure_rumqttd(project) {
            Ok(program) => self
                .variables
                .push(("EBBTIDE_TEST_RUMQTTD", PathBuf::from(program))),
            Err(error) => self.missing.push(format!("{error:#}")),
        }
        for missing in &self.missing {
            eprintln!("    left out: {missing}");
        }
    }

    pub fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, path)| (name, path)));
        command.env("EBBTIDE_TEST_SKIPS", &self.skips);
        if std::env::var_os(PROPERTY_SEED).is_none() {
            command.env(PROPERTY_SEED, "1");
        }
    }
}
