//! Retained messages are deleted: one, or what matches a filter, in parts that are committed one after the other.
//!
//! What was deleted is given back up to a limit, so that it can be published again. Whoever may not read gets to know how many they were and no
//! more, and nobody whether there is something that rules do not let it delete. Presence of clients that are gone can be deleted, too, and not
//! be published again: who comes under many names would fill what is retained for good.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bytes::Bytes;
use ebbtide_api::{DeleteRetainedQuery, DeleteRetainedResponse};
use ebbtide_broker::Rights;
use ebbtide_protocol::{QoS, ReasonCode, TopicName, packet::MessageProperties};
use ebbtide_store::Message;

use super::{PART, filter, nothing, shown};
use crate::http::{
    App,
    access::Caller,
    content,
    extract::{InPath, InQuery},
    problem::Problem,
    publish::{self, Outgoing},
};

/// Topics that are named.
const TOPICS_NAMED: usize = 100;
/// What is given back at the most: messages, and bytes of their payloads.
const UNDO_MESSAGES_MAX: u64 = 1000;
const UNDO_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Deletes the message of one topic; answered when that is on disk.
#[utoipa::path(
    delete,
    path = "/api/v1/retained/{topic}",
    operation_id = "deleteRetained",
    tag = "retained",
    params(("topic" = String, Path, description = "A topic name, percent-encoded: `a%2Fb`; `a/b` will do, too.")),
    responses((status = 200, description = "It is off the disk.", body = DeleteRetainedResponse), Problem)
)]
pub async fn delete_one(
    State(app): State<App>,
    caller: Caller,
    InPath(topic): InPath<String>,
) -> Result<Json<DeleteRetainedResponse>, Problem> {
    let topic = content::topic(topic)?;
    let (broker, _) = app.surroundings.broker.get();
    if !may_delete(caller.rights(&app).as_ref(), &topic) {
        publish::refused(ReasonCode::NotAuthorized)?;
    }
    let is_own = broker.keeps_itself(&topic);
    if is_own && !broker.is_absence(&topic) {
        let detail = "The broker itself keeps this topic. Presence can be deleted of a client that is not connected.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let message = broker.retained(&topic, app.surroundings.clock.now());
    let message = message.ok_or_else(nothing)?;
    let mut summary = Summary::new(&caller, false);
    publish::once(&app.surroundings, &caller, clear(&message)).await?;
    summary.add(&message, !is_own);
    Ok(Json(summary.response))
}

/// Deletes all that match; answered when the last of them is off the disk.
#[utoipa::path(
    delete,
    path = "/api/v1/retained",
    operation_id = "deleteMatchingRetained",
    tag = "retained",
    params(DeleteRetainedQuery),
    responses((status = 200, description = "They are off the disk, or would be.", body = DeleteRetainedResponse), Problem)
)]
pub async fn delete_matching(
    State(app): State<App>,
    caller: Caller,
    InQuery(query): InQuery<DeleteRetainedQuery>,
    _: Request,
) -> Result<Json<DeleteRetainedResponse>, Problem> {
    let filter = filter(query.filter)?;
    let now = app.surroundings.clock.now();
    let mut summary = Summary::new(&caller, query.dry_run);
    let mut after = None;
    loop {
        let (broker, _) = app.surroundings.broker.get();
        let rights = caller.rights(&app);
        let mut part = broker.retained_part(&filter, after.as_deref(), PART, now);
        let mut mine = Vec::new();
        for message in std::mem::take(&mut part.messages) {
            if !may_delete(rights.as_ref(), &message.topic) {
                summary.response.kept += u64::from(summary.may_read);
            } else if broker.keeps_itself(&message.topic) && !broker.is_absence(&message.topic) {
                summary.response.kept += 1;
            } else {
                mine.push(message);
            }
        }
        let is_own = |message: &Message| broker.keeps_itself(&message.topic);
        if query.dry_run {
            for message in &mine {
                summary.add(message, !is_own(message));
            }
        } else if !mine.is_empty() {
            let clears = mine.iter().map(|message| clear(message)).collect();
            let reasons = publish::many(&app.surroundings, &caller, clears).await;
            let reasons = reasons.map_err(|problem| {
                let deleted = summary.response.count;
                problem.within(&format!("{deleted} or some more were deleted, then"))
            })?;
            let answered = mine.iter().map(|message| &**message).zip(reasons);
            summary.answered(answered, is_own)?;
        }
        after = part.next;
        if after.is_none() {
            return Ok(Json(summary.response));
        }
        tokio::task::yield_now().await;
        if caller.is_revoked(&app) {
            let detail = "Not let in any more: the key was revoked, or the user changed.";
            let deleted = summary.response.count;
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail)
                .within(&format!("{deleted} were deleted, then")));
        }
    }
}

/// Whether rules let it change the retained message of this topic.
fn may_delete(rights: Option<&Rights>, topic: &TopicName) -> bool {
    rights.is_none_or(|rights| rights.decide_publish(topic, true).is_allowed)
}

/// An empty payload (section 3.3.1.3).
fn clear(message: &Message) -> Outgoing {
    Outgoing {
        topic: message.topic.clone(),
        payload: Bytes::new(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: MessageProperties::default(),
    }
}

struct Summary {
    response: DeleteRetainedResponse,
    /// Of the payloads in it.
    undo_bytes: usize,
    /// It may have more than the count.
    may_read: bool,
}

impl Summary {
    fn new(caller: &Caller, dry_run: bool) -> Self {
        Self {
            response: DeleteRetainedResponse {
                dry_run,
                ..DeleteRetainedResponse::default()
            },
            may_read: caller.may_read(),
            undo_bytes: 0,
        }
    }

    /// What became of them, each by its reason. What may not be deleted any more stays like what might not before: a client has connected
    /// again, or the rules have changed.
    fn answered<'a>(
        &mut self,
        answers: impl Iterator<Item = (&'a Message, ReasonCode)>,
        is_own: impl Fn(&Message) -> bool,
    ) -> Result<(), Problem> {
        let mut refused = Ok(());
        for (message, reason) in answers {
            let is_own = is_own(message);
            if reason == ReasonCode::NotAuthorized {
                self.response.kept += u64::from(is_own || self.may_read);
            } else if reason.is_error() {
                refused = refused.and(publish::refused(reason));
            } else {
                self.add(message, !is_own);
            }
        }
        refused.map_err(|problem| {
            let deleted = self.response.count;
            problem.within(&format!("{deleted} were deleted, then"))
        })
    }

    /// `can_return`: it can be published again.
    fn add(&mut self, message: &Message, can_return: bool) {
        let response = &mut self.response;
        response.count += 1;
        if !self.may_read {
            return;
        }
        response.bytes += message.content_bytes();
        if response.topics.len() < TOPICS_NAMED {
            response.topics.push(message.topic.as_str().to_owned());
        }
        if !can_return {
            return;
        }
        let bytes = self.undo_bytes + message.payload.len();
        // One at least: whatever it is, it was one message in memory.
        let fits = response.given_back == 0
            || (response.given_back < UNDO_MESSAGES_MAX && bytes <= UNDO_BYTES_MAX);
        if !fits || response.truncated {
            response.truncated = true;
            return;
        }
        self.undo_bytes = bytes;
        response.given_back += 1;
        if !response.dry_run {
            response.deleted.push(shown(message, usize::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_protocol::TopicName;
    use ebbtide_store::{Properties, WallTime};

    use super::*;

    fn message(payload_bytes: usize) -> Message {
        Message {
            topic: TopicName::new("t").expect("a topic"),
            payload: vec![b'x'; payload_bytes].into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            accepted_at: WallTime(0),
            properties: Properties::default(),
        }
    }

    #[test]
    fn so_much_is_given_back_and_the_rest_is_counted() {
        let mut summary = Summary::new(&Caller::Anybody, false);
        for _ in 0..UNDO_MESSAGES_MAX + 1 {
            summary.add(&message(1), true);
        }
        let response = summary.response;
        assert_eq!(response.count, UNDO_MESSAGES_MAX + 1);
        assert_eq!(response.bytes, 2 * response.count);
        assert_eq!(response.topics.len(), TOPICS_NAMED);
        assert_eq!(response.deleted.len() as u64, UNDO_MESSAGES_MAX);
        assert_eq!(response.given_back, UNDO_MESSAGES_MAX);
        assert!(response.truncated);
    }

    #[test]
    fn a_dry_run_says_how_many_would_be_given_back() {
        let mut summary = Summary::new(&Caller::Anybody, true);
        summary.add(&message(1), false);
        assert_eq!(summary.response.given_back, 0);
        for _ in 0..UNDO_MESSAGES_MAX + 1 {
            summary.add(&message(1), true);
        }
        let response = summary.response;
        assert_eq!(response.count, UNDO_MESSAGES_MAX + 2);
        assert_eq!(response.given_back, UNDO_MESSAGES_MAX);
        assert!(response.deleted.is_empty());
    }

    #[test]
    fn one_that_is_large_is_given_back_alone() {
        let mut summary = Summary::new(&Caller::Anybody, false);
        summary.add(&message(UNDO_BYTES_MAX + 1), true);
        assert!(!summary.response.truncated);
        summary.add(&message(1), true);
        assert_eq!(summary.response.deleted.len(), 1);
        assert!(summary.response.truncated);
    }

    /// Would fail if one client that comes back broke it off, and lost what was deleted before.
    #[test]
    fn what_may_not_be_deleted_any_more_is_kept_and_the_rest_goes() {
        let messages = [message(1), message(2), message(3)];
        let reasons = [
            ReasonCode::Success,
            ReasonCode::NotAuthorized,
            ReasonCode::NoMatchingSubscribers,
        ];
        let mut summary = Summary::new(&Caller::Anybody, false);
        let answers = messages.iter().zip(reasons);
        let is_own = |message: &Message| message.payload.len() == 2;
        assert!(summary.answered(answers, is_own).is_ok());
        let response = summary.response;
        assert_eq!((response.count, response.kept), (2, 1));
        assert_eq!(response.deleted.len(), 2);

        let mut summary = Summary::new(&Caller::Anybody, false);
        let reasons = [
            ReasonCode::QuotaExceeded,
            ReasonCode::NotAuthorized,
            ReasonCode::Success,
        ];
        let refused = summary.answered(messages.iter().zip(reasons), is_own);
        let refused = refused.expect_err("one was refused");
        assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
        assert!(refused.detail().starts_with("1 were deleted, then: "));
    }
}
