//! What the broker says on standard output at start: where it is, and what is protected and what is not. The format is
//! stable; scripts read it.

use std::io::Write;

use crate::config::{Config, ListenAddress, Storage};

/// The addresses to use.
pub fn started(config: &Config, mqtt: ListenAddress, http: ListenAddress) {
    let data = match &config.storage {
        Storage::Directory(path) => path.display().to_string(),
        Storage::Ephemeral => "in memory only, gone when the broker stops (--ephemeral)".to_owned(),
    };
    let protection = if mqtt.is_loopback() && http.is_loopback() {
        "only this machine can connect; nobody is asked who they are"
    } else {
        "anybody who can reach these addresses may read and publish everything (--allow-anonymous)"
    };
    say(&format!(
        "MQTT       mqtt://{mqtt}\n\
         WebSocket  ws://{http}/mqtt\n\
         Dashboard  http://{http}/\n\
         Data       {data}\n\
         Access     {protection}\n"
    ));
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
