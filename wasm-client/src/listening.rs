//! The listeners of a Rust application, and what each of them is told.

use alloc::boxed::Box;

use ebbtide_protocol::ReasonCode;
use ebbtide_protocol::client::{
    Diagnostics, Event, PublishHandle, State, SubscriptionChange, SubscriptionHandle,
};

use crate::listeners::Listeners;
use crate::{Error, SubscriptionEvent};

type StateListener = Box<dyn FnMut(&State)>;
type SubscriptionListener = Box<dyn FnMut(SubscriptionEvent<'_>)>;
type AckListener = Box<dyn FnOnce(Result<ReasonCode, Error>, Option<&Diagnostics>)>;

#[derive(Default)]
pub(crate) struct Listening {
    pub(crate) states: Listeners<u32, StateListener>,
    pub(crate) subscriptions: Listeners<SubscriptionHandle, SubscriptionListener>,
    pub(crate) acks: Listeners<PublishHandle, AckListener>,
}

impl Listening {
    pub(crate) fn deliver(&self, event: Event) {
        match event {
            Event::State(state) => {
                for key in self.states.keys() {
                    self.states.call(key, |listener| listener(&state));
                }
            }
            Event::Message {
                message,
                subscriptions,
            } => {
                for handle in subscriptions {
                    self.subscriptions.call(handle, |listener| {
                        listener(SubscriptionEvent::Message(&message));
                    });
                }
            }
            Event::Acked {
                handle,
                result,
                diagnostics,
            } => {
                if let Some(listener) = self.acks.remove(handle) {
                    listener(result.map_err(Error::from), diagnostics.as_deref());
                }
            }
            Event::Subscription {
                handle,
                change,
                diagnostics,
            } => {
                if let Some(diagnostics) = &diagnostics {
                    self.subscriptions.call(handle, |listener| {
                        listener(SubscriptionEvent::Diagnostics(diagnostics));
                    });
                }
                let event = match change {
                    SubscriptionChange::Granted(reason) => SubscriptionEvent::Granted(reason),
                    SubscriptionChange::Refused(reason) => SubscriptionEvent::Refused(reason),
                    SubscriptionChange::SnapshotComplete { inferred } => {
                        SubscriptionEvent::SnapshotComplete { inferred }
                    }
                };
                self.subscriptions.call(handle, |listener| listener(event));
            }
            // Nobody waits for the end of a subscription; these clients are not durable; a method of one step needs no
            // answer to what the server says.
            Event::Connected(_)
            | Event::Deferred { .. }
            | Event::Unsubscribed { .. }
            | Event::Auth(_) => {}
        }
    }
}
