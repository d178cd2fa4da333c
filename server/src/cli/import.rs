//! `ebbtide import`: from the files of another broker to one for this.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use crate::import::{self, ImportError};

/// Of which broker.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Mosquitto: its configuration, password file and ACL file.
    Mosquitto(Arguments),
}

/// Which files.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Its configuration.
    #[arg(value_name = "FILE", default_value = "/etc/mosquitto/mosquitto.conf")]
    file: PathBuf,

    /// Its password file. Not given: the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Its ACL file. Not given: the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    acl_file: Option<PathBuf>,

    /// Where to write; what is there is never written over. Not given: to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// One of the other broker's files.
    #[error(transparent)]
    Read(#[from] ImportError),
    /// The one for this broker.
    #[error("cannot write {path}: {source}; what is there is not written over")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Command {
    pub fn run(&self) -> Result<(), MoveError> {
        let Self::Mosquitto(arguments) = self;
        arguments.run()
    }
}

impl Arguments {
    fn run(&self) -> Result<(), MoveError> {
        let given = |path: &'_ Option<PathBuf>| path.clone();
        let (passwords, acl) = (given(&self.password_file), given(&self.acl_file));
        let imported = import::mosquitto(&self.file, passwords.as_deref(), acl.as_deref())?;
        let text = import::file(&imported);
        match &self.out {
            None => print!("{text}"),
            Some(path) => write(path, &text).map_err(|source| MoveError::Write {
                path: path.clone(),
                source,
            })?,
        }
        for note in imported.notes.texts() {
            eprintln!("note: {note}");
        }
        Ok(())
    }
}

/// There are hashes of passwords in it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
