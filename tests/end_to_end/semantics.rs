//! What clients rely on and `clients` does not ask of all of them: both versions together, overlapping subscriptions, a will after
//! a kill of the broker; and takeover, on the wire.

use anyhow::{Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};
use ebbtide_tests::wire::Wire;

macro_rules! checked_by_paho {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() -> Result<()> {
            if !tools::present(&[Tool::Python]) {
                return Ok(());
            }
            let broker = Broker::start()?;
            let mut command = tools::python("semantics.py");
            command.args(["--port", &broker.mqtt().port().to_string(), stringify!($name)]);
            script::run(command)
        }
    )*};
}

checked_by_paho! {
    messages_pass_between_both_versions
    overlapping_subscriptions_and_unsubscribe
}

#[test]
fn a_will_of_a_transient_client_is_published_after_a_kill_of_the_broker() -> Result<()> {
    if !tools::present(&[Tool::Python]) {
        return Ok(());
    }
    let mut broker = Broker::start()?;
    let mut command = tools::python("will_after_kill.py");
    command.args(["--port", &broker.mqtt().port().to_string()]);
    let mut script = script::Script::start(command)?;
    script.expect("connected")?;
    broker.crash_and_restart()?;
    script.tell("restarted")?;
    script.finish()
}

#[test]
fn a_second_connection_takes_the_client_id_over() -> Result<()> {
    const SESSION_TAKEN_OVER: u8 = 0x8e;
    let broker = Broker::start()?;
    let mut first = Wire::connect(broker.mqtt(), "same")?;
    let mut second = Wire::connect(broker.mqtt(), "same")?;
    let farewell = first.packet()?.unwrap_or_default();
    ensure!(
        farewell.first() == Some(&0xe0),
        "no DISCONNECT: {farewell:02x?}"
    );
    ensure!(
        farewell.get(2) == Some(&SESSION_TAKEN_OVER),
        "{farewell:02x?}"
    );
    ensure!(first.packet()?.is_none(), "the old connection must end");
    second.ping()
}
