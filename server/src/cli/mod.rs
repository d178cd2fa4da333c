//! What may be typed after `ebbtide`, and which part it sets to work.
//!
//! The options themselves are defined in [`crate::config::Options`], once for flags, environment and file; what belongs to one
//! command alone stands in the file of that command.

mod access;
mod ask;
mod backup;
mod cert;
mod check;
mod client;
mod compact;
mod import;
mod login;
mod mqtt;
mod pages;
mod restore;
mod retained;
mod sessions;

pub use self::{
    access::AccessError,
    backup::CopyError,
    cert::CertError,
    check::CheckError,
    client::ClientError,
    import::MoveError,
    login::{Login, LoginFlags, PasswordError},
    mqtt::MqttError,
    pages::PageError,
    restore::PutBackError,
};

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::Arc,
};

use clap::{
    ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use crate::{
    bench,
    config::{self, Config, ConfigError, Options},
    exit::{self, Failure},
    logging, serve,
};

/// An MQTT broker for web apps whose clients come and go.
///
/// Without a command it serves: MQTT on 127.0.0.1:1883, dashboard and WebSocket on 127.0.0.1:8080, data in
/// ./ebbtide-data.
#[derive(Debug, Parser)]
#[command(name = "ebbtide", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// The configuration file. Default: `ebbtide.toml` in the current folder, if there is one.
    #[arg(long, global = true, value_name = "FILE", env = "EBBTIDE_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the broker; what `ebbtide` alone does, too.
    Serve,
    /// Looks at the configuration without running anything.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Verifies the data of a broker that does not run: every page, every row. It changes nothing.
    Check(check::Arguments),
    /// Copies all that a running broker keeps into a file. The broker goes on.
    Backup(backup::Arguments),
    /// Makes the file of a running broker as small as what is in it. The broker goes on.
    Compact(compact::Arguments),
    /// Makes the data folder of a broker from a backup.
    Restore(restore::Arguments),
    /// Publishes to any MQTT broker.
    Pub(mqtt::Publish),
    /// Subscribes at any MQTT broker, and writes what comes.
    Sub(mqtt::Subscribe),
    /// Puts a load on any MQTT broker and says what it did with it.
    Bench(bench::Arguments),
    /// The users of a running broker.
    #[command(subcommand)]
    Users(access::Users),
    /// The keys of a running broker's HTTP API.
    #[command(subcommand)]
    Keys(access::Keys),
    /// The retained messages of a running broker.
    #[command(subcommand)]
    Retained(retained::Retained),
    /// The sessions of a running broker.
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// The rules of a running broker.
    #[command(subcommand)]
    Acl(access::Acl),
    /// Makes the configuration from that of another broker, and says what cannot be carried over.
    #[command(subcommand)]
    Import(import::Command),
    /// Prints a script that makes a shell complete commands and options.
    Completions(pages::Completions),
    /// Prints the manual page.
    Man(pages::Man),
    /// Makes certificates for development.
    #[command(subcommand)]
    Cert(cert::Command),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads file, environment and flags, says what is wrong, or prints what would be used.
    Check,
    /// Prints the reference of all options in Markdown (docs/configuration.md).
    Reference,
}

/// The command line as it is read and shown: where an option of `serve` means nothing it is not offered.
fn definition() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command.mut_subcommands(|command| match configuration_of(command.get_name()) {
        Some(read) => offering(command, read),
        None => command,
    })
}

/// The options of `serve` that a command reads; none: all of them.
fn configuration_of(command: &str) -> Option<&'static [&'static str]> {
    match command {
        "bench" | "cert" | "completions" | "help" | "man" | "pub" | "sub" => Some(&[]),
        "acl" | "backup" | "compact" | "keys" | "retained" | "sessions" | "users" => {
            Some(&["config", "http"])
        }
        "check" | "restore" => Some(&["config", "data_dir"]),
        _ => None,
    }
}

fn offering(command: clap::Command, read: &'static [&'static str]) -> clap::Command {
    let is_offered = |argument: &clap::Arg| {
        !argument.is_global_set() || read.contains(&argument.get_id().as_str())
    };
    command
        .mut_args(|argument| {
            let is_hidden = argument.is_hide_set() || !is_offered(&argument);
            argument.hide(is_hidden)
        })
        .mut_subcommands(|command| offering(command, read))
}

/// Does what the command line asks for.
pub fn run() -> Result<(), Failure> {
    let matches = read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let hints =
        config::unknown_variables(std::env::vars_os().map(|(name, _)| name), &Cli::command());
    match cli.command {
        Some(Command::Config(ConfigCommand::Reference)) => {
            print!("{}", config::reference(&Cli::command(), exit::CODES));
            Ok(())
        }
        Some(Command::Config(ConfigCommand::Check)) => {
            for hint in hints {
                eprintln!("warning: {hint}");
            }
            print!("{}", resolve(cli, &matches)?);
            Ok(())
        }
        Some(Command::Check(ref arguments)) => {
            let arguments = arguments.clone();
            arguments.run(|| resolve(cli, &matches))
        }
        Some(Command::Backup(ref arguments)) => {
            let arguments = arguments.clone();
            arguments.run(&resolve(cli, &matches)?)
        }
        Some(Command::Compact(ref arguments)) => {
            let arguments = arguments.clone();
            arguments.run(&resolve(cli, &matches)?)
        }
        Some(Command::Restore(ref arguments)) => {
            let arguments = arguments.clone();
            arguments.run(resolve(cli, &matches)?)
        }
        Some(Command::Users(ref command)) => {
            let command = command.clone();
            command.run(|| resolve(cli, &matches))
        }
        Some(Command::Keys(ref command)) => {
            let command = command.clone();
            command.run(&resolve(cli, &matches)?)
        }
        Some(Command::Retained(ref command)) => {
            let command = command.clone();
            command.run(&resolve(cli, &matches)?)
        }
        Some(Command::Sessions(ref command)) => {
            let command = command.clone();
            command.run(&resolve(cli, &matches)?)
        }
        Some(Command::Acl(ref command)) => {
            let command = command.clone();
            command.run(&resolve(cli, &matches)?)
        }
        Some(Command::Completions(completions)) => {
            completions.run(definition());
            Ok(())
        }
        Some(Command::Man(man)) => man.run(definition()),
        Some(Command::Cert(command)) => command.run(),
        Some(Command::Import(command)) => Ok(command.run()?),
        Some(Command::Pub(arguments)) => arguments.run(),
        Some(Command::Sub(arguments)) => arguments.run(),
        Some(Command::Bench(arguments)) => Ok(arguments.run()?),
        None | Some(Command::Serve) => {
            let read = reader(cli, &matches)?;
            let config = read()?;
            let filter = logging::start(&config.log, config.log_format);
            for hint in hints {
                tracing::warn!("{hint}");
            }
            Ok(serve::run(config, Arc::new(read), filter)?)
        }
    }
}

/// Flags and environment. An empty variable counts as not set, and a strange flag gets the known ones as an answer.
fn read(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, clap::Error> {
    let command = without_empty(definition(), |name| std::env::var_os(name));
    command
        .try_get_matches_from(arguments)
        .map_err(|mut error| {
            let has_hint = [ContextKind::SuggestedArg, ContextKind::Suggested]
                .into_iter()
                .any(|kind| error.get(kind).is_some());
            if error.kind() == ErrorKind::UnknownArgument && !has_hint {
                let flags: Vec<String> = Cli::command()
                    .get_arguments()
                    .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
                    .collect();
                let tip = format!("the options are {}; see `ebbtide --help`", flags.join(", "));
                error.insert(
                    ContextKind::Suggested,
                    ContextValue::StyledStrs(vec![tip.into()]),
                );
            }
            error
        })
}

/// The command as if the variables that are empty did not exist.
fn without_empty(
    command: clap::Command,
    variable: fn(&OsStr) -> Option<OsString>,
) -> clap::Command {
    let command = command.mut_subcommands(|command| without_empty(command, variable));
    command.mut_args(|argument| {
        let value = argument.get_env().and_then(variable);
        if value.is_some_and(|value| value.is_empty()) {
            argument.env(None::<&'static str>)
        } else {
            argument
        }
    })
}

fn resolve(cli: Cli, matches: &ArgMatches) -> Result<Config, Failure> {
    Ok(reader(cli, matches)?()?)
}

/// Gives the configuration, each time from the file as it is then.
fn reader(
    cli: Cli,
    matches: &ArgMatches,
) -> Result<impl Fn() -> Result<Config, ConfigError> + use<>, ConfigError> {
    let is_flag = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let typed = cli.options.ranked(is_flag)?;
    let named = cli.config;
    Ok(move || {
        let file = config::read_file(named.as_deref(), &Cli::command())?;
        Config::resolve(typed.clone().or(file))
    })
}

/// The command line for tests.
#[cfg(test)]
pub fn parse<const N: usize>(arguments: [&str; N]) -> Result<Options, clap::Error> {
    parse_all(&arguments)
}

/// The same for any number of them.
#[cfg(test)]
pub fn parse_all(arguments: &[&str]) -> Result<Options, clap::Error> {
    let matches = read(std::iter::once("ebbtide").chain(arguments.iter().copied()))?;
    Ok(Cli::from_arg_matches(&matches)?.options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_as_if_not_set() {
        let command = without_empty(Cli::command(), |name| match name.to_str() {
            Some("EBBTIDE_MQTT") => Some("".into()),
            Some("EBBTIDE_HTTP") => Some("127.0.0.1:1".into()),
            _ => None,
        });
        let is_read = |id: &str| {
            command
                .get_arguments()
                .any(|argument| argument.get_id() == id && argument.get_env().is_some())
        };
        assert!(!is_read("mqtt"));
        assert!(is_read("http") && is_read("log"));
    }
}
