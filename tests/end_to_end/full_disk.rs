//! The real program on a disk that fills up: what has to be kept is refused, everything else goes on, nothing acknowledged is
//! lost, and it heals without a restart.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_tests::broker::{self, Broker};
use ebbtide_tests::http;
use ebbtide_tests::small_disk::SmallDisk;
use ebbtide_tests::wire::Wire;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
const PAYLOAD_BYTES: usize = 8 * 1024;
const QUOTA_EXCEEDED: u8 = 0x97;
const DEADLINE: Duration = Duration::from_secs(30);

/// A client and what the broker has acknowledged to it.
struct Publisher {
    address: SocketAddr,
    wire: Wire,
    kept: BTreeMap<String, String>,
    count: usize,
}

impl Publisher {
    fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            wire: Wire::connect(address, "publisher")?,
            kept: BTreeMap::new(),
            count: 0,
        })
    }

    /// Publishes a new retained value; gives the reason code, or none when the connection ends.
    fn publish(&mut self) -> Result<Option<u8>> {
        let topic = format!("fill/{}", self.count);
        let payload = format!("{:0>PAYLOAD_BYTES$}", self.count);
        self.count += 1;
        let reason = self.send(&topic, &payload)?;
        if reason.is_some_and(|reason| reason < 0x80) {
            self.kept.insert(topic, payload);
        }
        Ok(reason)
    }

    fn clear(&mut self, topic: &str) -> Result<()> {
        let reason = self.send(topic, "")?;
        ensure!(reason.is_some_and(|reason| reason < 0x80), "{reason:?}");
        self.kept.remove(topic);
        Ok(())
    }

    fn send(&mut self, topic: &str, payload: &str) -> Result<Option<u8>> {
        self.wire.send(&publish(0x33, topic, payload)?)?;
        match self.wire.packet()? {
            // Without a reason code it is success.
            Some(packet) if packet[0] == 0x40 => Ok(Some(packet.get(4).copied().unwrap_or(0))),
            Some(packet) if packet[0] == 0xe0 => {
                ensure!(self.wire.packet()?.is_none(), "the end follows DISCONNECT");
                Ok(None)
            }
            None => Ok(None),
            other => bail!("unexpected {other:02x?}"),
        }
    }

    fn reconnect(&mut self) -> Result<()> {
        self.wire = Wire::connect(self.address, "publisher")?;
        Ok(())
    }

    /// Until something else than success comes.
    fn publish_all(&mut self) -> Result<Option<u8>> {
        loop {
            match self.publish()? {
                Some(reason) if reason < 0x80 => {}
                other => return Ok(other),
            }
        }
    }

    /// All that was acknowledged is there. What was not may be.
    fn check(&self) -> Result<()> {
        let mut wire = Wire::connect(self.address, "reader")?;
        wire.send(b"\x82\x0c\x00\x01\x00\x00\x06fill/#\x00")?;
        let suback = wire.packet()?.context("a SUBACK")?;
        ensure!(suback[0] == 0x90, "no SUBACK: {suback:02x?}");
        wire.send(&[0xc0, 0x00])?;
        let mut found = BTreeMap::new();
        let mut is_answered = false;
        while !is_answered || !self.kept.keys().all(|topic| found.contains_key(topic)) {
            let packet = wire.packet()?.context("the connection ended")?;
            if packet[0] == 0xd0 {
                is_answered = true;
                continue;
            }
            // Its length takes two bytes.
            let length = usize::from(packet[3]) << 8 | usize::from(packet[4]);
            let (topic, rest) = packet[5..].split_at(length);
            let payload = String::from_utf8(rest[1..].to_vec())?;
            found.insert(String::from_utf8(topic.to_vec())?, payload);
        }
        for (topic, payload) in &self.kept {
            ensure!(
                found.get(topic) == Some(payload),
                "{topic} is lost or another"
            );
        }
        Ok(())
    }
}

/// PUBLISH of version 5.
fn publish(head: u8, topic: &str, payload: &str) -> Result<Vec<u8>> {
    let mut body = u16::try_from(topic.len())?.to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    if head & 0x06 != 0 {
        body.extend_from_slice(&[0, 1]);
    }
    body.push(0);
    body.extend_from_slice(payload.as_bytes());
    let (low, high) = (body.len() & 0x7f, body.len() >> 7);
    let mut packet = vec![head];
    match high {
        0 => packet.push(u8::try_from(low)?),
        high => packet.extend_from_slice(&[u8::try_from(low | 0x80)?, u8::try_from(high)?]),
    }
    packet.extend_from_slice(&body);
    Ok(packet)
}

/// What nobody keeps goes on: at QoS 0 and 1, to a subscriber that was there and to one that comes.
fn live_goes_on(address: SocketAddr, there: &mut Wire) -> Result<()> {
    let mut comes = Wire::connect(address, "comes")?;
    subscribe(&mut comes)?;
    let mut sender = Wire::connect(address, "sender")?;
    sender.send(&publish(0x30, "live", "0")?)?;
    sender.send(&publish(0x32, "live", "1")?)?;
    ensure!(sender.packet()?.as_deref() == Some(&b"\x40\x02\x00\x01"[..]));
    for wire in [there, &mut comes] {
        for payload in [b'0', b'1'] {
            let packet = wire.packet()?.context("the connection ended")?;
            ensure!(packet.ends_with(&[0, payload]), "{packet:02x?}");
        }
    }
    Ok(())
}

fn subscribe(wire: &mut Wire) -> Result<()> {
    wire.send(b"\x82\x0a\x00\x01\x00\x00\x04live\x00")?;
    let suback = wire.packet()?.context("a SUBACK")?;
    ensure!(suback[0] == 0x90, "no SUBACK: {suback:02x?}");
    Ok(())
}

/// CONNECT of sessions that would be kept, in both versions, and a retained publish in 3.1.1.
fn kept_is_refused(address: SocketAddr) -> Result<()> {
    let mut wire = Wire::open(address)?;
    wire.send(b"\x10\x13\x00\x04MQTT\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x3c\x00\x01k")?;
    let connack = wire.packet()?.context("a CONNACK")?;
    ensure!(connack[3] == QUOTA_EXCEEDED, "{connack:02x?}");

    let mut wire = Wire::open(address)?;
    wire.send(b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x3c\x00\x01k")?;
    ensure!(wire.packet()?.as_deref() == Some(&b"\x20\x02\x00\x03"[..]));

    let mut wire = Wire::open(address)?;
    wire.send(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c")?;
    ensure!(wire.packet()?.as_deref() == Some(&b"\x20\x02\x00\x00"[..]));
    wire.send(b"\x33\x06\x00\x01r\x00\x01x")?;
    ensure!(
        wire.packet()?.is_none(),
        "it ends without an acknowledgement"
    );
    Ok(())
}

/// Waits until `/readyz` answers so, with a sentence that has the word.
fn wait_for(broker: &Broker, status: u16, word: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let response = http::get(broker.http(), "/readyz")?;
        if response.status == status && response.body.contains(word) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "never {status} {word}: {} {}",
            response.status,
            response.body
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_full_disk_is_refused_in_time_and_emptied_from_inside_and_outside() -> Result<()> {
    let Some(disk) = SmallDisk::new(8 * MIB)? else {
        return Ok(());
    };
    let mut broker = Broker::start_on(&disk, &["--disk-reserve-bytes", "1048576"])?;
    let mut there = Wire::connect(broker.mqtt(), "there")?;
    subscribe(&mut there)?;
    let mut publisher = Publisher::connect(broker.mqtt())?;
    ensure!(publisher.publish_all()? == Some(QUOTA_EXCEEDED));
    ensure!(publisher.kept.len() > 100, "{}", publisher.kept.len());
    wait_for(&broker, 503, "full")?;
    live_goes_on(broker.mqtt(), &mut there)?;
    kept_is_refused(broker.mqtt())?;
    publisher.check()?;

    // From inside: what is removed is room.
    let topics: Vec<String> = publisher.kept.keys().cloned().collect();
    for topic in topics.iter().step_by(2) {
        publisher.clear(topic)?;
    }
    wait_for(&broker, 200, "ready")?;
    let before = publisher.kept.len();
    ensure!(publisher.publish_all()? == Some(QUOTA_EXCEEDED));
    ensure!(publisher.kept.len() > before + 10, "{before} and no more");

    // From outside: others come and go.
    for topic in topics.iter().skip(1).step_by(2) {
        publisher.clear(topic)?;
    }
    wait_for(&broker, 200, "ready")?;
    // The file system alone would be too full; what is free in the file is not enough either.
    ensure!(publisher.publish_all()? == Some(QUOTA_EXCEEDED));
    wait_for(&broker, 503, "full")?;
    ensure!(
        !broker.log().contains("a commit failed"),
        "{}",
        broker.log()
    );
    broker.crash_and_restart()?;
    publisher.reconnect()?;
    publisher.check()?;
    live_goes_on(broker.mqtt(), &mut {
        let mut there = Wire::connect(broker.mqtt(), "there")?;
        subscribe(&mut there)?;
        there
    })
}

#[test]
fn others_fill_the_disk_and_make_room_again() -> Result<()> {
    let Some(disk) = SmallDisk::new(8 * MIB)? else {
        return Ok(());
    };
    let mut broker = Broker::start_on(&disk, &["--disk-reserve-bytes", "1048576"])?;
    let mut publisher = Publisher::connect(broker.mqtt())?;
    ensure!(publisher.publish()? == Some(0x10));
    disk.fill_but(MIB / 2)?;
    wait_for(&broker, 503, "full")?;
    ensure!(publisher.publish()? == Some(QUOTA_EXCEEDED));
    disk.empty()?;
    wait_for(&broker, 200, "ready")?;
    ensure!(publisher.publish()? == Some(0x10));
    let log = broker.log();
    ensure!(count(&log, "the disk is full") == 1, "{log}");
    ensure!(count(&log, "there is room on the disk again") == 1, "{log}");
    broker.crash_and_restart()?;
    publisher.check()
}

#[test]
fn a_commit_that_fails_for_want_of_room_loses_nothing_and_heals() -> Result<()> {
    let Some(disk) = SmallDisk::new(8 * MIB)? else {
        return Ok(());
    };
    let mut broker = Broker::start_on(&disk, &["--disk-reserve-bytes", "0"])?;
    let mut publisher = Publisher::connect(broker.mqtt())?;
    ensure!(publisher.publish()? == Some(0x10));
    disk.fill_but(MIB / 4)?;
    failing_and_healing(&broker, &mut publisher, || disk.empty())?;
    broker.crash_and_restart()?;
    publisher.reconnect()?;
    publisher.check()?;

    // The same with a kill while it does not work.
    disk.fill_but(MIB / 4)?;
    ensure!(
        publisher
            .publish_all()?
            .is_none_or(|reason| reason == QUOTA_EXCEEDED)
    );
    broker.kill()?;
    disk.empty()?;
    broker.crash_and_restart()?;
    publisher.check()
}

/// A broker that lives when its file may not grow.
fn growing_as_allowed(arguments: &[&str]) -> Result<Broker> {
    let ignore_signal = ["sh", "-c", r#"trap "" XFSZ; exec "$@""#, "sh"];
    Broker::start_by(&ignore_signal, arguments)
}

/// To where its file may grow.
fn limit(process: u32, bytes: &str) -> Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &process.to_string(), &format!("--fsize={bytes}:")]);
    let status = prlimit.status().context("starting prlimit")?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

/// The same without a disk of its own: the file may not grow any more.
#[test]
fn a_file_that_may_not_grow_loses_nothing_and_heals() -> Result<()> {
    let mut broker = growing_as_allowed(&[])?;
    let id = broker.id();
    let mut publisher = Publisher::connect(broker.mqtt())?;
    ensure!(publisher.publish()? == Some(0x10));
    limit(id, "1000000")?;
    failing_and_healing(&broker, &mut publisher, || limit(id, "unlimited"))?;
    broker.crash_and_restart()?;
    publisher.check()
}

/// What was acknowledged by a relaxed listener may be lost at the end, and nobody is told otherwise.
#[test]
fn an_end_while_nothing_can_be_written_says_what_is_lost() -> Result<()> {
    for (durability, says_nothing_is) in [("durable", true), ("relaxed", false)] {
        let broker = growing_as_allowed(&["--mqtt-durability", durability])?;
        let mut publisher = Publisher::connect(broker.mqtt())?;
        limit(broker.id(), "1000000")?;
        publisher.publish_all()?;
        wait_for(&broker, 503, "does not work")?;
        let (status, log) = broker.terminate()?;
        ensure!(status.code() == Some(1), "{status}: {log}");
        let says_so = log.contains("nothing of that was acknowledged");
        let says_other = log.contains("a relaxed listener has acknowledged");
        ensure!(says_so == says_nothing_is, "{durability}: {log}");
        ensure!(says_other != says_nothing_is, "{durability}: {log}");
    }
    Ok(())
}

/// Publishes until a commit fails, makes room and goes on.
fn failing_and_healing(
    broker: &Broker,
    publisher: &mut Publisher,
    make_room: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut there = Wire::connect(broker.mqtt(), "there")?;
    subscribe(&mut there)?;
    ensure!(publisher.publish_all()?.is_none(), "it ends unacknowledged");
    wait_for(broker, 503, "does not work")?;
    live_goes_on(broker.mqtt(), &mut there)?;
    kept_is_refused(broker.mqtt())?;
    publisher.reconnect()?;
    ensure!(publisher.publish()? == Some(QUOTA_EXCEEDED));
    publisher.check()?;
    make_room()?;
    wait_for(broker, 200, "ready")?;
    ensure!(publisher.publish()? == Some(0x10));
    // Who was there all the time still is.
    live_goes_on(broker.mqtt(), &mut there)?;
    let log = broker.log();
    ensure!(count(&log, "a commit failed") == 1, "{log}");
    ensure!(count(&log, "the store works again") == 1, "{log}");
    Ok(())
}

/// Starts on the disk, which must be refused; gives what it says.
fn refused(disk: &SmallDisk) -> Result<String> {
    let data = disk.path().join("data");
    let data = data.to_str().context("a path in UTF-8")?;
    let any = "127.0.0.1:0";
    let arguments = ["serve", "--mqtt", any, "--http", any, "--data-dir", data];
    let folder = TempDir::new()?;
    let output = broker::run_to_end_by(&disk.enter(), &arguments, folder.path())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(4), "{}: {text}", output.status);
    Ok(text)
}

#[test]
fn a_start_on_a_read_only_disk_says_so_and_leaves_nothing() -> Result<()> {
    let Some(disk) = SmallDisk::new(8 * MIB)? else {
        return Ok(());
    };
    disk.make_read_only()?;
    let text = refused(&disk)?;
    ensure!(
        text.contains("Read-only") && text.contains("--data-dir"),
        "{text}"
    );
    ensure!(disk.names("")?.is_empty());
    Ok(())
}

#[test]
fn a_first_start_on_a_full_disk_says_so_and_the_next_one_works() -> Result<()> {
    let Some(disk) = SmallDisk::new(8 * MIB)? else {
        return Ok(());
    };
    disk.fill_but(0)?;
    let text = refused(&disk)?;
    ensure!(text.contains("make room on that disk"), "{text}");
    ensure!(!disk.names("data")?.contains(&"ebbtide.redb".to_owned()));
    disk.empty()?;
    Broker::start_on(&disk, &[]).map(drop)
}
