//! Faults in words: which row it is, and what its loss means to those who use the broker.

use crate::redb::{encoding::flow_ids, shape::Key};

/// What it means when a row of this table cannot be read.
pub(super) fn meaning(table: &str) -> &'static str {
    match table {
        "ebbtide" => {
            "the broker does not start: numbers in use could be handed out again; restore a backup"
        }
        "access" => {
            "that user, key or secret is gone, or all rules are, and nobody may do anything by them: set it up again"
        }
        "sessions" => {
            "that client's session is gone: its subscriptions and what waited for it; it starts anew when it connects"
        }
        "groups" => "what waited for that shared subscription is gone",
        "subscriptions" => {
            "that subscription is gone: its client gets nothing for it until it subscribes again"
        }
        "inbound" => "a QoS 2 message that is published again under that id may arrive twice",
        "dropped" => "that client is not told how many messages it has lost",
        "wills" => "that will is not published",
        "retained" => "the retained message of that topic is gone",
        "messages" => "that message is gone for all who wait for it",
        "sets" => "the messages that name it are gone for all who wait for them",
        "progress" => "that client gets messages again that it has acknowledged",
        "flows" => "those deliveries begin again, under other packet ids",
        _ => "it is of no use",
    }
}

/// A key as a person would name the row.
pub(super) fn name(table: &str, key: Key<'_>) -> String {
    match (table, key) {
        ("sessions" | "progress" | "dropped" | "wills", Key::Number(number)) => {
            format!("session {number}")
        }
        ("groups", Key::Number(number)) => format!("group {number}"),
        ("messages", Key::Number(number)) => format!("message {number}"),
        ("sets", Key::Number(number)) => format!("recipient set {number}"),
        ("access", Key::NumberAndText(1, text)) => format!("user `{}`", text.0.escape_ascii()),
        ("access", Key::NumberAndText(2, text)) => format!("key `{}`", text.0.escape_ascii()),
        ("access", Key::NumberAndText(3, _)) => "the rules".to_owned(),
        ("access", Key::NumberAndText(4, _)) => "the secret".to_owned(),
        ("flows", Key::NumberAndId(number, first)) => {
            let ids = flow_ids(first);
            format!(
                "session {number}, packet ids {} to {}",
                ids.start(),
                ids.end()
            )
        }
        (_, Key::Number(number)) => number.to_string(),
        (_, Key::Text(text)) => format!("`{}`", text.0.escape_ascii()),
        (_, Key::NumberAndText(number, text)) => {
            format!("session {number}, `{}`", text.0.escape_ascii())
        }
        (_, Key::NumberAndId(number, id)) => format!("session {number}, packet id {id}"),
        (_, Key::Texts(first, second)) => {
            format!("{} {}", first.0.escape_ascii(), second.0.escape_ascii())
        }
    }
}
