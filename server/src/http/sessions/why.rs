//! "Why did this client not get that message?": what waits, what matches, and what became of the last ones, with a verdict.

use std::sync::Arc;

use axum::{Json, extract::State};
use ebbtide_api::{MessageFate, QueuedState, Verdict, WaitingMessage, Why, WhyQuery};
use ebbtide_broker::{Broker, Command, Fate, FateInfo, Known, Outcome, QueuedContent, rfc3339};
use ebbtide_protocol::TopicName;

use super::{
    command::{done, unexpected},
    queue::{read_blocking, state_of},
    subscription,
};
use crate::{
    http::{
        App,
        commit::committed,
        content,
        extract::{InPath, InQuery},
        problem::Problem,
    },
    storage::Reader,
};

/// So many messages that wait are looked at: those on disk are read for it.
const LOOKED_AT_MAX: u64 = 10_000;
/// And so many at a time.
const PART: usize = 1_000;
/// So many that wait are shown.
const WAITING_MAX: usize = 10;

/// The verdict, and what it comes from.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{client_id}/why",
    operation_id = "why",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded."), WhyQuery),
    responses((status = 200, description = "What is known.", body = Why), Problem)
)]
pub async fn why(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
    InQuery(query): InQuery<WhyQuery>,
) -> Result<Json<Why>, Problem> {
    let topic = content::topic(query.topic)?;
    let (broker, reader) = app.surroundings.broker.get();
    let command = Command::Why {
        topic: topic.clone(),
    };
    let Outcome::Known(known) = done(&app, &broker, &client_id, command).await? else {
        return Err(unexpected());
    };
    let found = look(&app, &broker, &reader, &client_id, &topic).await?;
    let verdict = verdict(&known, &found.waiting);
    Ok(Json(Why {
        explanation: explanation(verdict, &known, &found),
        verdict,
        subscriptions: known.subscriptions.iter().map(subscription).collect(),
        waiting: found.waiting,
        looked_at: found.looked_at,
        queue_total: found.total,
        rule: known
            .decision
            .and_then(|decision| decision.rule)
            .map(|rule| rule as u64),
        fates: known.fates.iter().map(fate).collect(),
    }))
}

/// What waits of a topic.
#[derive(Debug, Default)]
struct Waiting {
    waiting: Vec<WaitingMessage>,
    looked_at: u64,
    total: u64,
}

async fn look(
    app: &App,
    broker: &Broker,
    reader: &Reader,
    client_id: &str,
    topic: &TopicName,
) -> Result<Waiting, Problem> {
    let mut found = Waiting::default();
    loop {
        let command = Command::Queue {
            offset: usize::try_from(found.looked_at).unwrap_or(usize::MAX),
            count: PART,
        };
        let Outcome::Queue(part) = done(app, broker, client_id, command).await? else {
            return Err(unexpected());
        };
        found.total = part.total;
        committed(broker, part.readable_after).await?;
        let (entries, read) = read_blocking(reader, part.entries).await?;
        for entry in &entries {
            let message = match &entry.content {
                QueuedContent::Message(message, _) => Some(Arc::as_ref(message)),
                QueuedContent::Stored(owner, sequence) => {
                    let queued = read.get(&(*owner, *sequence));
                    queued.map(|queued| &*queued.message)
                }
                QueuedContent::Sent(_) => None,
            };
            if let Some(message) = message.filter(|message| message.topic == *topic)
                && found.waiting.len() < WAITING_MAX
            {
                found.waiting.push(WaitingMessage {
                    position: entry.position,
                    state: state_of(entry),
                    accepted_at: rfc3339(message.accepted_at),
                });
            }
        }
        let Some(last) = entries.last() else {
            return Ok(found);
        };
        found.looked_at = last.position + 1;
        if found.looked_at >= found.total.min(LOOKED_AT_MAX) {
            return Ok(found);
        }
    }
}

/// What is still to come counts more than what was; without a subscription what was does not matter.
fn verdict(known: &Known, waiting: &[WaitingMessage]) -> Verdict {
    if let Some(first) = waiting.first() {
        return match first.state {
            QueuedState::Waiting => Verdict::Waiting,
            QueuedState::Sent | QueuedState::Released => Verdict::Unacknowledged,
        };
    }
    if known.subscriptions.is_empty() {
        return Verdict::NoMatchingFilter;
    }
    last_of(known).map_or(Verdict::Unknown, |info| named(info.fate))
}

/// The last that is certain, or else the last.
fn last_of(known: &Known) -> Option<&FateInfo> {
    let certain = known.fates.iter().find(|info| info.is_certain);
    certain.or(known.fates.first())
}

fn named(fate: Fate) -> Verdict {
    match fate {
        Fate::Acknowledged => Verdict::Acknowledged,
        Fate::Refused => Verdict::Refused,
        Fate::Sent => Verdict::SentQos0,
        Fate::QoS0Away => Verdict::Qos0Away,
        Fate::QoS0Behind => Verdict::Qos0Behind,
        Fate::QueueFull => Verdict::QueueFull,
        Fate::Overflow => Verdict::Overflow,
        Fate::Expired => Verdict::Expired,
        Fate::TooLarge => Verdict::TooLarge,
        Fate::Purged => Verdict::Purged,
        Fate::Damaged => Verdict::Damaged,
        Fate::Denied => Verdict::Denied,
    }
}

fn fate(info: &FateInfo) -> MessageFate {
    MessageFate {
        fate: named(info.fate),
        last_at: rfc3339(info.last_at),
        count: info.count,
        certain: info.is_certain,
    }
}

fn explanation(verdict: Verdict, known: &Known, found: &Waiting) -> String {
    let what = match verdict {
        Verdict::Unknown => {
            "A subscription matches, and nothing is known of a message: none was published since, or other topics were \
             busier."
        }
        Verdict::NoMatchingFilter => "No subscription of this session matches the topic.",
        Verdict::Waiting => "It waits for the client.",
        Verdict::Unacknowledged => "The client has been sent it, and has not acknowledged it.",
        Verdict::Acknowledged => "The client has acknowledged it.",
        Verdict::Refused => "The client has answered that it does not take it.",
        Verdict::SentQos0 => "It was sent at QoS 0: nothing tells whether it has arrived.",
        Verdict::Qos0Away => {
            "It came at QoS 0 while the client was away: nothing keeps it. Publish and subscribe at QoS 1 for that."
        }
        Verdict::Qos0Behind => {
            "It came at QoS 0 while the client was too slow: more waited than outgoing_bytes_max."
        }
        Verdict::QueueFull => "The queue was full: queue_overflow says what goes then.",
        Verdict::Overflow => {
            "The client was too slow and its session is not kept: its connection was ended at outgoing_bytes_max."
        }
        Verdict::Expired => "Its Message Expiry Interval passed before it could be sent.",
        Verdict::TooLarge => "It is larger than the client's Maximum Packet Size.",
        Verdict::Purged => "An operator has emptied the queue.",
        Verdict::Denied => "A rule did not let the client have it.",
        Verdict::Damaged => "Its row in the store could not be read.",
    };
    let mut text = what.to_owned();
    if let Some(first) = found.waiting.first() {
        let (before, total) = (first.position, found.total);
        text.push_str(&match before {
            0 => format!(" It is the next of {total}."),
            before => format!(" {before} of {total} come before it."),
        });
        return text;
    }
    if verdict != Verdict::NoMatchingFilter
        && let Some(last) = last_of(known)
    {
        text.push_str(&format!(" {}.", rfc3339(last.last_at)));
        if !last.is_certain {
            text.push_str(
                " Whether it was this topic is not known: of what waits on disk only numbers are in memory.",
            );
        }
    }
    if let Some(decision) = known.decision.filter(|decision| !decision.is_allowed) {
        text.push_str(&format!(
            " The client may not have messages of this topic: {decision}."
        ));
    }
    let mut matching = known.subscriptions.iter();
    if matching.any(|subscription| subscription.filter.share().is_some()) {
        text.push_str(" A shared subscription matches: another member may have got it.");
    }
    if found.looked_at < found.total {
        let (looked_at, total) = (found.looked_at, found.total);
        text.push_str(&format!(
            " Only the first {looked_at} of {total} that wait were looked at."
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use ebbtide_broker::SubscriptionInfo;
    use ebbtide_protocol::TopicFilter;
    use ebbtide_store::WallTime;

    use super::*;

    fn known(filters: &[&str], fates: &[(Fate, bool)]) -> Known {
        let subscriptions = filters.iter().map(|filter| SubscriptionInfo {
            filter: TopicFilter::new((*filter).to_owned()).expect("a filter"),
            options: ebbtide_protocol::packet::SubscriptionOptions::default(),
            identifier: None,
        });
        let fates = fates.iter().map(|&(fate, is_certain)| FateInfo {
            fate,
            last_at: WallTime(0),
            count: 1,
            is_certain,
        });
        Known {
            subscriptions: subscriptions.collect(),
            fates: fates.collect(),
            decision: None,
        }
    }

    #[test]
    fn the_verdict_is_what_counts_most() {
        let waiting = |state| WaitingMessage {
            state,
            ..WaitingMessage::default()
        };
        let none: &[WaitingMessage] = &[];
        for (known, waiting, expected) in [
            (known(&[], &[]), none, Verdict::NoMatchingFilter),
            (known(&["t"], &[]), none, Verdict::Unknown),
            (
                known(&[], &[(Fate::Acknowledged, true)]),
                none,
                Verdict::NoMatchingFilter,
            ),
            (
                known(
                    &["t"],
                    &[(Fate::QueueFull, false), (Fate::Acknowledged, true)],
                ),
                none,
                Verdict::Acknowledged,
            ),
            (
                known(&["t"], &[(Fate::QueueFull, false)]),
                none,
                Verdict::QueueFull,
            ),
            (
                known(&[], &[(Fate::Expired, true)]),
                &[waiting(QueuedState::Waiting)],
                Verdict::Waiting,
            ),
            (
                known(&["t"], &[]),
                &[waiting(QueuedState::Released)],
                Verdict::Unacknowledged,
            ),
        ] {
            assert_eq!(verdict(&known, waiting), expected, "{known:?}");
        }
    }

    #[test]
    fn what_is_not_certain_is_said() {
        let known = known(&["$share/g/t"], &[(Fate::QueueFull, false)]);
        let found = Waiting {
            looked_at: 10_000,
            total: 20_000,
            ..Waiting::default()
        };
        let text = explanation(verdict(&known, &[]), &known, &found);
        for part in ["not known", "another member", "first 10000 of 20000"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
