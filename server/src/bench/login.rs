//! Who the clients of a load are: all of them show the same user name and password.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use percent_encoding::percent_decode_str;

use crate::cli::first_line;

/// A user name and a password as they are typed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Credentials")]
pub struct LoginFlags {
    /// The User Name of all clients, at both brokers; one in the URL counts before it.
    #[arg(short, long, value_name = "NAME", env = "EBBTIDE_USER")]
    username: Option<String>,

    /// The password, or a token. Better given by the variable or a file: others see the arguments of a program.
    #[arg(
        short = 'P',
        long,
        value_name = "PASSWORD",
        env = "EBBTIDE_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,

    /// A file whose first line is the password, or a token; `-` is standard input. Beats the others.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What a client shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    pub username: Option<String>,
    pub password: Option<Bytes>,
}

/// Without the password.
impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.username)
    }
}

impl LoginFlags {
    /// What they come to; an error says which file cannot be read.
    pub fn login(&self) -> Result<Login, String> {
        let password = match &self.password_file {
            Some(file) => {
                let line = first_line(file);
                let named = |why| format!("--password-file {}: {why}", file.display());
                Some(line.map_err(named)?)
            }
            None => self.password.clone(),
        };
        Ok(Login {
            username: self.username.clone(),
            password: password.map(Bytes::from),
        })
    }
}

impl Login {
    /// Of `USER[:PASSWORD]` in a URL; `None` when it is not text.
    pub fn of_url(typed: &str) -> Option<Self> {
        let decoded = |text| percent_decode_str(text).decode_utf8().ok();
        let (username, password) = match typed.split_once(':') {
            Some((name, password)) => (name, Some(decoded(password)?.into_owned())),
            None => (typed, None),
        };
        Some(Self {
            username: Some(decoded(username)?.into_owned()),
            password: password.map(Bytes::from),
        })
    }

    /// Of the URL first, then of the flags.
    pub fn or(self, other: &Self) -> Self {
        Self {
            username: self.username.or_else(|| other.username.clone()),
            password: self.password.or_else(|| other.password.clone()),
        }
    }
}
