//! `ebbtide completions` and `ebbtide man`: the definitions of all commands as a script for a shell, as manual pages, and as
//! `docs/cli.md`.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Arg, Args, Command};
use clap_complete::Shell;

use crate::exit::{CODES, Failure};

/// What the page begins with.
const INTRODUCTION: &str = include_str!("introduction.txt");

/// Which shell.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// The shell that is to complete commands and options.
    #[arg(value_enum)]
    shell: Shell,
}

/// Which form.
#[derive(Args, Clone, Debug)]
pub struct Man {
    /// Writes a page for each command into this folder, which is created if need be, instead of the first one to standard output.
    #[arg(long, value_name = "DIR", conflicts_with = "markdown")]
    out: Option<PathBuf>,

    /// Prints docs/cli.md.
    #[arg(long)]
    markdown: bool,
}

/// A page that is not there now.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct PageError {
    path: PathBuf,
    source: io::Error,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self, mut command: Command) {
        clap_complete::generate(self.shell, &mut command, "ebbtide", &mut io::stdout());
    }
}

impl Man {
    /// Prints the page, or writes all of them.
    pub fn run(self, command: Command) -> Result<(), Failure> {
        if self.markdown {
            print!("{}", markdown(command));
            return Ok(());
        }
        if let Some(folder) = &self.out {
            let failed = |source| PageError {
                path: folder.clone(),
                source,
            };
            fs::create_dir_all(folder).map_err(failed)?;
            return Ok(write_pages(&command, folder).map_err(failed)?);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut page)
            .expect("memory takes all of it");
        match io::stdout().write_all(&page) {
            // Who reads may have had enough.
            Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
                let path = "standard output".into();
                Err(PageError { path, source }.into())
            }
            _ => Ok(()),
        }
    }
}

/// One for the command, and for each below it.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut file = fs::File::create(folder.join(format!("{name}.1")))?;
    clap_mangen::Man::new(command.clone()).render(&mut file)?;
    commands(command).try_for_each(|command| write_pages(command, folder))
}

/// `docs/cli.md`.
fn markdown(command: Command) -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| Code | Meaning |\n|---|---|\n");
    for (code, meaning) in CODES {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    page.push_str(
        "\nApart from the shell's codes for signals, there are no others.\n\n## Commands\n\n",
    );
    page.push_str("The options of `ebbtide serve` are in [configuration.md](configuration.md).\n");
    for command in commands(&command) {
        describe(&mut page, command, "ebbtide", 3);
    }
    page
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let all = command.get_subcommands();
    all.filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn describe(page: &mut String, command: &Command, above: &str, level: usize) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let marks = "#".repeat(level);
    let _ = writeln!(page, "\n{marks} `{name}`\n\n{}", ended(&about));
    let is_shown = |argument: &&Arg| {
        !argument.is_hide_set()
            && !argument.is_global_set()
            && !matches!(argument.get_id().as_str(), "help" | "version")
    };
    let arguments: Vec<&Arg> = command.get_arguments().filter(is_shown).collect();
    let groups = commands(command).count() > 0;
    if !arguments.is_empty() && !groups {
        page.push_str("\n| | |\n|---|---|\n");
        for argument in arguments {
            let _ = writeln!(page, "| {} | {} |", typed(argument), meaning(argument));
        }
    }
    for command in commands(command) {
        describe(page, command, &name, level + 1);
    }
}

fn typed(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let values: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let values = values.join(" ");
    if argument.is_positional() {
        return format!("`{values}`");
    }
    let takes_value = argument.get_action().takes_values();
    let value = match takes_value {
        true => format!(" {values}"),
        false => String::new(),
    };
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let flags: Vec<String> = [short, long].into_iter().flatten().collect();
    format!("`{}{value}`", flags.join(", "))
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut text = ended(&help.replace('\n', " ").replace('|', "\\|"));
    let choices: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|choice| !choice.is_hide_set())
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    if argument.get_action().takes_values() && !choices.is_empty() {
        let _ = write!(text, " One of {}.", choices.join(", "));
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .filter(|value| !value.is_empty())
        .collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, " Default: `{}`.", defaults.join(" "));
    }
    if let Some(variable) = argument.get_env().and_then(|name| name.to_str()) {
        let _ = write!(text, " Environment: `{variable}`.");
    }
    text
}

fn ended(text: &str) -> String {
    match text.trim_end() {
        "" => String::new(),
        text if text.ends_with(['.', '!', '?', ':', '`']) => text.to_owned(),
        text => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    /// A newcomer must not fall through the page.
    #[test]
    fn every_command_has_a_section_with_a_sentence() {
        fn names(command: &Command, above: &str, found: &mut Vec<String>) {
            for command in commands(command) {
                let name = format!("{above} {}", command.get_name());
                assert!(command.get_about().is_some(), "{name} has no help");
                names(command, &name, found);
                found.push(name);
            }
        }
        let mut found = Vec::new();
        names(&definition(), "ebbtide", &mut found);
        let page = markdown(definition());
        for name in &found {
            assert!(page.contains(&format!("# `{name}`\n")), "{name}");
        }
        assert!(found.contains(&"ebbtide retained delete".to_owned()));
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in <Shell as clap::ValueEnum>::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut definition(), "ebbtide", &mut script);
            let script = String::from_utf8(script).expect("text");
            assert!(
                script.contains("retained") && script.contains("password-file"),
                "{shell}"
            );
        }
    }
}
