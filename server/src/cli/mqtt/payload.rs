//! What one message says: typed, or read from a file or from standard input.

use std::{fs::File, io, path::PathBuf};

use bytes::Bytes;
use clap::Args;

use super::{MqttError, whole};

/// The group of all that says what is published; whoever takes these in requires one of it.
pub const GROUP: &str = "what";

/// Its payload.
#[derive(Args, Clone, Debug)]
pub struct PayloadFlags {
    /// The payload.
    #[arg(
        short,
        long,
        value_name = "TEXT",
        group = GROUP,
        allow_hyphen_values = true
    )]
    message: Option<String>,

    /// The payload is the content of this file; `-` is standard input.
    #[arg(short, long, value_name = "FILE", group = GROUP)]
    file: Option<PathBuf>,
}

impl PayloadFlags {
    /// `None`: neither was typed.
    pub fn read(self) -> Result<Option<Bytes>, MqttError> {
        if let Some(text) = self.message {
            return Ok(Some(Bytes::from(text)));
        }
        let Some(path) = self.file else {
            return Ok(None);
        };
        if path.as_os_str() == "-" {
            return standard_input().map(Some);
        }
        let what = format!("--file {}", path.display());
        let file = File::open(&path).map_err(|error| MqttError::Read {
            what: what.clone(),
            why: error.to_string(),
        })?;
        whole(&what, file).map(Some)
    }
}

/// All of it.
pub fn standard_input() -> Result<Bytes, MqttError> {
    whole("standard input", io::stdin().lock())
}
