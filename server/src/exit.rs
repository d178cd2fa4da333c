//! Every exit code of the program and the error that leads to it.
//!
//! A code keeps its meaning for ever: service managers and scripts decide by it. 0 is a clean end, 2 is also what the
//! command-line parser uses.

use std::process::ExitCode;

use crate::{config::ConfigError, serve::ServeError, storage::StorageError};

/// The program was stopped by a second signal, before everything was written down.
pub const INTERRUPTED: i32 = 130;

/// Why the program ends without success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It could not be done.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Serve(ServeError::Runtime(_) | ServeError::Unfinished) => 1,
            Self::Config(_) => 2,
            Self::Serve(ServeError::Listen { .. }) => 3,
            Self::Serve(ServeError::Storage(error)) => match error {
                StorageError::Directory { .. } | StorageError::Open { .. } => 4,
                StorageError::Thread(_) => 1,
            },
        }
    }

    /// Says it on standard error.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.code())
    }
}
