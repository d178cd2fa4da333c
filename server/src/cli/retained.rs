//! `ebbtide retained`: the retained messages of a running broker, through its HTTP API.

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{ArgGroup, Args, Subcommand};
use ebbtide_api::{
    DeleteRetainedResponse, PublishResponse, PutRetainedRequest, RetainedMessage, RetainedPage,
};
use hyper::Method;

use super::{
    ask::{Ask, encoded, is_wanted, path, printable},
    mqtt::{MessageFlags, PAYLOAD, PayloadFlags},
};
use crate::{
    config::Config,
    exit::Failure,
    http::content::{Payload, shown},
};

/// Entries of a page.
const PAGE: usize = 500;
/// So much of a payload is shown in a list, bytes.
const PREVIEW_BYTES: usize = 80;

/// About retained messages.
#[derive(Subcommand, Clone, Debug)]
pub enum Retained {
    /// Lists those that match a filter, by topic.
    List(List),
    /// Writes the payload of one as it is.
    Get(One),
    /// Sets one.
    Set(Set),
    /// Deletes those that match a filter.
    Delete(Delete),
}

/// Which ones.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// A topic filter, wildcards allowed.
    #[arg(default_value = "#")]
    filter: String,

    /// So many at the most. Default: all.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,

    /// So much of each payload, bytes, at most 65536.
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    payload_bytes_max: usize,

    #[command(flatten)]
    ask: Ask,
}

/// One of them.
#[derive(Args, Clone, Debug)]
pub struct One {
    /// Its topic.
    topic: String,

    #[command(flatten)]
    ask: Ask,
}

/// One to be.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new(PAYLOAD).required(true)))]
pub struct Set {
    /// Its topic.
    topic: String,

    #[command(flatten)]
    payload: PayloadFlags,

    /// As what it is published to those who have subscribed.
    #[arg(short, long, value_name = "QOS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    #[command(flatten)]
    properties: MessageFlags,

    #[command(flatten)]
    ask: Ask,
}

/// Those that are to go.
#[derive(Args, Clone, Debug)]
pub struct Delete {
    /// A topic filter, wildcards allowed.
    filter: String,

    /// Only says what would be deleted.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    ask: Ask,
}

impl Retained {
    /// Does it.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(config),
            Self::Get(One { topic, ask }) => {
                let mut written = Ok(());
                ask.get(config, &path("retained", &topic), |message| {
                    written = write(message);
                })?;
                is_wanted(written)?;
                Ok(())
            }
            Self::Set(set) => set.run(config),
            Self::Delete(delete) => delete.run(config),
        }
    }
}

impl List {
    fn run(self, config: &Config) -> Result<(), Failure> {
        let limit = self.limit.map_or(PAGE, |limit| limit.clamp(1, PAGE));
        let first = format!(
            "/api/v1/retained?filter={}&limit={limit}&payload_bytes_max={}",
            encoded(&self.filter),
            self.payload_bytes_max
        );
        let next = |page: RetainedPage| {
            let following = page
                .next
                .map(|cursor| format!("{first}&cursor={}", encoded(&cursor)));
            (page.retained, following)
        };
        self.ask.pages(
            config,
            first.clone(),
            self.limit,
            next,
            |message: &RetainedMessage| {
                format!("{}  {}", printable(&message.topic), preview(message))
            },
        )
    }
}

impl Set {
    fn run(self, config: &Config) -> Result<(), Failure> {
        let payload = self.payload.read()?.unwrap_or_default();
        let Payload { text, base64, .. } = Payload::new(&payload, usize::MAX);
        let request = PutRetainedRequest {
            payload: text,
            payload_base64: base64,
            qos: self.qos,
            properties: shown(&self.properties.properties()?),
        };
        let path = path("retained", &self.topic);
        self.ask.send(
            config,
            Method::PUT,
            &path,
            Some(&request),
            |done: PublishResponse| match done.reason_code {
                0 => println!("it is kept"),
                _ => println!("it is kept; {}", done.reason.to_lowercase()),
            },
        )
    }
}

impl Delete {
    fn run(self, config: &Config) -> Result<(), Failure> {
        let path = format!(
            "/api/v1/retained?filter={}&dry_run={}",
            encoded(&self.filter),
            self.dry_run
        );
        self.ask.send(
            config,
            Method::DELETE,
            &path,
            None::<&()>,
            |done: DeleteRetainedResponse| {
                for topic in &done.topics {
                    println!("{}", printable(topic));
                }
                let more = done.count.saturating_sub(done.topics.len() as u64);
                if more > 0 && !done.topics.is_empty() {
                    println!("and {more} more");
                }
                let verb = if done.dry_run {
                    "would be deleted"
                } else {
                    "deleted"
                };
                match done.bytes {
                    // Every message has a topic.
                    0 if done.count > 0 => println!(
                        "{} messages {verb}; which ones takes the scope `read`",
                        done.count
                    ),
                    bytes => println!("{} messages, {bytes} bytes {verb}", done.count),
                }
                if done.kept > 0 {
                    println!(
                        "{} stay: the broker keeps them itself, or rules do",
                        done.kept
                    );
                }
            },
        )
    }
}

fn preview(message: &RetainedMessage) -> String {
    match &message.payload {
        Some(text) => {
            let end = text.floor_char_boundary(PREVIEW_BYTES);
            let rest = message.payload_bytes.saturating_sub(end as u64);
            match rest {
                0 => printable(text),
                rest => format!("{}… ({rest} bytes more)", printable(&text[..end])),
            }
        }
        None => format!("({} bytes, no text)", message.payload_bytes),
    }
}

/// To standard output, and nothing behind it.
fn write(message: RetainedMessage) -> io::Result<()> {
    let payload = match (message.payload, message.payload_base64) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(encoded)) => STANDARD.decode(encoded).unwrap_or_default(),
        (None, None) => Vec::new(),
    };
    let mut output = io::stdout().lock();
    output.write_all(&payload)?;
    output.flush()
}
