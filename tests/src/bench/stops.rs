//! Stops the process of the tab that leads, at random moments, and counts after how many another follows within three seconds: the table of
//! `docs/decisions/019-a-leader-that-is-stopped.md`. The gate runs the same test with few stops.

use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::tools;

/// At each pace of publishing.
const STOPS: &str = "100";
const SHORT: &str = "2";

pub fn run(short: bool) -> Result<()> {
    let status = tools::node("client/stopped.timed.test.mjs")
        .env("EBBTIDE_BENCH_STOPS", if short { SHORT } else { STOPS })
        .env("EBBTIDE_TEST_PACKAGE", tools::web_assets().join("pkg"))
        .stdin(Stdio::null())
        .status()?;
    ensure!(status.success(), "not as promised, or not measured");
    Ok(())
}
