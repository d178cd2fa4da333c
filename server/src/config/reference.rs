//! The reference of all options, made from their definition; `docs/configuration.md` is its output.

use std::fmt::Write;

use clap::Command;

use super::file;

/// The page, as Markdown.
pub fn reference(command: &Command) -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Made by `ebbtide config reference`; do not edit. -->\n\n\
         A flag beats the environment, the environment beats the file `ebbtide.toml` (another one: `--config FILE` or \
         `EBBTIDE_CONFIG`).\n`ebbtide config check` says what is wrong, or what would be used.\n",
    );
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
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## `{key}`\n\n{help}\n\nFlag `--{flag} {value}`, environment `{variable}`."
        );
        let choices = argument.get_possible_values();
        if !choices.is_empty() {
            let _ = write!(page, " One of:");
            for (index, choice) in choices.iter().enumerate() {
                let separator = if index == 0 { " " } else { ", " };
                let _ = write!(page, "{separator}`{}`", choice.get_name());
            }
            let _ = write!(page, ".");
        }
        page.push('\n');
    }
    page
}
