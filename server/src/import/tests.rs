//! Whole files: what is written for them can be used, and each line that is not carried over is named.

use std::{fs, path::PathBuf};

use clap::CommandFactory;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    cli::Cli,
    config::{Config, read_file},
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("writes");
        path
    }

    fn import(&self, conf: &str) -> (String, Vec<String>) {
        let path = self.put("mosquitto.conf", conf);
        let imported = mosquitto(&path, None, None).expect("it can be read");
        let start = format!("{}/", self.0.path().display());
        let notes = imported.notes.texts().into_iter();
        let notes = notes.map(|note| note.replace(&start, "")).collect();
        let text = file(&imported);
        // What is written is a configuration.
        let written = self.put("ebbtide.toml", &text);
        let options = read_file(Some(&written), &Cli::command()).expect("known keys");
        if let Err(error) = Config::resolve(options) {
            panic!("{error}:\n{text}");
        }
        let (settings, _) = text
            .split_once("\n# To be looked at")
            .unwrap_or((&text, ""));
        (settings.to_owned(), notes)
    }
}

const HASH: &str = "$7$101$G7bX8MgKhtDZFxjN$eO7AJwutZcOtInham+aZp1TjzHzWBgDcIUVO+hD576uA1rLgyFOYx5AQo6QZ/i6Sm0Aredvh/uJFPphVIKMUug==";

#[test]
fn a_file_with_users_rules_and_limits() {
    let folder = Folder::new();
    folder.put("passwords", &format!("ann:{HASH}\nbob:secret\n"));
    folder.put("acl", "user ann\ntopic a/#\n");
    let (text, notes) = folder.import(
        "# comment\nlistener 1883 127.0.0.1\nlistener 9001 127.0.0.1\nprotocol websockets\npassword_file passwords\nacl_file acl\n\
         max_queued_messages 50\nmax_inflight_messages 0\npersistent_client_expiration 14d\nsys_interval 7\nlog_type debug\npersistence true\n",
    );
    let expected = format!(
        "# Made by `ebbtide import mosquitto`. Every option: docs/configuration.md.\n\n\
         mqtt = \"127.0.0.1:1883\"\nhttp = \"127.0.0.1:9001\"\nsys_interval = 7\nlog = \"debug\"\nauth = [\"password\"]\n\n\
         [limits]\nqueue_messages_per_session_max = 50\nsession_expiry_interval_max = 1209600\n\n\
         [[users]]\nname = \"ann\"\npassword_hash = \"{HASH}\"\n\n\
         [[rules]]\neffect = \"allow\"\nwho = {{ user = \"ann\" }}\nactions = [\"publish\", \"subscribe\", \"retain\"]\ntopics = [\"a/#\"]\n"
    );
    assert_eq!(text, expected);
    for part in [
        "passwords:2: the password of \"bob\" is no hash",
        "mosquitto.conf:8: 0 is no limit there",
        "mosquitto.conf:3: MQTT over WebSocket is at the path `/mqtt`",
        "Mosquitto grants every subscription",
        "nobody may use the HTTP API",
    ] {
        assert!(
            notes.iter().any(|note| note.starts_with(part)),
            "{part}: {notes:#?}"
        );
    }
    assert_eq!(notes.len(), 5, "{notes:#?}");
}

#[test]
fn each_line_that_is_not_carried_over_is_named() {
    let folder = Folder::new();
    let conf = "bridge_attempt_unsubscribe true\nconnection other\naddress other.example\ntopic # both\nplugin /lib/x.so\nplugin_opt_a b\n\
                per_listener_settings true\nmemory_limit 1000\nuser mosquitto\nlog_dest file /var/log/m\npersistence_location /var/lib\n\
                nonsense 7\nmax_packet_size x\nlistener 1883\nlistener 1884\nmount_point a/\nallow_anonymous maybe\nlistener 0 /run/s\n";
    let (_, notes) = folder.import(conf);
    for line in 1..=18 {
        let start = format!("mosquitto.conf:{line}: ");
        assert!(
            notes.iter().any(|note| note.starts_with(&start)),
            "line {line}: {notes:#?}"
        );
    }
}

#[test]
fn who_may_come_in_is_as_it_was() {
    let folder = Folder::new();
    let open = "auth = ";
    // Nothing is listened for but loopback, and everybody may come in.
    let (text, _) = folder.import("");
    assert!(
        text.contains("allow_anonymous = true") && !text.contains(open),
        "{text}"
    );
    let (_, notes) = folder.import("");
    let is_about_the_api = |note: &String| note.contains("HTTP API and");
    assert!(!notes.iter().any(is_about_the_api), "{notes:#?}");
    // With a listener nobody may, unless it is said.
    let (text, _) = folder.import("listener 1883\n");
    assert!(
        text.contains("auth = [\"password\"]") && !text.contains("allow_anonymous"),
        "{text}"
    );
    let (text, _) = folder.import("listener 1883\nallow_anonymous true\n");
    assert!(
        text.contains("allow_anonymous = true") && !text.contains(open),
        "{text}"
    );
    folder.put("passwords", &format!("ann:{HASH}\n"));
    let (text, _) = folder.import("listener 1883\npassword_file passwords\n");
    // Without an ACL file whoever is in may do everything.
    assert!(
        text.contains("topics = [\"#\"]") && text.contains("topics = [\"$SYS/#\"]"),
        "{text}"
    );
    let both = "listener 1883\nallow_anonymous true\npassword_file passwords\n";
    let (text, _) = folder.import(both);
    assert!(
        text.contains("auth = [\"password\"]\nallow_anonymous = true"),
        "{text}"
    );
}

#[test]
fn connections_of_all_listeners_are_counted_together() {
    let folder = Folder::new();
    let (text, notes) = folder.import(
        "listener 1883\nmax_connections 100\nlistener 9001\nprotocol websockets\nmax_connections 50\n",
    );
    assert!(text.contains("connections_max = 150\n"), "{text}");
    let is_told = |note: &String| note.starts_with("mosquitto.conf:5: connections_max");
    assert!(notes.iter().any(is_told), "{notes:#?}");
    let (text, _) = folder.import("max_connections -1\n");
    assert!(!text.contains("connections_max"), "{text}");
}

#[test]
fn tls_and_certificates_of_clients() {
    let folder = Folder::new();
    let tls = "listener 8883 127.0.0.1\ncafile ca.pem\ncertfile c.pem\nkeyfile k.pem\nrequire_certificate true\nuse_identity_as_username true\n\
               crlfile r.pem\nlistener 8443 127.0.0.1\nprotocol websockets\ncertfile other.pem\nkeyfile k.pem\n";
    let (text, notes) = folder.import(tls);
    for line in [
        "mqtts = \"127.0.0.1:8883\"",
        "https = \"127.0.0.1:8443\"",
        "tls_certificate = \"c.pem\"",
        "tls_key = \"k.pem\"",
        "tls_client_ca = \"ca.pem\"",
        "tls_client_crl = \"r.pem\"",
        "auth = [\"certificate\"]",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    for part in [
        "both listeners with TLS have one certificate",
        "is about both listeners with TLS",
    ] {
        assert!(
            notes.iter().any(|note| note.contains(part)),
            "{part}: {notes:#?}"
        );
    }
}

#[test]
fn files_of_a_folder_are_read_in_the_order_of_their_names() {
    let folder = Folder::new();
    let other = folder.0.path().join("conf.d");
    fs::create_dir(&other).expect("a folder");
    for (name, text) in [
        ("b.conf", "max_queued_messages 2\n"),
        ("a.conf", "max_queued_messages 1\n"),
        ("c.txt", "x 1\n"),
    ] {
        fs::write(other.join(name), text).expect("writes");
    }
    let (text, _) = folder.import(&format!("include_dir {}\n", other.display()));
    assert!(
        text.contains("queue_messages_per_session_max = 2"),
        "{text}"
    );
    assert!(mosquitto(&folder.0.path().join("none"), None, None).is_err());
}

/// Keys that mean something, each with whatever stands behind it.
fn any_line() -> impl Strategy<Value = String> {
    let keys = vec![
        "listener",
        "port",
        "bind_address",
        "protocol",
        "certfile",
        "keyfile",
        "cafile",
        "crlfile",
        "require_certificate",
        "use_identity_as_username",
        "allow_anonymous",
        "max_queued_messages",
        "max_packet_size",
        "max_keepalive",
        "message_size_limit",
        "persistent_client_expiration",
        "log_type",
        "max_connections",
        "sys_interval",
        "bridge_x",
        "user",
        "topic",
        "pattern",
        "nonsense",
        "",
    ];
    let values = vec![
        "",
        "0",
        "7",
        "true",
        "false",
        "websockets",
        "1883",
        "1883 127.0.0.1",
        "1884 ::1",
        "8883 a b",
        "99999999999999999999",
        "-1",
        "14d",
        "d",
        "9999999999999y",
        "é",
        "1é",
        "read a/#",
        "deny x\u{7f}y",
        "write %u/%c",
        "\"quoted\"",
        "all",
    ];
    let (key, value) = (prop::sample::select(keys), prop::sample::select(values));
    (key, value).prop_map(|(key, value)| format!("{key} {value}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is written can always be read, and nobody's file makes the program fail.
    #[test]
    fn any_files_give_one_that_can_be_read(
        conf in prop::collection::vec(any_line(), 0..12),
        acl in prop::collection::vec(any_line(), 0..12),
        passwords in "(\\PC{0,9}(:\\$[67]\\$\\PC{0,9})?\n){0,5}",
    ) {
        let folder = Folder::new();
        let conf = folder.put("mosquitto.conf", &conf.concat());
        let acl = folder.put("acl", &acl.concat());
        let passwords = folder.put("passwords", &passwords);
        let imported = mosquitto(&conf, Some(&passwords), Some(&acl)).expect("they can be read");
        let text = file(&imported);
        let parsed = toml::from_str::<crate::config::Options>(&text);
        prop_assert!(parsed.is_ok() || is_about_an_address(&text), "{parsed:?}\n{text}");
    }
}

/// Its note says so.
fn is_about_an_address(text: &str) -> bool {
    text.contains("is no IP address: host names are not resolved")
}
