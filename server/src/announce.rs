//! What the broker says on standard output at start: where it is, and what is protected and what is not. The format is
//! stable; scripts read it.

use std::io::Write;

use crate::{
    config::{Config, Storage},
    serve::Addresses,
};

/// The addresses to use.
pub fn started(config: &Config, at: &Addresses) {
    let data = match &config.storage {
        Storage::Directory(path) => path.display().to_string(),
        Storage::Ephemeral => "in memory only, gone when the broker stops (--ephemeral)".to_owned(),
    };
    let protection = if config.auth.is_on() {
        "everybody is asked who they are, and rules decide what they may do (--auth)"
    } else if at.are_loopback() {
        "only this machine can connect; nobody is asked who they are"
    } else {
        "anybody who can reach these addresses may read and publish everything (--allow-anonymous)"
    };
    let Addresses { mqtt, http, .. } = at;
    let mut lines = vec![
        format!("MQTT       mqtt://{mqtt}"),
        format!("WebSocket  ws://{http}/mqtt"),
        format!("Dashboard  http://{http}/"),
    ];
    if let Some(mqtts) = at.mqtts {
        lines.push(format!("MQTT       mqtts://{mqtts}"));
    }
    if let Some(https) = at.https {
        lines.push(format!("WebSocket  wss://{https}/mqtt"));
        lines.push(format!("Dashboard  https://{https}/"));
    }
    lines.push(format!("Data       {data}"));
    lines.push(format!("Access     {protection}\n"));
    say(&lines.join("\n"));
}

/// Connections are taken from now on.
pub fn ready() {
    say("ready\n");
}

fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
}
