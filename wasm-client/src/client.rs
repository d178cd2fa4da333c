//! What applications call. Every call returns at once; outcomes come to listeners, later, never during a call.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use ebbtide_protocol::client::{self, Diagnostics, SubscriptionHandle};
use ebbtide_protocol::codec::{Role, check_as};
use ebbtide_protocol::packet::{Auth, MessageProperties, Publish, SubscriptionOptions};
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version};

use crate::driver::Driver;
use crate::{Error, Message, Options, State};

/// A connection that is made again whenever it is lost. Clones are the same client; when the last is dropped the
/// connection ends as if it were cut.
#[derive(Clone)]
pub struct Client(Rc<Driver>);

/// Keeps a state listener; dropping it removes the listener.
#[must_use = "dropping it removes the listener"]
pub struct Listener {
    driver: Weak<Driver>,
    key: u32,
}

/// Keeps a subscription; dropping it unsubscribes. Does not keep the client.
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    driver: Weak<Driver>,
    handle: SubscriptionHandle,
}

/// A message to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Where.
    pub topic: String,
    /// Its content.
    pub payload: Bytes,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// Passed on to the subscribers; 3.1.1 has none.
    pub properties: MessageProperties,
}

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionEvent<'a> {
    /// Right before `Granted` or `Refused`: what the server said beside the code, if it did.
    Diagnostics(&'a Diagnostics),
    /// The server granted it. Comes again after a reconnect that found no session; a snapshot follows again.
    Granted(ReasonCode),
    /// The server refused it, or has announced that it does not support it.
    Refused(ReasonCode),
    /// A message.
    Message(&'a Message),
    /// All retained messages that match have been delivered.
    SnapshotComplete {
        /// No server said so: a PINGRESP came after the SUBACK and then nothing more.
        inferred: bool,
    },
}

impl Client {
    /// Begins to connect.
    ///
    /// # Errors
    /// When no attempt could ever succeed: [`Error::Url`], [`Error::ClientIdMissing`], [`Error::FieldTooLong`].
    pub fn connect(options: Options) -> Result<Self, Error> {
        let resolved = options.resolve()?;
        let machine = client::Client::idle(resolved);
        let driver = Driver::new(options.url, machine);
        driver.start();
        Ok(Self(driver))
    }

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Calls back after each change of state.
    pub fn on_state(&self, listener: impl FnMut(&State) + 'static) -> Listener {
        Listener {
            driver: Rc::downgrade(&self.0),
            key: self.0.listening.states.add(Box::new(listener)),
        }
    }

    /// Subscribes, now and after each reconnect. Each subscription gets the retained messages for itself, also when
    /// there is another one on the same filter.
    ///
    /// # Errors
    /// [`Error::TopicFilter`], or [`Error::Client`] when closed or when there are too many.
    pub fn subscribe(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        listener: impl FnMut(SubscriptionEvent<'_>) + 'static,
    ) -> Result<Subscription, Error> {
        let filter = TopicFilter::new(filter)?;
        let handle = self
            .0
            .with(|machine, _| machine.subscribe(filter, options))?;
        self.0
            .listening
            .subscriptions
            .insert(handle, Box::new(listener));
        Ok(Subscription {
            driver: Rc::downgrade(&self.0),
            handle,
        })
    }

    /// Publishes; without a connection QoS 1 and 2 wait for it. `on_acked` comes exactly once if this returns `Ok`
    /// (and never if the client is dropped before): when the server has it, or with why it never will.
    ///
    /// # Errors
    /// [`Error::TopicName`], [`Error::FieldTooLong`], or [`Error::Client`] when closed, full, or offline (QoS 0).
    pub fn publish(
        &self,
        publish: OutgoingMessage,
        on_acked: impl FnOnce(Result<ReasonCode, Error>) + 'static,
    ) -> Result<(), Error> {
        self.publish_with(publish, |result, _| on_acked(result))
    }

    /// As [`Client::publish`]; `on_acked` also gets what the server said beside the code, if it did.
    ///
    /// # Errors
    /// As there.
    pub fn publish_with(
        &self,
        publish: OutgoingMessage,
        on_acked: impl FnOnce(Result<ReasonCode, Error>, Option<&Diagnostics>) + 'static,
    ) -> Result<(), Error> {
        let message = publish.validate()?;
        let handle = self.0.with(|machine, _| machine.publish(message))?;
        self.0.listening.acks.insert(handle, Box::new(on_acked));
        Ok(())
    }

    /// New Authentication Data of the same method [MQTT-4.12.1-1]: for a connection that stands by AUTH 0x19, and for those
    /// to come. A server that does not take it says so by DISCONNECT.
    ///
    /// Does nothing without [`Options::authentication`].
    pub fn authenticate_again(&self, data: String) {
        self.0.with(|machine, now| {
            let connect = &machine.options().connect;
            let Some(method) = connect.authentication_method.clone() else {
                return;
            };
            let (username, password) = (connect.username.clone(), connect.password.clone());
            let data = Some(Bytes::from(data));
            machine.set_credentials(now, username, password, data.clone());
            // Before CONNACK the server takes none; the CONNECT that is under way has the old data.
            if !matches!(machine.state(), State::Online { .. }) {
                return;
            }
            machine.authenticate(Auth {
                reason: ReasonCode::ReAuthenticate,
                authentication_method: Some(method),
                authentication_data: data,
                reason_string: None,
                user_properties: Vec::new(),
            });
        });
    }

    /// Ends the wait for the next attempt, also after `NeedsAuth`; a connection that stands is probed.
    pub fn reconnect_now(&self) {
        self.0.with(client::Client::reconnect_now);
    }

    /// Says goodbye (DISCONNECT 0x00: no will is published) and closes for good. What is not acknowledged fails.
    pub fn close(&self) {
        self.0.with(|machine, _| machine.close());
    }
}

impl PartialEq for Client {
    /// Whether both are the same client, not merely alike.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl OutgoingMessage {
    pub(crate) fn validate(self) -> Result<client::OutgoingMessage, Error> {
        let topic = TopicName::new(self.topic)?;
        let packet = Packet::Publish(Box::new(Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: Some(topic.clone()),
            packet_id: (self.qos != QoS::AtMostOnce).then_some(PacketId::MAX),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: self.properties.clone(),
            payload: self.payload.clone(),
        }));
        check_as(Some(Role::Client), &packet, Version::V5).map_err(|_| Error::FieldTooLong)?;
        Ok(client::OutgoingMessage {
            topic,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.upgrade() {
            drop(driver.listening.states.remove(self.key));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.upgrade() {
            drop(driver.listening.subscriptions.remove(self.handle));
            driver.with(|machine, _| machine.unsubscribe(self.handle));
        }
    }
}
