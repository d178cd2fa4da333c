//! Messages that the viewer keeps for another time, by name, the last used first. Text for the browser's own storage.

use serde::{Deserialize, Serialize};

use super::Draft;
use crate::model::value;

/// More are not kept: the list is for people.
const SAVED_MAX: usize = 50;
/// Of a saved payload: the storage is shared by all pages of the origin.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    draft: Draft,
}

impl Saved {
    /// Nothing, when the text is none of ours.
    pub fn read(text: &str) -> Self {
        let mut saved: Self = value::from_text(text).unwrap_or_default();
        saved.entries.truncate(SAVED_MAX);
        saved
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }

    pub fn get(&self, name: &str) -> Option<&Draft> {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.map(|entry| &entry.draft)
    }

    /// In place of one of the same name. The error tells what to do.
    pub fn keep(&mut self, name: &str, draft: Draft) -> Result<(), String> {
        let name = name.trim();
        if name.is_empty() {
            return Err("Give it a name.".to_owned());
        }
        if draft.payload.len() > PAYLOAD_BYTES_MAX {
            return Err("Its payload has more than 64 KiB; keep it in a file.".to_owned());
        }
        let is_new = self.get(name).is_none();
        if is_new && self.entries.len() >= SAVED_MAX {
            return Err(format!("There are {SAVED_MAX} already; remove one first."));
        }
        self.remove(name);
        let name = name.to_owned();
        self.entries.insert(0, Entry { name, draft });
        Ok(())
    }

    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|entry| entry.name != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(topic: &str) -> Draft {
        Draft {
            topic: topic.to_owned(),
            ..Draft::new()
        }
    }

    #[test]
    fn saved_messages_come_back_the_last_one_first() {
        let mut saved = Saved::default();
        saved.keep("on", draft("a")).expect("kept");
        saved.keep(" off ", draft("b")).expect("kept");
        saved.keep("on", draft("c")).expect("replaced");
        let saved = Saved::read(&saved.write());
        assert_eq!(saved.names().collect::<Vec<_>>(), ["on", "off"]);
        assert_eq!(saved.get("on"), Some(&draft("c")));
        assert_eq!(saved.get("other"), None);
    }

    #[test]
    fn what_was_written_by_others_is_nothing() {
        assert_eq!(Saved::read("{\"entries\":7}"), Saved::default());
        assert_eq!(Saved::read(""), Saved::default());
    }

    #[test]
    fn the_list_has_an_end() {
        let mut saved = Saved::default();
        for n in 0..SAVED_MAX {
            saved.keep(&n.to_string(), draft("a")).expect("kept");
        }
        assert!(saved.keep("one more", draft("a")).is_err());
        assert!(
            saved.keep("3", draft("b")).is_ok(),
            "in place of the old one"
        );
        let large = Draft {
            payload: "x".repeat(PAYLOAD_BYTES_MAX + 1),
            ..Draft::new()
        };
        assert!(saved.keep("3", large).is_err());
        assert!(saved.keep(" ", draft("a")).is_err());
    }
}
