//! Reading everything back at start: rows stream from one snapshot, then what no session owns is removed and what
//! cannot be decoded is put aside, if there is any.
//!
//! In memory are only the numbers of the sessions, their progress, and a bounded number of recipient sets and rows.

mod messages;
mod pace;
mod sets;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableDatabase};

pub use self::pace::SweepPace;
pub(super) use self::sets::Sets;
pub(super) use self::sweep::BadRows;
use self::sweep::Sweep;
use super::{
    RedbStore,
    encoding::{
        Block, RowError, decode_access, decode_dropped, decode_group, decode_marks, decode_session,
        decode_subscription, decode_will,
    },
    intern::Interner,
    progress::Progress,
    table,
};
use crate::{FlowRow, Incarnation, Marks, RecoveryReport, Row, StoreError};

type Result<T> = std::result::Result<T, redb::Error>;

pub(super) fn recover(
    store: &RedbStore,
    visit: &mut dyn FnMut(Row),
) -> std::result::Result<(RecoveryReport, Interner), StoreError> {
    let mut read = || {
        let snapshot = store.database().begin_read()?;
        let sweep = Sweep::behind(std::mem::take(&mut store.put_aside.lock()));
        let mut recovery = Recovery::new(&snapshot, sweep, visit);
        recovery.run()?;
        let Recovery {
            mut interner,
            sweep,
            ..
        } = recovery;
        interner.list_unused();
        drop(snapshot);
        let report = sweep.finish(store, &mut interner)?;
        Ok((report, interner))
    };
    read().map_err(|error: redb::Error| {
        let error = store.error(error);
        // Only what is removed needs room.
        if matches!(error, StoreError::Full(_)) {
            store.sweep_pace().failed();
        }
        error
    })
}

struct Recovery<'a> {
    snapshot: &'a ReadTransaction,
    visit: &'a mut dyn FnMut(Row),
    sweep: Sweep,
    interner: Interner,
    sessions: BTreeSet<Incarnation>,
    /// Sessions and groups: those that messages wait for.
    owners: BTreeSet<Incarnation>,
    progress: BTreeMap<Incarnation, Progress>,
}

impl<'a> Recovery<'a> {
    fn new(snapshot: &'a ReadTransaction, sweep: Sweep, visit: &'a mut dyn FnMut(Row)) -> Self {
        Self {
            snapshot,
            visit,
            sweep,
            interner: Interner::default(),
            sessions: BTreeSet::new(),
            owners: BTreeSet::new(),
            progress: BTreeMap::new(),
        }
    }

    fn run(&mut self) -> Result<()> {
        self.marks()?;
        self.access()?;
        self.sessions()?;
        self.groups()?;
        self.subscriptions()?;
        self.inbound()?;
        self.dropped()?;
        self.wills()?;
        self.progress()?;
        self.flows()?;
        self.sets()?;
        self.messages()
    }

    fn kept(&self, session: u64) -> bool {
        self.sessions.contains(&Incarnation(session))
    }

    fn marks(&mut self) -> Result<()> {
        let meta = self.snapshot.open_table(table::META)?;
        // Damaged marks stop the start: without them, numbers that are in use could be handed out again.
        let marks = match meta.get(table::MARKS)? {
            Some(row) => decode_marks(row.value())?,
            None => Marks::default(),
        };
        (self.visit)(Row::Marks(marks));
        Ok(())
    }

    fn access(&mut self) -> Result<()> {
        let table = self.snapshot.open_table(table::ACCESS)?;
        for entry in table.range::<(u64, &[u8])>(..)? {
            let (key, row) = entry?;
            match decode_access(key.value(), row.value()) {
                Ok(row) => (self.visit)(Row::Access(Box::new(row))),
                Err(why) => self.sweep.put_aside(table::ACCESS, key.value(), &why),
            }
        }
        Ok(())
    }

    fn sessions(&mut self) -> Result<()> {
        for entry in self
            .snapshot
            .open_table(table::SESSIONS)?
            .range::<u64>(..)?
        {
            let (key, row) = entry?;
            match decode_session(key.value(), row.value()) {
                Ok(row) => {
                    self.sessions.insert(row.incarnation);
                    self.owners.insert(row.incarnation);
                    (self.visit)(Row::Session(row));
                }
                Err(why) => self.sweep.put_aside(table::SESSIONS, key.value(), &why),
            }
        }
        Ok(())
    }

    fn groups(&mut self) -> Result<()> {
        for entry in self.snapshot.open_table(table::GROUPS)?.range::<u64>(..)? {
            let (key, row) = entry?;
            match decode_group(key.value(), row.value()) {
                Ok(row) => {
                    self.owners.insert(row.group);
                    (self.visit)(Row::Group(row));
                }
                Err(why) => self.sweep.put_aside(table::GROUPS, key.value(), &why),
            }
        }
        Ok(())
    }

    fn subscriptions(&mut self) -> Result<()> {
        let table = self.snapshot.open_table(table::SUBSCRIPTIONS)?;
        for entry in table.range::<(u64, &[u8])>(..)? {
            let (key, row) = entry?;
            let (session, filter) = key.value();
            match decode_subscription(filter, row.value()) {
                Err(why) => self
                    .sweep
                    .put_aside(table::SUBSCRIPTIONS, key.value(), &why),
                Ok(_) if !self.kept(session) => {
                    self.sweep.remove(table::SUBSCRIPTIONS, key.value());
                }
                Ok(subscription) => (self.visit)(Row::Subscription {
                    session: Incarnation(session),
                    subscription,
                }),
            }
        }
        Ok(())
    }

    fn inbound(&mut self) -> Result<()> {
        let table = self.snapshot.open_table(table::INBOUND)?;
        for entry in table.range::<(u64, u16)>(..)? {
            let key = entry?.0.value();
            match ebbtide_protocol::PacketId::new(key.1) {
                Some(packet_id) if self.kept(key.0) => (self.visit)(Row::Inbound {
                    session: Incarnation(key.0),
                    packet_id,
                }),
                Some(_) => self.sweep.remove(table::INBOUND, key),
                None => {
                    let why = RowError::Invalid("the packet id is zero");
                    self.sweep.put_aside(table::INBOUND, key, &why);
                }
            }
        }
        Ok(())
    }

    fn dropped(&mut self) -> Result<()> {
        let table = self.snapshot.open_table(table::DROPPED)?;
        for entry in table.range::<u64>(..)? {
            let (key, row) = entry?;
            match decode_dropped(key.value(), row.value()) {
                Err(why) => self.sweep.put_aside(table::DROPPED, key.value(), &why),
                Ok(row) if self.sessions.contains(&row.session) => {
                    (self.visit)(Row::Dropped(row));
                }
                Ok(_) => self.sweep.remove(table::DROPPED, key.value()),
            }
        }
        Ok(())
    }

    fn wills(&mut self) -> Result<()> {
        for entry in self.snapshot.open_table(table::WILLS)?.range::<u64>(..)? {
            let (key, row) = entry?;
            match decode_will(key.value(), row.value()) {
                Ok(row) => (self.visit)(Row::Will(Box::new(row))),
                Err(why) => self.sweep.put_aside(table::WILLS, key.value(), &why),
            }
        }
        Ok(())
    }

    fn progress(&mut self) -> Result<()> {
        for entry in self
            .snapshot
            .open_table(table::PROGRESS)?
            .range::<u64>(..)?
        {
            let (key, row) = entry?;
            let key = key.value();
            match Progress::decode(row.value()) {
                Err(why) => self.sweep.put_aside(table::PROGRESS, key, &why),
                Ok(_) if !self.owners.contains(&Incarnation(key)) => {
                    self.sweep.remove(table::PROGRESS, key);
                }
                Ok(progress) => {
                    self.progress.insert(Incarnation(key), progress);
                }
            }
        }
        Ok(())
    }

    fn flows(&mut self) -> Result<()> {
        let table = self.snapshot.open_table(table::FLOWS)?;
        // The table is in the order of packet ids; a session has at most 65,535 of them.
        let mut session: Vec<FlowRow> = Vec::new();
        for entry in table.range::<(u64, u16)>(..)? {
            let (key, row) = entry?;
            let key = key.value();
            let mut block = match Block::decode(key, row.value()) {
                Ok(block) => block,
                Err(why) => {
                    self.sweep.put_aside(table::FLOWS, key, &why);
                    continue;
                }
            };
            if !self.kept(key.0) {
                self.sweep.remove(table::FLOWS, key);
                continue;
            }
            if session
                .first()
                .is_some_and(|first| first.session.0 != key.0)
            {
                self.visit_flows(&mut session);
            }
            let known = session.len();
            let progress = self.progress.get(&Incarnation(key.0));
            let mut done = Vec::new();
            for flow in block.flows(key) {
                match progress.is_some_and(|progress| progress.is_done(flow.sequence)) {
                    true => done.push(flow),
                    false => session.push(flow),
                }
            }
            if session.len() == known {
                self.sweep.remove(table::FLOWS, key);
            } else if !done.is_empty() {
                for flow in done {
                    block.end(flow.packet_id, flow.sequence);
                }
                self.sweep.keep_flows(key, block);
            }
        }
        self.visit_flows(&mut session);
        Ok(())
    }

    fn visit_flows(&mut self, session: &mut Vec<FlowRow>) {
        session.sort_by_key(|flow| flow.sequence);
        for flow in session.drain(..) {
            (self.visit)(Row::Flow(flow));
        }
    }

    fn sets(&mut self) -> Result<()> {
        for entry in self.snapshot.open_table(table::SETS)?.range::<u64>(..)? {
            let (key, row) = entry?;
            match super::encoding::decode_set(row.value()) {
                Ok(_) => self.interner.know(key.value(), row.value()),
                Err(why) => self.sweep.put_aside(table::SETS, key.value(), &why),
            }
        }
        Ok(())
    }
}
