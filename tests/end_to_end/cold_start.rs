//! A newcomer's browser sees the current state at once: after a crash of the broker, with nothing published since.

use std::path::Path;

use anyhow::{Result, bail};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::proxy::Proxy;
use ebbtide_tests::script::{self, Script};
use ebbtide_tests::tools::{self, Tool};

const AGENTS: usize = 100;
const VALUES: usize = 20;

#[test]
fn the_dashboard_paints_what_was_acknowledged_before_a_kill_and_survives_its_network() -> Result<()>
{
    if !tools::present(&[Tool::Mosquitto, Tool::Python, Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    for agent in 0..AGENTS {
        publish(
            &broker,
            &format!("presence/agent-{agent:03}"),
            &presence(agent),
        )?;
    }
    for value in 0..VALUES {
        publish(
            &broker,
            &format!("config/{}", config_topic(value)),
            &config(value),
        )?;
    }
    // The last mosquitto_pub has just had its PUBACK.
    broker.crash_and_restart()?;

    let network = Proxy::start(broker.http())?;
    let mut page = dashboard(&format!("http://{}/", network.address()))?;
    page.tell(&format!("painted {AGENTS} {VALUES}"))?;
    page.tell("connection online")?;
    page.tell("card agent-042 online")?;

    let mut paho = tools::python("publish.py");
    paho.args([
        "--port",
        &broker.mqtt().port().to_string(),
        "--topic",
        "presence/agent-042",
        "--retain",
    ]);
    paho.args([
        "--payload",
        r#"{"status":"offline","since":"2026-01-01T12:00:00Z","reason":"battery"}"#,
    ]);
    script::run(paho)?;
    page.tell("card agent-042 offline")?;

    if let Some(folder) = std::env::var_os("EBBTIDE_TEST_SCREENSHOTS") {
        for scheme in ["light", "dark"] {
            let picture = Path::new(&folder).join(format!("dashboard-{scheme}.png"));
            page.tell(&format!("screenshot {scheme} {}", picture.display()))?;
        }
    }

    network.cut();
    page.tell("connection offline")?;
    page.tell(&format!("painted {AGENTS} {VALUES}"))?;
    page.tell("card agent-042 offline")?;
    network.heal();
    page.tell("connection online")?;
    page.tell(&format!("painted {AGENTS} {VALUES}"))?;
    page.finish()
}

#[test]
fn the_dashboard_says_so_when_there_is_nothing_yet() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut page = dashboard(&format!("http://{}/", broker.http()))?;
    page.tell("connection online")?;
    page.tell("painted 0 0")?;
    page.finish()
}

fn dashboard(url: &str) -> Result<Script> {
    let mut command = tools::node("browser/dashboard.mjs");
    command.arg(url);
    let page = Script::start(command)?;
    page.expect("open")?;
    Ok(page)
}

fn publish(broker: &Broker, topic: &str, payload: &str) -> Result<()> {
    let mut command = tools::mosquitto_pub();
    command.args([
        "-h",
        "127.0.0.1",
        "-p",
        &broker.mqtt().port().to_string(),
        "-q",
        "1",
        "-r",
        "-t",
        topic,
        "-m",
        payload,
    ]);
    let output = command.output()?;
    if !output.status.success() {
        bail!(
            "mosquitto_pub {topic}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn presence(agent: usize) -> String {
    const ROLES: [&str; 4] = ["planner", "writer", "reviewer", "tester"];
    let status = if agent % 7 == 3 { "offline" } else { "online" };
    let (hour, minute, role) = (agent % 12, agent * 7 % 60, ROLES[agent % ROLES.len()]);
    format!(
        r#"{{"status":"{status}","since":"2026-01-01T{hour:02}:{minute:02}:00Z","user":"user-{}","meta":{{"role":"{role}"}}}}"#,
        agent % 9
    )
}

fn config_topic(value: usize) -> String {
    const GROUPS: [&str; 4] = ["lamp", "heating", "limits", "features"];
    format!(
        "{}/{}",
        GROUPS[value % GROUPS.len()],
        ["mode", "level", "enabled", "owner", "note"][value / GROUPS.len()]
    )
}

fn config(value: usize) -> String {
    match value / 4 {
        0 => r#""auto""#.to_owned(),
        1 => (value * 3).to_string(),
        2 => (value % 2 == 0).to_string(),
        3 => format!(r#"{{"name":"user-{value}","since":2026}}"#),
        _ => r#"["first","second"]"#.to_owned(),
    }
}
