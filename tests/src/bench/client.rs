//! The npm package beside MQTT.js in Chromium. The pages and what is measured are in `tests/bundlers`.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::broker::Broker;
use crate::tools;

pub fn run(short: bool) -> Result<()> {
    let broker = Broker::start()?;
    let mut command = tools::bundlers("drain.mjs");
    command
        .arg(format!("http://{}", broker.http()))
        .arg(tools::web_assets().join("pkg"))
        .arg(if short { "1" } else { "3" })
        .stdin(Stdio::null());
    if !command.status()?.success() {
        bail!("the clients could not be measured");
    }
    Ok(())
}
