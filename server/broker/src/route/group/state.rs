//! What a group knows: its members with what each may hold, and what waits for one of them. Behind the group's lock.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use ebbtide_protocol::packet::SubscriptionOptions;
use ebbtide_store::{Incarnation, Message, Sequence};

use super::{Mailbox, Terms};
use crate::{Limits, route::crowding::Crowding};

#[derive(Debug)]
pub(super) struct State {
    pub members: Vec<Member>,
    /// Who has left and holds messages still, and how many: it begins with them if it comes back.
    pub left: Vec<(Incarnation, u16)>,
    /// The member whose turn it is among equals.
    pub turn: usize,
    /// What no member holds, the next first.
    pub waiting: VecDeque<Item>,
    /// Memory of what waits.
    pub waiting_bytes: usize,
    /// Topics and payloads of what waits and is kept by the store.
    pub kept_bytes: u64,
    /// What the store keeps for this group and no member is done with, held or not.
    pub open: BTreeSet<Sequence>,
    pub highest: Sequence,
    /// It has a row in the store, because a member of it has.
    pub is_kept: bool,
    /// Its last member has left.
    pub is_closed: bool,
    pub crowding: Crowding,
    /// See [`Limits::outgoing_bytes_max`].
    pub bytes_max: usize,
}

#[derive(Debug)]
pub(super) struct Member {
    pub mailbox: Arc<Mailbox>,
    pub options: SubscriptionOptions,
    pub identifier: Option<u32>,
    /// How many messages it may hold; 0 while it is away.
    pub leases_max: u16,
    pub leases: u16,
}

/// A message that waits for the group.
#[derive(Debug)]
pub(super) enum Item {
    InMemory(Arc<Message>, Option<Sequence>),
    /// With the bytes of its topic, payload and properties.
    Stored(Sequence, u64),
}

impl State {
    pub fn new(limits: &Limits) -> Self {
        Self {
            members: Vec::new(),
            left: Vec::new(),
            turn: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            kept_bytes: 0,
            open: BTreeSet::new(),
            highest: Sequence::default(),
            is_kept: false,
            is_closed: false,
            crowding: Crowding::new(limits),
            bytes_max: limits.outgoing_bytes_max,
        }
    }

    /// They may have changed.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.crowding.set_limits(limits);
        self.bytes_max = limits.outgoing_bytes_max;
    }

    pub fn member(&mut self, session: Incarnation) -> Option<&mut Member> {
        let mut members = self.members.iter_mut();
        members.find(|member| member.session() == session)
    }

    /// The least loaded of those who can send more; among equals the one whose turn it is. None of more than so many bytes, of this group
    /// and its others.
    pub fn next_member(&mut self, bytes_max: usize) -> Option<usize> {
        let count = self.members.len();
        let mut best: Option<(usize, u16)> = None;
        for step in 0..count {
            let at = (self.turn + step) % count;
            let member = &self.members[at];
            let is_less_loaded = best.is_none_or(|(_, leases)| member.leases < leases);
            let can_take = member.leases < member.leases_max && is_less_loaded;
            if can_take && member.mailbox.held.takes(bytes_max) {
                best = Some((at, member.leases));
                if member.leases == 0 {
                    break;
                }
            }
        }
        let (at, _) = best?;
        self.turn = (at + 1) % count;
        Some(at)
    }

    pub fn free(&mut self, lease: &Terms) {
        lease.mailbox.held.free(lease.bytes);
        let session = lease.mailbox.session;
        if let Some(member) = self.member(session) {
            member.leases = member.leases.saturating_sub(1);
        } else if let Some(at) = self.left.iter().position(|(left, _)| *left == session) {
            self.left[at].1 -= 1;
            if self.left[at].1 == 0 {
                self.left.swap_remove(at);
            }
        }
    }

    /// How many messages the session holds that it had when it left.
    pub fn take_left(&mut self, session: Incarnation) -> u16 {
        let at = self.left.iter().position(|(left, _)| *left == session);
        at.map_or(0, |at| self.left.swap_remove(at).1)
    }

    /// In how many groups the least busy one is of those who are there; `None`: nobody is.
    pub fn fewest_groups(&self) -> Option<usize> {
        let there = self.members.iter().filter(|member| member.leases_max > 0);
        let mut fewest = None;
        for member in there {
            let groups = member.mailbox.groups.load(Ordering::Relaxed).max(1) as usize;
            fewest = Some(fewest.map_or(groups, |fewest: usize| fewest.min(groups)));
            if groups == 1 {
                break;
            }
        }
        fewest
    }

    /// Whether one message more, of so many bytes, may wait.
    pub fn has_room(&self, bytes: u64, limits: &Limits) -> bool {
        self.waiting.len() < limits.queue_messages_per_session_max
            && self.kept_bytes + bytes <= limits.queue_bytes_per_session_max
    }

    /// Whether no more waits than may.
    pub fn is_within(&self, limits: &Limits) -> bool {
        self.waiting.len() <= limits.queue_messages_per_session_max
            && self.kept_bytes <= limits.queue_bytes_per_session_max
    }

    /// It comes into `waiting`.
    pub fn count(&mut self, item: &Item) {
        self.waiting_bytes += item.bytes();
        self.kept_bytes += item.kept_bytes();
    }

    /// It is out of `waiting`.
    pub fn uncount(&mut self, item: &Item) {
        self.waiting_bytes -= item.bytes();
        self.kept_bytes -= item.kept_bytes();
        self.crowding.taken(self.waiting_bytes);
    }

    /// There is no memory for what came last: it is read later, if the store keeps it. `false`: it does not, and it is lost.
    pub fn release_newest(&mut self) -> bool {
        let Some(newest) = self.waiting.pop_back() else {
            return true;
        };
        self.uncount(&newest);
        let Some(sequence) = newest.sequence() else {
            return false;
        };
        let item = Item::Stored(sequence, newest.kept_bytes());
        self.count(&item);
        self.waiting.push_back(item);
        true
    }

    /// If nobody is there to take what waits: publishers wait for nobody, what the store keeps is read when somebody comes, and the rest is
    /// lost. How many those were.
    pub fn let_go(&mut self) -> usize {
        if self.members.iter().any(|member| member.leases_max > 0) {
            return 0;
        }
        self.crowding.clear();
        if self.waiting_bytes == 0 {
            return 0;
        }
        let waited = self.waiting.len();
        self.waiting.retain_mut(|item| {
            let kept_bytes = item.kept_bytes();
            let sequence = item.sequence();
            sequence.is_some_and(|sequence| {
                *item = Item::Stored(sequence, kept_bytes);
                true
            })
        });
        self.waiting_bytes = 0;
        waited - self.waiting.len()
    }

    /// The group waits for this one no longer; gives the number below which it waits for none.
    pub fn close(&mut self, sequence: Sequence) -> Sequence {
        self.open.remove(&sequence);
        let lowest = self.open.first().copied();
        lowest.unwrap_or(self.highest.next())
    }
}

impl Member {
    pub fn session(&self) -> Incarnation {
        self.mailbox.session
    }
}

impl Item {
    pub fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::InMemory(_, sequence) => *sequence,
            Self::Stored(sequence, _) => Some(*sequence),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Self::InMemory(message, _) => message.size_bytes() + 128,
            Self::Stored(..) => 0,
        }
    }

    /// Memory that it will take in the hands of a member, once it has been read if it has to be.
    pub fn leased_bytes(&self) -> usize {
        match self {
            Self::InMemory(..) => self.bytes(),
            Self::Stored(_, bytes) => usize::try_from(*bytes).unwrap_or(usize::MAX / 4) + 128,
        }
    }

    /// Of topic, payload and properties, if the store keeps it.
    pub fn kept_bytes(&self) -> u64 {
        match self {
            Self::InMemory(message, Some(_)) => message.content_bytes(),
            Self::InMemory(_, None) => 0,
            Self::Stored(_, bytes) => *bytes,
        }
    }
}
