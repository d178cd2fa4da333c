//! One question to a running broker and its answer, as JSON or as words: what most commands for its HTTP API are.

use std::io::{self, Write};

use clap::Args;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};

use super::client::{self, At, Broker, ClientError, whole};
use crate::{config::Config, exit::Failure};

/// Where the broker is, and how to print.
#[derive(Args, Clone, Debug)]
pub struct Ask {
    #[command(flatten)]
    at: At,

    /// Prints the answer as one JSON object; a list as one object a line.
    #[arg(long)]
    pub json: bool,
}

impl Ask {
    /// Asks, and shows the answer.
    pub fn get<T: DeserializeOwned + Serialize>(
        self,
        config: &Config,
        path: &str,
        show: impl FnOnce(T),
    ) -> Result<(), Failure> {
        self.send(config, Method::GET, path, None::<&()>, show)
    }

    /// The same with a body.
    pub fn send<T: DeserializeOwned + Serialize>(
        self,
        config: &Config,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        show: impl FnOnce(T),
    ) -> Result<(), Failure> {
        let broker = self.at.resolve(config)?;
        let answer: T = exchange(&broker, method, path, body)?;
        if self.json {
            is_wanted(writeln!(io::stdout(), "{}", json(&answer)))?;
        } else {
            show(answer);
        }
        Ok(())
    }

    /// Asks for page after page of a list, `limit` entries at the most. `next` says where the following page is, as a path, and
    /// hands over the entries of this one.
    pub fn pages<T: DeserializeOwned, E: Serialize>(
        self,
        config: &Config,
        first: String,
        limit: Option<usize>,
        next: impl Fn(T) -> (Vec<E>, Option<String>),
        show: impl Fn(&E) -> String,
    ) -> Result<(), Failure> {
        let broker = self.at.resolve(config)?;
        let mut left = limit.unwrap_or(usize::MAX);
        let mut page = Some(first);
        let mut output = io::stdout().lock();
        while let Some(path) = page
            && left > 0
        {
            let answer: T = exchange(&broker, Method::GET, &path, None::<&()>)?;
            let (entries, following) = next(answer);
            for entry in entries.iter().take(left) {
                let line = if self.json { json(entry) } else { show(entry) };
                if !is_wanted(writeln!(output, "{line}"))? {
                    return Ok(());
                }
            }
            left = left.saturating_sub(entries.len());
            page = following;
        }
        Ok(())
    }
}

fn exchange<T: DeserializeOwned>(
    broker: &Broker,
    method: Method,
    path: &str,
    body: Option<&impl Serialize>,
) -> Result<T, ClientError> {
    let answer = client::run(async {
        let answer = broker.request(method, path, body).await?;
        whole(answer).await
    })??;
    serde_json::from_slice(&answer).map_err(|error| ClientError::BrokenOff(error.to_string()))
}

/// Whether whoever reads wants more: it may have had enough. Anything else, such as a full disk, would leave a part that looks like all of it.
pub fn is_wanted(written: io::Result<()>) -> Result<bool, ClientError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(ClientError::Write(error)),
    }
}

fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value);
    text.expect("answers of the API are plain objects")
}

/// The path of one thing in a list.
pub fn path(what: &str, name: &str) -> String {
    format!("/api/v1/{what}/{}", encoded(name))
}

/// As a part of a path or of a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Text that others have chosen, for a terminal: control characters are named and not sent.
pub fn printable(text: &str) -> String {
    let shown = text.chars().map(|c| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_had_enough_ends_it_well() {
        let failed = |kind: io::ErrorKind| is_wanted(Err(kind.into())).ok();
        assert_eq!(is_wanted(Ok(())).ok(), Some(true));
        assert_eq!(failed(io::ErrorKind::BrokenPipe), Some(false));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            assert_eq!(failed(kind), None, "{kind}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jé\n"), "a\\u{1b}[2Jé\\n");
    }
}
