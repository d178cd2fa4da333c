//! What must be true in the end: nothing that was stored is lost, nothing at QoS 2 came twice, the order is that of
//! publishing, and everything has come to an outcome.

use std::collections::BTreeMap;

use ebbtide_protocol::{QoS, client::Error};

use super::{
    store::{Received, Row, Sequence},
    world::{FEEDER, HERO, OBSERVER, World},
};

pub fn check(world: &mut World) -> Result<(), String> {
    world.note();
    let [hero, feeder, observer] = [HERO, FEEDER, OBSERVER].map(|at| &world.peers[at]);
    let observed = arrivals(&observer.store.inbox);
    let received = arrivals(&hero.store.inbox);
    for (sequence, row) in &hero.stored {
        settled(
            world,
            *sequence,
            row,
            observed.get(sequence).copied().unwrap_or(0),
        )?;
    }
    for (sequence, row) in &feeder.stored {
        let count = received.get(sequence).copied().unwrap_or(0);
        if row.qos == QoS::ExactlyOnce && count > 1 {
            return Err(format!("the hero got {sequence} {count} times at QoS 2"));
        }
        // Its packet id was one of a session that is gone, and it came with DUP, for its first delivery was cut off.
        // A process that crashes may have got it without, and not have stored it.
        let came_new = world.is_sturdy && hero.wire.came_new.contains(sequence);
        let is_taken_for_another = row.qos == QoS::ExactlyOnce && hero.has_stale_ids && !came_new;
        if count == 0 && *sequence >= world.excused_before && !is_taken_for_another {
            return Err(format!("the hero never got {sequence}"));
        }
    }
    let refused = &hero.wire.withdrawn;
    in_order("observer", &observer.store.inbox, |sequence| {
        // After a crash nobody knows whether it left before its time was over, so it is sent whatever the time.
        let has_deadline = hero.stored[&sequence].deadline_ms.is_some();
        !refused.contains(&sequence) && !world.excused.contains(&sequence) && !has_deadline
    })?;
    let refused = &feeder.wire.withdrawn;
    in_order("hero", &hero.store.inbox, |sequence| {
        !refused.contains(&sequence)
    })
}

/// One publish of the hero, which the observer got so often.
fn settled(world: &World, sequence: Sequence, row: &Row, count: u32) -> Result<(), String> {
    let hero = &world.peers[HERO];
    if world.lost.contains(&sequence) {
        return Ok(());
    }
    let outcomes = hero
        .store
        .outcomes
        .get(&sequence)
        .map_or(&[][..], Vec::as_slice);
    if hero.cancelled.contains(&sequence) {
        // It was refused at least once; an earlier time it may have got through, and the answer have been lost.
        let left = hero.wire.transmissions.get(&sequence);
        if count > 0 && left.is_none_or(|left| left.left <= count) {
            return Err(format!("{sequence} was taken back, and arrived"));
        }
        return Ok(());
    }
    let [outcome] = outcomes else {
        return Err(format!("{sequence} has the outcomes {outcomes:?}"));
    };
    let left = hero
        .wire
        .transmissions
        .get(&sequence)
        .copied()
        .unwrap_or_default();
    let is_exact = row.qos == QoS::ExactlyOnce;
    let is_excused = world.excused.contains(&sequence);
    let most = match row.qos {
        QoS::ExactlyOnce if row.resend || is_excused => left.left,
        QoS::ExactlyOnce => 1,
        _ => left.left,
    };
    if count > most {
        return Err(format!(
            "{sequence} arrived {count} times, {most} are right"
        ));
    }
    match outcome {
        // Its lifetime may have ended at the broker.
        Ok(_) if count == 0 && row.deadline_ms.is_none() => {
            Err(format!("{sequence} was acknowledged, and never arrived"))
        }
        Ok(_) => Ok(()),
        Err(Error::Expired) if row.deadline_ms.is_some() && count == 0 => Ok(()),
        // It was sent, withdrawn or lost with the session, and then its time was over.
        Err(Error::Expired) if row.deadline_ms.is_some() && left.left > 0 => Ok(()),
        // After a crash nobody knows whether it left.
        Err(Error::OutcomeUnknown) if is_exact && !row.resend && left.left + left.excused > 0 => {
            Ok(())
        }
        other => Err(format!("{sequence} ({row:?}) came to {other:?}")),
    }
}

/// How often each message was delivered. At QoS 1 what the broker sent again after a failure of its own does not count.
fn arrivals(inbox: &[Received]) -> BTreeMap<Sequence, u32> {
    let mut arrivals = BTreeMap::new();
    for received in inbox {
        let count = arrivals.entry(received.number).or_insert(0);
        if *count == 0 || !received.dup || received.qos == QoS::ExactlyOnce {
            *count += 1;
        }
    }
    arrivals
}

/// [MQTT-4.6.0-1]: by topic and QoS; what came again does not count.
fn in_order(
    who: &str,
    inbox: &[Received],
    counts: impl Fn(Sequence) -> bool,
) -> Result<(), String> {
    let mut last: BTreeMap<(&str, QoS), Sequence> = BTreeMap::new();
    let mut known = std::collections::BTreeSet::new();
    for received in inbox {
        if !known.insert(received.number) || !counts(received.number) {
            continue;
        }
        let key = (received.topic.as_str(), received.qos);
        if let Some(before) = last.insert(key, received.number)
            && before > received.number
        {
            return Err(format!("{who} got {} after {before}", received.number));
        }
    }
    Ok(())
}
