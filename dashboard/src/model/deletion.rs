//! Deleting retained messages in words: what would go and what went, what stays and why, and whether it can be taken back.
//!
//! To whoever may not read the broker says how many there were and no more, and nothing of what rules keep from being deleted.
//! Presence of clients that are gone can be deleted, and is not given back: only the broker sets it.

use ebbtide_api::DeleteRetainedResponse;

use super::format::{count, counted};
use super::payload::size;

/// What would be deleted.
pub fn outlook(would: &DeleteRetainedResponse, may_read: bool) -> String {
    match (would.count, would.kept) {
        (0, 0) if may_read => "Nothing is retained there.".to_owned(),
        (0, 0) => "Nothing is retained there that rules let you delete.".to_owned(),
        (0, _) => "Nothing would be deleted.".to_owned(),
        (gone, _) => {
            let in_all = match may_read {
                true => format!(", {} in all,", size(would.bytes as usize)),
                false => String::new(),
            };
            format!(
                "{}{in_all} would be deleted. Subscribers are told.",
                messages(gone)
            )
        }
    }
}

/// What else is to be known of it, a paragraph each.
pub fn notes(would: &DeleteRetainedResponse) -> Vec<String> {
    let mut notes = Vec::new();
    if would.count > 0 && would.topics.is_empty() {
        notes.push("To see which ones takes the scope “read”.".to_owned());
    }
    if would.kept > 0 {
        notes.push(stays(would.kept));
    }
    if would.count > 0 {
        notes.push(promise(would));
    }
    notes
}

/// What does not go, and why.
fn stays(kept: u64) -> String {
    match kept {
        1 => format!(
            "{} stays: the broker keeps it itself, or rules do not let you delete it.",
            messages(1)
        ),
        kept => format!(
            "{} stay: the broker keeps them itself, or rules do not let you delete them.",
            messages(kept)
        ),
    }
}

/// What an undo will be able to do.
fn promise(would: &DeleteRetainedResponse) -> String {
    match would.given_back {
        0 => "This cannot be taken back.".to_owned(),
        back if back < would.count => {
            format!(
                "This can be taken back only in part: {} of them.",
                count(back)
            )
        }
        _ => "This can be taken back right afterwards.".to_owned(),
    }
}

/// What was deleted.
pub fn done(deleted: &DeleteRetainedResponse) -> String {
    let mut said = match deleted.count {
        0 => "Nothing was deleted.".to_owned(),
        gone => format!("Deleted {}.{}", messages(gone), way_back(deleted)),
    };
    if deleted.kept > 0 {
        said += " ";
        said += &stays(deleted.kept);
    }
    said
}

/// What became of the message of one topic.
pub fn cleared(topic: &str, deleted: &DeleteRetainedResponse, may_read: bool) -> String {
    match (deleted.count, deleted.kept) {
        (0, 0) if may_read => format!("Nothing was cleared: {topic} is not retained any more."),
        (0, 0) => format!(
            "Nothing was cleared: {topic} is not retained any more, or rules do not let you clear it."
        ),
        (0, _) => format!(
            "{topic} was not cleared: the broker keeps it itself, or rules do not let you clear it."
        ),
        _ => format!("Cleared {topic}.{}", way_back(deleted)),
    }
}

/// Which of it cannot be brought back, behind what is said already.
fn way_back(deleted: &DeleteRetainedResponse) -> String {
    match (deleted.given_back, deleted.count) {
        (0, 1) => " It cannot be brought back from here.".to_owned(),
        (0, _) => " They cannot be brought back from here.".to_owned(),
        (back, gone) if back < gone => {
            format!(
                " Only {} of them can be brought back from here.",
                count(back)
            )
        }
        _ => String::new(),
    }
}

pub fn messages(number: u64) -> String {
    counted(number, "retained message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(count: u64, kept: u64, given_back: u64) -> DeleteRetainedResponse {
        DeleteRetainedResponse {
            count,
            kept,
            given_back,
            bytes: 10 * given_back,
            topics: (0..given_back).map(|n| format!("t/{n}")).collect(),
            ..DeleteRetainedResponse::default()
        }
    }

    #[test]
    fn what_would_go_is_told_as_far_as_it_is_known() {
        let told = |would: DeleteRetainedResponse, may_read| outlook(&would, may_read);
        assert_eq!(
            told(deleted(2, 0, 2), true),
            "2 retained messages, 20 bytes in all, would be deleted. Subscribers are told."
        );
        assert_eq!(
            told(deleted(1, 0, 0), false),
            "1 retained message would be deleted. Subscribers are told."
        );
        assert!(told(deleted(0, 0, 0), false).contains("that rules let you"));
        assert_eq!(told(deleted(0, 0, 0), true), "Nothing is retained there.");
        assert_eq!(told(deleted(0, 3, 0), true), "Nothing would be deleted.");
        assert_eq!(notes(&deleted(0, 0, 0)), [] as [String; 0]);
        assert_eq!(notes(&deleted(0, 2, 0)), [stays(2)]);
        assert_eq!(notes(&deleted(2, 0, 2)).len(), 1);
        assert!(notes(&deleted(2, 0, 0))[0].contains("“read”"));
        assert!(stays(1).contains("stays: the broker keeps it"));
        assert!(stays(2).contains("stay: the broker keeps them"));
    }

    #[test]
    fn nothing_is_promised_that_cannot_be_kept() {
        assert!(promise(&deleted(500, 0, 500)).contains("can be taken back right"));
        assert!(promise(&deleted(1_001, 0, 1_000)).contains("only in part: 1,000 of them"));
        assert!(promise(&deleted(2, 0, 0)).contains("cannot be taken back"));
    }

    #[test]
    fn what_was_not_done_is_not_said_to_be_done() {
        assert_eq!(
            done(&deleted(0, 1, 0)),
            format!("Nothing was deleted. {}", stays(1))
        );
        assert_eq!(done(&deleted(3, 0, 3)), "Deleted 3 retained messages.");
        assert!(done(&deleted(3, 0, 2)).ends_with("Only 2 of them can be brought back from here."));
        assert!(done(&deleted(3, 0, 0)).ends_with("They cannot be brought back from here."));
        assert_eq!(cleared("t", &deleted(1, 0, 1), true), "Cleared t.");
        assert_eq!(
            cleared("t", &deleted(1, 0, 0), false),
            "Cleared t. It cannot be brought back from here."
        );
        for (kept, may_read) in [(0, true), (0, false), (1, true), (1, false)] {
            let told = cleared("t", &deleted(0, kept, 0), may_read);
            assert!(told.contains("not cleared") || told.contains("Nothing was cleared"));
            let may_be_rules = kept > 0 || !may_read;
            assert_eq!(told.contains("rules"), may_be_rules, "{told}");
        }
    }
}
