//! A newcomer's browser sees the current state at once: after a crash of the broker, with nothing published since.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::peer::{Peer, Transport, kept, publish};
use ebbtide_tests::proxy::Proxy;
use ebbtide_tests::script::{self, Script};
use ebbtide_tests::tools::{self, Tool};

use crate::fleet::{self, AGENTS, FLIPPED, VALUES};

/// A picture is part of the repository, in each version that it ever had.
const PICTURE_BYTES_MAX: u64 = 300_000;

#[test]
fn the_dashboard_paints_what_was_acknowledged_before_a_kill_and_survives_its_network() -> Result<()>
{
    if !tools::present(&[Tool::Mosquitto, Tool::Python, Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    for (topic, payload) in fleet::presence()?.into_iter().chain(fleet::config()) {
        mosquitto_publishes(&broker, &topic, &payload)?;
    }
    // The last mosquitto_pub has just had its PUBACK.
    broker.crash_and_restart()?;

    let all = format!("painted {AGENTS} {VALUES}");
    let network = Proxy::start(broker.http())?;
    let mut page = dashboard(&format!("http://{}/", network.address()))?;
    page.tell(&all)?;
    page.tell("connection online")?;
    let published = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&published, &fleet::expected()?)?;
    page.tell(&format!("exactly {}", published.path().display()))?;

    if let Some(folder) = std::env::var_os("EBBTIDE_TEST_SCREENSHOTS") {
        let _connected = sessions(&broker)?;
        take_pictures(&mut page, Path::new(&folder))?;
    }

    paho_flips(&broker, "offline")?;
    page.tell(&format!("card {FLIPPED} offline"))?;
    page.tell(&all)?;

    network.cut();
    page.tell("connection offline")?;
    page.tell(&all)?;
    // What it misses meanwhile it sees once it is back; until then it shows what it knows.
    paho_flips(&broker, "online")?;
    page.tell(&format!("card {FLIPPED} offline"))?;
    network.heal();
    page.tell("connection online")?;
    page.tell(&format!("card {FLIPPED} online"))?;
    page.tell(&all)?;
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
    page.tell("shown presence-empty")?;
    page.finish()
}

#[test]
fn the_dashboard_says_within_three_seconds_that_the_broker_was_killed_and_recovers() -> Result<()> {
    if !tools::present(&[Tool::Mosquitto, Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    mosquitto_publishes(&broker, FLIPPED, r#"{"status":"online"}"#)?;
    let mut page = dashboard(&format!("http://{}/", broker.http()))?;
    page.tell("connection online")?;
    page.tell("health well")?;
    // Else it may be killed before it has said who is there.
    page.tell("known 1")?;
    broker.kill()?;
    page.tell("connection offline 3000")?;
    page.tell("health unknown")?;
    // What was known stays, also on a page that was not open before.
    page.tell("painted 1 0")?;
    page.tell("shown stale")?;
    page.tell("accessible")?;
    page.tell("page Sessions")?;
    page.tell("accessible")?;
    broker.start_again()?;
    mosquitto_publishes(&broker, FLIPPED, r#"{"status":"offline"}"#)?;
    page.tell("connection online")?;
    page.tell("painted 1 0")?;
    page.tell(&format!("card {FLIPPED} offline"))?;
    page.tell("page Overview")?;
    page.tell("health well")?;
    page.finish()
}

fn dashboard(url: &str) -> Result<Script> {
    let mut command = tools::node("browser/dashboard.mjs");
    command.arg(url);
    let page = Script::start(command)?;
    page.expect("open")?;
    Ok(page)
}

/// Pictures of the pages that say something of this fleet, in light and dark.
fn take_pictures(page: &mut Script, folder: &Path) -> Result<()> {
    for title in ["Sessions", "Overview", "Presence"] {
        page.tell(&format!("page {title}"))?;
        for scheme in ["light", "dark"] {
            let name = title.to_lowercase();
            let picture = folder.join(format!("dashboard-{name}-{scheme}.png"));
            page.tell(&format!("screenshot {scheme} {}", picture.display()))?;
            let bytes = fs::metadata(&picture)
                .with_context(|| format!("{} was not written", picture.display()))?
                .len();
            ensure!(
                bytes < PICTURE_BYTES_MAX,
                "{} has {bytes} bytes",
                picture.display()
            );
        }
    }
    Ok(())
}

/// Sessions to be seen: some away with what waits for them, some connected.
fn sessions(broker: &Broker) -> Result<Vec<Peer>> {
    let mut connected = Vec::new();
    for (number, site) in ["aarhus", "bremen", "kiel", "odense", "rostock", "turku"]
        .into_iter()
        .enumerate()
    {
        for kind in ["gate", "scanner"] {
            let client_id = format!("{site}-{kind}-1");
            let (mut peer, _) = Peer::connect(broker, Transport::Tcp, kept(&client_id))?;
            peer.subscribe(&[&format!("orders/{site}"), "notices/#"], QoS::AtLeastOnce)?;
            if kind == "scanner" {
                connected.push(peer);
            }
        }
        let mut publisher = Peer::clean(broker, "orders")?;
        for order in 0..number * 7 {
            let payload = format!(r#"{{"order":{order},"lines":3}}"#);
            let topic = format!("orders/{site}");
            publisher.publish(publish(&topic, payload, QoS::AtLeastOnce, 1)?)?;
        }
    }
    Ok(connected)
}

fn mosquitto_publishes(broker: &Broker, topic: &str, payload: &str) -> Result<()> {
    let port = broker.mqtt().port().to_string();
    let mut command = tools::mosquitto_pub();
    command.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-r"]);
    command.args(["-t", topic, "-m", payload]);
    let output = command.output()?;
    if !output.status.success() {
        bail!(
            "mosquitto_pub {topic}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn paho_flips(broker: &Broker, status: &str) -> Result<()> {
    let mut command = tools::python("publish.py");
    command.args(["--port", &broker.mqtt().port().to_string(), "--retain"]);
    command.args(["--topic", FLIPPED, "--payload"]);
    command.arg(format!(
        r#"{{"status":"{status}","reason":"battery changed"}}"#
    ));
    script::run(command)
}
