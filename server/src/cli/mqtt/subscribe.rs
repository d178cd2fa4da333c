//! `ebbtide sub`: what is published, written to standard output. A message is acknowledged once it has been written.
//!
//! A connection that is lost is made again. With `--persistent` the session stays at the broker, and what comes meanwhile
//! waits there.

use std::{
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{ArgAction, Args, ValueEnum};
use ebbtide_client::{Client, ClientError, Error, IncomingMessage, Messages, State};
use ebbtide_protocol::{
    ReasonCode, TopicFilter, Version,
    packet::{RetainHandling, SubscriptionOptions},
};
use ebbtide_store::WallTime;
use futures_util::future::try_join_all;

use super::{
    Deadline, MqttError, asked_to_end,
    connect::{Connection, Kept, Prepared, qos},
    goodbye,
    output::{self, Format},
    run,
};
use crate::exit::Failure;

/// How long a session stays unless `--session-expiry` says otherwise, seconds: a day.
const SESSION_EXPIRY_S: u32 = 86_400;

/// What may be typed.
#[derive(Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub struct Subscribe {
    /// A topic filter, wildcards allowed; may be repeated.
    #[arg(short, long, value_name = "FILTER")]
    topic: Vec<String>,

    /// The highest QoS that messages come with.
    #[arg(short, long, value_name = "QOS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,

    /// Ends after so many messages.
    #[arg(short = 'C', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Ends when the broker has granted the subscriptions: with --persistent, to begin with.
    #[arg(short = 'E', long, conflicts_with = "count")]
    subscribe_only: bool,

    /// Writes a JSON object for each message, one a line: topic, payload (or payload_base64), qos, retain, dup, properties, received_at.
    #[arg(long)]
    json: bool,

    /// Writes the topic before the payload.
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,

    /// Writes no end of line behind a payload.
    #[arg(short = 'N', long, conflicts_with = "json")]
    no_newline: bool,

    /// Leaves out what comes from the retained messages.
    #[arg(short = 'R', long)]
    no_retained: bool,

    /// Keeps the session at the broker, and comes back to it; needs --id.
    #[arg(short = 'c', long)]
    persistent: bool,

    /// With --persistent: how many seconds the session stays without a connection. Default: a day. 4294967295: for ever.
    #[arg(short = 'x', long, value_name = "SECONDS", requires = "persistent")]
    session_expiry: Option<u32>,

    #[command(flatten)]
    options: SubscriptionFlags,

    #[command(flatten)]
    connection: Connection,

    /// Prints this.
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Subscription Options.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Options of the subscription (MQTT 5)")]
struct SubscriptionFlags {
    /// Not what this client has published itself.
    #[arg(long)]
    no_local: bool,

    /// Messages have the RETAIN flag that they were published with.
    #[arg(long)]
    retain_as_published: bool,

    /// When the broker sends the retained messages.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "always")]
    retain_handling: Handling,
}

/// A Retain Handling as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Handling {
    /// Each time that it subscribes.
    Always,
    /// If the subscription was not there before.
    New,
    /// Never.
    Never,
}

impl SubscriptionFlags {
    fn is_set(self) -> bool {
        self.no_local || self.retain_as_published || self.retain_handling != Handling::Always
    }
}

impl Subscribe {
    /// Subscribes, and writes what comes.
    pub fn run(self) -> Result<(), Failure> {
        Ok(self.subscribe()?)
    }

    fn subscribe(self) -> Result<(), MqttError> {
        let kept = self.persistent.then(|| Kept {
            expiry_s: self.session_expiry.unwrap_or(SESSION_EXPIRY_S),
        });
        let mut prepared = self.connection.prepare(kept, None)?;
        prepared.reconnects();
        if self.subscribe_only {
            prepared.takes_no_messages();
        }
        if self.options.is_set() && prepared.version != Version::V5 {
            return Err(MqttError::Typed(
                "only MQTT 5 has options of the subscription: leave out -V, or the options"
                    .to_owned(),
            ));
        }
        let typed = self.topic.iter().chain(&prepared.place.topic);
        let filters = typed.map(|typed| {
            let filter = TopicFilter::new(typed.clone());
            filter.map_err(|error| MqttError::Typed(format!("--topic {typed}: {error}")))
        });
        let filters: Vec<TopicFilter> = filters.collect::<Result<_, _>>()?;
        if filters.is_empty() {
            return Err(MqttError::Typed(
                "say what to listen to: --topic FILTER, for example --topic '#'".to_owned(),
            ));
        }
        let ends_line = !self.no_newline;
        let wanted = Wanted {
            filters,
            options: SubscriptionOptions {
                qos: qos(self.qos),
                no_local: self.options.no_local,
                retain_as_published: self.options.retain_as_published,
                retain_handling: match self.options.retain_handling {
                    Handling::Always => RetainHandling::Send,
                    Handling::New => RetainHandling::SendIfNew,
                    Handling::Never => RetainHandling::DoNotSend,
                },
            },
            count: self.count,
            is_over_when_granted: self.subscribe_only,
            without_retained: self.no_retained,
            format: match (self.json, self.verbose) {
                (true, _) => Format::Json,
                (_, true) => Format::Verbose { ends_line },
                _ => Format::Payload { ends_line },
            },
        };
        run(listen(prepared, wanted))
    }
}

/// What is listened to, how it is written, and for how long.
struct Wanted {
    filters: Vec<TopicFilter>,
    options: SubscriptionOptions,
    count: Option<u64>,
    is_over_when_granted: bool,
    without_retained: bool,
    format: Format,
}

async fn listen(prepared: Prepared, wanted: Wanted) -> Result<(), MqttError> {
    let deadline = Deadline::after(prepared.timeout_s);
    let (client, mut messages) = tokio::select! {
        connected = prepared.connect() => connected?,
        late = deadline.passed() => return Err(late),
    };
    let done = tokio::select! {
        done = write_all(&client, &mut messages, &wanted) => done,
        late = deadline.passed() => Err(late),
        () = asked_to_end() => Ok(()),
        fault = watch(client.clone()) => Err(fault),
    };
    if !matches!(
        done,
        Err(MqttError::Refused { .. } | MqttError::Lost { .. })
    ) {
        goodbye(client).await;
    }
    done
}

/// Ends when all that was asked for has come.
async fn write_all(
    client: &Client,
    messages: &mut Messages,
    wanted: &Wanted,
) -> Result<(), MqttError> {
    let subscribing = wanted.filters.iter().map(|filter| async move {
        let granted = client.subscribe(filter.clone(), wanted.options).await;
        let what = format!("the subscription to {}", filter.as_str());
        granted.map_err(|error| MqttError::of(&what, error, ""))
    });
    // Messages come meanwhile, and the answer may wait behind one.
    let mut subscribing = std::pin::pin!(try_join_all(subscribing));
    let mut are_granted = false;
    let mut written = 0;
    let mut output = io::stdout();
    loop {
        let message = tokio::select! {
            granted = &mut subscribing, if !are_granted => {
                granted?;
                if wanted.is_over_when_granted {
                    return Ok(());
                }
                are_granted = true;
                continue;
            }
            message = messages.next() => message,
        };
        let Some(message) = message else {
            return Err(MqttError::Lost {
                why: "the client has ended".to_owned(),
                done: String::new(),
            });
        };
        if wanted.is_over_when_granted {
            continue;
        }
        if !(wanted.without_retained && message.retain) {
            match write(&mut output, wanted.format, &message) {
                // Who reads has had enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                other => other.map_err(MqttError::Write)?,
            }
            written += 1;
        }
        messages.done().await;
        if wanted.count == Some(written) {
            return Ok(());
        }
    }
}

fn write(output: &mut impl Write, format: Format, message: &IncomingMessage) -> io::Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    output::write(output, format, message, WallTime(now_ms))
}

/// Says what becomes of the connection; ends when it is not made again.
async fn watch(mut client: Client) -> MqttError {
    let mut last = client.state();
    let mut subscriptions = client.clone();
    loop {
        let state = tokio::select! {
            refused = subscriptions.refused_later() => {
                let error = match refused {
                    Ok(reason) => Error::Client(ClientError::Refused(reason)),
                    Err(error) => error,
                };
                return MqttError::of("a subscription that it had granted before", error, "");
            }
            state = client.wait_for(|state| *state != last) => state,
        };
        let state = match state {
            Ok(state) => state,
            Err(error) => return MqttError::of("the connection", error, ""),
        };
        match &state {
            State::Offline {
                retry_in_ms: Some(wait_ms),
                ..
            } => {
                let (why, wait_s) = (state.explain(), f64::from(*wait_ms) / 1000.0);
                eprintln!("the connection was lost ({why}); trying again in {wait_s:.1} s");
            }
            State::Online { .. } => eprintln!("connected again"),
            State::Offline {
                reason_code,
                retry_in_ms: None,
                ..
            } => return over(state.explain(), *reason_code),
            State::NeedsAuth { reason_code, .. } => {
                return over(state.explain(), Some(*reason_code));
            }
            State::Connecting | State::Closed => {}
        }
        last = state;
    }
}

fn over(why: String, code: Option<ReasonCode>) -> MqttError {
    match code {
        Some(code) => MqttError::Refused {
            what: "to go on".to_owned(),
            why,
            code,
            done: String::new(),
        },
        None => MqttError::Lost {
            why,
            done: String::new(),
        },
    }
}
