//! Connections between the peers and the broker, and what is under way on them.

use bytes::BytesMut;

use super::{
    history::ConnectionId,
    link::{Pipe, delay_ms},
    peer::Wish,
    world::{Event, FEEDER, HERO, World},
};

/// A connection under way.
pub struct Link {
    pub peer: usize,
    pub to_broker: Pipe,
    pub to_peer: Pipe,
    /// One side has closed it: what is under way still arrives.
    pub peer_is_gone: bool,
    pub broker_is_gone: bool,
    /// Nothing gets through.
    pub is_severed: bool,
}

impl World {
    pub fn carry_to_broker(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let piece = link.to_broker.take_piece(&mut self.random);
        link.to_broker.is_scheduled = false;
        self.node.receive(id, &piece);
        if link.peer_is_gone && link.to_broker.is_empty() {
            self.node.hang_up(id);
            self.links.remove(&id);
        }
        self.schedule(id);
    }

    pub fn carry_to_peer(&mut self, id: ConnectionId) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let piece = link.to_peer.take_piece(&mut self.random);
        link.to_peer.is_scheduled = false;
        let at = link.peer;
        let is_over = link.broker_is_gone && link.to_peer.is_empty();
        if self.peers[at].connection() == Some(id) {
            self.carry(at, &piece)?;
            if is_over {
                // After its turn: it may have decided itself that this connection is over, and then hears no more of it.
                self.put(0, Event::Notice(at, id));
            } else if at == HERO && !self.is_calm && self.random.below(150) == 0 {
                // The worst moment: somebody has just been told.
                if self.random.chance(70) {
                    self.crash_hero();
                } else {
                    self.crash_broker();
                }
            }
        }
        if is_over {
            self.links.remove(&id);
        }
        self.schedule(id);
        Ok(())
    }

    pub fn carry(&mut self, at: usize, piece: &BytesMut) -> Result<(), String> {
        let was_subscribed = self.peers[at].is_subscribed;
        self.peers[at].receive(self.now_ms, piece)?;
        if let Some(is_present) = self.peers[at].session_present.take()
            && at == HERO
        {
            let session = self.node.session("hero");
            if is_present && session != self.session {
                self.forgive();
                self.peers[at].is_subscribed = false;
            }
            self.session = session;
        }
        if at == HERO && !was_subscribed && self.peers[at].is_subscribed {
            // What the feeder has not stored yet comes for sure.
            self.excused_before = self.excused_before.max(self.peers[FEEDER].next);
        }
        Ok(())
    }

    pub fn grant(&mut self, at: usize, wish: Wish) {
        match wish {
            Wish::Open => {
                let id = self.next_connection;
                self.next_connection += 1;
                self.node.open(id);
                let link = Link {
                    peer: at,
                    to_broker: Pipe::default(),
                    to_peer: Pipe::default(),
                    peer_is_gone: false,
                    broker_is_gone: false,
                    is_severed: false,
                };
                self.links.insert(id, link);
                self.tell(|| format!("{at} opens {id}"));
                self.peers[at].opened(self.now_ms, id);
                if at == HERO && !self.is_calm && self.random.chance(10) {
                    // It may break before CONNACK comes.
                    let after_ms = self.random.between(0, 60);
                    self.put(after_ms, Event::Cut(id));
                }
                // CONNECT leaves with the next turn.
                self.put(0, Event::ToBroker(id));
            }
            Wish::Close => {
                let open = |link: &Link| link.peer == at && !link.peer_is_gone;
                let ids: Vec<ConnectionId> = self
                    .links
                    .iter()
                    .filter(|(_, link)| open(link))
                    .map(|(id, _)| *id)
                    .collect();
                for id in ids {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.peer_is_gone = true;
                    }
                    self.put(0, Event::ToBroker(id));
                }
            }
            Wish::Send(bytes) => {
                let newest = self
                    .links
                    .iter_mut()
                    .rev()
                    .find(|(_, link)| link.peer == at);
                if let Some((id, link)) = newest {
                    link.to_broker.push(&bytes);
                    let id = *id;
                    self.schedule(id);
                }
            }
        }
    }

    pub fn schedule(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let is_slow = link.peer == HERO && !self.is_calm;
        let mut events = Vec::new();
        for (pipe, event) in [
            (&mut link.to_broker, Event::ToBroker(id)),
            (&mut link.to_peer, Event::ToPeer(id)),
        ] {
            if !pipe.is_scheduled && !pipe.is_empty() {
                pipe.is_scheduled = true;
                events.push(event);
            }
        }
        for event in events {
            let after_ms = if is_slow {
                delay_ms(&mut self.random)
            } else {
                0
            };
            self.put(after_ms, event);
        }
    }
}
