//! The npm package `ebbtide`: wasm by cargo, its JavaScript by wasm-bindgen, made small by wasm-opt, the facade by tsc.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Asset, copy_folder, empty_folder};
use crate::progress;
use crate::project::Project;
use crate::tools;

pub const ASSET: Asset = Asset {
    folder: "pkg",
    inputs: &[
        "wasm-client",
        "protocol/src",
        "protocol/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "xtask/src/web",
        "xtask/src/tools/cargo_tool.rs",
        "xtask/src/tools/npm.rs",
    ],
    build,
};

/// Turns on what only the npm package exports.
pub const FEATURE: &str = "npm";
const WASM: &str = "wasm32-unknown-unknown/wasm-release/ebbtide_wasm_client.wasm";

fn build(project: &Project, output: &Path) -> Result<()> {
    let why = "its sources changed since the last build";
    let mut cargo = project.cargo();
    // As a cdylib alone: cargo optimises across crates only what is no Rust library at the same time.
    cargo.args([
        "rustc",
        "--crate-type",
        "cdylib",
        "-p",
        "ebbtide-wasm-client",
        "--features",
        FEATURE,
        "--target",
        "wasm32-unknown-unknown",
    ]);
    cargo.args(["--profile", "wasm-release"]);
    progress::step(
        "npm package: wasm",
        why,
        &mut cargo,
        &project.target.join("logs/package-cargo.log"),
    )?;

    let npm = project.root.join("wasm-client/npm");
    let bound = project.target.join("wasm-client");
    empty_folder(&bound)?;
    let mut bindgen = project.command("wasm-bindgen");
    bindgen
        .args(["--target", "web", "--out-name", "ebbtide_wasm", "--out-dir"])
        .arg(&bound)
        .arg(project.target.join(WASM));
    progress::step(
        "npm package: wasm-bindgen",
        why,
        &mut bindgen,
        &project.target.join("logs/package-bindgen.log"),
    )?;

    let wasm = bound.join("ebbtide_wasm_bg.wasm");
    let small = bound.join("ebbtide_wasm_bg.opt.wasm");
    let mut optimise = project.command("wasm-opt");
    optimise
        .args(["-Oz", "--converge"])
        .args(["--strip-producers", "--strip-target-features"])
        .arg(&wasm)
        .arg("-o")
        .arg(&small);
    progress::step(
        "npm package: wasm-opt",
        why,
        &mut optimise,
        &project.target.join("logs/package-wasm-opt.log"),
    )?;
    fs::rename(&small, &wasm).with_context(|| format!("replacing {}", wasm.display()))?;

    tools::npm_install_locked(project, &npm, "TypeScript compiles the facade")?;
    empty_folder(output)?;
    copy_folder(&bound, output)?;
    let mut tsc = project.command(npm.join("node_modules/.bin/tsc"));
    tsc.current_dir(&npm).arg("--outDir").arg(output);
    progress::step(
        "npm package: TypeScript",
        why,
        &mut tsc,
        &project.target.join("logs/package-tsc.log"),
    )
}
