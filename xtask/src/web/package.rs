//! The npm package `ebbtide`: wasm by cargo, its JavaScript by wasm-bindgen, made small by wasm-opt, the TypeScript by tsc,
//! and of all that the modules that browsers load, by esbuild.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Asset, empty_folder};
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
        "LICENSE-APACHE",
        "LICENSE-MIT",
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
        .args(["--target", "web", "--omit-default-module-path"])
        .args(["--encode-into", "always", "--no-typescript"])
        .args(["--out-name", "ebbtide_wasm", "--out-dir"])
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
        // Flattened first, it finds more that is the same.
        .args(["--flatten", "--rereloop", "-Oz", "--converge"])
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

    tools::npm_install_locked(project, &npm, "TypeScript and esbuild make the modules")?;
    let mut tsc = project.command(npm.join("node_modules/.bin/tsc"));
    tsc.current_dir(&npm).arg("--outDir").arg(&bound);
    progress::step(
        "npm package: TypeScript",
        why,
        &mut tsc,
        &project.target.join("logs/package-tsc.log"),
    )?;
    let mut bundle = project.command("node");
    bundle
        .current_dir(&npm)
        .arg("bundle.mjs")
        .arg(&bound)
        .arg(output);
    progress::step(
        "npm package: modules",
        why,
        &mut bundle,
        &project.target.join("logs/package-bundle.log"),
    )
}
