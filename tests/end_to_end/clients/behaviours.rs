//! What every client must see, whichever protocol version it speaks; those of 5.0 alone are in `behaviours_5`.
//!
//! A behaviour has topics and client identifiers of its own, for all of them use one broker.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::client::{Client, Message, Options, Wish};
use super::stage::Stage;

pub fn at_qos(qos: u8) -> Wish {
    Wish {
        qos,
        ..Wish::default()
    }
}

/// The next message is this one.
pub fn expect(client: &mut dyn Client, topic: &str, payload: &str) -> Result<Message> {
    let got = client.next()?;
    let is_it = got.topic == topic && got.payload == payload;
    ensure!(is_it, "{got:?} instead of {topic}: {payload}");
    Ok(got)
}

pub fn stays_connected_while_idle(stage: &mut Stage) -> Result<()> {
    // Half of it is the time by which a busy machine may be late.
    const KEEP_ALIVE_S: u16 = 4;
    let mut idle = stage.connected(&Options {
        keep_alive: KEEP_ALIVE_S,
        ..Options::clean("idle")
    })?;
    idle.subscribe("idle", at_qos(1))?;
    // Without a PINGREQ the broker ends it after one and a half.
    thread::sleep(Duration::from_secs(KEEP_ALIVE_S.into()) * 9 / 4);
    let mut other = stage.connected(&Options::clean("idle-other"))?;
    other.publish(&Message::new("idle", "still there", 1))?;
    expect(&mut *idle, "idle", "still there").map(drop)
}

pub fn qos_0(stage: &mut Stage) -> Result<()> {
    in_order(stage, 0)
}

pub fn qos_1(stage: &mut Stage) -> Result<()> {
    in_order(stage, 1)
}

pub fn qos_2(stage: &mut Stage) -> Result<()> {
    in_order(stage, 2)
}

fn in_order(stage: &mut Stage, qos: u8) -> Result<()> {
    let topic = format!("qos/{qos}");
    let mut receiver = stage.connected(&Options::clean(&format!("receiver-{qos}")))?;
    let granted = receiver.subscribe(&topic, at_qos(qos))?;
    ensure!(granted == qos, "granted {granted:#x}");
    let mut sender = stage.connected(&Options::clean(&format!("sender-{qos}")))?;
    for number in 0..20 {
        sender.publish(&Message::new(&topic, &number.to_string(), qos))?;
    }
    for number in 0..20 {
        let got = expect(&mut *receiver, &topic, &number.to_string())?;
        ensure!(got.qos == qos && !got.retain, "{got:?}");
    }
    Ok(())
}

pub fn lower_qos_of_both(stage: &mut Stage) -> Result<()> {
    let mut sender = stage.connected(&Options::clean("lower-sender"))?;
    for granted in 0..=2 {
        let topic = format!("lower/{granted}");
        let mut receiver = stage.connected(&Options::clean(&format!("lower-{granted}")))?;
        receiver.subscribe(&topic, at_qos(granted))?;
        for sent in 0..=2 {
            sender.publish(&Message::new(&topic, "it", sent))?;
            let got = expect(&mut *receiver, &topic, "it")?;
            ensure!(got.qos == sent.min(granted), "{sent} by {granted}: {got:?}");
        }
    }
    Ok(())
}

pub fn large_payload(stage: &mut Stage) -> Result<()> {
    let payload = "0123456789abcdef".repeat(65_536);
    let mut client = stage.connected(&Options::clean("large"))?;
    client.subscribe("large", at_qos(1))?;
    client.publish(&Message::new("large", &payload, 1))?;
    let got = client.next()?;
    ensure!(got.payload == payload, "another payload");
    Ok(())
}

pub fn wildcards(stage: &mut Stage) -> Result<()> {
    let mut sender = stage.connected(&Options::clean("wild-sender"))?;
    let cases: [(&str, &str, &[&str]); 4] = [
        ("plus", "wild/+/c", &["wild/b/c", "wild//c"]),
        ("hash", "wild/b/#", &["wild/b/c", "wild/b/x/y", "wild/b/x"]),
        ("parent", "wild/b/x/#", &["wild/b/x/y", "wild/b/x"]),
        ("first", "+/b/c", &["wild/b/c"]),
    ];
    for (name, filter, gets) in cases {
        let mut receiver = stage.connected(&Options::clean(&format!("wild-{name}")))?;
        receiver.subscribe(filter, at_qos(1))?;
        receiver.subscribe("end", at_qos(1))?;
        for topic in [
            "$wild/b/c",
            "wild/b/c",
            "wild//c",
            "wild/b/x/y",
            "wild/b/x",
            "end",
        ] {
            sender.publish(&Message::new(topic, "it", 1))?;
        }
        for topic in gets.iter().chain(&["end"]) {
            expect(&mut *receiver, topic, "it")?;
        }
        receiver.disconnect()?;
    }
    Ok(())
}

pub fn unsubscribe(stage: &mut Stage) -> Result<()> {
    let mut client = stage.connected(&Options::clean("leaver"))?;
    client.subscribe("leave/a", at_qos(1))?;
    client.subscribe("leave/b", at_qos(1))?;
    client.unsubscribe("leave/a")?;
    client.publish(&Message::new("leave/a", "no more", 1))?;
    client.publish(&Message::new("leave/b", "it", 1))?;
    expect(&mut *client, "leave/b", "it").map(drop)
}

pub fn will_after_a_cut(stage: &mut Stage) -> Result<()> {
    let mut observer = stage.connected(&Options::clean("cut-observer"))?;
    observer.subscribe("presence/+", at_qos(1))?;
    let mut dying = stage.connected(&Options {
        will: Some(Message::new("presence/dying", "offline", 1)),
        ..Options::clean("dying")
    })?;
    dying.cut()?;
    let got = expect(&mut *observer, "presence/dying", "offline")?;
    ensure!(got.qos == 1 && !got.retain, "{got:?}");
    Ok(())
}

pub fn no_will_after_disconnect(stage: &mut Stage) -> Result<()> {
    let mut observer = stage.connected(&Options::clean("leave-observer"))?;
    observer.subscribe("left/+", at_qos(1))?;
    let mut leaving = stage.connected(&Options {
        will: Some(Message::new("left/leaving", "offline", 1)),
        ..Options::clean("leaving")
    })?;
    leaving.disconnect()?;
    let mut other = stage.connected(&Options::clean("leave-other"))?;
    other.publish(&Message::new("left/marker", "it", 1))?;
    expect(&mut *observer, "left/marker", "it").map(drop)
}

pub fn retained_is_set_replaced_and_cleared(stage: &mut Stage) -> Result<()> {
    let mut sender = stage.connected(&Options::clean("retain-sender"))?;
    for (topic, payload) in [
        ("state/kept", "old"),
        ("state/kept", "new"),
        ("state/cleared", "old"),
        ("state/cleared", ""),
    ] {
        sender.publish(&Message::new(topic, payload, 1).retained())?;
    }
    let mut newcomer = stage.connected(&Options::clean("retain-newcomer"))?;
    newcomer.subscribe("state/#", at_qos(1))?;
    let got = expect(&mut *newcomer, "state/kept", "new")?;
    ensure!(got.retain, "{got:?}");
    sender.publish(&Message::new("state/live", "it", 1).retained())?;
    let got = expect(&mut *newcomer, "state/live", "it")?;
    ensure!(!got.retain, "{got:?}");
    Ok(())
}

pub fn backlog_in_order_after_a_kill(stage: &mut Stage) -> Result<()> {
    const MESSAGES: u8 = 40;
    let mut away = stage.client("away");
    let connected = away.connect(&Options::persistent("away"))?;
    ensure!(connected.session_present != Some(true), "{connected:?}");
    away.subscribe("backlog/+", at_qos(2))?;
    away.disconnect()?;
    let mut sender = stage.connected(&Options::clean("backlog-sender"))?;
    for number in 0..MESSAGES {
        sender.publish(&Message::new(
            "backlog/it",
            &number.to_string(),
            1 + number % 2,
        ))?;
    }
    sender.disconnect()?;
    stage.kill_and_restart_the_broker()?;
    let connected = away.connect(&Options::persistent("away"))?;
    ensure!(connected.session_present != Some(false), "{connected:?}");
    // Many clients hand a message at QoS 2 on when it is released: in between, those at QoS 1 overtake it there.
    let mut next = [0, 1];
    for _ in 0..MESSAGES {
        let got = away.next()?;
        let next = &mut next[usize::from(got.qos == 2)];
        ensure!(got.payload == next.to_string(), "{got:?} instead of {next}");
        ensure!(got.qos == 1 + *next % 2, "{got:?}");
        *next += 2;
    }
    // A session that is given up is gone.
    away.disconnect()?;
    away.connect(&Options::clean("away"))?;
    away.disconnect()?;
    let connected = away.connect(&Options::persistent("away"))?;
    ensure!(connected.session_present != Some(true), "{connected:?}");
    Ok(())
}

pub fn shared_subscription_is_spread(stage: &mut Stage) -> Result<()> {
    const MESSAGES: usize = 40;
    let mut members = Vec::new();
    for name in ["shared-1", "shared-2"] {
        let mut member = stage.connected(&Options::clean(name))?;
        member.subscribe("$share/team/work/#", at_qos(1))?;
        member.subscribe(&format!("end/{name}"), at_qos(1))?;
        members.push((name, member));
    }
    let mut sender = stage.connected(&Options::clean("shared-sender"))?;
    for number in 0..MESSAGES {
        sender.publish(&Message::new("work/it", &number.to_string(), 1))?;
    }
    let mut all = Vec::new();
    for (name, member) in &mut members {
        let end = format!("end/{name}");
        sender.publish(&Message::new(&end, "that was all", 1))?;
        let before = all.len();
        loop {
            let got = member.next()?;
            if got.topic == end {
                break;
            }
            all.push(got.payload.parse::<usize>()?);
        }
        let count = all.len() - before;
        // How many is the members' doing: whoever has less unacknowledged gets the next, and a slow one gets few.
        ensure!(count > 0, "{name} got {count}");
    }
    all.sort_unstable();
    ensure!(all == (0..MESSAGES).collect::<Vec<_>>(), "{all:?}");
    Ok(())
}
