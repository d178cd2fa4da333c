//! What the page hears from the broker, collected and handed over once per animation frame.
//!
//! The only module that knows the MQTT client. It watches at QoS 0 with a session that ends with the connection, so a
//! viewer leaves nothing behind at the broker. Never calls back from inside a call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ebbtide_wasm_client::{
    Bytes, Client, Listener, MessageProperties, Options, OutgoingMessage, QoS, State, Subscription,
    SubscriptionEvent, SubscriptionOptions,
};
use gloo::render::{AnimationFrame, request_animation_frame};
use yew::Callback;

use crate::browser::now_ms;
use crate::model::board::Change;
use crate::model::connection::Link;
use crate::model::link::Pane;
use crate::model::payload::Payload;

/// Pages in the background get no animation frames: with so many events waiting they are handed over at once.
const WAITING_MAX: usize = 4_096;

/// Tells the events of one subscription from those of an earlier one on the same board.
pub type Watch = u32;

#[derive(Debug)]
pub enum Event {
    Link(Link),
    Board(Pane, Watch, Change),
}

/// What a publish came to, in words when it failed.
pub type Outcome = Result<(), String>;

pub struct Feed {
    client: Client,
    batch: Rc<Batch>,
    watches: Cell<Watch>,
    _listener: Listener,
}

/// Keeps a board's subscription; dropping it ends the subscription.
pub struct Watching {
    pub watch: Watch,
    _subscription: Subscription,
}

impl Feed {
    pub fn open(url: &str, sink: Callback<Vec<Event>>) -> Result<Self, String> {
        let client = Client::connect(Options::new(url)).map_err(|error| error.to_string())?;
        let batch = Rc::new(Batch {
            sink,
            waiting: RefCell::default(),
            frame: RefCell::default(),
        });
        let listener = client.on_state({
            let batch = Rc::clone(&batch);
            move |state| batch.push(Event::Link(link(state)))
        });
        Ok(Self {
            client,
            batch,
            watches: Cell::new(0),
            _listener: listener,
        })
    }

    pub fn watch(&self, pane: Pane, filter: &str) -> Result<Watching, String> {
        let watch = self.watches.get().wrapping_add(1);
        self.watches.set(watch);
        let options = SubscriptionOptions {
            qos: QoS::AtMostOnce,
            // Tells state from events that pass by.
            retain_as_published: true,
            ..SubscriptionOptions::default()
        };
        let batch = Rc::clone(&self.batch);
        let listener = move |event: SubscriptionEvent<'_>| {
            let change = match event {
                SubscriptionEvent::Granted(_) => return,
                SubscriptionEvent::Refused(reason) => Change::Refused(reason.name().to_owned()),
                SubscriptionEvent::Message(message) => Change::Message {
                    topic: message.topic.as_str().into(),
                    payload: Payload::new(&message.payload),
                    retained: message.retain,
                },
                SubscriptionEvent::SnapshotComplete { .. } => Change::SnapshotComplete,
            };
            batch.push(Event::Board(pane, watch, change));
        };
        match self.client.subscribe(filter, options, listener) {
            Ok(subscription) => Ok(Watching {
                watch,
                _subscription: subscription,
            }),
            Err(error) => Err(error.to_string()),
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

    pub fn reconnect_now(&self) {
        self.client.reconnect_now();
    }
}

fn link(state: &State) -> Link {
    match state {
        State::Connecting => Link::Connecting,
        State::Online { .. } => Link::Online,
        State::Offline {
            reason,
            retry_in_ms,
            ..
        } => Link::Offline {
            reason: reason.clone(),
            retry_at_ms: retry_in_ms.map(|wait_ms| now_ms().saturating_add(wait_ms.into())),
        },
        State::NeedsAuth { reason, .. } => Link::NeedsAuth {
            reason: reason.clone(),
        },
        State::Closed => Link::Closed,
    }
}

struct Batch {
    sink: Callback<Vec<Event>>,
    waiting: RefCell<Vec<Event>>,
    frame: RefCell<Option<AnimationFrame>>,
}

impl Batch {
    fn push(self: &Rc<Self>, event: Event) {
        // Told at once: in a page in the background no frame may come for long.
        let urgent = matches!(event, Event::Link(_));
        let waiting = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(event);
            waiting.len()
        };
        if urgent || waiting >= WAITING_MAX {
            self.hand_over();
        } else if self.frame.borrow().is_none() {
            let batch = Rc::clone(self);
            let frame = request_animation_frame(move |_| batch.hand_over());
            *self.frame.borrow_mut() = Some(frame);
        }
    }

    fn hand_over(&self) {
        // Dropping the frame cancels it, if it has not come yet.
        drop(self.frame.borrow_mut().take());
        let events = self.waiting.take();
        if !events.is_empty() {
            self.sink.emit(events);
        }
    }
}
