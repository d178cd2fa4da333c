//! The task that runs one client machine: it moves bytes, keeps time and answers commands.
//!
//! While a message waits for room in the application's channel nothing more is read or taken from the machine.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use ebbtide_protocol::client::{
    Action, Client as Machine, Error as ClientError, Event, IncomingMessage, Options,
    OutgoingMessage, PublishHandle, State, SubscriptionChange, SubscriptionHandle,
};
use ebbtide_protocol::packet::SubscriptionOptions;
use ebbtide_protocol::{ReasonCode, TopicFilter};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::transport::{Address, Reader, Writer};
use crate::{Acknowledgement, Setup};

type Reply<T> = oneshot::Sender<Result<T, ClientError>>;
type Opening = Pin<Box<dyn Future<Output = io::Result<(Reader, Writer)>> + Send>>;

/// What the application asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Publish(OutgoingMessage, Reply<ReasonCode>),
    Subscribe(TopicFilter, SubscriptionOptions, Reply<SubscriptionHandle>),
    Unsubscribe(SubscriptionHandle),
    /// The message that was handed over last is done with.
    Done,
    Close,
    Abort,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Opened(io::Result<(Reader, Writer)>),
    Read(io::Result<bool>),
    Written(io::Result<()>),
    Room,
    Timeout,
}

pub(crate) struct Driver {
    address: Address,
    setup: Setup,
    machine: Machine,
    commands: mpsc::Receiver<Command>,
    messages: mpsc::Sender<IncomingMessage>,
    state: watch::Sender<State>,
    refused: watch::Sender<Option<ReasonCode>>,
    start: Instant,
    opening: Option<Opening>,
    reader: Option<Reader>,
    writer: Option<Writer>,
    input: BytesMut,
    output: BytesMut,
    /// Taken from the machine, but the channel is full.
    stuck: Option<IncomingMessage>,
    /// A copy of the machine's next event is with the application, which is to say when it is done with it.
    awaits_done: bool,
    publishes: BTreeMap<PublishHandle, Reply<ReasonCode>>,
    subscribes: BTreeMap<SubscriptionHandle, Reply<SubscriptionHandle>>,
}

impl Driver {
    /// Encoded bytes ahead of the transport, about.
    const OUTPUT_BYTES: usize = 64 * 1024;
    /// How long the last bytes of a connection may take.
    const FINISH: Duration = Duration::from_secs(2);

    pub(crate) fn new(
        address: Address,
        setup: Setup,
        mut options: Options,
        commands: mpsc::Receiver<Command>,
        messages: mpsc::Sender<IncomingMessage>,
        (state, refused): (watch::Sender<State>, watch::Sender<Option<ReasonCode>>),
    ) -> Self {
        if options.seed == 0 {
            options.seed = random_bits();
        }
        let mut machine = Machine::new(0, options);
        machine.hold_acknowledgements(setup.acknowledgement == Acknowledgement::Never);
        Self {
            address,
            setup,
            machine,
            commands,
            messages,
            state,
            refused,
            start: Instant::now(),
            opening: None,
            reader: None,
            writer: None,
            input: BytesMut::new(),
            output: BytesMut::new(),
            stuck: None,
            awaits_done: false,
            publishes: BTreeMap::new(),
            subscribes: BTreeMap::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.pump().await;
            if *self.machine.state() == State::Closed {
                return;
            }
            match self.wait().await {
                // Dropped by the application, or told to go: without a farewell.
                Wake::Command(None | Some(Command::Abort)) => return,
                Wake::Command(Some(command)) => self.command(command),
                wake => self.transport(wake),
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.machine.poll_timeout();
        let deadline = deadline.map(|at| self.start + Duration::from_millis(at));
        let is_stuck = self.stuck.is_some();
        let is_reading = !is_stuck && !self.awaits_done;
        tokio::select! {
            command = self.commands.recv() => Wake::Command(command),
            opened = async {
                match &mut self.opening {
                    Some(opening) => opening.await,
                    None => pending().await,
                }
            } => Wake::Opened(opened),
            read = async {
                match &mut self.reader {
                    Some(reader) if is_reading => reader.read(&mut self.input).await,
                    _ => pending().await,
                }
            } => Wake::Read(read),
            written = async {
                match &mut self.writer {
                    Some(writer) if writer.wants(&self.output) => writer.write(&mut self.output).await,
                    _ => pending().await,
                }
            } => Wake::Written(written),
            // When the application dropped its end there is room for ever.
            _ = self.messages.reserve(), if is_stuck => Wake::Room,
            () = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            } => Wake::Timeout,
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Publish(message, reply) => match self.machine.publish(message) {
                Ok(handle) => {
                    self.publishes.insert(handle, reply);
                }
                Err(error) => answer(reply, Err(error)),
            },
            Command::Subscribe(filter, options, reply) => {
                match self.machine.subscribe(filter, options) {
                    Ok(handle) => {
                        self.subscribes.insert(handle, reply);
                    }
                    Err(error) => answer(reply, Err(error)),
                }
            }
            Command::Unsubscribe(handle) => self.machine.unsubscribe(handle),
            Command::Done => {
                if std::mem::take(&mut self.awaits_done) {
                    // Taking it is what acknowledges it.
                    self.machine.poll_event();
                }
            }
            Command::Close => self.machine.close(),
            Command::Abort => {}
        }
    }

    fn transport(&mut self, wake: Wake) {
        let now = self.now();
        match wake {
            Wake::Opened(opened) => {
                self.opening = None;
                match opened {
                    Ok((reader, writer)) => {
                        (self.reader, self.writer) = (Some(reader), Some(writer));
                        self.machine.handle_open(now);
                    }
                    Err(error) => self.machine.handle_closed(now, &error.to_string()),
                }
            }
            Wake::Read(Ok(true)) => self.machine.handle_input(now, &mut self.input),
            Wake::Read(Ok(false)) => {
                self.let_go();
                self.machine
                    .handle_closed(now, "the server closed the connection");
            }
            Wake::Read(Err(error)) | Wake::Written(Err(error)) => {
                self.let_go();
                self.machine.handle_closed(now, &error.to_string());
            }
            Wake::Timeout => self.machine.handle_timeout(now),
            Wake::Written(Ok(())) | Wake::Room | Wake::Command(_) => {}
        }
    }

    /// Empties the machine as far as the channel and the transport take it.
    async fn pump(&mut self) {
        loop {
            self.deliver();
            let now = self.now();
            if self.writer.is_some() {
                self.machine
                    .poll_output(now, &mut self.output, Self::OUTPUT_BYTES);
            }
            match self.machine.poll_action() {
                Some(Action::Open) => {
                    self.let_go();
                    self.opening =
                        Some(Box::pin(self.address.clone().open(self.setup.tls.clone())));
                }
                Some(Action::Close) => {
                    if let Some(writer) = &mut self.writer {
                        // If it fails or takes too long, the connection ends all the same.
                        let _ = timeout(Self::FINISH, writer.finish(&mut self.output)).await;
                    }
                    self.let_go();
                }
                None => break,
            }
        }
        // Writing settles publishes at QoS 0.
        self.deliver();
    }

    fn deliver(&mut self) {
        if let Some(message) = self.stuck.take() {
            self.hand_over(message);
        }
        while self.stuck.is_none()
            && !self.awaits_done
            && !self.lend_message()
            && let Some(event) = self.machine.poll_event()
        {
            match event {
                Event::State(state) => {
                    self.state.send_replace(state);
                }
                Event::Message { message, .. } => self.hand_over(message),
                Event::Acked { handle, result, .. } => {
                    if let Some(reply) = self.publishes.remove(&handle) {
                        answer(reply, result);
                    }
                }
                Event::Subscription { handle, change, .. } => {
                    if let SubscriptionChange::Refused(reason) = change
                        && !self.subscribes.contains_key(&handle)
                    {
                        // It was granted once: nobody waits for this answer.
                        self.refused.send_replace(Some(reason));
                    }
                    let result = match change {
                        SubscriptionChange::Granted(_) => Ok(handle),
                        SubscriptionChange::Refused(reason) => Err(ClientError::Refused(reason)),
                        SubscriptionChange::SnapshotComplete { .. } => continue,
                    };
                    if let Some(reply) = self.subscribes.remove(&handle) {
                        answer(reply, result);
                    }
                }
                Event::Connected(_)
                | Event::Deferred { .. }
                | Event::Unsubscribed { .. }
                | Event::Auth(_) => {}
            }
        }
    }

    /// Whether the next event is a message that the machine keeps until the application is done with it.
    fn lend_message(&mut self) -> bool {
        if self.setup.acknowledgement == Acknowledgement::WhenDone
            && let Some(message) = self.machine.next_message()
        {
            // There is room, for none is handed over before the one before is done with. Closed: it is never done with.
            let _ = self.messages.try_send(message.clone());
            self.awaits_done = true;
        }
        self.awaits_done
    }

    fn hand_over(&mut self, message: IncomingMessage) {
        // Closed: the application does not want messages.
        if let Err(mpsc::error::TrySendError::Full(message)) = self.messages.try_send(message) {
            self.stuck = Some(message);
        }
    }

    fn let_go(&mut self) {
        self.opening = None;
        self.reader = None;
        self.writer = None;
        self.input.clear();
        self.output.clear();
    }
}

/// Who asked may have stopped waiting.
fn answer<T>(reply: Reply<T>, result: Result<T, ClientError>) {
    let _ = reply.send(result);
}

/// Differs for each client of a process and for each process; spreads reconnects, keeps no secret.
fn random_bits() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
