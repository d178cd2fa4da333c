//! What a change of the file needs while the broker runs: each option carries it in its definition, and two configurations are
//! compared by what `ebbtide config check` would print of them.
//!
//! Flags and environment cannot change while a program runs, so a difference is always one of the file.

use std::fmt;

use clap::{Arg, Command, builder::ArgExt};
use ebbtide_api::{ConfigOption, ReloadTime};

use super::{Config, Section, limits::TABLE};

/// In the place of a value, which never is that: texts stand in quotation marks.
const NOT_GIVEN: &str = "not given";

/// When a changed option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// As soon as it has been read.
    AtOnce,
    /// For the connections to come; those that are there keep what they were told.
    Connections,
    /// After a restart.
    Restart,
}

pub(super) const AT_ONCE: Reload = Reload::AtOnce;
pub(super) const CONNECTIONS: Reload = Reload::Connections;
pub(super) const RESTART: Reload = Reload::Restart;

impl ArgExt for Reload {}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "at once",
            Self::Connections => "for the connections to come",
            Self::Restart => "after a restart",
        })
    }
}

/// One option that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// As in the file.
    pub key: String,
    /// What it was and is; `None`: it is not shown, for secrets are in it, or not far.
    pub values: Option<(String, String)>,
    /// When it holds.
    pub reload: Reload,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        match &self.values {
            Some((before, after)) => write!(f, ": {before} → {after}"),
            None => f.write_str(" is another one"),
        }
    }
}

/// In what the file says something else than what held until it was read. It has been read now, and `then` holds.
pub fn differences(
    now: &Config,
    then: &Config,
    file: &Config,
    command: &Command,
) -> Vec<Difference> {
    let shown = [now, then, file].map(Shown::new);
    let mut found = Vec::new();
    for argument in command.get_arguments() {
        let Some((key, section, reload)) = option(argument) else {
            continue;
        };
        let [before, held, after] = [0, 1, 2].map(|one| shown[one].value(section, key));
        if before != after {
            let reload = waiting(reload, held != after);
            let [before, after] =
                [before, after].map(|value| value.unwrap_or_else(|| NOT_GIVEN.to_owned()));
            found.push(Difference {
                key: key.to_owned(),
                values: Some((before, after)),
                reload,
            });
        }
    }
    if now.auth.jwt != file.auth.jwt {
        found.push(Difference {
            key: "[[jwt]]".to_owned(),
            values: None,
            reload: waiting(Reload::AtOnce, then.auth.jwt != file.auth.jwt),
        });
    }
    found
}

/// All options as they hold now, and what `file`, which was read last, says that waits for a restart.
pub fn in_force(now: &Config, file: &Config, command: &Command) -> Vec<ConfigOption> {
    let [now, file] = [now, file].map(Shown::new);
    let mut found = Vec::new();
    for argument in command.get_arguments() {
        let Some((key, section, reload)) = option(argument) else {
            continue;
        };
        let (value, read) = (now.value(section, key), file.value(section, key));
        let waits = value != read;
        found.push(ConfigOption {
            key: match section {
                Section::Top => key.to_owned(),
                Section::Limits => format!("{TABLE}.{key}"),
            },
            after_restart: waits.then(|| read.unwrap_or_else(|| NOT_GIVEN.to_owned())),
            value,
            reload: match waiting(reload, waits) {
                Reload::AtOnce => ReloadTime::AtOnce,
                Reload::Connections => ReloadTime::Connections,
                Reload::Restart => ReloadTime::Restart,
            },
        });
    }
    found
}

/// Its key, where that stands, and when a change of it holds; `None`: it is no option of the file.
fn option(argument: &Arg) -> Option<(&str, Section, Reload)> {
    let reload = *argument.get::<Reload>()?;
    Some((argument.get_id().as_str(), Section::of(argument), reload))
}

/// When a change holds that was read, and waits or not.
fn waiting(reload: Reload, waits: bool) -> Reload {
    match waits {
        true => Reload::Restart,
        false => reload,
    }
}

/// A configuration as it is printed.
struct Shown(toml::Table);

impl Shown {
    fn new(config: &Config) -> Self {
        Self(toml::from_str(&config.to_string()).expect("what is printed can be read"))
    }

    fn value(&self, section: Section, key: &str) -> Option<String> {
        let table = match section {
            Section::Top => Some(&self.0),
            Section::Limits => self.0.get(TABLE).and_then(toml::Value::as_table),
        };
        table?.get(key).map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::{
        cli::Cli,
        config::{Options, file},
    };

    fn config(text: &str) -> Config {
        let options: Options = toml::from_str(text).expect("valid TOML");
        Config::resolve(options).expect("a valid configuration")
    }

    fn found(started: &str, current: &str, next: &str) -> Vec<String> {
        let [started, current, next] = [started, current, next].map(config);
        let now = started.then(&current).expect("they get on");
        let then = now.then(&next).expect("they get on");
        let found = differences(&now, &then, &next, &Cli::command());
        found
            .iter()
            .map(|one| format!("{one} ({})", one.reload))
            .collect()
    }

    #[test]
    fn every_option_says_when_a_change_holds() {
        let command = Cli::command();
        for section in [Section::Top, Section::Limits] {
            for key in file::keys(&command, section) {
                let argument = command.get_arguments().find(|one| one.get_id() == key);
                let reload = argument.and_then(|argument| argument.get::<Reload>());
                assert!(reload.is_some(), "{key}");
            }
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        assert_eq!(found("", "", ""), Vec::<String>::new());
        assert_eq!(
            found(
                "",
                "",
                "log = 'debug'\nallow_host = ['a.example']\nsys_interval = 1\nserver_reference = 'b:1'\n[limits]\nreceive_maximum = 7"
            ),
            [
                "allow_host: [] → [\"a.example\"] (at once)",
                "server_reference: not given → \"b:1\" (at once)",
                "sys_interval: 10 → 1 (after a restart)",
                "log: \"info\" → \"debug\" (at once)",
                "receive_maximum: 1024 → 7 (for the connections to come)",
            ]
        );
    }

    #[test]
    fn what_is_in_force_is_all_there_is_and_says_what_waits() {
        let [started, current] =
            ["", "sys_interval = 1\n[limits]\nreceive_maximum = 7"].map(config);
        let command = Cli::command();
        let now = started.then(&current).expect("they get on");
        let options = in_force(&now, &current, &command);
        let count =
            [Section::Top, Section::Limits].map(|section| file::keys(&command, section).count());
        assert_eq!(options.len(), count.iter().sum::<usize>());
        let of = |key: &str| {
            let option = options.iter().find(|option| option.key == key);
            let option = option.expect("it is there");
            let (value, waits) = (option.value.clone(), option.after_restart.clone());
            (value.unwrap_or_default(), option.reload, waits)
        };
        let restart = ReloadTime::Restart;
        assert_eq!(
            of("sys_interval"),
            ("10".to_owned(), restart, Some("1".to_owned()))
        );
        let connections = ReloadTime::Connections;
        assert_eq!(
            of("limits.receive_maximum"),
            ("7".to_owned(), connections, None)
        );
        assert_eq!(
            of("server_reference"),
            (String::new(), ReloadTime::AtOnce, None)
        );
    }

    /// Would fail if it were left out like one that does not wait.
    #[test]
    fn what_the_file_gives_up_waits_as_not_given() {
        let [started, next] = ["presence_topic = 'p/{client}'", ""].map(config);
        let now = started.then(&next).expect("they get on");
        let options = in_force(&now, &next, &Cli::command());
        let option = options.iter().find(|one| one.key == "presence_topic");
        let option = option.expect("it is there");
        assert_eq!(option.value.as_deref(), Some("\"p/{client}\""));
        assert_eq!(option.after_restart.as_deref(), Some("not given"));
        assert_eq!(option.reload, ReloadTime::Restart);
    }

    #[test]
    fn what_needs_a_restart_is_said_until_there_was_one() {
        let next = "sys_interval = 1\nlog = 'debug'";
        assert_eq!(
            found("", next, next),
            ["sys_interval: 10 → 1 (after a restart)"]
        );
        assert_eq!(found("", next, ""), ["log: \"debug\" → \"info\" (at once)"]);
    }
}
