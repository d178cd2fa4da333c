//! The broker in its surroundings: its connections, its store and its clocks, driven as the server drives them.
//!
//! A connection gets a turn when bytes or an answer have come for it, when its time has come, or when its waker was
//! woken; never otherwise. So a wake-up that the core forgets is a message that never comes. A commit takes its time,
//! and is reported later still; a crash in between keeps any prefix of what was on its way. It may fail, with the batch on
//! disk or not; until the store has it at last, nothing is read or written.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Batch, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Question,
    Recovery, Transport,
};
use ebbtide_protocol::{ByteString, ReasonCode};
use ebbtide_store::{Incarnation, Message, Store, StoreError, WallTime, memory::MemoryStore};

use super::{disk::Disk, history::ConnectionId, random::Random};

/// When the world began, on the wall clock.
const EPOCH_MS: u64 = 1_000_000_000;

pub struct Node {
    broker: Broker,
    disk: Disk,
    limits: Limits,
    lines: BTreeMap<ConnectionId, Line>,
    now_ms: u64,
    writing: Option<Writing>,
    /// Of so many commits in a hundred nobody learns whether they are on disk.
    failing_percent: usize,
    /// One has failed, and the store has not healed.
    is_broken: bool,
    /// Messages that are counted as lost to limits, of those told.
    lost: u64,
    /// Connections that have ended, with what that changed not on its way to the disk.
    unsettled: Vec<ConnectionId>,
}

/// The broker's end of a connection.
struct Line {
    connection: Connection,
    flag: Arc<Flag>,
    input: BytesMut,
    /// Questions, and when they are answered.
    questions: VecDeque<(u64, Question)>,
}

/// One batch on its way to the disk.
struct Writing {
    batch: Batch,
    applied_at_ms: u64,
    reported_at_ms: u64,
    is_applied: bool,
    failure: Option<Failure>,
    settles: Vec<ConnectionId>,
}

/// How a commit fails.
struct Failure {
    is_on_disk: bool,
    heals_at_ms: u64,
}

/// What comes out of the broker.
pub enum Output {
    Bytes(ConnectionId, BytesMut),
    /// The connection is over for the broker.
    Ended(ConnectionId, ReasonCode),
    /// What its end has changed is on disk.
    Settled(ConnectionId),
    /// So many messages are counted as lost to limits, for this client, or for a group.
    Lost(Option<String>, u64),
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Node {
    pub fn new(limits: Limits, failing_percent: usize) -> Self {
        let disk = Disk::default();
        let broker = recover(&disk.store, &limits, now(0));
        let mut node = Self {
            broker,
            disk,
            limits,
            lines: BTreeMap::new(),
            now_ms: 0,
            writing: None,
            failing_percent,
            is_broken: false,
            lost: 0,
            unsettled: Vec::new(),
        };
        node.commit_first_batch(None);
        node
    }

    pub fn stats(&self) -> ebbtide_broker::Stats {
        self.broker.stats()
    }

    /// Whether there is no room on the disk for more.
    pub fn set_full(&self, is_full: bool) {
        let bytes = if is_full { 0 } else { u64::MAX };
        self.broker.journal().set_room_bytes(bytes);
    }

    /// Whether what would have to be kept is refused.
    pub fn refuses(&self) -> bool {
        self.broker.journal().no_room().is_some()
    }

    /// The number of this client's session.
    pub fn session(&self, client_id: &str) -> Option<Incarnation> {
        self.disk.session(client_id)
    }

    /// Commits do not fail any more.
    pub fn fail_no_more(&mut self) {
        self.failing_percent = 0;
    }

    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    pub fn open(&mut self, connection: ConnectionId) {
        let flag = Arc::new(Flag::default());
        let origin = Origin {
            address: "simulation".into(),
            transport: Transport::Tcp,
        };
        let waker = Waker::from(Arc::clone(&flag));
        let line = Line {
            connection: self.broker.connect(origin, waker, now(self.now_ms)),
            flag,
            input: BytesMut::new(),
            questions: VecDeque::new(),
        };
        self.lines.insert(connection, line);
    }

    /// Bytes have come over the network.
    pub fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if let Some(line) = self.lines.get_mut(&connection) {
            line.input.extend_from_slice(bytes);
            line.flag.0.store(true, Ordering::Relaxed);
        }
    }

    /// The network has told that the other side is gone.
    pub fn hang_up(&mut self, connection: ConnectionId) {
        if let Some(line) = self.lines.get_mut(&connection) {
            line.connection.handle_end(now(self.now_ms));
            line.flag.0.store(true, Ordering::Relaxed);
        }
    }

    /// When something happens here by itself.
    pub fn next_due_ms(&self) -> Option<u64> {
        let lines = self.lines.values();
        let answers = lines
            .clone()
            .filter_map(|line| Some(line.questions.front()?.0));
        let timeouts = lines.filter_map(|line| line.connection.poll_timeout());
        let writing = self.writing.as_ref().map(|writing| match writing {
            Writing { is_applied, .. } if *is_applied => writing.reported_at_ms,
            _ => writing.applied_at_ms,
        });
        timeouts
            .chain(self.broker.poll_timeout())
            .map(|due| due.0)
            .chain(answers)
            .chain(writing)
            .min()
    }

    /// It is later now; nothing is done yet.
    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Does what is due, and then everything that follows from it at once.
    pub fn advance(&mut self, random: &mut Random) -> Vec<Output> {
        let now_ms = self.now_ms;
        let now = now(now_ms);
        let mut outputs = Vec::new();
        while self
            .broker
            .poll_timeout()
            .is_some_and(|due| due.0 <= now_ms)
        {
            self.broker.handle_timeout(now);
        }
        for line in self.lines.values_mut() {
            let deadline = line.connection.poll_timeout();
            if deadline.is_some_and(|due| due.0 <= now_ms) {
                line.connection.handle_timeout(now);
                line.flag.0.store(true, Ordering::Relaxed);
            }
            // With little memory answers of the store are small as well, and backlogs are read part by part.
            let bytes_max = self.limits.outgoing_bytes_max / 10;
            line.answer(&self.disk.store, self.is_broken, bytes_max, now);
        }
        self.write(&mut outputs);
        self.turn(random, &mut outputs);
        self.tell_losses(&mut outputs);
        self.begin_write(random, &mut outputs);
        outputs
    }

    fn write(&mut self, outputs: &mut Vec<Output>) {
        let Some(writing) = &mut self.writing else {
            return;
        };
        if writing.applied_at_ms <= self.now_ms
            && let Some(failure) = writing.failure.take()
        {
            if failure.is_on_disk {
                writing.is_applied = true;
                self.disk.commit(&writing.batch.operations);
                outputs.extend(writing.settles.drain(..).map(Output::Settled));
            }
            writing.applied_at_ms = failure.heals_at_ms;
            writing.reported_at_ms = failure.heals_at_ms;
            self.is_broken = true;
            self.broker.journal().failed();
        }
        if !writing.is_applied && writing.applied_at_ms <= self.now_ms {
            writing.is_applied = true;
            self.disk.commit(&writing.batch.operations);
            outputs.extend(writing.settles.drain(..).map(Output::Settled));
        }
        if writing.is_applied && writing.reported_at_ms <= self.now_ms {
            if self.is_broken {
                // Once more, for nobody knows whether it is there.
                self.disk.commit(&writing.batch.operations);
            }
            self.broker.journal().committed(&writing.batch);
            if std::mem::take(&mut self.is_broken) {
                self.broker.journal().healed();
            }
            self.writing = None;
        }
    }

    fn begin_write(&mut self, random: &mut Random, outputs: &mut Vec<Output>) {
        if self.writing.is_some() {
            return;
        }
        let settles = std::mem::take(&mut self.unsettled);
        match self.broker.journal().take() {
            None => outputs.extend(settles.into_iter().map(Output::Settled)),
            Some(batch) => {
                let slow = if random.chance(10) { 400 } else { 20 };
                let applied_at_ms = self.now_ms + random.between(0, slow);
                let failure = random.chance(self.failing_percent).then(|| Failure {
                    is_on_disk: random.chance(50),
                    // At once is before any connection has seen it.
                    heals_at_ms: applied_at_ms + *random.pick(&[0, 0, 50, 2_000]),
                });
                self.writing = Some(Writing {
                    batch,
                    applied_at_ms,
                    reported_at_ms: applied_at_ms + random.between(0, slow),
                    is_applied: false,
                    failure,
                    settles,
                });
            }
        }
    }

    /// Gives a turn to whoever was woken, until nobody is.
    fn turn(&mut self, random: &mut Random, outputs: &mut Vec<Output>) {
        let now = now(self.now_ms);
        loop {
            let woken: Vec<ConnectionId> = self
                .lines
                .iter()
                .filter(|(_, line)| line.flag.0.swap(false, Ordering::Relaxed))
                .map(|(connection, _)| *connection)
                .collect();
            if woken.is_empty() {
                return;
            }
            for connection in woken {
                let line = self.lines.get_mut(&connection).expect("listed above");
                let bytes = line.turn(now, random);
                if !bytes.is_empty() {
                    outputs.push(Output::Bytes(connection, bytes));
                }
                if let Some(close) = line.connection.close() {
                    outputs.push(Output::Ended(connection, close.reason));
                    self.unsettled.push(connection);
                    self.lines.remove(&connection);
                }
            }
        }
    }

    fn tell_losses(&mut self, outputs: &mut Vec<Output>) {
        let lost = self.broker.stats().dropped.queue_full;
        let mut left = lost - std::mem::replace(&mut self.lost, lost);
        let named = self.broker.take_losses();
        assert_eq!(named.others, 0, "a roster is small");
        for (client_id, count) in named.sessions {
            left -= count;
            outputs.push(Output::Lost(Some(client_id.to_string()), count));
        }
        if left > 0 {
            outputs.push(Output::Lost(None, left));
        }
    }

    /// The broker dies and starts again from what the disk has: all that was committed, and a prefix, perhaps empty,
    /// of what was on its way. Gives what waits again, by client, although the broker was done with it.
    pub fn crash(&mut self, random: &mut Random) -> Vec<(ByteString, Arc<Message>)> {
        let mut under_way = Vec::new();
        if let Some(writing) = self.writing.take()
            && !writing.is_applied
        {
            under_way = writing.batch.operations;
        }
        if random.chance(50)
            && let Some(batch) = self.broker.journal().take()
        {
            under_way.extend(batch.operations);
        }
        let kept = if random.chance(40) {
            0
        } else {
            random.below(under_way.len() + 1)
        };
        let mut lost = under_way.split_off(kept);
        self.disk.commit(&under_way);
        let queued = self.broker.journal().take();
        lost.extend(queued.into_iter().flat_map(|batch| batch.operations));
        let undone = self.disk.undone(&lost);
        self.lines.clear();
        self.unsettled.clear();
        self.is_broken = false;
        self.lost = 0;
        self.broker = recover(&self.disk.store, &self.limits, now(self.now_ms));
        self.commit_first_batch(Some(random));
        undone
    }

    /// A start is over when its first batch is committed. It may crash before that, too.
    fn commit_first_batch(&mut self, mut random: Option<&mut Random>) {
        while let Some(batch) = self.broker.journal().take() {
            if let Some(random) = random.as_deref_mut()
                && random.chance(15)
            {
                let kept = random.below(batch.operations.len() + 1);
                self.disk.commit(&batch.operations[..kept]);
                self.broker = recover(&self.disk.store, &self.limits, now(self.now_ms));
                continue;
            }
            self.disk.commit(&batch.operations);
            self.broker.journal().committed(&batch);
        }
    }
}

impl Line {
    fn turn(&mut self, now: Now, random: &mut Random) -> BytesMut {
        let mut output = BytesMut::new();
        self.connection.handle_wake(now);
        loop {
            let before = (output.len(), self.input.len());
            let mut more = false;
            if !self.input.is_empty() && self.connection.wants_input() {
                more = self.connection.receive(&mut self.input, now);
            }
            let written = output.len();
            self.connection.poll_transmit(&mut output, now);
            if output.len() - written < Connection::TRANSMIT_BYTES && !self.connection.wants_turn()
            {
                let more = self.connection.poll_transmit(&mut output, now);
                assert!(!more, "one call gives all there is");
            }
            while let Some(question) = self.connection.poll_question() {
                let at_ms = now.monotonic.0 + random.between(0, 10);
                let after = self.questions.back().map_or(0, |(at_ms, _)| *at_ms);
                self.questions.push_back((at_ms.max(after), question));
            }
            if !more && before == (output.len(), self.input.len()) {
                return output;
            }
        }
    }

    fn answer(&mut self, store: &MemoryStore, is_broken: bool, most: usize, now: Now) {
        while let Some((at_ms, question)) = self.questions.pop_front() {
            if at_ms > now.monotonic.0 {
                self.questions.push_front((at_ms, question));
                return;
            }
            let answer = match question {
                Question::Read { .. } if is_broken => Answer::Read(Err(StoreError::NeedsReopen)),
                Question::Read {
                    session,
                    sequences,
                    bytes_max,
                } => Answer::Read(store.read_part(session, &sequences, bytes_max.min(most))),
                Question::Authenticate(_) | Question::Continue(_) | Question::Reauthenticate(_) => {
                    Answer::Authenticated(Ok(Identity::default()).into())
                }
            };
            self.connection.handle_answer(answer, now);
            self.flag.0.store(true, Ordering::Relaxed);
        }
    }
}

fn now(ms: u64) -> Now {
    Now {
        monotonic: Monotonic(ms),
        wall: WallTime(EPOCH_MS + ms),
    }
}

fn recover(store: &MemoryStore, limits: &Limits, now: Now) -> Broker {
    let mut recovery = Recovery::new(limits.clone(), 1);
    store
        .recover(&mut |row| recovery.row(row))
        .expect("a store in memory does not fail");
    recovery.finish(now)
}
