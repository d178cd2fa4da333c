//! Who subscribes with No Local only never gets what it has published itself [MQTT-3.8.3-3].

use std::collections::BTreeMap;

use crate::history::{Fact, History, SessionId};

pub fn check(history: &History) -> Result<(), String> {
    // Whether all that a session has ever asked for is without its own messages.
    let mut only_others: BTreeMap<SessionId, bool> = BTreeMap::new();
    for (_, fact) in history.facts() {
        if let Fact::Subscribes(subscription) = fact {
            let is_so = only_others.entry(subscription.session).or_insert(true);
            *is_so &= subscription.options.no_local;
        }
    }
    for (_, delivery) in history.deliveries() {
        let session = delivery.session;
        // What is retained is sent to everybody who subscribes.
        let is_own = history.messages[delivery.message].session == session && !delivery.retain;
        let is_unsure = history.sessions[session].is_unsure;
        if is_own && !is_unsure && only_others.get(&session) == Some(&true) {
            return Err(format!(
                "{} got its own {}",
                history.name_of(session),
                history.describe(delivery.message)
            ));
        }
    }
    Ok(())
}
