//! Trunk, wasm-bindgen, cargo-deny and others, compiled from crates.io into the cache.
//!
//! Compiling without optimisation makes them ready several times sooner; they spend their time in rustc and wasm-opt anyway.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{alone, put_in_place, version_fits};
use crate::progress;
use crate::project::Project;

pub struct CargoTool {
    krate: &'static str,
    pub program: &'static str,
    version: &'static str,
    why: &'static str,
    flags: &'static [&'static str],
    /// It is measured, so how fast it runs counts.
    is_measured: bool,
}

pub const TRUNK: CargoTool = CargoTool {
    krate: "trunk",
    program: "trunk",
    version: "0.22.1",
    why: "it builds the dashboard",
    // Its manifest asks for a newer compiler than it needs; without a TLS feature its last crate does not compile.
    flags: &[
        "--locked",
        "--ignore-rust-version",
        "--no-default-features",
        "--features",
        "rustls",
    ],
    is_measured: false,
};

pub const WASM_BINDGEN: CargoTool = CargoTool {
    krate: "wasm-bindgen-cli",
    program: "wasm-bindgen",
    version: "0.2.130",
    why: "it writes the JavaScript around our wasm; must equal the crate's version in Cargo.toml",
    // Not `--locked`: its lock file names a version that is not on crates.io. Its TLS is for remote browsers only.
    flags: &["--no-default-features"],
    is_measured: false,
};

pub const DENY: CargoTool = CargoTool {
    krate: "cargo-deny",
    program: "cargo-deny",
    version: "0.20.2",
    why: "it checks licences and sources of what we use",
    flags: &["--locked"],
    is_measured: false,
};

pub const RUMQTTD: CargoTool = CargoTool {
    krate: "rumqttd",
    program: "rumqttd",
    version: "0.20.0",
    why: "benchmarks measure it beside Ebbtide",
    flags: &["--no-default-features", "--features", "websocket"],
    is_measured: true,
};

pub const FUZZ: CargoTool = CargoTool {
    krate: "cargo-fuzz",
    program: "cargo-fuzz",
    version: "0.13.2",
    why: "it builds and runs the fuzz targets",
    flags: &["--locked"],
    is_measured: false,
};

impl CargoTool {
    pub fn folder(&self) -> String {
        format!("{}-{}", self.program, self.version)
    }
}

pub fn ensure(project: &Project, tool: &CargoTool) -> Result<()> {
    let is_there = || version_fits(project, tool.program, tool.version);
    alone::unless_there(&project.tools, &tool.folder(), is_there, || {
        install(project, tool)
    })
}

fn install(project: &Project, tool: &CargoTool) -> Result<()> {
    let place = project.tools.join(tool.folder());
    let unfinished = project.tools.join(format!("{}.unfinished", tool.folder()));
    let build = project.tools.join(format!("{}.build", tool.folder()));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("creating {}", unfinished.display()))?;

    let mut command = project.cargo();
    command
        .args(["install", tool.krate, "--version", tool.version])
        .args(tool.flags);
    command
        .arg("--root")
        .arg(&unfinished)
        .env("CARGO_TARGET_DIR", &build);
    // Outside the repository: its `.cargo/config.toml` and its toolchain file are for the project.
    command.current_dir(&project.tools);
    if !tool.is_measured {
        quick_profile(&mut command);
    }

    let what = format!("{} {}", tool.program, tool.version);
    let log = project.tools.join(format!("logs/{}.log", tool.folder()));
    progress::step(&what, tool.why, &mut command, &log)?;
    put_in_place(&unfinished, &place)?;
    // Half a gigabyte that nobody needs again.
    fs::remove_dir_all(&build).with_context(|| format!("removing {}", build.display()))
}

fn quick_profile(command: &mut Command) {
    for (key, value) in [
        ("LTO", "off"),
        ("OPT_LEVEL", "0"),
        ("CODEGEN_UNITS", "16"),
        ("DEBUG", "0"),
        ("STRIP", "true"),
    ] {
        command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
}
