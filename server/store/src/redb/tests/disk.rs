//! A disk in memory that keeps a journal of what was done to it, and can tell what a power cut might leave of that.
//!
//! The model: what was synced is there. Of what was not, each write may be there, be missing, or be there in part: up to some
//! byte, from some byte, or any of its sectors. That is the same as any order of writing back: an older write over a newer
//! one looks like the newer one missing.
//! Changes of the length are the file system's and take effect in their order; nothing is kept beyond the end.

use std::{
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use redb::StorageBackend;

/// What a device writes as a whole, bytes.
const SECTOR: usize = 512;

/// What was done.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

/// The disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What was there at first.
    base: Vec<u8>,
    journal: Vec<Step>,
    content: Vec<u8>,
    /// Syncs are answered and not done.
    lies: bool,
    /// Writes and syncs fail with this.
    failing: Option<io::ErrorKind>,
    /// How long a sync takes.
    sync_takes: Duration,
}

/// Numbers that a seed fixes (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

impl Disk {
    pub(super) fn of(content: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().base.clone_from(&content);
        disk.state().content = content;
        disk
    }

    pub(super) fn lying(self) -> Self {
        self.state().lies = true;
        self
    }

    /// From now on writes and syncs fail so, or do not.
    pub(super) fn fail(&self, how: Option<io::ErrorKind>) {
        self.state().failing = how;
    }

    /// From now on each sync takes so long.
    pub(super) fn slow_down(&self, sync_takes: Duration) {
        self.state().sync_takes = sync_takes;
    }

    /// The number of steps so far.
    pub(super) fn steps(&self) -> usize {
        self.state().journal.len()
    }

    pub(super) fn content(&self) -> Vec<u8> {
        self.state().content.clone()
    }

    /// What may be left when the power goes after so many steps.
    pub(super) fn after_power_cut(&self, steps: usize, random: &mut Random) -> Vec<u8> {
        let state = self.state();
        let (synced, unsynced) = state.split(steps);
        let mut image = state.base.clone();
        for step in synced {
            step.apply(&mut image);
        }
        let lengths = unsynced
            .iter()
            .filter(|step| matches!(step, Step::Length(_)));
        let mut lengths_kept = random.below(lengths.count() + 1);
        // Some cuts keep nearly all, some nearly nothing, most something of everything.
        let missing_of_eight = random.below(9);
        for step in unsynced {
            match step {
                Step::Write(at, bytes) => {
                    if random.below(8) < missing_of_eight {
                        continue;
                    }
                    let piece =
                        |part: Range<usize>| Step::Write(at + part.start, bytes[part].to_vec());
                    match random.below(4) {
                        0 => {
                            let start = random.below(bytes.len() + 1);
                            let end = start + random.below(bytes.len() - start + 1);
                            piece(start..end).apply(&mut image);
                        }
                        1 => {
                            for start in (0..bytes.len()).step_by(SECTOR) {
                                if random.below(2) == 0 {
                                    let end = bytes.len().min(start + SECTOR);
                                    piece(start..end).apply(&mut image);
                                }
                            }
                        }
                        _ => step.apply(&mut image),
                    }
                }
                Step::Length(_) if lengths_kept > 0 => {
                    lengths_kept -= 1;
                    step.apply(&mut image);
                }
                Step::Length(_) | Step::Sync => {}
            }
        }
        image
    }

    /// The steps up to which most is not synced: those before each sync, of all that were done from `begin` on.
    pub(super) fn before_syncs(&self, begin: usize) -> Vec<usize> {
        let state = self.state();
        let journal = state.journal.iter().enumerate().skip(begin);
        journal
            .filter(|(_, step)| matches!(step, Step::Sync))
            .map(|(at, _)| at)
            .collect()
    }

    /// Everything that may be left after so many steps when one single write was late, or early: all that was not synced is there
    /// but for that one, or nothing is but that one.
    pub(super) fn with_one_out_of_order(&self, steps: usize) -> Vec<Vec<u8>> {
        let state = self.state();
        let (synced, unsynced) = state.split(steps);
        let mut image = state.base.clone();
        for step in synced {
            step.apply(&mut image);
        }
        let is_write = |step: &Step| matches!(step, Step::Write(..));
        let writes: Vec<usize> = (0..unsynced.len())
            .filter(|at| is_write(&unsynced[*at]))
            .collect();
        let mut images = Vec::new();
        for one in writes {
            for is_alone in [false, true] {
                let mut image = image.clone();
                for (at, step) in unsynced.iter().enumerate() {
                    if !is_write(step) || (at == one) == is_alone {
                        step.apply(&mut image);
                    }
                }
                images.push(image);
            }
        }
        images
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, step: Step) -> io::Result<()> {
        let mut state = self.state();
        if let Some(kind) = state.failing {
            return Err(kind.into());
        }
        step.apply(&mut state.content);
        state.journal.push(step);
        Ok(())
    }
}

impl State {
    /// The first steps: those up to the last sync, and those after it.
    fn split(&self, steps: usize) -> (&[Step], &[Step]) {
        let journal = &self.journal[..steps];
        let sync = journal.iter().rposition(|step| matches!(step, Step::Sync));
        journal.split_at(sync.map_or(0, |at| at + 1))
    }
}

impl Step {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                let end = image.len().min(at + bytes.len());
                if let Some(target) = image.get_mut(*at..end) {
                    target.copy_from_slice(&bytes[..target.len()]);
                }
            }
            Self::Length(length) => image.resize(*length, 0),
            Self::Sync => {}
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = offset as usize;
        let state = self.state();
        let found = state.content.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.record(Step::Length(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.state().lies {
            return Ok(());
        }
        let sync_takes = self.state().sync_takes;
        if !sync_takes.is_zero() {
            thread::sleep(sync_takes);
        }
        self.record(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.record(Step::Write(offset as usize, data.to_vec()))
    }
}
