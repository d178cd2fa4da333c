//! Attacks at a fixed rate, while two well-behaved clients go on: what one publishes reaches the other as before, nearly, and the broker's
//! memory stays within bounds.
//!
//! A quiet time and an attack are measured in turn, in the same run. Beside the attacked broker stands another that nobody attacks: what is
//! late there is the machine's doing, which the attacker and others share. The median of three tries counts.

#![cfg(target_os = "linux")]

mod connections;
mod held;
mod packets;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, QoS};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::memory::Watch;
use ebbtide_tests::peer::{Peer, Transport, clean, publish};

/// One at a time: they measure.
static ALONE: Mutex<()> = Mutex::new(());

/// How long is measured at a time.
const WINDOW: Duration = Duration::from_secs(1);
/// How often the well-behaved client publishes.
const PACE: Duration = Duration::from_millis(4);
/// What is never too late.
const ENOUGH: Duration = Duration::from_millis(50);
const TRIES: usize = 3;
const DEADLINE: Duration = Duration::from_secs(60);

/// What the attacker does, again and again.
type Step = Box<dyn FnMut() -> Result<()> + Send>;

/// An attack.
struct Attack<'a> {
    /// Flags of the broker.
    arguments: &'a [&'a str],
    /// How often a second.
    per_s: u32,
    /// By how much the broker may grow, bytes.
    memory_bytes: usize,
}

impl Attack<'_> {
    /// Measures with it and without.
    fn withstand(self, prepare: impl FnOnce(&Broker) -> Result<Step>) -> Result<()> {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = Broker::start_with(self.arguments)?;
        let mut pair = Pair::connect(&broker)?;
        let other = Broker::start_with(self.arguments)?;
        let mut beside = Pair::connect(&other)?;
        let step = prepare(&broker)?;
        let watch = Watch::begin(&broker)?;
        let attacker = Attacker::start(step, self.per_s);
        let mut excesses = Vec::new();
        for _ in 0..TRIES {
            let quiet = pair.measure()?;
            let (before, started) = (attacker.steps(), Instant::now());
            attacker.run(true);
            let (attacked, machine) = thread::scope(|scope| {
                let machine = scope.spawn(|| beside.measure());
                let attacked = pair.measure();
                (attacked, machine.join().expect("it does not panic"))
            });
            attacker.run(false);
            let steps = attacker.steps() - before;
            let per_s = steps as f64 / started.elapsed().as_secs_f64();
            let (attacked, machine) = (attacked?, machine?);
            let bound = ENOUGH.max(3 * quiet.max(machine));
            println!(
                "quiet {quiet:?}, attacked {attacked:?} at {per_s:.0} of {} steps/s, beside {machine:?}; bound {bound:?}",
                self.per_s
            );
            ensure!(steps > 0, "there was no attack");
            excesses.push(attacked.as_secs_f64() / bound.as_secs_f64());
            let good = excesses.iter().filter(|excess| **excess <= 1.0).count();
            if good > TRIES / 2 {
                break;
            }
        }
        attacker.end()?;
        excesses.sort_by(f64::total_cmp);
        let median = excesses[excesses.len() / 2];
        ensure!(median <= 1.0, "{median:.1} times as late as may be");
        watch.expect_below(self.memory_bytes)?;
        pair.is_well()
    }
}

/// Takes its steps in a thread of its own, while it is told to.
struct Attacker {
    is_running: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    steps: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Attacker {
    fn start(mut step: Step, per_s: u32) -> Self {
        let is_running = Arc::new(AtomicBool::new(false));
        let is_over = Arc::new(AtomicBool::new(false));
        let steps = Arc::new(AtomicU64::new(0));
        let (running, over, count) = (is_running.clone(), is_over.clone(), steps.clone());
        let pause = Duration::from_secs(1) / per_s;
        let thread = thread::spawn(move || {
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                if !running.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                    next = Instant::now();
                    continue;
                }
                step()?;
                count.fetch_add(1, Ordering::Relaxed);
                next += pause;
                // Who is late does not catch up with a burst.
                next = next.max(Instant::now());
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            Ok(())
        });
        Self {
            is_running,
            is_over,
            steps,
            thread,
        }
    }

    fn run(&self, is_running: bool) {
        self.is_running.store(is_running, Ordering::Relaxed);
    }

    fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    fn end(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}

/// Two well-behaved clients, one of which publishes to the other.
struct Pair {
    publisher: Peer,
    start: Instant,
    arrived: Receiver<Duration>,
}

impl Pair {
    fn connect(broker: &Broker) -> Result<Self> {
        let awake = |id: &str| Connect {
            keep_alive: 0,
            ..clean(id)
        };
        let (mut subscriber, _) = Peer::connect(broker, Transport::Tcp, awake("subscriber"))?;
        subscriber.subscribe(&["well/behaved"], QoS::AtMostOnce)?;
        let (publisher, _) = Peer::connect(broker, Transport::Tcp, awake("publisher"))?;
        let (tell, arrived) = mpsc::channel();
        let start = Instant::now();
        thread::spawn(move || {
            // To the end of the broker.
            while let Ok(message) = subscriber.message() {
                let bytes: [u8; 8] = message.payload[..].try_into().expect("as published");
                let sent = Duration::from_nanos(u64::from_be_bytes(bytes));
                if tell.send(start.elapsed().saturating_sub(sent)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            publisher,
            start,
            arrived,
        })
    }

    /// The 99th percentile of the time from publish to delivery.
    fn measure(&mut self) -> Result<Duration> {
        let window = Instant::now();
        let mut count = 0;
        while window.elapsed() < WINDOW {
            let sent = u64::try_from(self.start.elapsed().as_nanos())?;
            let payload = sent.to_be_bytes().to_vec();
            let message = publish("well/behaved", payload, QoS::AtMostOnce, 1)?;
            self.publisher.send(&Packet::Publish(Box::new(message)))?;
            count += 1;
            thread::sleep(PACE);
        }
        let mut latencies = Vec::with_capacity(count);
        while latencies.len() < count {
            let latency = self.arrived.recv_timeout(DEADLINE);
            latencies.push(latency.context("a message of a well-behaved client is lost")?);
        }
        latencies.sort_unstable();
        Ok(latencies[(latencies.len() - 1) * 99 / 100])
    }

    fn is_well(&mut self) -> Result<()> {
        self.publisher.ping()
    }
}

/// A socket of the attacker's: it never blocks, and what the broker does not take is left out.
struct Wild {
    stream: TcpStream,
    pending: Vec<u8>,
    /// So many bytes have come.
    drained: usize,
    is_open: bool,
}

impl Wild {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            pending: Vec::new(),
            drained: 0,
            is_open: true,
        })
    }

    /// With a session of MQTT 5, once the broker has taken it in.
    fn connect(broker: &Broker, id: &str) -> Result<Self> {
        let mut wild = Self::open(broker.mqtt())?;
        wild.send(&connect(id)?);
        Ok(wild)
    }

    /// Sends all of it some time, or nothing if too much waits already. `false`: the broker has closed it.
    fn send(&mut self, bytes: &[u8]) -> bool {
        const PENDING_MAX: usize = 1024 * 1024;
        if self.pending.len() < PENDING_MAX {
            self.pending.extend_from_slice(bytes);
        }
        while self.is_open && !self.pending.is_empty() {
            match self.stream.write(&self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
            }
        }
        self.is_open
    }

    /// Waits until so many bytes have come.
    fn wait_for(&mut self, bytes: usize) -> Result<()> {
        let started = Instant::now();
        while self.drain() && self.drained < bytes {
            ensure!(started.elapsed() < DEADLINE, "no answer");
            self.send(&[]);
            thread::sleep(Duration::from_millis(1));
        }
        ensure!(self.is_open, "it is closed");
        Ok(())
    }

    /// Throws away what has come. `false`: the broker has closed it.
    fn drain(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        while self.is_open {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_open = false,
                Ok(count) => self.drained += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
            }
        }
        self.is_open
    }
}

/// CONNECT of 5.0, clean, keep alive off.
fn connect(id: &str) -> Result<Vec<u8>> {
    let length = u8::try_from(id.len())?;
    let mut packet = vec![0x10, 13 + length];
    packet.extend_from_slice(b"\0\x04MQTT\x05\x02\0\0\0\0");
    packet.push(length);
    packet.extend_from_slice(id.as_bytes());
    Ok(packet)
}
