//! What the page hears from the broker, collected and handed over once per animation frame.
//!
//! The only module that knows the MQTT client. It watches at QoS 0 with a session that ends with the connection, so a
//! viewer leaves nothing behind at the broker. Never calls back from inside a call.

mod batch;
mod message;

use std::rc::Rc;

use ebbtide_wasm_client::{
    Bytes, Client, Listener, MessageProperties, Options, OutgoingMessage, QoS, State, Subscription,
    SubscriptionEvent, SubscriptionOptions,
};
use yew::Callback;

use self::batch::{Batch, Event, Watch};
use crate::browser::now_ms;
use crate::model::change::Change;
use crate::model::connection::Link;
use crate::model::publish::Outgoing;

/// The Authentication Method that takes tokens, and renews them on a connection (docs/security.md).
const TOKEN_METHOD: &str = "ebbtide-jwt";

/// What a publish came to, in words when it failed.
pub type Outcome = Result<(), String>;

/// What the broker said to a message that it took; in words, why it did not.
pub type Answer = Result<Accepted, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// QoS 0: it is on its way, and nobody says more.
    NoAnswer,
    Acknowledged {
        reason_code: u8,
        reason: &'static str,
    },
}

pub struct Feed {
    client: Client,
    batch: Rc<Batch>,
    _listener: Listener,
}

/// Keeps a subscription; dropping it ends the subscription, and nothing of it is handed over any more.
pub struct Watching {
    watch: Watch,
    batch: Rc<Batch>,
    _subscription: Subscription,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.batch.forget(self.watch);
    }
}

impl Feed {
    /// Connects, with a token of the login if there is one, and tells of the connection.
    pub fn open(url: &str, token: Option<String>, on_link: Callback<Link>) -> Result<Self, String> {
        let options = Options {
            authentication: token.map(|token| (TOKEN_METHOD.to_owned(), token)),
            ..Options::new(url)
        };
        let client = Client::connect(options).map_err(|error| error.to_string())?;
        let batch = Rc::new(Batch::new(on_link));
        let listener = client.on_state({
            let batch = Rc::clone(&batch);
            move |state| batch.push(Event::Link(link(state)))
        });
        Ok(Self {
            client,
            batch,
            _listener: listener,
        })
    }

    /// Subscribes: the retained messages first, then what changes. `sink` also learns when the connection is lost and
    /// when the state begins anew.
    pub fn watch(&self, filter: &str, sink: Callback<Vec<Change>>) -> Result<Watching, String> {
        self.watch_at(filter, 0, sink)
    }

    /// With another QoS than 0: each message then comes with that of its publisher, up to this one.
    pub fn watch_at(
        &self,
        filter: &str,
        qos: u8,
        sink: Callback<Vec<Change>>,
    ) -> Result<Watching, String> {
        let watch = self.batch.remember(sink);
        let options = SubscriptionOptions {
            qos: message::qos(qos),
            // Tells state from events that pass by.
            retain_as_published: true,
            ..SubscriptionOptions::default()
        };
        let batch = Rc::clone(&self.batch);
        let listener = move |event: SubscriptionEvent<'_>| {
            let change = match event {
                SubscriptionEvent::Diagnostics(_) | SubscriptionEvent::Granted(_) => return,
                SubscriptionEvent::Refused(reason) => Change::Refused(reason.name().to_owned()),
                SubscriptionEvent::Message(message) => {
                    Change::Message(message::incoming(message, now_ms()))
                }
                SubscriptionEvent::SnapshotComplete { .. } => Change::SnapshotComplete,
            };
            batch.push(Event::Change(watch, change));
        };
        match self.client.subscribe(filter, options, listener) {
            Ok(subscription) => Ok(Watching {
                watch,
                batch: Rc::clone(&self.batch),
                _subscription: subscription,
            }),
            Err(error) => {
                self.batch.forget(watch);
                Err(error.to_string())
            }
        }
    }

    /// Publishes a retained message at QoS 1; an empty payload removes what is kept there.
    pub fn publish_retained(&self, topic: &str, payload: String, done: Callback<Outcome>) {
        let message = OutgoingMessage {
            topic: topic.to_owned(),
            payload: Bytes::from(payload),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: MessageProperties::default(),
        };
        self.publish(message, done);
    }

    pub fn publish(&self, message: OutgoingMessage, done: Callback<Outcome>) {
        let later = done.clone();
        let published = self.client.publish(message, move |result| {
            later.emit(match result {
                Ok(reason) if (reason as u8) < 0x80 => Ok(()),
                Ok(reason) => Err(reason.name().to_owned()),
                Err(error) => Err(error.to_string()),
            });
        });
        if let Err(error) = published {
            done.emit(Err(error.to_string()));
        }
    }

    /// Publishes as asked, and tells what the broker answered.
    pub fn send(&self, message: Outgoing, done: Callback<Answer>) {
        let qos = message.qos;
        let later = done.clone();
        let published = self
            .client
            .publish(message::outgoing(message), move |result| {
                later.emit(match result {
                    Ok(_) if qos == 0 => Ok(Accepted::NoAnswer),
                    Ok(reason) if (reason as u8) < 0x80 => Ok(Accepted::Acknowledged {
                        reason_code: reason as u8,
                        reason: reason.name(),
                    }),
                    Ok(reason) => Err(format!("{} (0x{:02x})", reason.name(), reason as u8)),
                    Err(error) => Err(error.to_string()),
                });
            });
        if let Err(error) = published {
            done.emit(Err(error.to_string()));
        }
    }

    /// The next token, for the connection that stands and for those to come.
    pub fn renew(&self, token: String) {
        self.client.authenticate_again(token);
    }

    /// For good; nothing is handed over any more.
    pub fn close(&self) {
        self.client.close();
    }

    pub fn reconnect_now(&self) {
        self.client.reconnect_now();
    }
}

fn link(state: &State) -> Link {
    match state {
        State::Connecting => Link::Connecting,
        State::Online { .. } => Link::Online,
        State::Offline { retry_in_ms, .. } => Link::Offline {
            reason: state.explain(),
            retry_at_ms: retry_in_ms.map(|wait_ms| now_ms().saturating_add(wait_ms.into())),
        },
        State::NeedsAuth { .. } => Link::NeedsAuth {
            reason: state.explain(),
        },
        State::Closed => Link::Closed,
    }
}
