//! What the hero, the feeder, the disk and the network do and suffer.

use ebbtide_protocol::QoS;

use super::{
    history::ConnectionId,
    store::{Row, RowStage, Sequence, Store},
    world::{Event, FEEDER, HERO, World},
};

impl World {
    pub fn set_full(&mut self, is_full: bool) {
        self.tell(|| format!("full: {is_full}"));
        self.is_full = is_full;
        self.node.set_full(is_full);
    }

    pub fn act(&mut self) {
        match self.random.below(200) {
            0..70 => {
                for _ in 0..1 + self.random.below(4) {
                    self.publish();
                }
            }
            70..120 => {
                let row = self.row("in");
                self.peers[FEEDER].publish(row);
            }
            120..128 => self.cancel(),
            128..142 => self.cut(),
            142..148 => self.stall(),
            148..160 => self.crash_hero(),
            160..164 => self.crash_broker(),
            164..168 if self.fills => {
                self.set_full(true);
                let after_ms = self.random.between(100, 3_000);
                self.put(after_ms, Event::Empty);
            }
            168..174 => {
                self.seen.held += 1;
                self.peers[HERO].hold(true);
                let after_ms = self.random.between(10, 2_000);
                self.put(after_ms, Event::Release);
            }
            174..180 => {
                // The page goes into the cache and comes back.
                if let Some(client) = self.peers[HERO].life() {
                    client.leave("away");
                }
                let after_ms = self.random.between(0, 7_000);
                self.put(after_ms, Event::Reconnect);
            }
            180..184 if !self.is_sturdy => self.quit(),
            184 => self.evict(),
            _ => {}
        }
    }

    pub fn row(&mut self, level: &str) -> Row {
        let topic = format!("{level}/{}", self.random.below(2));
        let qos = if self.random.chance(50) {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        Row {
            topic,
            qos,
            deadline_ms: None,
            resend: false,
            stage: RowStage::Unsent,
        }
    }

    pub fn publish(&mut self) {
        let mut row = self.row("out");
        if self.random.chance(8) {
            row.deadline_ms = Some(self.now_ms + self.random.between(50, 4_000));
        }
        row.resend = self.random.chance(10);
        let sequence = self.peers[HERO].publish(row);
        self.tell(|| format!("hero publishes {sequence}"));
    }

    pub fn cancel(&mut self) {
        let unsent: Vec<Sequence> = self.peers[HERO].store.rows.keys().copied().collect();
        if unsent.is_empty() {
            return;
        }
        let sequence = *self.random.pick(&unsent);
        self.tell(|| format!("hero cancels {sequence}"));
        self.peers[HERO].cancel(sequence);
    }

    /// The connection breaks; the hero notices at once or late.
    pub fn cut(&mut self) {
        let Some(id) = self.peers[HERO].connection() else {
            return;
        };
        self.seen.cuts += 1;
        self.tell(|| format!("cut {id}"));
        self.sever(id);
        self.node.hang_up(id);
        self.links.remove(&id);
        let late_ms = self.random.between(1, 4_000);
        let after_ms = if self.random.chance(60) { 0 } else { late_ms };
        self.put(after_ms, Event::Notice(HERO, id));
    }

    /// Nothing gets through any more, and nobody is told.
    pub fn stall(&mut self) {
        if let Some(id) = self.peers[HERO].connection() {
            self.tell(|| format!("stall {id}"));
            self.sever(id);
        }
    }

    pub fn sever(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            let piece = link.to_broker.cut(&mut self.random);
            link.to_peer.cut(&mut self.random);
            link.is_severed = true;
            self.node.receive(id, &piece);
        }
    }

    pub fn crash_hero(&mut self) {
        if self.peers[HERO].life.is_none() || self.is_sturdy {
            return;
        }
        self.seen.crashes += 1;
        self.tell(|| "hero crashes".to_owned());
        if let Some(id) = self.peers[HERO].connection() {
            self.sever(id);
            if self.random.chance(80) {
                self.node.hang_up(id);
            }
            self.links.remove(&id);
        }
        let Self { peers, random, .. } = self;
        peers[HERO].crash(random);
        if std::mem::take(&mut self.peers[HERO].wire.is_unwitnessed) {
            self.forgive();
        }
        let long_ms = if self.random.chance(30) { 9_000 } else { 500 };
        let after_ms = self.random.between(0, long_ms);
        self.put(after_ms, Event::Start(HERO));
    }

    /// The server began a new session, and the hero was cut off before it heard of it, or died before it could store
    /// that: MQTT gives it no means to find out. What was under way at QoS 2 may come twice, and ids of received messages
    /// are never released.
    /// A broker that names its sessions does: then nothing is forgiven.
    pub fn forgive(&mut self) {
        self.seen.named += u64::from(self.peers[HERO].profile.hears_names);
        if self.peers[HERO].profile.hears_names {
            return;
        }
        self.seen.unwitnessed += 1;
        self.tell(|| "there is a new session, and the hero cannot know".to_owned());
        let store = &self.peers[HERO].store;
        let under_way = store
            .rows
            .iter()
            .filter(|(_, row)| row.stage != RowStage::Unsent);
        self.excused
            .extend(under_way.map(|(sequence, _)| *sequence));
        self.peers[HERO].has_stale_ids = true;
    }

    /// The page is closed in order.
    pub fn quit(&mut self) {
        let ends_session = self.random.chance(20);
        let Some(client) = self.peers[HERO].life() else {
            return;
        };
        client.end(ends_session);
        let after_ms = self.random.between(0, 6_000);
        self.put(after_ms, Event::Start(HERO));
    }

    /// The browser throws the store away while nobody looks.
    pub fn evict(&mut self) {
        self.crash_hero();
        let hero = &mut self.peers[HERO];
        if hero.life.is_some() {
            return;
        }
        self.lost.extend(hero.store.rows.keys());
        let inbox = std::mem::take(&mut hero.store.inbox);
        let outcomes = std::mem::take(&mut hero.store.outcomes);
        hero.is_evicted = true;
        hero.store = Store {
            inbox,
            outcomes,
            ..Store::default()
        };
        self.tell(|| "the store is thrown away".to_owned());
    }

    pub fn crash_broker(&mut self) {
        self.seen.broker_crashes += 1;
        self.tell(|| "the broker crashes".to_owned());
        self.node.crash(&mut self.random);
        self.node.set_full(self.is_full);
        self.links.clear();
        for at in 0..self.peers.len() {
            if let Some(id) = self.peers[at].connection() {
                let after_ms = self.random.between(0, 50);
                self.put(after_ms, Event::Notice(at, id));
            }
        }
    }
}
