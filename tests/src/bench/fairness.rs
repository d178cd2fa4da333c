//! Busy clients do not starve the others: what these wait beside them is bounded, though the broker has one core, and each of the busy
//! ones would use all of it.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use bytes::{Bytes, BytesMut};
use ebbtide_protocol::codec::encode;
use ebbtide_protocol::packet::{MessageProperties, Publish};
use ebbtide_protocol::{Packet, PacketId, QoS, TopicName, Version};

use crate::broker::Broker;
use crate::load::{Link, clean};

/// Those who are not busy.
const OTHERS: usize = 5;
/// From one sample to the next, whoever of them takes it.
const INTERVAL: Duration = Duration::from_millis(2);
/// Written by the busy client at once.
const BURST: usize = 500;
/// What the others may wait in any case, at the 99th of a hundred.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// And beside what they wait alone.
const FACTOR_MAX: u32 = 3;

pub fn run(short: bool) -> Result<()> {
    let samples = if short { 100 } else { 2_000 };
    println!("| who is busy | others alone, p99 | beside it, p99 |");
    println!("|---|---:|---:|");
    for (who, count, is_heard) in [
        ("a publisher", 1, false),
        ("a publisher and its subscriber", 1, true),
        ("ten publishers and their subscribers", 10, true),
    ] {
        let broker = Broker::start_by(&["taskset", "--cpu-list", "0"], &[])?;
        let mut others = Others::connect(broker.mqtt(), OTHERS)?;
        let alone = p99(others.wait(samples, INTERVAL)?);
        let busy = (0..count).map(|number| Busy::start(broker.mqtt(), number, is_heard));
        let busy: Vec<_> = busy.collect::<Result<_>>()?;
        let beside = others.wait(samples, INTERVAL);
        busy.iter().for_each(Busy::end);
        let bursts: usize = busy.into_iter().map(Busy::join).sum::<Result<_>>()?;
        // One that was not busy has shown nothing.
        ensure!(bursts > 100, "{who} sent {bursts} bursts only");
        let beside = p99(beside?);
        let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
        println!("| {who} | {:.2} ms | {:.2} ms |", ms(alone), ms(beside));
        ensure!(
            beside <= WAIT_MAX.max(alone * FACTOR_MAX),
            "beside {who} the others wait {beside:?}, and {alone:?} alone"
        );
    }
    Ok(())
}

fn p99(mut waited: Vec<Duration>) -> Duration {
    waited.sort_unstable();
    waited[waited.len() * 99 / 100]
}

/// Clients that hear themselves.
struct Others(Vec<Other>);

struct Other {
    topic: TopicName,
    hears: Link,
    says: TcpStream,
}

impl Others {
    fn connect(broker: SocketAddr, count: usize) -> Result<Self> {
        let other = |number: usize| {
            let (mut hears, _) = Link::connect(broker, clean(&format!("other-{number}")))?;
            let topic = TopicName::new(format!("other/{number}"))?;
            hears.subscribe(topic.as_str(), QoS::AtMostOnce)?;
            let says = hears.writer()?;
            Ok(Other { topic, hears, says })
        };
        Ok(Self((0..count).map(other).collect::<Result<_>>()?))
    }

    /// From the moment that a publish is due to its delivery, in the order of these moments, which are as far apart as `interval`.
    ///
    /// They do not wait for each other: a stall keeps all that fall into it waiting, and each of them counts.
    fn wait(&mut self, samples: usize, interval: Duration) -> Result<Vec<Duration>> {
        let start = Instant::now();
        let due = |number: usize| Ok(start + interval * u32::try_from(number + 1)?);
        let count = self.0.len();
        let mut waited = vec![Duration::ZERO; samples];
        thread::scope(|scope| {
            let mut says = Vec::with_capacity(count);
            let mut hears = Vec::with_capacity(count);
            for (at, other) in self.0.iter_mut().enumerate() {
                says.push((&other.topic, &mut other.says));
                let link = &mut other.hears;
                hears.push(scope.spawn(move || hear_all(link, (at..samples).step_by(count), due)));
            }
            for number in 0..samples {
                thread::sleep(due(number)?.saturating_duration_since(Instant::now()));
                let (topic, stream) = &mut says[number % count];
                stream.write_all(&sample(topic, number))?;
            }
            for heard in hears {
                let heard = heard.join().map_err(|_| anyhow!("one has panicked"))??;
                heard
                    .into_iter()
                    .for_each(|(number, wait)| waited[number] = wait);
            }
            Ok(())
        })
        .map(|()| waited)
    }
}

/// How long each of these samples took from its moment.
fn hear_all(
    link: &mut Link,
    numbers: impl Iterator<Item = usize>,
    due: impl Fn(usize) -> Result<Instant>,
) -> Result<Vec<(usize, Duration)>> {
    let mut waited = Vec::new();
    for number in numbers {
        let heard = link.packet()?;
        let wait = due(number)?.elapsed();
        let is_it = matches!(&heard, Packet::Publish(heard) if heard.payload == number.to_string());
        ensure!(is_it, "not sample {number} but {heard:?}");
        waited.push((number, wait));
    }
    Ok(waited)
}

fn sample(topic: &TopicName, number: usize) -> BytesMut {
    let packet = message(topic.clone(), QoS::AtMostOnce, number.to_string().into());
    let mut bytes = BytesMut::new();
    encode(&packet, Version::V5, &mut bytes);
    bytes
}

/// Publishes as fast as the broker takes it; with a subscriber, who reads as fast as it comes.
struct Busy {
    is_over: Arc<AtomicBool>,
    publisher: JoinHandle<Result<usize>>,
    subscriber: Option<JoinHandle<Result<()>>>,
}

impl Busy {
    fn start(broker: SocketAddr, number: usize, is_heard: bool) -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let subscriber = is_heard.then(|| hear(broker, number)).transpose()?;
        let (mut link, _) = Link::connect(broker, clean(&format!("busy-{number}")))?;
        let over = Arc::clone(&is_over);
        let publisher = thread::spawn(move || {
            let payload = Bytes::from_static(&[b'x'; 256]);
            let all = message(
                TopicName::new(format!("busy/{number}/all"))?,
                QoS::AtMostOnce,
                payload,
            );
            let mut bursts = 0;
            while !over.load(Ordering::Acquire) {
                (0..BURST).for_each(|_| link.put(&all));
                link.flush()?;
                bursts += 1;
            }
            // What comes last, and is not dropped from a full queue.
            let end = TopicName::new(end_of(number))?;
            link.put(&message(end, QoS::AtLeastOnce, Bytes::new()));
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

    fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Gives how much it has sent, in bursts.
    fn join(self) -> Result<usize> {
        let panicked = |_| anyhow!("a busy client has panicked");
        let bursts = self.publisher.join().map_err(panicked)??;
        if let Some(subscriber) = self.subscriber {
            subscriber.join().map_err(panicked)??;
        }
        Ok(bursts)
    }
}

/// What a busy publisher says last.
fn end_of(number: usize) -> String {
    format!("busy/{number}/end")
}

fn hear(broker: SocketAddr, number: usize) -> Result<JoinHandle<Result<()>>> {
    let (mut link, _) = Link::connect(broker, clean(&format!("busy-reader-{number}")))?;
    link.subscribe(&format!("busy/{number}/#"), QoS::AtLeastOnce)?;
    let end = end_of(number);
    Ok(thread::spawn(move || {
        loop {
            let Packet::Publish(publish) = link.packet()? else {
                continue;
            };
            let topic = publish.topic.as_ref().map(TopicName::as_str);
            if topic == Some(end.as_str()) {
                return Ok(());
            }
        }
    }))
}

fn message(topic: TopicName, qos: QoS, payload: Bytes) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(topic),
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::MIN),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use ebbtide_protocol::ReasonCode;
    use ebbtide_protocol::codec::{Decoder, Role};
    use ebbtide_protocol::packet::{ConnAck, SubAck};

    use super::*;

    #[test]
    fn a_stall_keeps_every_sample_of_its_time_waiting() -> Result<()> {
        let (samples, at) = (40, 10);
        let (interval, stall) = (Duration::from_millis(5), Duration::from_millis(100));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let echo = thread::spawn(move || echo(&listener, at, stall));
        let mut others = Others::connect(address, 1)?;
        let waited = others.wait(samples, interval)?;
        drop(others);
        echo.join()
            .map_err(|_| anyhow!("the echo has panicked"))??;
        // The stall begins when sample `at` has come, which was not before it was due: whatever else this machine does, those after
        // it wait for what is left of the stall.
        for (number, passed) in (at..samples).zip(0..) {
            let left = stall.saturating_sub(interval * passed);
            let wait = waited[number];
            assert!(wait >= left, "sample {number}: {wait:?} of {left:?}");
        }
        Ok(())
    }

    /// A broker for one client that hears itself. It does nothing for a time when sample `at` has come.
    fn echo(listener: &TcpListener, at: usize, stall: Duration) -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut decoder = Decoder::new(Role::Server, u32::MAX);
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        let mut buffer = [0; 4096];
        loop {
            while let Some(packet) = decoder.decode(&mut input)? {
                let answer = match packet {
                    Packet::Connect(connect) => {
                        decoder.set_version(connect.version);
                        Packet::ConnAck(Box::new(ConnAck::new(ReasonCode::Success, false)))
                    }
                    Packet::Subscribe(subscribe) => Packet::SubAck(SubAck {
                        packet_id: subscribe.packet_id,
                        reason_string: None,
                        user_properties: Vec::new(),
                        reasons: vec![ReasonCode::Success],
                    }),
                    Packet::Publish(publish) => {
                        if publish.payload == at.to_string() {
                            thread::sleep(stall);
                        }
                        Packet::Publish(publish)
                    }
                    other => anyhow::bail!("{other:?}"),
                };
                encode(&answer, Version::V5, &mut output);
            }
            stream.write_all(&output)?;
            output.clear();
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => input.extend_from_slice(&buffer[..count]),
            }
        }
    }
}
