//! All rows of a snapshot: each is decoded, and held against the others.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::PacketId;
use redb::{ReadTransaction, ReadableTable};

use super::{
    CheckReport, DESCRIBED_MAX, Fault, PutAside, TableReport,
    meaning::{meaning, name},
};
use crate::{
    Incarnation, Marks, Sequence,
    redb::{
        encoding::{
            Block, RowError, decode_access, decode_dropped, decode_group, decode_marks,
            decode_queued_head, decode_retained, decode_session, decode_set, decode_subscription,
            decode_will,
        },
        intern::UNUSED_SETS_MAX,
        progress::Progress,
        recover::Sets,
        shape::{self, Key, Shape},
        table,
    },
};

type Result<T> = std::result::Result<T, redb::Error>;

/// Rows between two reports of progress.
const STEP: u64 = 1024;

/// Whether a row that is sound belongs to somebody; or what is wrong with it.
type Verdict = std::result::Result<bool, String>;

/// Verifies every row; `on_row` gets how many are done and how many there are.
pub(in crate::redb) fn walk(
    snapshot: &ReadTransaction,
    on_row: &dyn Fn(u64, u64),
) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    let mut known = Known::default();
    let mut total = 0;
    for table in shape::ALL {
        total += table.len(snapshot)?;
    }
    // Messages are looked at twice: what they are held against comes with them.
    total += Shape::from(table::MESSAGES).len(snapshot)?;
    let mut done = 0;
    let mut count = || {
        done += 1;
        if done % STEP == 0 || done == total {
            on_row(done, total);
        }
    };
    for shape in shape::ALL {
        let mut seen = TableReport {
            name: shape.name().to_owned(),
            rows: 0,
            bytes: 0,
        };
        shape.scan(snapshot, &mut |key, row| -> Result<()> {
            seen.rows += 1;
            seen.bytes += row.len() as u64;
            count();
            match known.look(shape.name(), key, row) {
                Ok(true) => {}
                Ok(false) => report.leftover_count += 1,
                Err(what) => report.fault(fault(shape.name(), key, what)),
            }
            if let ("quarantine", Key::Texts(table, key)) = (shape.name(), key)
                && report.put_aside.len() < DESCRIBED_MAX
            {
                report.put_aside.push(PutAside {
                    table: String::from_utf8_lossy(table.0).into_owned(),
                    key: hex(key.0),
                    bytes: row.len() as u64,
                });
            }
            Ok(())
        })?;
        report.tables.push(seen);
    }
    messages(snapshot, &known, &mut report, &mut count)?;
    // Recovery keeps some that nothing names, since the next message most likely brings them back.
    let unused = known.sets.values().filter(|uses| **uses == 0).count();
    report.leftover_count += unused.saturating_sub(UNUSED_SETS_MAX) as u64;
    Ok(report)
}

fn fault(table: &str, key: Key<'_>, what: String) -> Fault {
    Fault {
        table: table.to_owned(),
        key: name(table, key),
        what,
        meaning: meaning(table),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What later rows are held against.
#[derive(Default)]
struct Known {
    marks: Marks,
    sessions: BTreeSet<Incarnation>,
    /// Sessions and groups.
    owners: BTreeSet<Incarnation>,
    progress: BTreeMap<Incarnation, Progress>,
    /// Those that decode, with how many messages name them.
    sets: BTreeMap<u64, u64>,
}

impl Known {
    /// All that can be said of one row; messages are decoded here and held against the rest later.
    fn look(&mut self, table: &str, key: Key<'_>, row: &[u8]) -> Verdict {
        let sound = |error: RowError| error.to_string();
        match (table, key) {
            ("ebbtide", Key::Text(key)) => {
                if key.0 == table::MARKS {
                    self.marks = decode_marks(row).map_err(sound)?;
                }
                Ok(true)
            }
            ("access", Key::NumberAndText(kind, name)) => {
                decode_access((kind, name.0), row).map_err(sound)?;
                Ok(true)
            }
            ("sessions", Key::Number(number)) => {
                decode_session(number, row).map_err(sound)?;
                self.sessions.insert(Incarnation(number));
                self.owners.insert(Incarnation(number));
                self.below_mark(number)
            }
            ("groups", Key::Number(number)) => {
                decode_group(number, row).map_err(sound)?;
                self.owners.insert(Incarnation(number));
                self.below_mark(number)
            }
            ("subscriptions", Key::NumberAndText(session, filter)) => {
                decode_subscription(filter.0, row).map_err(sound)?;
                Ok(self.is_kept(session))
            }
            ("inbound", Key::NumberAndId(session, id)) => {
                PacketId::new(id).ok_or("the packet id is zero")?;
                Ok(self.is_kept(session))
            }
            ("dropped", Key::Number(session)) => {
                decode_dropped(session, row).map_err(sound)?;
                Ok(self.is_kept(session))
            }
            ("wills", Key::Number(session)) => {
                decode_will(session, row).map_err(sound)?;
                self.below_mark(session)
            }
            ("retained", Key::Text(topic)) => {
                let row = decode_retained(topic.0, row).map_err(sound)?;
                below("revision", row.revision.0, self.marks.revision.0)
            }
            ("progress", Key::Number(owner)) => {
                let progress = Progress::decode(row).map_err(sound)?;
                let end = progress.end();
                self.progress.insert(Incarnation(owner), progress);
                // The end is the first number that is not done.
                below("end", end.0.saturating_sub(1), self.marks.sequence.0)?;
                Ok(self.owners.contains(&Incarnation(owner)))
            }
            ("sets", Key::Number(number)) => {
                let set = decode_set(row).map_err(sound)?;
                self.sets.insert(number, 0);
                let last = set.last().map_or(0, |last| last.session.0);
                self.below_mark(last)
            }
            ("messages", Key::Number(sequence)) => {
                let head = decode_queued_head(row).map_err(sound)?;
                if let Some(uses) = self.sets.get_mut(&head.set) {
                    *uses += 1;
                }
                below("sequence", sequence, self.marks.sequence.0)
            }
            ("flows", Key::NumberAndId(session, id)) => {
                let key = (session, id);
                let block = Block::decode(key, row).map_err(sound)?;
                let progress = self.progress.get(&Incarnation(session));
                let mut is_done = false;
                for flow in block.flows(key) {
                    below("sequence", flow.sequence.0, self.marks.sequence.0)?;
                    is_done |= progress.is_some_and(|progress| progress.is_done(flow.sequence));
                }
                Ok(self.is_kept(session) && !is_done)
            }
            _ => Ok(true),
        }
    }

    fn is_kept(&self, session: u64) -> bool {
        self.sessions.contains(&Incarnation(session))
    }

    fn below_mark(&self, incarnation: u64) -> Verdict {
        below("number", incarnation, self.marks.incarnation.0)
    }
}

/// Numbers that are in use are below the reserved mark: at or above it they would be handed out again.
fn below(what: &str, number: u64, mark: u64) -> Verdict {
    if number < mark {
        Ok(true)
    } else {
        Err(format!("its {what} {number} is not below the mark {mark}"))
    }
}

/// Whether each message names a set that can be read, and somebody in it still waits.
fn messages(
    snapshot: &ReadTransaction,
    known: &Known,
    report: &mut CheckReport,
    count: &mut dyn FnMut(),
) -> Result<()> {
    let rows = snapshot.open_table(table::SETS)?;
    let mut sets = Sets::new(&rows, &known.owners, &known.progress);
    for entry in snapshot.open_table(table::MESSAGES)?.iter()? {
        let (key, row) = entry?;
        let sequence = key.value();
        count();
        // What does not decode has been reported.
        let Ok(head) = decode_queued_head(row.value()) else {
            continue;
        };
        match sets.waiting(head.set, Sequence(sequence))? {
            Ok(Some(_)) => {}
            Ok(None) => report.leftover_count += 1,
            Err(_) => {
                let what = match rows.get(head.set)? {
                    Some(_) => format!("it names recipient set {}, which is damaged", head.set),
                    None => format!("it names recipient set {}, which is not there", head.set),
                };
                report.fault(fault("messages", Key::Number(sequence), what));
            }
        }
    }
    Ok(())
}
