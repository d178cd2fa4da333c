//! One busy client does not starve the others: what they wait beside it is bounded, though the broker has one core, and the busy one
//! would use all of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use ebbtide_protocol::packet::{MessageProperties, Publish};
use ebbtide_protocol::{Packet, PacketId, QoS, TopicName};

use crate::broker::Broker;
use crate::load::{Link, clean};

/// Those who are not busy.
const OTHERS: usize = 5;
/// Between two round trips.
const PAUSE: Duration = Duration::from_millis(2);
/// Written by the busy client at once.
const BURST: usize = 500;
/// What the others may wait in any case, at the 99th of a hundred.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// And beside what they wait alone.
const FACTOR_MAX: u32 = 3;

pub fn run(short: bool) -> Result<()> {
    let trips = if short { 100 } else { 2_000 };
    println!("| who is busy | others alone, p99 | beside it, p99 |");
    println!("|---|---:|---:|");
    for (who, is_heard) in [
        ("a publisher", false),
        ("a publisher and its subscriber", true),
    ] {
        let broker = Broker::start_by(&["taskset", "--cpu-list", "0"], &[])?;
        let mut others = Others::connect(broker.mqtt())?;
        let alone = others.wait(trips)?;
        let busy = Busy::start(broker.mqtt(), is_heard)?;
        let beside = others.wait(trips);
        busy.stop()?;
        let beside = beside?;
        let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
        println!("| {who} | {:.2} ms | {:.2} ms |", ms(alone), ms(beside));
        ensure!(
            beside <= WAIT_MAX.max(alone * FACTOR_MAX),
            "beside {who} the others wait {beside:?}, and {alone:?} alone"
        );
    }
    Ok(())
}

/// Clients that hear themselves.
struct Others(Vec<(Link, Packet)>);

impl Others {
    fn connect(broker: SocketAddr) -> Result<Self> {
        let other = |number: usize| {
            let (mut link, _) = Link::connect(broker, clean(&format!("other-{number}")))?;
            let topic = format!("other/{number}");
            link.subscribe(&topic, QoS::AtMostOnce)?;
            Ok((link, message(&topic, QoS::AtMostOnce)?))
        };
        Ok(Self((0..OTHERS).map(other).collect::<Result<_>>()?))
    }

    /// From a publish to its delivery, at the 99th of a hundred.
    fn wait(&mut self, trips: usize) -> Result<Duration> {
        let mut waited = Vec::with_capacity(trips);
        for trip in 0..trips {
            let (link, message) = &mut self.0[trip % OTHERS];
            let start = Instant::now();
            link.put(message);
            link.flush()?;
            let back = link.packet()?;
            waited.push(start.elapsed());
            ensure!(matches!(back, Packet::Publish(_)), "{back:?}");
            thread::sleep(PAUSE);
        }
        waited.sort_unstable();
        Ok(waited[trips * 99 / 100])
    }
}

/// Publishes as fast as the broker takes it; with a subscriber, who reads as fast as it comes.
struct Busy {
    is_over: Arc<AtomicBool>,
    publisher: JoinHandle<Result<usize>>,
    subscriber: Option<JoinHandle<Result<()>>>,
}

impl Busy {
    fn start(broker: SocketAddr, is_heard: bool) -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let subscriber = is_heard.then(|| hear(broker)).transpose()?;
        let (mut link, _) = Link::connect(broker, clean("busy"))?;
        let over = Arc::clone(&is_over);
        let publisher = thread::spawn(move || {
            let all = message("busy/all", QoS::AtMostOnce)?;
            let mut bursts = 0;
            while !over.load(Ordering::Acquire) {
                (0..BURST).for_each(|_| link.put(&all));
                link.flush()?;
                bursts += 1;
            }
            // What comes last, and is not dropped from a full queue.
            link.put(&message("busy/end", QoS::AtLeastOnce)?);
            link.flush()?;
            let answer = link.packet()?;
            ensure!(matches!(answer, Packet::PubAck(_)), "{answer:?}");
            Ok(bursts)
        });
        Ok(Self {
            is_over,
            publisher,
            subscriber,
        })
    }

    fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Release);
        let panicked = |_| anyhow!("a busy client has panicked");
        let bursts = self.publisher.join().map_err(panicked)??;
        if let Some(subscriber) = self.subscriber {
            subscriber.join().map_err(panicked)??;
        }
        // One that was not busy has shown nothing.
        ensure!(
            bursts > 100,
            "the busy client has sent {bursts} bursts only"
        );
        Ok(())
    }
}

fn hear(broker: SocketAddr) -> Result<JoinHandle<Result<()>>> {
    let (mut link, _) = Link::connect(broker, clean("busy-reader"))?;
    link.subscribe("busy/#", QoS::AtLeastOnce)?;
    Ok(thread::spawn(move || {
        loop {
            let Packet::Publish(publish) = link.packet()? else {
                continue;
            };
            let topic = publish.topic.as_ref().map(TopicName::as_str);
            if topic == Some("busy/end") {
                return Ok(());
            }
        }
    }))
}

fn message(topic: &str, qos: QoS) -> Result<Packet> {
    Ok(Packet::Publish(Box::new(Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic.to_owned())?),
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::MIN),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::from_static(&[b'x'; 256]),
    })))
}
