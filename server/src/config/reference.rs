//! The reference of all options, made from their definition; `docs/configuration.md` is its output.

use std::fmt::Write;

use clap::{ArgAction, Command};

use super::file;

/// A file in which every key stands; error messages quote it.
const EXAMPLE: &str = r#"mqtt = "127.0.0.1:1883"
http = "127.0.0.1:8080"
data_dir = "./ebbtide-data"
ephemeral = false
allow_anonymous = false
allow_host = ["broker.example"]
allow_origin = ["https://app.example", "http://localhost:5173"]
log = "info,ebbtide=debug"
log_format = "text"
"#;

/// How a key looks in the file.
pub(super) fn example(key: &str) -> Option<&'static str> {
    EXAMPLE
        .lines()
        .find(|line| line.split(' ').next() == Some(key))
}

/// The page, as Markdown; `codes` are the exit codes with what they mean.
pub fn reference(command: &Command, codes: &[(i32, &str)]) -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `ebbtide config reference`; do not edit. -->\n\n\
         A flag beats the environment, the environment beats the file `ebbtide.toml` (another one: `--config FILE` or \
         `EBBTIDE_CONFIG`).\n`ebbtide config check` says what is wrong, or what would be used. An environment variable \
         that is empty counts as not set.\n\n\
         A file in which every key stands; each may be left out:\n\n```toml\n",
    );
    page.push_str(EXAMPLE);
    page.push_str("```\n");
    for key in file::keys(command) {
        let Some(argument) = command
            .get_arguments()
            .find(|argument| argument.get_id() == key)
        else {
            continue;
        };
        let help = argument
            .get_long_help()
            .or(argument.get_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        let variable = argument
            .get_env()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let flag = argument.get_long().unwrap_or_default();
        let value = argument
            .get_value_names()
            .and_then(|names| names.first())
            .map_or("", |name| name.as_str());
        let is_optional = argument
            .get_num_args()
            .is_some_and(|count| count.min_values() == 0);
        let value = if is_optional {
            format!("[={value}]")
        } else {
            format!(" {value}")
        };
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## `{key}`\n\n{help}.\n\nFlag `--{flag}{value}`, environment `{variable}`"
        );
        let choices = argument.get_possible_values();
        let is_bool = choices.iter().any(|choice| choice.get_name() == "true");
        let kind = if matches!(argument.get_action(), ArgAction::Append) {
            page.push_str(" (several: separated by commas)");
            "an array of strings"
        } else if is_bool {
            "a boolean"
        } else {
            "a string"
        };
        let _ = write!(page, ", in the file {kind}.");
        if is_bool {
            let _ = write!(page, " `--{flag}` alone is `--{flag}=true`.");
        } else if !choices.is_empty() {
            let _ = write!(page, " One of:");
            for (index, choice) in choices.iter().enumerate() {
                let separator = if index == 0 { " " } else { ", " };
                let _ = write!(page, "{separator}`{}`", choice.get_name());
            }
            let _ = write!(page, ".");
        }
        page.push('\n');
    }
    page.push_str("\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
    for (code, meaning) in codes {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::{
        cli::Cli,
        config::{Config, Options},
        exit,
    };

    #[test]
    fn the_example_is_valid_and_whole() {
        let options: Options = toml::from_str(EXAMPLE).expect("valid TOML");
        Config::resolve(options).expect("a valid configuration");
        for key in file::keys(&Cli::command()) {
            assert!(example(key).is_some(), "{key}");
        }
    }

    #[test]
    fn the_page_says_how_each_value_is_written() {
        let page = reference(&Cli::command(), exit::CODES);
        for part in [
            "Flag `--mqtt ADDR`, environment `EBBTIDE_MQTT`, in the file a string.",
            "Flag `--ephemeral[=BOOL]`, environment `EBBTIDE_EPHEMERAL`, in the file a boolean.",
            "`EBBTIDE_ALLOW_HOST` (several: separated by commas), in the file an array of strings.",
            "One of: `text`, `json`.",
            "| 130 | ",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }
}
