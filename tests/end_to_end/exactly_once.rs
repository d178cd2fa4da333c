//! QoS 2 in both directions while the network breaks: nothing is lost, nothing comes twice.

use anyhow::Result;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::proxy::Proxy;
use ebbtide_tests::script::Script;
use ebbtide_tests::tools::{self, Tool};

/// The script asks for six; some come while a client is on its way back.
const BREAKS: usize = 6;

#[test]
fn qos_2_arrives_exactly_once_across_reconnects() -> Result<()> {
    if !tools::present(&[Tool::Python]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let network = Proxy::start(broker.mqtt())?;
    let mut command = tools::python("exactly_once.py");
    command.args(["--port", &network.address().port().to_string()]);
    let script = Script::start(command)?;
    for _ in 0..BREAKS {
        script.expect("break")?;
        network.cut_connections();
    }
    script.finish()
}

#[test]
fn qos_2_arrives_exactly_once_across_a_kill_of_the_broker() -> Result<()> {
    if !tools::present(&[Tool::Python]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    let mut command = tools::python("exactly_once.py");
    command.args(["--port", &broker.mqtt().port().to_string()]);
    let script = Script::start(command)?;
    script.expect("break")?;
    broker.crash_and_restart()?;
    script.finish()
}
