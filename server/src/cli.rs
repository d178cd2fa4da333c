//! What may be typed after `ebbtide`, and which part it sets to work.
//!
//! The options themselves are defined in [`crate::config::Options`], once for flags, environment and file.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    config::{self, Config, Options},
    exit::Failure,
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
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads file, environment and flags, says what is wrong, or prints what would be used.
    Check,
    /// Prints the reference of all options in Markdown (docs/configuration.md).
    Reference,
}

/// Does what the command line asks for.
pub fn run() -> Result<(), Failure> {
    let cli = Cli::parse_from(std::env::args_os());
    match cli.command {
        Some(Command::Config(ConfigCommand::Reference)) => {
            print!("{}", config::reference(&Cli::command()));
            Ok(())
        }
        Some(Command::Config(ConfigCommand::Check)) => {
            print!("{}", resolve(cli)?);
            Ok(())
        }
        None | Some(Command::Serve) => {
            let config = resolve(cli)?;
            logging::start(&config.log, config.log_format);
            for hint in config::unknown_variables(
                std::env::vars_os().map(|(name, _)| name),
                &Cli::command(),
            ) {
                tracing::warn!("{hint}");
            }
            Ok(serve::run(config)?)
        }
    }
}

fn resolve(cli: Cli) -> Result<Config, Failure> {
    let file = config::read_file(cli.config.as_deref(), &Cli::command())?;
    Ok(Config::resolve(cli.options.or(file))?)
}

/// The command line for tests.
#[cfg(test)]
pub fn parse<const N: usize>(arguments: [&str; N]) -> Result<Options, clap::Error> {
    Ok(Cli::try_parse_from(std::iter::once("ebbtide").chain(arguments))?.options)
}
