//! The pages of the dashboard in a real browser: what they say is so, what they do is done, and everybody can use them.

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};

fn show(name: &str) -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node(&format!("browser/{name}.mjs"));
    command.arg(format!("http://{}", broker.http()));
    command.arg(format!("mqtt://{}", broker.mqtt()));
    script::run(command)
}

#[test]
fn the_overview_says_how_the_broker_is_and_every_page_is_for_everybody() -> Result<()> {
    show("overview")
}

#[test]
fn a_stuck_session_is_found_explained_and_dealt_with() -> Result<()> {
    show("sessions")
}

#[test]
fn ten_thousand_entries_are_scrolled_filtered_and_updated_without_a_long_task() -> Result<()> {
    show("many")
}
