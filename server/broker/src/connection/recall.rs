//! What this member holds of groups goes back to them, for other members or the time that one comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ebbtide_store::Incarnation;

use super::{
    open::Open,
    outbound::Outbound,
    reading::{Read, Reading},
};
use crate::{
    route::{
        group::{Group, Lease},
        mailbox::take_leases,
    },
    session::Session,
    shared::Shared,
};

impl Open {
    /// A rule does not let it have what this group shares: nothing that it has not begun to send. `lease` had its turn just now.
    pub fn leave_to_others(&mut self, lease: Lease, shared: &Shared) {
        let group = Arc::clone(lease.group());
        group.detach(self.session.incarnation, shared);
        let is_of = |other: &Group| other.number == group.number;
        let mut leases = self.outbound.take_read_leases(is_of);
        leases.push(lease);
        leases.extend(take_leases(&mut self.outbound.mail, is_of));
        leases.extend(self.session.mailbox.drain_leased(is_of));
        group.give_back(leases, shared);
    }

    /// It has left these groups: nothing that it has not begun to send. To whom comes back they would count as none.
    pub fn give_back_unsent(&mut self, left: &BTreeSet<Incarnation>, shared: &Shared) {
        let is_of = |group: &Group| left.contains(&group.number);
        let mut leases = self.outbound.take_read_leases(is_of);
        leases.extend(take_leases(&mut self.outbound.mail, is_of));
        leases.extend(self.session.mailbox.drain_leased(is_of));
        give_each_its_own(leases, shared);
    }
}

impl Outbound {
    /// What is being read of such a group.
    fn take_read_leases(&mut self, is_of: impl Fn(&Group) -> bool) -> Vec<Lease> {
        let Some(Reading {
            what: Read::Leased(leases),
            is_asked,
            ..
        }) = &mut self.reading
        else {
            return Vec::new();
        };
        if !leases.first().is_some_and(|lease| is_of(lease.group())) {
            return Vec::new();
        }
        let taken = std::mem::take(leases);
        // An answer that comes is for nobody.
        if !*is_asked {
            self.reading = None;
        }
        taken
    }
}

/// The connection has gone: all that it holds of groups.
pub(super) fn give_back(session: &mut Session, outbound: &mut Outbound, shared: &Shared) {
    for group in session.groups() {
        group.detach(session.incarnation, shared);
    }
    // In the order of sending: what was under way, what was taken out of the mailbox, the rest.
    let mut leases = session.flows.interrupt();
    leases.extend(outbound.take_read_leases(|_| true));
    leases.extend(take_leases(&mut outbound.mail, |_| true));
    leases.extend(session.mailbox.drain_leased(|_| true));
    give_each_its_own(leases, shared);
    debug_assert_eq!(session.mailbox.held.bytes(), 0, "it holds nothing more");
}

fn give_each_its_own(leases: Vec<Lease>, shared: &Shared) {
    let mut groups: BTreeMap<Incarnation, (Arc<Group>, Vec<Lease>)> = BTreeMap::new();
    for lease in leases {
        let group = Arc::clone(lease.group());
        let (_, held) = groups
            .entry(group.number)
            .or_insert_with(|| (group, Vec::new()));
        held.push(lease);
    }
    for (group, leases) in groups.into_values() {
        group.give_back(leases, shared);
    }
}
