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
                let event = match change {
                    SubscriptionChange::Granted(reason) => SubscriptionEvent::Granted(reason),
                    SubscriptionChange::Refused(reason) => SubscriptionEvent::Refused(reason),
                    SubscriptionChange::SnapshotComplete { inferred } => {
                        SubscriptionEvent::SnapshotComplete { inferred }
                    }
                };
                let said = diagnostics.as_deref().map(SubscriptionEvent::Diagnostics);
                for event in said.into_iter().chain([event]) {
                    self.subscriptions.call(handle, |listener| listener(event));
                }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn said() -> Option<Box<Diagnostics>> {
        Some(Box::new(Diagnostics {
            reason_string: Some("why".into()),
            ..Diagnostics::default()
        }))
    }

    #[test]
    fn listeners_hear_what_the_server_says_beside_its_codes() {
        let listening = Listening::default();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let (publish, handle) = (
            PublishHandle::from_number(1),
            SubscriptionHandle::from_number(1),
        );
        let note = Rc::clone(&heard);
        listening.acks.insert(
            publish,
            Box::new(move |result, diagnostics| {
                note.borrow_mut()
                    .push(format!("{result:?} {}", text(diagnostics)));
            }),
        );
        let note = Rc::clone(&heard);
        listening.subscriptions.insert(
            handle,
            Box::new(move |event| {
                let told = match event {
                    SubscriptionEvent::Diagnostics(diagnostics) => text(Some(diagnostics)),
                    other => format!("{other:?}"),
                };
                note.borrow_mut().push(told);
            }),
        );
        listening.deliver(Event::Acked {
            handle: publish,
            result: Ok(ReasonCode::Success),
            diagnostics: said(),
        });
        for diagnostics in [said(), None] {
            listening.deliver(Event::Subscription {
                handle,
                change: SubscriptionChange::Granted(ReasonCode::Success),
                diagnostics,
            });
        }
        let expected = [
            "Ok(Success) why",
            "why",
            "Granted(Success)",
            "Granted(Success)",
        ];
        assert_eq!(*heard.borrow(), expected);
    }

    fn text(diagnostics: Option<&Diagnostics>) -> String {
        diagnostics
            .and_then(|said| said.reason_string.as_deref())
            .unwrap_or("nothing")
            .to_owned()
    }
}
