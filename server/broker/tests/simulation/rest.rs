//! The end of a run: the network is whole, everybody returns and finishes what is under way, every delay passes, and a
//! newcomer looks at what is retained.

use bytes::BytesMut;
use ebbtide_protocol::{
    Packet, TopicFilter,
    codec::{Decoder, Role, encode},
    packet::{Connect, Subscribe, Subscription, SubscriptionOptions},
};

use super::{client::message_of, history::Fact, run::Run};

/// Longer than any delay of a will and any keep alive of the roster.
const DELAYS_MS: u64 = 25_000;
const ROUNDS_MAX: usize = 400;

pub fn come_to_rest(run: &mut Run) -> Result<(), String> {
    run.is_calm = true;
    run.node.fail_no_more();
    // Those who were left half-dead are noticed, those who wait for a delay have theirs.
    run.pass(DELAYS_MS)?;
    for _ in 0..ROUNDS_MAX {
        for at in 0..run.clients.len() {
            if run.clients[at].connection().is_none() {
                run.connect(at, false)?;
            }
            run.clients[at].answer(usize::MAX);
        }
        run.pass(200)?;
        let is_done = run.clients.iter().all(|client| client.is_at_rest())
            && run.clients.iter().all(|client| client.is_subscribed())
            && run.is_quiet()
            && run.node.stats().waiting == 0;
        if is_done {
            run.pass(DELAYS_MS)?;
            let is_still_done = run.clients.iter().all(|client| client.is_at_rest())
                && run.node.stats().waiting == 0;
            if is_still_done {
                run.history.add(Fact::Rested);
                return look_at_retained(run);
            }
        }
    }
    let unfinished: Vec<&str> = (run.clients.iter())
        .filter(|client| !client.is_at_rest())
        .map(|client| client.profile.name.as_str())
        .collect();
    let waiting = run.node.stats().waiting;
    Err(format!(
        "it never ends: {unfinished:?} have not finished, {waiting} messages wait"
    ))
}

/// A newcomer subscribes to everything, over a perfect line.
fn look_at_retained(run: &mut Run) -> Result<(), String> {
    let id = usize::MAX;
    run.node.open(id);
    let mut bytes = BytesMut::new();
    let connect = Connect {
        client_id: "newcomer".into(),
        clean_start: true,
        ..Connect::default()
    };
    encode(
        &Packet::Connect(Box::new(connect)),
        Default::default(),
        &mut bytes,
    );
    let subscribe = Subscribe {
        packet_id: std::num::NonZeroU16::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new("#").expect("a filter"),
            options: SubscriptionOptions::default(),
        }],
    };
    encode(
        &Packet::Subscribe(subscribe),
        Default::default(),
        &mut bytes,
    );
    run.node.receive(id, &bytes);
    let mut received = BytesMut::new();
    for _ in 0..50 {
        run.history.now_ms += 10;
        run.node.set_time(run.history.now_ms);
        for output in run.node.advance(&mut run.random) {
            if let super::node::Output::Bytes(to, bytes) = output
                && to == id
            {
                received.extend_from_slice(&bytes);
            }
        }
    }
    let mut decoder = Decoder::new(Role::Client, u32::MAX);
    decoder.set_version(Default::default());
    let mut messages = Vec::new();
    while let Some(packet) = decoder
        .decode(&mut received)
        .map_err(|violation| format!("the newcomer got what is not MQTT: {violation:?}"))?
    {
        if let Packet::Publish(publish) = packet {
            if !publish.retain {
                return Err(format!(
                    "the newcomer got a message that is not retained: {publish:?}"
                ));
            }
            let message = message_of(&publish.properties, &publish.payload);
            messages.extend(message);
        }
    }
    run.history.add(Fact::Retained { messages });
    Ok(())
}
