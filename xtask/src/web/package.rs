//! The npm package `ebbtide`: wasm by cargo, made small by wasm-opt, the TypeScript by tsc, and of all that the modules that
//! browsers load, by terser.

use std::path::Path;

use anyhow::Result;

use super::{Asset, empty_folder, paths};
use crate::progress;
use crate::project::Project;
use crate::tools;

pub const ASSET: Asset = Asset {
    folder: "pkg",
    inputs: &[
        "wasm-client/npm",
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

const WASM: &str = "wasm32-unknown-unknown/wasm-release/ebbtide_npm.wasm";

fn build(project: &Project, output: &Path) -> Result<()> {
    let why = "its sources changed since the last build";
    let mut cargo = project.cargo();
    // As a cdylib alone: cargo optimises across crates only what is no Rust library at the same time.
    cargo.args([
        "rustc",
        "--crate-type",
        "cdylib",
        "-p",
        "ebbtide-npm",
        "--target",
        "wasm32-unknown-unknown",
    ]);
    cargo.args(["--profile", "wasm-release"]);
    paths::shorten(&mut cargo);
    progress::step(
        "npm package: wasm",
        why,
        &mut cargo,
        &project.target.join("logs/package-cargo.log"),
    )?;

    let npm = project.root.join("wasm-client/npm");
    let compiled = project.target.join("wasm-client");
    empty_folder(&compiled)?;
    let mut optimise = project.command("wasm-opt");
    optimise
        // Flattened first, it finds more that is the same; what stands side by side under one path is alike, and compresses better.
        // It is told what each function has an effect on, and that no access to memory and no division fails by itself: Rust looks before.
        .args([
            "--generate-global-effects",
            "--ignore-implicit-traps",
            "--flatten",
            "--rereloop",
            "-Os",
            "--gufa-optimizing",
            "-Oz",
            "-Oz",
            "--converge",
            "--optimize-instructions",
            "--precompute-propagate",
            "--vacuum",
            "--reorder-functions-by-name",
        ])
        // The linker puts the stack first, and its lowest kibibyte is where it would end.
        .arg("--low-memory-unused")
        // What the standard library was compiled with.
        .args([
            "--strip-debug",
            "--strip-producers",
            "--strip-target-features",
        ])
        .arg(project.target.join(WASM))
        .arg("-o")
        .arg(compiled.join("ebbtide.wasm"));
    progress::step(
        "npm package: wasm-opt",
        why,
        &mut optimise,
        &project.target.join("logs/package-wasm-opt.log"),
    )?;

    tools::npm_install_locked(
        project,
        &npm,
        "TypeScript, Rollup and terser make the modules",
    )?;
    let mut tsc = project.command(npm.join("node_modules/.bin/tsc"));
    tsc.current_dir(&npm).arg("--outDir").arg(&compiled);
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
        .arg(&compiled)
        .arg(output);
    progress::step(
        "npm package: modules",
        why,
        &mut bundle,
        &project.target.join("logs/package-bundle.log"),
    )
}
