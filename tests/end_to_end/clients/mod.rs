//! Real clients of others, in every version that they speak: one list of behaviours, and for each client a thin adapter.
//!
//! A test is one client in one version; it plays all behaviours before it says which of them failed.

mod behaviours;
mod behaviours_5;
mod client;
mod matrix;
mod mosquitto;
mod page;
mod rumqtt;
mod scripted;
mod stage;

use std::thread;

use anyhow::{Result, bail};
use ebbtide_tests::tools;

use self::matrix::{BEHAVIOURS, Behaviour, IDLE, Kind, Version, cannot};
use self::stage::Stage;

macro_rules! clients {
    ($($name:ident: $kind:ident, $version:ident;)*) => {$(
        #[test]
        fn $name() -> Result<()> {
            play(Kind::$kind, Version::$version)
        }
    )*};
}

clients! {
    paho_3_1_1: Paho, V3;
    paho_5_0: Paho, V5;
    aiomqtt_3_1_1: Aiomqtt, V3;
    aiomqtt_5_0: Aiomqtt, V5;
    mqtt_js_3_1_1: MqttJs, V3;
    mqtt_js_5_0: MqttJs, V5;
    mqtt_js_over_web_socket_3_1_1: MqttJsWebSocket, V3;
    mqtt_js_over_web_socket_5_0: MqttJsWebSocket, V5;
    mosquitto_3_1_1: Mosquitto, V3;
    mosquitto_5_0: Mosquitto, V5;
    rumqttc_3_1_1: Rumqttc, V3;
    rumqttc_5_0: Rumqttc, V5;
}

fn play(kind: Kind, version: Version) -> Result<()> {
    if !tools::present(kind.needs()) {
        return Ok(());
    }
    let asked = BEHAVIOURS.iter().filter(|behaviour| {
        let is_asked = version == Version::V5 || !behaviour.is_of_5;
        is_asked && cannot(kind, version, behaviour.title).is_none()
    });
    let (idle, others): (Vec<_>, Vec<_>) = asked.partition(|behaviour| behaviour.title == IDLE);
    let failures = thread::scope(|scope| -> Result<Vec<String>> {
        // It waits for about as long as all others take, and one of those kills the broker.
        let idle = scope.spawn(|| perform(kind, version, &idle));
        let mut failures = perform(kind, version, &others)?;
        failures.extend(idle.join().expect("no panic")?);
        Ok(failures)
    })?;
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}:\n  {}", kind.name(), failures.join("\n  "))
}

/// On a stage of their own; says which of them failed.
fn perform(kind: Kind, version: Version, behaviours: &[&Behaviour]) -> Result<Vec<String>> {
    if behaviours.is_empty() {
        return Ok(Vec::new());
    }
    let mut stage = Stage::open(kind, version)?;
    let run = |behaviour: &&Behaviour| {
        let error = (behaviour.run)(&mut stage).err()?;
        Some(format!("{}: {error:#}", behaviour.title))
    };
    Ok(behaviours.iter().filter_map(run).collect())
}
