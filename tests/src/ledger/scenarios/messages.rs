//! Messages under way when the broker is killed: right after PUBREC, and those that were done before they were written.

use std::time::Duration;

use anyhow::{Result, ensure};
use ebbtide_protocol::{QoS, Version};

use super::peer::{Answers, Memory, Peer, kept};
use crate::ledger::server::Server;

/// How far the subscriber got before the kill: it has read nothing, read, answered, finished.
const SUBSCRIBER: [Option<Answers>; 4] = [
    None,
    Some(Answers::Nothing),
    Some(Answers::Received),
    Some(Answers::Everything),
];

/// PUBREC is there, everybody is online, and the broker dies: the subscriber gets the message exactly once, wherever it was
/// with it, and whether the publisher has seen PUBREC or not.
pub fn pubrec_with_everyone_online(server: &mut Server, run: &str) -> Result<()> {
    let topic = format!("{run}/t");
    let connects = [
        kept(Version::V5, &format!("{run}-publisher")),
        kept(Version::V3_1_1, &format!("{run}-subscriber")),
    ];
    let mut memory = Memory::default();
    let (mut publisher, _) = Peer::connect(server.address(), connects[0].clone())?;
    let (mut subscriber, _) = Peer::connect(server.address(), connects[1].clone())?;
    subscriber.subscribe(&mut memory, &topic, QoS::ExactlyOnce)?;
    let mut expected = Vec::new();
    for (round, saw_pubrec) in (0..).zip([true, false].repeat(SUBSCRIBER.len())) {
        let text = format!("message {round}");
        expected.push(text.clone());
        publisher.send(7, &topic, &text, QoS::ExactlyOnce, false)?;
        publisher.pubrec(7)?;
        if let Some(answers) = SUBSCRIBER[round / 2] {
            subscriber.answer(answers);
            subscriber.take_until(&mut memory, &text)?;
            if answers > Answers::Nothing {
                subscriber.take_for(&mut memory, Duration::from_millis(20))?;
            }
        }
        server.kill()?;
        server.restart()?;
        let present: bool;
        (publisher, present) = Peer::connect(server.address(), connects[0].clone())?;
        ensure!(present, "round {round}: the publisher's session is gone");
        if !saw_pubrec {
            publisher.send(7, &topic, &text, QoS::ExactlyOnce, true)?;
            publisher.pubrec(7)?;
        }
        publisher.release(7)?;
        let present: bool;
        (subscriber, present) = Peer::connect(server.address(), connects[1].clone())?;
        ensure!(present, "round {round}: the subscriber's session is gone");
        // What comes later is behind it.
        let end = format!("end {round}");
        publisher.publish_once(8, &topic, &end)?;
        expected.push(end.clone());
        subscriber.take_until(&mut memory, &end)?;
        ensure!(
            memory.texts == expected,
            "round {round}: {:?} came",
            memory.texts
        );
    }
    Ok(())
}

/// Messages that were done before their commit leave no row. The numbers they had must not come back: else the next
/// messages would be taken for done.
pub fn numbers_after_unwritten_rows(server: &mut Server, run: &str) -> Result<()> {
    const MESSAGES: u16 = 60;
    let topic = format!("{run}/t");
    let connects = [
        kept(Version::V5, &format!("{run}-publisher")),
        kept(Version::V5, &format!("{run}-subscriber")),
    ];
    let mut memory = Memory::default();
    let (mut subscriber, _) = Peer::connect(server.address(), connects[1].clone())?;
    subscriber.subscribe(&mut memory, &topic, QoS::AtLeastOnce)?;
    for round in 0..4 {
        // Acknowledged as they come, most of them before the commit; the publisher does not wait either.
        let (mut publisher, _) = Peer::connect(server.address(), connects[0].clone())?;
        for number in 1..=MESSAGES {
            let text = format!("done {round} {number}");
            publisher.send(number, &topic, &text, QoS::AtLeastOnce, false)?;
            subscriber.take_until(&mut memory, &text)?;
        }
        if round % 2 == 1 {
            // Its SUBACK says that all it had acknowledged is on disk: no message is left there to count on from.
            subscriber.subscribe(&mut memory, &topic, QoS::AtLeastOnce)?;
        }
        server.kill()?;
        server.restart()?;
        let (mut publisher, _) = Peer::connect(server.address(), connects[0].clone())?;
        let mut expected = Vec::new();
        for number in 1..=MESSAGES {
            let text = format!("new {round} {number}");
            publisher.publish(number, &topic, &text)?;
            expected.push(text);
        }
        // What is done is known by number only after a start.
        server.kill()?;
        server.restart()?;
        memory.texts.clear();
        let present: bool;
        (subscriber, present) = Peer::connect(server.address(), connects[1].clone())?;
        ensure!(present, "round {round}: the session is gone");
        let last = format!("new {round} {MESSAGES}");
        subscriber.take_until(&mut memory, &last)?;
        memory.texts.retain(|text| text.starts_with("new"));
        ensure!(
            memory.texts == expected,
            "round {round}: {:?} came",
            memory.texts
        );
    }
    Ok(())
}
