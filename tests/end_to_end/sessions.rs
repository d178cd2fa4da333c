//! Whoever was away gets what they missed, in order, after a crash of the broker: with real clients, both versions, TCP and WebSocket.

use std::process::Command;

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};

const MESSAGES: &str = "1000";

#[test]
fn paho_5_gets_its_backlog_after_a_kill() -> Result<()> {
    backlog_survives(&[Tool::Python], paho, "5")
}

#[test]
fn paho_3_1_1_gets_its_backlog_after_a_kill() -> Result<()> {
    backlog_survives(&[Tool::Python], paho, "4")
}

#[test]
fn mqtt_js_5_over_websocket_gets_its_backlog_after_a_kill() -> Result<()> {
    backlog_survives(&[Tool::Python, Tool::Node], mqtt_js, "5")
}

#[test]
fn mqtt_js_3_1_1_over_websocket_gets_its_backlog_after_a_kill() -> Result<()> {
    backlog_survives(&[Tool::Python, Tool::Node], mqtt_js, "4")
}

fn backlog_survives(
    needed: &[Tool],
    client: fn(&Broker, &str) -> Command,
    version: &str,
) -> Result<()> {
    if !tools::present(needed) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    let with = |mut command: Command, mode: &str| {
        command.args(["--mode", mode, "--version", version, "--count", MESSAGES]);
        command
    };
    script::run(with(client(&broker, "session"), "subscribe"))?;

    let mut publisher = tools::python("publish.py");
    publisher.args([
        "--port",
        &broker.mqtt().port().to_string(),
        "--topic",
        "backlog/it",
        "--count",
        MESSAGES,
    ]);
    script::run(publisher)?;

    broker.crash_and_restart()?;
    script::run(with(client(&broker, "session"), "collect"))
}

fn paho(broker: &Broker, name: &str) -> Command {
    let mut command = tools::python(&format!("{name}.py"));
    command.args(["--port", &broker.mqtt().port().to_string()]);
    command
}

fn mqtt_js(broker: &Broker, name: &str) -> Command {
    let mut command = tools::node(&format!("{name}.mjs"));
    command.args(["--url", &format!("ws://{}/mqtt", broker.http())]);
    command
}
