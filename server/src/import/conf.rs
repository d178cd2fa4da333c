//! `mosquitto.conf`: each line is taken over, means nothing here, or gets a note.

use std::{fs, path::Path};

use super::{ImportError, Line, Notes, listeners::Listeners};

/// What the file says, in the names of this broker.
#[derive(Debug, Default)]
pub struct Settings {
    pub listeners: Listeners,
    pub allow_anonymous: Option<bool>,
    pub password_file: Option<String>,
    pub acl_file: Option<String>,
    /// There is a password file, named here or by the operator.
    pub has_users: bool,
    /// Above all tables: key and value as in the file.
    pub top: Vec<(&'static str, String)>,
    /// Below `[limits]`.
    pub limits: Vec<(&'static str, String)>,
}

/// Reads the file and those of its `include_dir`.
pub fn read(path: &Path, notes: &mut Notes) -> Result<Settings, ImportError> {
    let mut settings = Settings::default();
    for line in Line::read(path)? {
        match line.text.strip_prefix("include_dir ") {
            Some(folder) => {
                for line in included(folder.trim())? {
                    settings.take(&line, notes);
                }
            }
            None => settings.take(&line, notes),
        }
    }
    Ok(settings)
}

/// The lines of `*.conf` in a folder, the files in the order of their names.
fn included(folder: &str) -> Result<Vec<Line>, ImportError> {
    let error = |source| ImportError {
        path: folder.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            files.push(path);
        }
    }
    files.sort();
    let lines = files.iter().map(|path| Line::read(path));
    Ok(lines.collect::<Result<Vec<_>, _>>()?.concat())
}

impl Settings {
    fn take(&mut self, line: &Line, notes: &mut Notes) {
        let (key, value) = line.text.split_once(' ').unwrap_or((&line.text, ""));
        let value = value.trim();
        if self.listeners.take(line, key, value, notes) {
            return;
        }
        match key {
            "allow_anonymous" => match value {
                "true" => self.once(line, notes, |it| &mut it.allow_anonymous, true),
                "false" => self.once(line, notes, |it| &mut it.allow_anonymous, false),
                _ => notes.add(line, "neither true nor false: left out"),
            },
            "password_file" => self.once(line, notes, |it| &mut it.password_file, value.to_owned()),
            "acl_file" => self.once(line, notes, |it| &mut it.acl_file, value.to_owned()),
            "max_connections" if value == "-1" => {}
            "max_connections" => self.connections(line, value, notes),
            "sys_interval" => self.number(line, value, notes, "sys_interval", false, None),
            "max_queued_messages" => {
                let key = "queue_messages_per_session_max";
                self.number(line, value, notes, key, true, None);
            }
            "max_queued_bytes" => {
                let key = "queue_bytes_per_session_max";
                self.number(line, value, notes, key, true, None);
            }
            "max_inflight_messages" => {
                self.number(line, value, notes, "receive_maximum", true, Some(65_535));
            }
            "max_packet_size" => {
                self.number(line, value, notes, "maximum_packet_size", true, None);
            }
            "message_size_limit" => {
                self.number(line, value, notes, "maximum_packet_size", true, None);
                notes.add(
                    line,
                    "maximum_packet_size counts the whole packet, topic and properties included",
                );
            }
            "max_keepalive" => {
                self.number(line, value, notes, "keep_alive_s_max", true, Some(65_535));
            }
            "max_topic_alias" => {
                self.number(
                    line,
                    value,
                    notes,
                    "topic_alias_maximum",
                    false,
                    Some(65_535),
                );
            }
            "persistent_client_expiration" => match seconds(value) {
                Some(seconds) => self
                    .limits
                    .push(("session_expiry_interval_max", seconds.to_string())),
                None => notes.add(
                    line,
                    format!("{value:?} is no time such as `14d`: left out"),
                ),
            },
            "log_type" => match value {
                "all" | "debug" => self.put_top("log", "\"debug\""),
                "none" => self.put_top("log", "\"off\""),
                _ => {}
            },
            _ => match known(key, value) {
                Some("") => {}
                Some(why) => notes.add(line, format!("`{key}`: {why}")),
                None => notes.add(line, format!("`{key}` is not known: left out")),
            },
        }
    }

    fn put_top(&mut self, key: &'static str, value: &str) {
        self.top.retain(|(known, _)| *known != key);
        self.top.push((key, value.to_owned()));
    }

    /// There is one of these for all listeners: the first that is given.
    fn once<T: PartialEq>(
        &mut self,
        line: &Line,
        notes: &mut Notes,
        place: impl Fn(&mut Self) -> &mut Option<T>,
        value: T,
    ) {
        match place(self) {
            None => *place(self) = Some(value),
            Some(known) if *known == value => {}
            Some(_) => notes.add(
                line,
                "users and rules are those of all listeners here: the first that is given counts, this one is left out",
            ),
        }
    }

    /// `none_is_zero`: 0 is no limit there, and the default here.
    fn number(
        &mut self,
        line: &Line,
        value: &str,
        notes: &mut Notes,
        key: &'static str,
        none_is_zero: bool,
        max: Option<u64>,
    ) {
        let Ok(number) = value.parse::<u64>() else {
            return notes.add(line, format!("{value:?} is no number: left out"));
        };
        if number == 0 && none_is_zero {
            return notes.add(line, format!("0 is no limit there; here {key} has one, its default: see docs/configuration.md"));
        }
        let number = max.map_or(number, |max| number.min(max));
        match key {
            "sys_interval" => self.put_top(key, &number.to_string()),
            _ => {
                self.limits.retain(|(known, _)| *known != key);
                self.limits.push((key, number.to_string()));
            }
        }
    }

    /// There it is one for each listener.
    fn connections(&mut self, line: &Line, value: &str, notes: &mut Notes) {
        const KEY: &str = "connections_max";
        let known = self.limits.iter().find(|(known, _)| *known == KEY);
        let known = known.and_then(|(_, count)| count.parse::<u64>().ok());
        match value.parse::<u64>() {
            Ok(count) if count > 0 => {
                self.limits.retain(|(known, _)| *known != KEY);
                let sum = known.unwrap_or_default().saturating_add(count);
                // As much as the file can say.
                let sum = sum.min(i64::MAX as u64);
                self.limits.push((KEY, sum.to_string()));
                notes.add(
                    line,
                    "connections_max counts those of all listeners together: the sum is taken",
                );
            }
            _ => notes.add(
                line,
                format!("{value:?} is no number of connections: left out"),
            ),
        }
    }

    /// What can be said once everything was read.
    pub fn conclude(&mut self, has_rules: bool, notes: &mut Notes) {
        if !self.listeners.are_given() {
            // Mosquitto then listens on loopback, and lets everybody in.
            self.allow_anonymous.get_or_insert(true);
        }
        if has_rules && !self.has_users && !self.listeners.has_certificate_users() {
            notes.add_general(
                "there are rules and no password file: Mosquitto believes any user name then, this broker does not; add users with `ebbtide users set`",
            );
        }
        if has_rules {
            notes.add_general(
                "Mosquitto grants every subscription and leaves out what may not be read; here a filter that no rule covers is refused (0x87): \
                 docs/from-mosquitto.md",
            );
        }
        self.listeners.conclude(notes);
    }
}

/// `14d` and the like.
fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        "m" => 2_592_000,
        "y" => 31_536_000,
        _ => return None,
    };
    let seconds = number.trim().parse::<u64>().ok()?.checked_mul(unit)?;
    Some(seconds.min(u64::from(u32::MAX)))
}

/// What becomes of the rest: nothing that anybody would miss (an empty text), or a sentence.
fn known(key: &str, value: &str) -> Option<&'static str> {
    let is_default = |default: &str| value == default;
    Some(match key {
        "persistence" if is_default("true") => "",
        "persistence" => {
            "what is acknowledged is always kept here; for a broker that forgets: `ephemeral = true`"
        }
        "persistence_location" | "persistence_file" => {
            "its data cannot be read; sessions and retained messages begin anew in `data_dir` (retained messages can be published again: \
             docs/from-mosquitto.md)"
        }
        "autosave_interval" | "autosave_on_changes" => {
            "not needed: everything is on disk before it is acknowledged"
        }
        "log_dest" => "the log goes to standard error, for the service manager to keep",
        "log_timestamp" | "log_timestamp_format" | "connection_messages" | "log_facility" => "",
        "websockets_log_level" => "",
        "pid_file" => "not written: service managers know the process",
        "user" => "the service manager says who runs the broker (`User=`, as in docs/deploy)",
        "set_tcp_nodelay" | "allow_duplicate_messages" | "upgrade_outgoing_qos"
            if is_default("false") =>
        {
            ""
        }
        "set_tcp_nodelay" => "",
        "allow_duplicate_messages" => {
            "a client gets one copy of a message, whatever filters of it match"
        }
        "upgrade_outgoing_qos" => "QoS is the lower of both, as the standard has it",
        "retain_available" if is_default("true") => "",
        "retain_available" => {
            "retained messages are always there; rules can keep clients from setting them (the action `retain`)"
        }
        "queue_qos0_messages" if is_default("false") => "",
        "queue_qos0_messages" => "messages with QoS 0 do not wait for clients that are away",
        "check_retain_source" => "rules are asked again whenever a retained message is sent",
        "max_inflight_bytes" => "there is no such limit: `receive_maximum` counts messages",
        "memory_limit" => {
            "`memory_bytes_max` does the same, for all that the program takes: choose one anew"
        }
        "per_listener_settings" if is_default("false") => "",
        "per_listener_settings" => "users and rules are those of all listeners here",
        "allow_zero_length_clientid" if is_default("true") => "",
        "allow_zero_length_clientid" => "clients without an id get one",
        "auto_id_prefix" => "assigned client ids begin with `auto-`",
        "clientid_prefixes" => {
            "rules can say what a client may do by its id (`{client}`), not keep it out"
        }
        "psk_file" | "psk_hint" | "use_psk" => {
            "there are no pre-shared keys: use certificates of clients"
        }
        "plugin" | "auth_plugin" | "auth_plugin_deny_special_chars" | "global_plugin" => {
            "there are no plugins; tokens of others: `[[jwt]]` in docs/security.md"
        }
        key if key.starts_with("auth_opt_") || key.starts_with("plugin_opt_") => {
            "it belongs to a plugin, and there are none"
        }
        key if BRIDGE.contains(&key)
            || key.starts_with("bridge_")
            || key.starts_with("remote_")
            || key.starts_with("local_") =>
        {
            "there are no bridges: another program has to carry messages between brokers"
        }
        _ => return None,
    })
}

/// The options of bridges, which have no prefix.
const BRIDGE: [&str; 15] = [
    "connection",
    "address",
    "addresses",
    "topic",
    "cleansession",
    "clientid",
    "username",
    "password",
    "keepalive_interval",
    "start_type",
    "restart_timeout",
    "round_robin",
    "try_private",
    "notifications",
    "idle_timeout",
];
