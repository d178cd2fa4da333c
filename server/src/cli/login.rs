//! Who a client of an MQTT broker is: a user name and a password, for `pub`, `sub` and `bench` alike.
//!
//! A password need not stand among the arguments, where others see it: a variable or a file may hold it. What the URL says counts
//! first, for with two brokers each may want its own; then the file, then the flag, then the variable.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use percent_encoding::percent_decode_str;

/// The password, unless it is given elsewhere; also for `--login` of the commands that ask the HTTP API.
pub const PASSWORD_VARIABLE: &str = "EBBTIDE_PASSWORD";
/// A file with a password or a token is not longer.
const PASSWORD_FILE_BYTES_MAX: u64 = 64 * 1024;

/// A user name and a password as they are typed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Credentials")]
pub struct LoginFlags {
    /// The User Name; one in the URL counts before it.
    #[arg(short, long, value_name = "NAME", env = "EBBTIDE_USER")]
    username: Option<String>,

    /// The password, or a token; one in the URL counts before it. Better given by the variable or a file: others see the arguments of a
    /// program.
    #[arg(
        short = 'P',
        long,
        value_name = "PASSWORD",
        env = PASSWORD_VARIABLE,
        hide_env_values = true
    )]
    password: Option<String>,

    /// A file whose first line is the password, or a token; `-` is standard input. It counts before --password, after the URL.
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

/// No password is in the file that is named.
#[derive(Debug, thiserror::Error)]
#[error("cannot read --password-file {}: {why}", .file.display())]
pub struct PasswordError {
    file: PathBuf,
    why: String,
}

impl LoginFlags {
    /// What they come to.
    pub fn login(self) -> Result<Login, PasswordError> {
        let password = match &self.password_file {
            Some(file) => Some(password_of(file)?),
            None => self.password,
        };
        Ok(Login {
            username: self.username,
            password: password.map(Bytes::from),
        })
    }
}

impl Login {
    /// Of `[USER][:PASSWORD]` in a URL, where nothing typed is nothing given; `None` when it is not text.
    pub fn of_url(typed: &str) -> Option<Self> {
        let (username, password) = typed.split_once(':').unwrap_or((typed, ""));
        let decoded = |text| percent_decode_str(text).decode_utf8().ok();
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Some(Self {
            username: given(&decoded(username)?),
            password: given(&decoded(password)?).map(Bytes::from),
        })
    }

    /// These first, then others.
    pub fn or(self, others: Self) -> Self {
        Self {
            username: self.username.or(others.username),
            password: self.password.or(others.password),
        }
    }
}

/// What a file (or standard input, `-`) has as a password: its first line.
pub fn password_of(file: &Path) -> Result<String, PasswordError> {
    first_line(file).map_err(|why| PasswordError {
        file: file.to_owned(),
        why,
    })
}

fn first_line(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => begin(io::stdin().lock(), &mut text),
        false => File::open(file).and_then(|file| begin(file, &mut text)),
    };
    read.map_err(|error| error.to_string())?;
    match text.lines().next().unwrap_or_default() {
        "" => Err("its first line is empty".to_owned()),
        password => Ok(password.to_owned()),
    }
}

fn begin(from: impl Read, text: &mut String) -> io::Result<usize> {
    from.take(PASSWORD_FILE_BYTES_MAX).read_to_string(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: Option<&str>, password: Option<&str>) -> Login {
        Login {
            username: username.map(str::to_owned),
            password: password.map(|password| password.to_owned().into()),
        }
    }

    #[test]
    fn of_a_url() {
        for (typed, username, password) in [
            ("ann", Some("ann"), None),
            ("ann:", Some("ann"), None),
            ("an%40n:p%3Aw:x", Some("an@n"), Some("p:w:x")),
            (":token", None, Some("token")),
            ("", None, None),
        ] {
            assert_eq!(
                Login::of_url(typed),
                Some(login(username, password)),
                "{typed}"
            );
        }
        assert_eq!(Login::of_url("%ff"), None);
    }

    #[test]
    fn the_url_counts_before_the_file_and_the_file_before_the_flag() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        std::fs::write(&file, "of the file\nmore\n").expect("a file");
        let flags = |password_file| LoginFlags {
            username: Some("ann".to_owned()),
            password: Some("of the flag".to_owned()),
            password_file,
        };
        let shown = |url: &str, password_file| {
            let url = Login::of_url(url).expect("text");
            url.or(flags(password_file).login().expect("readable"))
        };
        let file = Some(file);
        assert_eq!(shown("", None), login(Some("ann"), Some("of the flag")));
        assert_eq!(
            shown("", file.clone()),
            login(Some("ann"), Some("of the file"))
        );
        assert_eq!(
            shown("bob", file.clone()),
            login(Some("bob"), Some("of the file"))
        );
        assert_eq!(
            shown("bob:of%20the%20url", file),
            login(Some("bob"), Some("of the url"))
        );
        let said = flags(Some("/nowhere".into()))
            .login()
            .map_err(|error| error.to_string());
        let why = said.expect_err("no such file");
        assert!(
            why.starts_with("cannot read --password-file /nowhere: "),
            "{why}"
        );
    }
}
