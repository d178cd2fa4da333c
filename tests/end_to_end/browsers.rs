//! Clients of others and ours in one browser, through the broker.

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};

#[test]
fn mqtt_js_and_ours_exchange_messages_in_chromium() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node("browser/exchange.mjs");
    command.arg(format!("http://{}", broker.http()));
    script::run(command)
}

#[test]
fn the_demo_page_shows_who_is_there_to_all_and_after_a_reload() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node("browser/demo.mjs");
    command.arg(format!("http://{}", broker.http()));
    script::run(command)
}

#[test]
fn the_offline_demo_loses_nothing_when_its_tabs_are_killed() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node("browser/offline.mjs");
    command.arg(format!("http://{}", broker.http()));
    script::run(command)
}
