//! Drives one [`Connection`] of the core over one byte stream: the one `select!` loop that every connection runs in.
//!
//! It decides nothing about MQTT. A turn takes in what has come, asks what the core asks, and writes once what the
//! core has to say; turns are bounded by the core's budgets, and between two of them others get their chance. A peer that
//! does not read stalls nothing but its own output: a wake-up (a takeover, the stop of the server) is handled
//! meanwhile. The buffers are given back whenever the connection has nothing to do.

mod farewell;
mod stream;
#[cfg(test)]
mod tests;
mod timer;
mod unseen;

pub use stream::{ByteStream, Tcp};
pub use timer::Timer;

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{Answer, Broker, Connection, Denial, Durability, Limit, Origin, Question};
use tokio::task::{JoinError, JoinSet};

use crate::{
    auth::{Authenticator, Outcome, Shown},
    clock::Clock,
    logging::{Throttle, cut},
    storage::Reader,
    tls::ClientCertificate,
    turns,
    wake::Signal,
};

/// No more is asked of the core while this many bytes wait for the peer: what waits in the core can still be
/// taken over by another connection, what is here is lost with this one. One look gives as much, so a turn needs no second one.
const OUTPUT_BYTES_MAX: usize = Connection::TRANSMIT_BYTES;
/// After so many bytes, in both directions together, others get their chance: a peer that always has more, and takes all, would
/// otherwise keep its thread for as long as the runtime lets it, which is megabytes.
const CARRIED_BYTES_MAX: usize = 64 * 1024;

/// What every connection needs of the world.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The core that new connections belong to.
    pub broker: crate::storage::CurrentBroker,
    /// The time.
    pub clock: Clock,
    /// Who may come in.
    pub authenticator: Authenticator,
    /// What acknowledgements stand for at this listener.
    pub durability: Durability,
    /// Keeps faulty clients from flooding the log.
    pub violations: Arc<Throttle>,
}

/// What has happened outside.
enum Moved {
    Answered(Result<Reply, JoinError>),
    Read(io::Result<usize>),
    Written(io::Result<()>),
    /// The connection is over.
    Over,
}

/// The answer to a question that took its time.
enum Reply {
    Read(Answer),
    Authenticated(Outcome),
}

struct Driver<S> {
    stream: S,
    connection: Connection,
    input: BytesMut,
    output: BytesMut,
    /// Some of `output` is not on its way yet, or the stream may hold some of it back.
    unwritten: bool,
    /// The core may have more to say than there is room for in `output`.
    is_full: bool,
    /// Bytes in both directions since others had their turn.
    carried: usize,
    /// There is something in `input` that the core does not want now.
    is_held_back: bool,
    /// There may be whole packets in `input`: more is read when these have been taken in, or it would grow without end.
    is_behind: bool,
    /// The peer has ended its direction.
    ended: bool,
    /// To questions that take their time.
    answers: JoinSet<Reply>,
    reader: Reader,
    /// What the client has shown in the handshake of TLS.
    certificate: Option<Arc<ClientCertificate>>,
    surroundings: Surroundings,
    /// It is in the log why the client was not let in.
    is_refusal_told: bool,
}

/// Serves one client in a task of its own, from its first byte to its last, and gives its place back then. What came before, a handshake
/// of TLS above all, would otherwise keep its room in the task for as long as the client stays.
///
/// `refusal`: it is one too many, and is only told so.
pub fn spawn<S: ByteStream + 'static>(
    stream: S,
    origin: Origin,
    certificate: Option<Arc<ClientCertificate>>,
    surroundings: Surroundings,
    refusal: Option<Limit>,
    place: impl Send + 'static,
) {
    let signal = Signal::new();
    let mut driver = Driver::new(stream, origin, &signal, surroundings, refusal);
    driver.certificate = certificate;
    tokio::spawn(serve(driver, signal, place));
}

/// A task takes what its largest moment takes, and keeps it while the client is idle. So what is rare is boxed.
#[expect(
    clippy::manual_async_fn,
    reason = "a function would have its arguments twice"
)]
fn serve<S: ByteStream>(
    mut driver: Driver<S>,
    signal: Arc<Signal>,
    place: impl Send,
) -> impl Future<Output = ()> {
    async move {
        let result = driver.exchange(&signal).await;
        Box::pin(driver.finish(result)).await;
        drop(place);
    }
}

fn open(broker: &Broker, origin: Origin, signal: &Arc<Signal>, clock: &Clock) -> Connection {
    broker.connect(origin, Waker::from(Arc::clone(signal)), clock.now())
}

impl<S: ByteStream> Driver<S> {
    fn new(
        stream: S,
        origin: Origin,
        signal: &Arc<Signal>,
        surroundings: Surroundings,
        refusal: Option<Limit>,
    ) -> Self {
        tracing::debug!(
            address = origin.address,
            transport = origin.transport.name(),
            "connection opened"
        );
        let (broker, reader) = surroundings.broker.get();
        let mut connection = open(&broker, origin, signal, &surroundings.clock);
        connection.set_durability(surroundings.durability);
        if let Some(limit) = refusal {
            connection.refuse(limit, surroundings.clock.now());
        }
        Self {
            stream,
            connection,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unwritten: false,
            is_full: false,
            carried: 0,
            is_held_back: false,
            is_behind: false,
            ended: false,
            answers: JoinSet::new(),
            reader,
            certificate: None,
            surroundings,
            // The door has noted it.
            is_refusal_told: refusal.is_some(),
        }
    }

    /// Turn after turn until the connection is over for the core, the peer has gone or the stream has failed.
    async fn exchange(&mut self, signal: &Signal) -> io::Result<()> {
        let clock = self.surroundings.clock;
        let mut timer = Timer::new(clock);
        loop {
            let (has_taken, has_woken) = turns::watch(|| self.take_in());
            if has_taken && has_woken && self.connection.has_published_one() {
                // Whoever gets it is served before it is acknowledged, for that costs a system call and wakes a process. Of many at
                // once the first ones would wait for the last.
                turns::let_woken().await;
            }
            let more = self.turn();
            if self.connection.close().is_some() {
                return Ok(());
            }
            if self.ended && !more && self.connection.wants_input() {
                self.connection.handle_end(clock.now());
                return Ok(());
            }
            if more || self.carried >= CARRIED_BYTES_MAX {
                self.let_others().await;
            }
            timer.set(self.connection.poll_timeout());
            let (mut is_woken, mut is_late) = (false, false);
            tokio::select! {
                () = signal.wait() => is_woken = true,
                () = timer.passed() => is_late = true,
                moved = poll_fn(|context| self.poll_world(context)) => match moved {
                    // A reader that panicked leaves a question open; the connection cannot go on without it.
                    Moved::Answered(answer) => {
                        match answer.map_err(io::Error::other)? {
                            Reply::Read(answer) => self.connection.handle_answer(answer, clock.now()),
                            Reply::Authenticated(outcome) => self.authenticated(outcome),
                        }
                    }
                    Moved::Read(Ok(0)) => self.ended = true,
                    Moved::Read(count) => self.carried += count?,
                    Moved::Written(done) => done?,
                    Moved::Over => {}
                },
                () = std::future::ready(()), if more => {}
            }
            // What this turn causes itself is seen before the next wait.
            signal.stop_waiting();
            if is_late {
                if self.connection.is_overdue(clock.now().monotonic) {
                    Box::pin(self.look_once_more()).await?;
                }
                self.connection.handle_timeout(clock.now());
            }
            if is_woken {
                if self.connection.is_leaving() {
                    Box::pin(self.catch_up()).await?;
                }
                self.connection.handle_wake(clock.now());
            }
        }
    }

    /// This client has had its share for now.
    async fn let_others(&mut self) {
        // Else those behind would wait until somebody on this thread has nothing to do.
        turns::pass_on();
        tokio::task::yield_now().await;
        self.carried = 0;
    }

    /// Takes in what has come, as much as the core takes at a time. `false`: nothing could be taken in.
    fn take_in(&mut self) -> bool {
        self.is_behind = false;
        let can = !self.input.is_empty() && self.connection.wants_input();
        if can {
            let now = self.surroundings.clock.now();
            self.is_behind = self.connection.receive(&mut self.input, now);
        }
        self.is_held_back = !self.input.is_empty() && !self.connection.wants_input();
        can
    }

    /// Asks what is asked, fetches what is to be written. `true` when more could be done at once.
    fn turn(&mut self) -> bool {
        self.ask_all();
        if self.output.len() < OUTPUT_BYTES_MAX {
            let now = self.surroundings.clock.now();
            self.unwritten |= self.connection.poll_transmit(&mut self.output, now);
        }
        // `poll_transmit` may have made room for the next part of a backlog, and asks for it: without this second look the question would
        // wait until something else wakes this connection.
        self.ask_all();
        self.tell_denial();
        self.is_full = self.output.len() >= OUTPUT_BYTES_MAX;
        let wants_turn = self.connection.wants_turn() && !self.is_full;
        // What was held back can be taken in now.
        self.is_behind |= self.is_held_back && self.connection.wants_input();
        self.is_behind || wants_turn
    }

    /// Asks all that is to be asked now; answers at once what can be.
    fn ask_all(&mut self) {
        while let Some(question) = self.connection.poll_question() {
            self.ask(question);
        }
    }

    fn ask(&mut self, question: Question) {
        match question {
            Question::Authenticate(credentials) => {
                let authenticator = self.surroundings.authenticator.clone();
                let shown = Shown {
                    credentials,
                    address: self.connection.origin().address.clone(),
                    certificate: self.certificate.clone(),
                };
                self.decide(authenticator.authenticate(shown));
            }
            // No method asks back, so nobody goes on with one.
            Question::Continue(step) | Question::Reauthenticate(step) => {
                let authenticator = self.surroundings.authenticator.clone();
                self.decide(authenticator.authenticate_again(step));
            }
            Question::Read {
                session,
                sequences,
                bytes_max,
            } => {
                let reader = self.reader.clone();
                let threads = reader.threads().clone();
                let read =
                    move || Reply::Read(Answer::Read(reader.read(session, &sequences, bytes_max)));
                self.answers.spawn_blocking_on(read, &threads);
            }
        }
    }

    /// Most clients are known, or not, without waiting for anything: these need no task, and no other thread wakes for them.
    fn decide(&mut self, decision: impl Future<Output = Outcome> + Send + 'static) {
        let mut decision = Box::pin(decision);
        let mut nobody = Context::from_waker(Waker::noop());
        match decision.as_mut().poll(&mut nobody) {
            Poll::Ready(outcome) => self.authenticated(outcome),
            // The task polls it anew.
            Poll::Pending => {
                self.answers
                    .spawn(async move { Reply::Authenticated(decision.await) });
            }
        }
    }

    fn authenticated(&mut self, outcome: Outcome) {
        if let Some(why) = &outcome.complaint
            && let Some(suppressed) = self.surroundings.violations.permit()
        {
            let client = self.connection.client_id().map(|id| cut(id));
            let address = &self.connection.origin().address;
            self.is_refusal_told = true;
            tracing::warn!(
                client = client.as_deref(),
                address,
                suppressed,
                "a client was not let in: {why}"
            );
        }
        let now = self.surroundings.clock.now();
        let connection = &mut self.connection;
        self.surroundings
            .authenticator
            .admit(outcome, |authentication| {
                connection.handle_answer(Answer::Authenticated(authentication), now);
            });
        if connection.close().is_none() {
            self.stream.let_in();
        }
    }

    /// Says what a rule has not allowed.
    fn tell_denial(&mut self) {
        let Some(denial) = self.connection.poll_denial() else {
            return;
        };
        let Some(suppressed) = self.surroundings.violations.permit() else {
            return;
        };
        let Denial {
            action,
            topic,
            decision,
            more,
        } = denial;
        let client = self.connection.client_id().map(|id| cut(id));
        tracing::info!(
            client = client.as_deref(),
            more,
            suppressed,
            "not allowed to {action}: {:?}: {decision}",
            cut(&topic)
        );
    }

    /// Reads and writes what the transport takes now. Whoever has to wait leaves no buffer behind.
    fn poll_world(&mut self, context: &mut Context<'_>) -> Poll<Moved> {
        if let Poll::Ready(Some(answer)) = self.answers.poll_join_next(context) {
            return Poll::Ready(Moved::Answered(answer));
        }
        if self.unwritten {
            let unwritten = self.output.len();
            if let Poll::Ready(done) = self.stream.poll_write(context, &mut self.output) {
                self.unwritten = false;
                self.carried += unwritten;
                // Of what else there is to say the core has said all, unless there was no room.
                if self.is_full || done.is_err() {
                    return Poll::Ready(Moved::Written(done));
                }
            }
        }
        if !self.ended && !self.is_behind && self.connection.wants_input() {
            // All that could be taken in has been.
            let incomplete = self.input.len() + self.stream.incomplete_bytes();
            let now = || self.surroundings.clock.now();
            if !self.is_held_back && self.connection.handle_incomplete(incomplete, now) {
                return Poll::Ready(Moved::Over);
            }
            if let Poll::Ready(count) = self.stream.poll_read(context, &mut self.input) {
                return Poll::Ready(Moved::Read(count));
            }
        }
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
        self.stream.give_back(context);
        turns::pass_on();
        Poll::Pending
    }

    /// The log line, the last bytes, the end of the stream.
    async fn finish(mut self, result: io::Result<()>) {
        // It may be much, and to say goodbye takes a while.
        self.input = BytesMut::new();
        let client = self.connection.client_id().cloned().unwrap_or_default();
        let client = cut(&client);
        if let Err(error) = result {
            if self.stream.is_exceeded() {
                let (broker, _) = self.surroundings.broker.get();
                broker.count_hit(Limit::ConnectPacketSizeMax);
            }
            self.connection.handle_end(self.surroundings.clock.now());
            let origin = self.connection.origin();
            tracing::debug!(client = &*client, address = origin.address, %error, "connection failed");
        } else if let Some(close) = self.connection.close() {
            let origin = self.connection.origin();
            // Once is enough.
            let faulty = farewell::is_fault(close.reason) && !self.is_refusal_told;
            if faulty && let Some(suppressed) = self.surroundings.violations.permit() {
                tracing::info!(
                    client = &*client,
                    address = origin.address,
                    transport = origin.transport.name(),
                    reason = close.reason.name(),
                    suppressed,
                    "connection refused or closed: {}",
                    cut(&close.explanation)
                );
            } else if !faulty {
                tracing::debug!(
                    client = &*client,
                    address = origin.address,
                    reason = close.reason.name(),
                    "connection closed: {}",
                    cut(&close.explanation)
                );
            }
        } else {
            tracing::debug!(
                client = &*client,
                address = self.connection.origin().address,
                "connection ended by the peer"
            );
        }
        let Self {
            stream,
            connection,
            output,
            surroundings,
            ended,
            ..
        } = self;
        farewell::say(stream, connection, output, ended, surroundings.clock).await;
    }
}
