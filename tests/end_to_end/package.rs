//! The npm package, packed, in the hands of those who build apps with it: bundlers, servers, compilers, a page without any.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script::Script;
use ebbtide_tests::tools::{self, Tool};

#[test]
fn the_packed_package_works_in_every_bundler_and_without_one() -> Result<()> {
    if !tools::present(&[Tool::Bundlers, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::bundlers("run.mjs");
    command
        .arg(format!("http://{}", broker.http()))
        .arg(tools::web_assets().join("pkg"));
    let script = Script::start(command)?;
    for step in [
        "packed", "plain", "vite", "webpack", "esbuild", "slim", "rollup", "vite-dev", "server",
        "vitest", "types", "linted",
    ] {
        script.expect(step)?;
    }
    script.finish()
}

/// Wasm and JavaScript of the complete client, brotli, as docs/sizes-and-times.md states it.
const TRANSFERRED_BYTES_MAX: u32 = 60_000;

#[test]
fn what_an_app_transfers_stays_below_its_line() -> Result<()> {
    if !tools::present(&[Tool::Bundlers]) {
        return Ok(());
    }
    let output = tools::bundlers("sizes.mjs")
        .arg(tools::web_assets().join("pkg"))
        .arg(TRANSFERRED_BYTES_MAX.to_string())
        .output()
        .context("starting node")?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
