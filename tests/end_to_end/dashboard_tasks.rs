//! What people do in the dashboard, in a real browser, each task with a broker of its own and somebody else who uses it meanwhile.

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};

#[test]
fn topics_are_a_live_tree_with_history_numbers_and_an_undo() -> Result<()> {
    run("topics")
}

#[test]
fn no_payload_and_no_topic_is_ever_more_than_text() -> Result<()> {
    run("payloads")
}

#[test]
fn a_value_is_edited_with_its_faults_and_conflicts_shown() -> Result<()> {
    run("config")
}

#[test]
fn a_message_is_published_as_typed_and_arrives_live() -> Result<()> {
    run("publish")
}

#[test]
fn the_dashboard_opens_without_its_broker() -> Result<()> {
    run("worker")
}

#[test]
fn an_empty_board_fills_each_of_three_ways() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium, Tool::Mosquitto]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node("browser/first_run.mjs");
    command.arg(format!("http://{}", broker.http()));
    command.arg(broker.mqtt().port().to_string());
    script::run(command)
}

fn run(page: &str) -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node(&format!("browser/{page}.mjs"));
    command.arg(format!("http://{}", broker.http()));
    script::run(command)
}
