//! The client machine: what the application asks for, and what goes out to it and to the server.
//!
//! Packets from the server are in `incoming`, connecting and losing connections in `lifecycle`. A driver calls
//! `handle_*`, then polls until nothing is left: events, packets, actions, in this order, for taking a message makes an
//! acknowledgement and closing comes last.

use std::collections::VecDeque;

use super::{
    Action, Error, Event, Limits, Millis, OfflineQos0, Options, OutgoingMessage, PublishHandle,
    State, SubscriptionHandle,
    alias::OutboundAliases,
    backoff::Retry,
    inbound::{Inbound, Owed},
    keep_alive::KeepAlive,
    lifecycle::Phase,
    outbound::Outbound,
    packet_ids::PacketIds,
    publication::Settled,
    subscription::Change,
    subscriptions::Subscriptions,
};
use crate::{
    ByteString, Decoder, Packet, QoS, ReasonCode, TopicFilter,
    packet::{Auth, SubscriptionOptions},
};

/// The client side of MQTT: one session, any number of connections one after the other.
#[derive(Debug)]
pub struct Client {
    pub(super) options: Options,
    pub(super) phase: Phase,
    pub(super) state: State,
    pub(super) retry: Retry,
    pub(super) ids: PacketIds,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) subscriptions: Subscriptions,
    /// Those below are of the current connection.
    pub(super) limits: Option<Limits>,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) aliases: OutboundAliases,
    pub(super) control: VecDeque<Packet>,
    pub(super) events: VecDeque<Queued>,
    pub(super) actions: VecDeque<Action>,
    pub(super) was_online: bool,
    pub(super) assigned_client_id: Option<ByteString>,
    pub(super) decoder: Decoder,
}

/// An event, and what is owed to the server once the application takes it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) event: Event,
    pub(super) owed: Option<Owed>,
}

impl Client {
    /// Answers that wait to be written, at most. A driver that writes before it reads never gets near.
    const CONTROL_PACKETS_MAX: usize = 70_000;

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the server accepts, while connected.
    #[must_use]
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// The options, as given.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The client id that the server assigned, if it did.
    #[must_use]
    pub fn assigned_client_id(&self) -> Option<&str> {
        self.assigned_client_id.as_deref()
    }

    /// Publishes that are not settled yet.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.outbound.len()
    }

    /// Takes a message for publishing; its outcome comes as [`Event::Acked`].
    ///
    /// # Errors
    /// When it is refused at once: closed, no connection (QoS 0), or full.
    pub fn publish(&mut self, message: OutgoingMessage) -> Result<PublishHandle, Error> {
        match self.state {
            State::Closed => return Err(Error::Closed),
            State::Offline { .. } | State::NeedsAuth { .. }
                if message.qos == QoS::AtMostOnce
                    && self.options.offline_qos0 == OfflineQos0::Refuse =>
            {
                return Err(Error::Offline);
            }
            _ => {}
        }
        self.outbound.push(message)
    }

    /// Subscribes, now and after each reconnect that finds no session.
    ///
    /// # Errors
    /// When the client is closed or has too many subscriptions.
    pub fn subscribe(
        &mut self,
        filter: TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<SubscriptionHandle, Error> {
        if self.state == State::Closed {
            return Err(Error::Closed);
        }
        self.subscriptions.subscribe(filter, options, &mut self.ids)
    }

    /// Ends what `subscribe` began. No message comes for this handle any more.
    pub fn unsubscribe(&mut self, handle: SubscriptionHandle) {
        self.subscriptions.unsubscribe(handle, &mut self.ids);
    }

    /// Sends an AUTH packet, if connected or connecting.
    pub fn authenticate(&mut self, auth: Auth) {
        if matches!(self.phase, Phase::Handshake { .. } | Phase::Online { .. }) {
            self.control.push_back(Packet::Auth(Box::new(auth)));
        }
    }

    /// The next event. Taking a message acknowledges it.
    pub fn poll_event(&mut self) -> Option<Event> {
        let Queued { event, owed } = self.events.pop_front()?;
        if let Some(owed) = owed
            && matches!(self.phase, Phase::Online { .. })
            && let Some(ack) = self.inbound.taken(owed)
        {
            self.control.push_back(ack);
        }
        Some(event)
    }

    /// The next packet to write.
    pub fn poll_packet(&mut self, now: Millis) -> Option<Packet> {
        let packet = self.next_packet(now)?;
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.sent(now);
        }
        Some(packet)
    }

    fn next_packet(&mut self, now: Millis) -> Option<Packet> {
        if let Some(packet) = self.control.pop_front() {
            return Some(packet);
        }
        if !matches!(self.phase, Phase::Online { .. }) {
            return None;
        }
        let limits = self.limits.clone()?;
        while let Some((packet, changes)) = self.subscriptions.poll(&limits, &mut self.ids) {
            self.push_changes(changes);
            if packet.is_some() {
                return packet;
            }
        }
        if self.subscriptions.wants_ping()
            && let Some(keep_alive) = &mut self.keep_alive
        {
            self.subscriptions.pinged(keep_alive.ping(now));
            return Some(Packet::PingReq);
        }
        while let Some((packet, settled)) = self.outbound.poll(&limits, &mut self.ids) {
            self.push_settled(settled);
            if let Some(mut packet) = packet {
                let fits = limits.has_room(&packet, OutboundAliases::ANNOUNCEMENT_BYTES_MAX);
                if let Packet::Publish(publish) = &mut packet
                    && fits
                {
                    self.aliases.apply(publish);
                }
                return Some(packet);
            }
        }
        None
    }

    /// What to do with the transport, after all packets have been polled.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(super) fn push_event(&mut self, event: Event) {
        self.events.push_back(Queued { event, owed: None });
    }

    pub(super) fn push_settled(&mut self, settled: impl IntoIterator<Item = Settled>) {
        for (handle, result) in settled {
            self.push_event(Event::Acked { handle, result });
        }
    }

    pub(super) fn push_changes(&mut self, changes: Vec<Change>) {
        for (handle, change) in changes {
            self.push_event(Event::Subscription { handle, change });
        }
    }

    pub(super) fn push_control(&mut self, packet: Packet) -> Result<(), ReasonCode> {
        if self.control.len() >= Self::CONTROL_PACKETS_MAX {
            return Err(ReasonCode::MessageRateTooHigh);
        }
        self.control.push_back(packet);
        Ok(())
    }
}
