//! `ebbtide.toml` and the environment: unknown names are found and the nearest known one is named.
//!
//! The known keys are the ids of the flags, so there is no second list. A mistake in the file is an error with its
//! line. A strange variable is only a warning: container platforms put their own into everybody's environment.

use std::{
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::{Arg, Command};
use toml::de::DeTable;

use super::{
    ConfigError, Options,
    auth::TABLES,
    limits::{HEADING, TABLE},
    reference,
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "ebbtide.toml";
/// Variables of that prefix are ours.
const PREFIX: &str = "EBBTIDE_";
/// Set while the program is built, and by `cargo run` also while it runs.
const BUILD_PREFIX: &str = "EBBTIDE_WEB_";
/// How alike two names must be (0 to 1) for one to be offered instead of the other.
const ALIKE: f64 = 0.75;

/// Reads the file named on the command line, or the default one if it is there.
pub fn read_file(named: Option<&Path>, command: &Command) -> Result<Options, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path, command),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {
            Ok(Options::default())
        }
        Err(source) => Err(ConfigError::Unreadable {
            path: path.into(),
            source,
        }),
    }
}

/// Takes in what such a file says.
pub fn parse(text: &str, path: &Path, command: &Command) -> Result<Options, ConfigError> {
    let mistake = |offset: usize, message: String| ConfigError::File {
        path: PathBuf::from(path),
        line: 1 + text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count(),
        message,
    };
    let syntax = |error: toml::de::Error| {
        mistake(
            error.span().map_or(0, |span| span.start),
            error.message().to_owned(),
        )
    };
    let table = DeTable::parse(text).map_err(syntax)?;
    let table = table.get_ref();
    let limits = table
        .get(TABLE)
        .and_then(|value| value.get_ref().as_table());
    for (entries, section) in [(Some(table), Section::Top), (limits, Section::Limits)] {
        for key in entries.into_iter().flat_map(DeTable::keys) {
            if let Some(message) = unknown_key(key.get_ref(), section, command) {
                return Err(mistake(key.span().start, message));
            }
        }
    }
    let options: Options = toml::from_str(text).map_err(|error: toml::de::Error| {
        let Some(span) = error.span() else {
            return syntax(error);
        };
        // What stands below `[limits]` first: the table itself spans all of it.
        let mut entries = limits.into_iter().chain([table]).flatten();
        let Some((key, _)) = entries.find(|(_, value)| value.span().contains(&span.start)) else {
            return syntax(error);
        };
        let name: &str = key.get_ref();
        let example = reference::example(name)
            .map_or(String::new(), |line| format!("; for example `{line}`"));
        mistake(
            span.start,
            format!("`{name}`: {}{example}", error.message()),
        )
    })?;
    options.check_storage("the file has `data_dir` and `ephemeral = true`")?;
    Ok(options)
}

/// A sentence for every variable that looks like a mistyped one of ours.
pub fn unknown_variables(names: impl Iterator<Item = OsString>, command: &Command) -> Vec<String> {
    // Options of single commands have variables too.
    let commands = command.get_subcommands().chain([command]);
    let known: Vec<String> = commands
        .flat_map(Command::get_arguments)
        .filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned))
        .collect();
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| {
            name.starts_with(PREFIX) && !name.starts_with(BUILD_PREFIX) && !known.contains(name)
        })
        .filter_map(|name| {
            // Without the prefix: all names are alike by that.
            let rest = name.strip_prefix(PREFIX)?;
            let near = nearest(
                rest,
                known.iter().filter_map(|known| known.strip_prefix(PREFIX)),
            )?;
            Some(format!(
                "the environment variable {name} means nothing here; did you mean {PREFIX}{near}?"
            ))
        })
        .collect()
}

/// What is wrong with a key that does not stand where it should.
fn unknown_key(name: &str, section: Section, command: &Command) -> Option<String> {
    let known: Vec<&str> = match section {
        Section::Top => keys(command, section)
            .chain([TABLE])
            .chain(TABLES)
            .collect(),
        Section::Limits => keys(command, section).collect(),
    };
    if known.contains(&name) {
        return None;
    }
    let elsewhere = match section {
        Section::Top => (Section::Limits, "it belongs below `[limits]`"),
        Section::Limits => (Section::Top, "it belongs above `[limits]`"),
    };
    let hint = if keys(command, elsewhere.0).any(|key| key == name) {
        elsewhere.1.to_owned()
    } else {
        match nearest(&name.replace('-', "_"), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys are {}", known.join(", ")),
        }
    };
    Some(format!("unknown key `{name}`; {hint}"))
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Above all tables.
    Top,
    /// Below `[limits]`.
    Limits,
}

impl Section {
    pub fn of(argument: &Arg) -> Self {
        if argument.get_help_heading() == Some(HEADING) {
            Self::Limits
        } else {
            Self::Top
        }
    }
}

/// The keys of a part of the file: all its options that are not about the file itself.
pub(super) fn keys(command: &Command, section: Section) -> impl Iterator<Item = &str> {
    command
        .get_arguments()
        .filter(move |argument| Section::of(argument) == section)
        .map(|argument| argument.get_id().as_str())
        .filter(|id| !["config", "help", "version"].contains(id))
}

/// The one of `known` that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn check(text: &str) -> Result<Options, String> {
        parse(text, Path::new("ebbtide.toml"), &Cli::command()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_can_stand_in_the_file() {
        let options = check(
            "mqtt = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\nmqtts = '127.0.0.1:3'\nhttps = '127.0.0.1:4'\ntls_certificate = 'c'\ntls_key = 'k'\ntls_client_ca = 'a'\ntls_client_certificates = 'optional'\ntls_client_crl = 'r'\ncertificate_user = 'dns'\ncertificate_known_users = true\ntrusted_proxies = ['10.0.0.0/8']\nproxy_protocol = true\nmqtt_durability = 'relaxed'\nhttp_durability = 'durable'\nrelaxed_commit_ms = 5\ndisk_reserve_bytes = 1\ndata_dir = 'd'\nephemeral = false\nallow_anonymous = true\n\
             auth = ['password']\nallow_host = ['a.example']\nallow_origin = ['*']\nserver_reference = 'b:1883'\nsys_interval = 0\npresence_topic = 'p/{client}'\npresence_offline_expiry_s = 5\nlog = 'debug'\n\
             log_format = 'json'\n[limits]\nreceive_maximum = 7\n",
        )
        .expect("valid");
        assert_eq!(keys(&Cli::command(), Section::Top).count(), 29);
        assert_eq!(
            options.limits.receive_maximum.map(|maximum| maximum.get()),
            Some(7)
        );
        assert_eq!(options.allow_anonymous, Some(true));
        assert_eq!(options.log_format, Some(super::super::LogFormat::Json));
    }

    #[test]
    fn an_unknown_key_has_a_line_and_a_remedy() {
        assert_eq!(
            check("# hello\nmqtt = '127.0.0.1:1'\nalow_anonymous = true\n"),
            Err(
                "ebbtide.toml:3: unknown key `alow_anonymous`; did you mean `allow_anonymous`?"
                    .into()
            )
        );
        assert_eq!(
            check("allow-anonymous = true"),
            Err(
                "ebbtide.toml:1: unknown key `allow-anonymous`; did you mean `allow_anonymous`?"
                    .into()
            )
        );
        for (text, message) in [
            (
                "receive_maximum = 7",
                "ebbtide.toml:1: unknown key `receive_maximum`; it belongs below `[limits]`",
            ),
            (
                "[limits]\nmqtt = '127.0.0.1:1'",
                "ebbtide.toml:2: unknown key `mqtt`; it belongs above `[limits]`",
            ),
            (
                "[limits]\ntopic_level_max = 3",
                "ebbtide.toml:2: unknown key `topic_level_max`; did you mean `topic_levels_max`?",
            ),
        ] {
            assert_eq!(check(text), Err(message.into()));
        }
        assert!(
            check("zzz = 1").is_err_and(|message| message.contains("known keys are mqtt, http"))
        );
    }

    #[test]
    fn a_bad_value_has_a_line_and_says_what_is_allowed() {
        assert!(
            check("\nmqtt = 'x'")
                .is_err_and(|m| m.starts_with("ebbtide.toml:2: `mqtt`: an address is an IP"))
        );
        assert!(
            check("log_format = 'xml'").is_err_and(|m| m.contains("text") && m.contains("json"))
        );
        for (text, example) in [
            ("mqtt = 1883", r#"; for example `mqtt = "127.0.0.1:1883"`"#),
            (
                "allow_host = 'a'",
                r#"; for example `allow_host = ["broker.example"]`"#,
            ),
            (
                "allow_host = ['a', 1]",
                r#"; for example `allow_host = ["broker.example"]`"#,
            ),
            ("ephemeral = 'yes'", "; for example `ephemeral = false`"),
            ("sys_interval = -1", "; for example `sys_interval = 10`"),
        ] {
            let (key, _) = text.split_once(' ').expect("a key");
            let message = check(text).expect_err(text);
            assert!(
                message.starts_with(&format!("ebbtide.toml:1: `{key}`: ")),
                "{message}"
            );
            assert!(message.ends_with(example), "{message}");
        }
        assert!(check("data_dir = 'd'\nephemeral = true").is_err_and(|m| m.contains("at once")));
        assert!(check("mqtt = ").is_err_and(|m| m.starts_with("ebbtide.toml:1: ")));
    }

    #[test]
    fn a_mistyped_variable_is_noticed() {
        let names = ["EBBTIDE_MQQT", "EBBTIDE_MQTT", "EBBTIDE_WEB_DIR", "PATH"].map(OsString::from);
        let hints = unknown_variables(names.into_iter(), &Cli::command());
        assert_eq!(hints.len(), 1);
        assert!(hints[0].contains("EBBTIDE_MQTT?"));
        // What Kubernetes sets for a service of that name.
        let strange = [
            "EBBTIDE_PORT",
            "EBBTIDE_SERVICE_HOST",
            "EBBTIDE_SERVICE_PORT",
        ];
        let hints = unknown_variables(strange.map(OsString::from).into_iter(), &Cli::command());
        assert_eq!(hints, Vec::<String>::new());
    }
}
