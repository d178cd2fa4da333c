//! A client that is told how many retained messages follow, and gets end markers, knows when it has them all: exactly once,
//! none of them comes after that, and sooner or later it always knows.

use std::collections::BTreeMap;

use crate::history::{Fact, History};

/// What a client knows of the SUBSCRIBE that it has sent last with some identifier.
enum State {
    /// So many SUBACKs have not come: numbers and markers may be those of an earlier one.
    Asked(usize),
    Counting(u64),
    AwaitsMarker,
    Complete {
        by_marker: bool,
    },
}

pub fn check(history: &History) -> Result<(), String> {
    // By client and identifier.
    let mut states: BTreeMap<(usize, u32), State> = BTreeMap::new();
    for (at, fact) in history.facts() {
        match fact {
            Fact::Connects(connects) => states.retain(|(of, _), _| *of != connects.client),
            Fact::Left { client, .. } => states.retain(|(of, _), _| of != client),
            Fact::Subscribes(subscription) => {
                if let Some(identifier) = subscription.identifier {
                    let key = (subscription.client, identifier);
                    let asked = match states.get(&key) {
                        Some(State::Asked(asked)) => asked + 1,
                        _ => 1,
                    };
                    states.insert(key, State::Asked(asked));
                }
            }
            Fact::Told {
                client,
                identifier,
                number,
                is_promised,
            } => {
                let key = (*client, *identifier);
                let asked = match states.get(&key) {
                    Some(State::Asked(asked)) => *asked,
                    _ => return Err(format!("{at}: it was told of {identifier} unasked")),
                };
                let state = match number {
                    _ if asked > 1 => State::Asked(asked - 1),
                    _ if *is_promised => State::AwaitsMarker,
                    0 => State::Complete { by_marker: false },
                    number => State::Counting(*number),
                };
                states.insert(key, state);
            }
            Fact::Received(delivery) => {
                // A live message never comes with RETAIN here, for nobody asks for Retain As Published.
                let [identifier] = delivery.identifiers[..] else {
                    continue;
                };
                let state = states.get_mut(&(delivery.client, identifier));
                let Some(state) = state.filter(|_| delivery.retain) else {
                    continue;
                };
                match state {
                    State::Counting(1) => *state = State::Complete { by_marker: false },
                    State::Counting(left) => *left -= 1,
                    State::Asked(_) | State::AwaitsMarker => {}
                    State::Complete { .. } => {
                        let who = &history.names[delivery.client];
                        let what = history.describe(delivery.message);
                        return Err(format!("{at}: {who} got {what} after the end"));
                    }
                }
            }
            Fact::Marker { client, identifier } => {
                let who = &history.names[*client];
                match states.get_mut(&(*client, *identifier)) {
                    None => return Err(format!("{at}: {who} got a marker unasked")),
                    // Or it tells who has counted already.
                    Some(State::Complete { by_marker: true }) => {
                        return Err(format!("{at}: {who} got a second marker of {identifier}"));
                    }
                    Some(State::Asked(_)) => {}
                    Some(state) => *state = State::Complete { by_marker: true },
                }
            }
            Fact::Rested => {
                let unfinished = (states.iter())
                    .find(|(_, state)| !matches!(state, State::Complete { .. } | State::Asked(_)));
                if let Some(((client, identifier), _)) = unfinished {
                    let who = &history.names[*client];
                    return Err(format!("{who} never knew that {identifier} was complete"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
