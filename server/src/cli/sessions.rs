//! `ebbtide sessions`: the sessions of a running broker, connected or away, through its HTTP API.

use clap::{Args, Subcommand, ValueEnum};
use ebbtide_api::{
    DisconnectRequest, Done, PurgeResponse, QueuePage, QueuedMessage, QueuedState, Session,
    SessionPage, Subscription, SubscriptionPage,
};
use hyper::Method;

use super::ask::{Ask, encoded, path, printable};
use crate::{config::Config, exit::Failure};

/// Entries of a page.
const PAGE: usize = 500;

/// About sessions.
#[derive(Subcommand, Clone, Debug)]
pub enum Sessions {
    /// Lists them.
    List(List),
    /// Shows one.
    Show(One),
    /// Lists its subscriptions.
    Subscriptions(One),
    /// Shows what it is to get, the next first. Nothing is taken out.
    Queue(Queue),
    /// Says why it did not get a message, or did.
    Why(Why),
    /// Drops what waits for it.
    Purge(One),
    /// Ends its connection. The session stays as long as it may; the client may come back.
    Disconnect(One),
    /// Ends it with all that belongs to it, and its connection.
    Delete(One),
}

/// Which ones, in which order.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Only those whose client id, user or address contains this.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// Only those that are connected, or only those that are away.
    #[arg(long, value_enum)]
    state: Option<StateName>,

    /// By what they are ordered.
    #[arg(long, value_enum, default_value = "client-id")]
    sort: SortName,

    /// The greatest first.
    #[arg(long)]
    descending: bool,

    /// So many at the most. Default: all.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,

    #[command(flatten)]
    ask: Ask,
}

/// One of them.
#[derive(Args, Clone, Debug)]
pub struct One {
    /// Its client id.
    client_id: String,

    #[command(flatten)]
    ask: Ask,
}

/// How much of the queue of one of them.
#[derive(Args, Clone, Debug)]
pub struct Queue {
    /// Its client id.
    client_id: String,

    /// So many messages at the most.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,

    /// So many are left out before them.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    offset: usize,

    #[command(flatten)]
    ask: Ask,
}

/// What about.
#[derive(Args, Clone, Debug)]
pub struct Why {
    /// Its client id.
    client_id: String,

    /// The topic of the message.
    topic: String,

    #[command(flatten)]
    ask: Ask,
}

/// A state as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StateName {
    Connected,
    Away,
}

/// An order as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SortName {
    ClientId,
    ConnectedAt,
    DisconnectedAt,
    ExpiresAt,
    QueueMessages,
    QueueBytes,
    Subscriptions,
    InFlight,
    Dropped,
}

/// As the API calls it.
fn api_name(value: impl ValueEnum) -> String {
    let name = value.to_possible_value();
    name.map_or_else(String::new, |name| name.get_name().replace('-', "_"))
}

impl Sessions {
    /// Does it.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let of = |client_id: &str, what: &str| format!("{}{what}", path("sessions", client_id));
        match self {
            Self::List(list) => list.run(config),
            Self::Queue(queue) => queue.run(config),
            Self::Show(One { client_id, ask }) => ask.get(config, &of(&client_id, ""), show),
            Self::Subscriptions(One { client_id, ask }) => {
                let first = of(&client_id, &format!("/subscriptions?limit={PAGE}"));
                let next = |page: SubscriptionPage| {
                    let following = page
                        .next
                        .map(|cursor| format!("{first}&cursor={}", encoded(&cursor)));
                    (page.subscriptions, following)
                };
                ask.pages(
                    config,
                    first.clone(),
                    None,
                    next,
                    |subscription: &Subscription| {
                        format!(
                            "{}  QoS {}",
                            printable(&subscription.filter),
                            subscription.qos
                        )
                    },
                )
            }
            Self::Why(Why {
                client_id,
                topic,
                ask,
            }) => {
                let path = of(&client_id, &format!("/why?topic={}", encoded(&topic)));
                ask.get(config, &path, |answer: ebbtide_api::Why| {
                    println!("{}", printable(&answer.explanation));
                })
            }
            Self::Purge(One { client_id, ask }) => {
                let path = of(&client_id, "/queue");
                ask.send(
                    config,
                    Method::DELETE,
                    &path,
                    None::<&()>,
                    |done: PurgeResponse| {
                        println!("{} messages dropped", done.purged);
                    },
                )
            }
            Self::Disconnect(One { client_id, ask }) => {
                let path = of(&client_id, "/disconnect");
                let body = Some(&DisconnectRequest {});
                ask.send(config, Method::POST, &path, body, |Done {}| {
                    println!("{} is disconnected", printable(&client_id));
                })
            }
            Self::Delete(One { client_id, ask }) => {
                let path = of(&client_id, "");
                ask.send(config, Method::DELETE, &path, None::<&()>, |Done {}| {
                    println!("{} is gone", printable(&client_id));
                })
            }
        }
    }
}

impl List {
    fn run(self, config: &Config) -> Result<(), Failure> {
        let limit = self.limit.map_or(PAGE, |limit| limit.clamp(1, PAGE));
        let order = if self.descending { "desc" } else { "asc" };
        let mut first = format!(
            "/api/v1/sessions?limit={limit}&sort={}&order={order}",
            api_name(self.sort)
        );
        if let Some(state) = self.state {
            first.push_str(&format!("&state={}", api_name(state)));
        }
        if let Some(text) = &self.search {
            first.push_str(&format!("&q={}", encoded(text)));
        }
        let next = |page: SessionPage| {
            let following = page
                .next
                .map(|cursor| format!("{first}&cursor={}", encoded(&cursor)));
            (page.sessions, following)
        };
        self.ask.pages(
            config,
            first.clone(),
            self.limit,
            next,
            |session: &Session| line(session),
        )
    }
}

impl Queue {
    fn run(self, config: &Config) -> Result<(), Failure> {
        let limit = self.limit.clamp(1, PAGE);
        let base = format!("{}/queue?limit={limit}", path("sessions", &self.client_id));
        let next = |page: QueuePage| {
            let following = page
                .next_offset
                .map(|offset| format!("{base}&offset={offset}"));
            (page.messages, following)
        };
        let first = format!("{base}&offset={}", self.offset);
        self.ask.pages(
            config,
            first,
            Some(self.limit),
            next,
            |message: &QueuedMessage| {
                let state = match message.state {
                    QueuedState::Waiting => "waits",
                    QueuedState::Sent => "sent",
                    QueuedState::Released => "released",
                };
                let topic = message.topic.as_deref().unwrap_or("(not kept)");
                let payload = match (&message.payload, message.payload_bytes) {
                    (Some(text), _) if !message.truncated => printable(text),
                    (Some(text), Some(bytes)) => format!("{}… ({bytes} bytes)", printable(text)),
                    (_, bytes) => format!("({} bytes)", bytes.unwrap_or_default()),
                };
                let position = message.position;
                format!(
                    "{position}  {state}  QoS {}  {}  {payload}",
                    message.qos,
                    printable(topic)
                )
            },
        )
    }
}

fn line(session: &Session) -> String {
    let where_from = match &session.connection {
        Some(connection) => format!("connected from {}", connection.address),
        None => format!(
            "away since {}",
            session.disconnected_at.as_deref().unwrap_or("the start")
        ),
    };
    let user = session.user.as_deref().unwrap_or("anonymous");
    format!(
        "{}  {}  {where_from}  {} subscriptions, {} messages wait",
        printable(&session.client_id),
        printable(user),
        session.subscriptions,
        session.queue_messages
    )
}

fn show(session: Session) {
    println!("{}", line(&session));
    if let Some(connection) = &session.connection {
        println!(
            "connected at {} with MQTT {} over {}, keep alive {} s",
            connection.connected_at,
            connection.protocol,
            connection.transport,
            connection.keep_alive_s
        );
    }
    match (&session.expires_at, session.session_expiry_interval) {
        (Some(at), _) => println!("ends at {at}"),
        (None, Some(0)) => println!("ends with its connection"),
        (None, Some(seconds)) => println!("stays {seconds} s without a connection"),
        (None, None) => println!("never expires"),
    }
    println!(
        "{} in flight, {} messages ({} bytes) wait",
        session.in_flight, session.queue_messages, session.queue_bytes
    );
    if let Some(dropped) = &session.dropped {
        println!(
            "{} messages dropped between {} and {}",
            dropped.count, dropped.first, dropped.last
        );
    }
}
