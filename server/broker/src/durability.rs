//! Which reply waits for which commit. This is the one place that says so.
//!
//! | may leave the broker | after the commit of |
//! |---|---|
//! | PUBACK, PUBREC | the retained change, the inbound QoS 2 id of a kept session, the message with its recipients (unless all are done before it is written) |
//! | PUBACK, PUBREC that refuses | at once: nothing of it is kept |
//! | PUBREC again | all that stood in the journal when the repetition came, if the session is kept |
//! | PUBCOMP | the release of the inbound id |
//! | PUBCOMP for an id that is not known | all that stood in the journal then, if the session is kept: it may have been released before |
//! | QoS 1 PUBLISH | at once; its packet id goes with the next commit |
//! | QoS 2 PUBLISH to a kept session | its packet id, and so the message that went before it |
//! | QoS 2 PUBLISH to a member of a group | the message is this member's and no longer the group's |
//! | PUBLISH again in the next connection | all that stood in the journal when it came: it is read from the store |
//! | PUBREL | the stage `released` |
//! | PUBREL again | all that stood in the journal when PUBREC came again |
//! | CONNACK | every creation, change or deletion of a session it stands for, |
//! | | the end of this client's last session, |
//! | | the will, |
//! | | the entry of presence, |
//! | | if the session was taken over: all that stood in the journal then |
//! | SUBACK, UNSUBACK | the rows of the subscriptions of a kept session |
//! | QoS 0 | never waits |
//! | that a command has purged or deleted | all that stood in the journal when it was done |
//!
//! A `None` ticket means that nothing of the matter is kept, so there is nothing to wait for.

use ebbtide_protocol::QoS;

use crate::journal::Ticket;

/// What the acknowledgements of a connection stand for: its listener decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// What is acknowledged is on disk: the table above.
    #[default]
    Durable,
    /// What is acknowledged is on its way there. Nothing of the table is waited for, but what has to be read from the
    /// store; a crash takes along what was not committed, acknowledged or not.
    Relaxed,
}

impl Durability {
    /// What is waited for in fact.
    pub(crate) fn wait(self, ticket: Ticket) -> Ticket {
        match self {
            Self::Durable => ticket,
            Self::Relaxed => AT_ONCE,
        }
    }
}

/// Durable from the start.
pub(crate) const AT_ONCE: Ticket = Ticket(0);

/// PUBACK and PUBREC: what is kept of the publish.
pub(crate) fn acknowledgement(accepted: Option<Ticket>) -> Ticket {
    accepted.unwrap_or(AT_ONCE)
}

/// PUBACK and PUBREC of a publish that is not taken in.
pub(crate) fn refusal() -> Ticket {
    AT_ONCE
}

/// PUBREC for a repeated PUBLISH: everything so far, for the first copy stands somewhere before `last`.
pub(crate) fn repeated_pubrec(is_kept: bool, last: Ticket) -> Ticket {
    if is_kept { last } else { AT_ONCE }
}

/// PUBCOMP.
pub(crate) fn pubcomp(released_inbound: Option<Ticket>) -> Ticket {
    released_inbound.unwrap_or(AT_ONCE)
}

/// PUBCOMP for an id that is not known: everything so far, for it may have been released somewhere before `last`.
pub(crate) fn pubcomp_of_unknown(is_kept: bool, last: Ticket) -> Ticket {
    if is_kept { last } else { AT_ONCE }
}

/// PUBLISH to a subscriber, by the ticket of its packet id.
pub(crate) fn delivery(qos: QoS, sent: Option<Ticket>) -> Ticket {
    match (qos, sent) {
        // Else a crash could make it come back under another id, and the client would take it for a second message.
        (QoS::ExactlyOnce, Some(ticket)) => ticket,
        _ => AT_ONCE,
    }
}

/// What was under way when a session is resumed, by the ticket of the newest operation then. It is read from the store, so
/// this is waited for at every listener: the message, and the move of a group's to this session, have to be there.
pub(crate) fn resend(last: Ticket) -> Ticket {
    last
}

/// PUBREL.
pub(crate) fn pubrel(released: Option<Ticket>) -> Ticket {
    released.unwrap_or(AT_ONCE)
}

/// PUBREL for a repeated PUBREC: everything so far, for the stage stands somewhere before `last`.
pub(crate) fn pubrel_again(last: Ticket) -> Ticket {
    last
}

/// What a taken over session adds to [`connack`]: everything so far, for its former owner may have fired or removed its will just now.
pub(crate) fn taken_over(last: Ticket) -> Ticket {
    last
}

/// CONNACK: all that CONNECT changed, in the order of the journal.
pub(crate) fn connack(changes: impl IntoIterator<Item = Ticket>) -> Ticket {
    changes.into_iter().max().unwrap_or(AT_ONCE)
}

/// SUBACK and UNSUBACK.
pub(crate) fn subscription(rows: Option<Ticket>) -> Ticket {
    rows.unwrap_or(AT_ONCE)
}

/// The outcome of a command that purges or deletes.
pub(crate) fn outcome(last: Ticket) -> Ticket {
    last
}
