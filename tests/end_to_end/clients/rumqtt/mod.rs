//! rumqttc. It is two clients, one for each version, with types of their own; what they have in common is here.

mod v3;
mod v5;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::oneshot;

use super::client::{Client, Message};
use super::matrix::Version;

const DEADLINE: Duration = Duration::from_secs(20);
/// Requests that wait for the event loop.
const REQUESTS: usize = 100;
const MAXIMUM_PACKET_SIZE: u32 = 16 * 1024 * 1024;

pub fn client(address: SocketAddr, version: Version) -> Box<dyn Client> {
    match version {
        Version::V3 => Box::new(v3::Rumqttc::new(address)),
        Version::V5 => Box::new(v5::Rumqttc::new(address)),
    }
}

/// What happens on one connection. Its event loop is polled in a thread; when that stops, the connection is cut.
struct Line<E> {
    events: mpsc::Receiver<Result<E, String>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Came while something else was waited for.
    messages: VecDeque<Message>,
}

/// What an event means here.
enum Meaning<T> {
    Message(Message),
    /// What was waited for.
    It(T),
    Other,
}

impl<E: Send + 'static> Line<E> {
    fn start(mut poll: impl AsyncFnMut() -> Result<E, String> + Send + 'static) -> Result<Self> {
        let (sender, events) = mpsc::channel();
        let (stop, mut stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = &mut stopped => return,
                        event = poll() => {
                            let is_over = event.is_err();
                            if sender.send(event).is_err() || is_over {
                                return;
                            }
                        }
                    }
                }
            });
        });
        Ok(Self {
            events,
            stop: Some(stop),
            thread: Some(thread),
            messages: VecDeque::new(),
        })
    }

    /// Waits for an event that means something; messages are kept for later.
    fn wait<T>(&mut self, meaning: impl Fn(E) -> Meaning<T>) -> Result<T> {
        loop {
            let event = self.events.recv_timeout(DEADLINE);
            match event.context("nothing came")? {
                Ok(event) => match meaning(event) {
                    Meaning::It(it) => return Ok(it),
                    Meaning::Message(message) => self.messages.push_back(message),
                    Meaning::Other => {}
                },
                Err(error) => bail!("the connection ended: {error}"),
            }
        }
    }

    fn cut(&mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            stop.send(()).ok();
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(anyhow!("the event loop panicked")),
            _ => Ok(()),
        }
    }
}

impl<E> Drop for Line<E> {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }
}
