//! A retained value being edited: the draft, what it began from, and whether somebody else has changed it meanwhile.
//!
//! Nothing is published that is not valid in its form, and nothing of others is overwritten unseen.

use super::bytes::{Form, encode};
use super::json::{self, Fault};
use super::payload::{Content, Payload};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub text: String,
    pub form: Form,
    /// What the broker kept when the editing began, or when the viewer last chose to go on over a change. `None`: nothing.
    base: Option<Payload>,
}

/// What stands in the way of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    Invalid(Fault),
    /// It would clear the topic: there is a button for that.
    Empty,
    /// Somebody else changed it; `None`: cleared it.
    Conflict(Option<Payload>),
    /// It says what is stored.
    Unchanged,
}

impl Draft {
    /// JSON is laid out for editing. `None` for what cannot be edited whole as text: it is cut.
    pub fn of(stored: &Payload) -> Option<Self> {
        if stored.is_cut() {
            return None;
        }
        let (form, text) = match stored.content() {
            Content::Json(_) => (Form::Json, json::pretty_text(stored.text()?)),
            Content::Text(text) => (Form::Text, text.to_owned()),
            Content::Binary(bytes) => (Form::Hex, digits(bytes)),
        };
        Some(Self {
            text,
            form,
            base: Some(stored.clone()),
        })
    }

    /// Of a topic that has no value yet.
    pub fn new() -> Self {
        Self {
            text: String::new(),
            form: Form::Json,
            base: None,
        }
    }

    #[must_use]
    pub fn with_text(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    /// The same bytes in another form, where they have one there.
    #[must_use]
    pub fn with_form(mut self, form: Form) -> Self {
        if let Ok(bytes) = encode(self.form, &self.text) {
            match (form, String::from_utf8(bytes)) {
                (Form::Hex, Ok(text)) => self.text = digits(text.as_bytes()),
                (Form::Hex, Err(error)) => self.text = digits(error.as_bytes()),
                (_, Ok(text)) => self.text = text,
                // Binary: stays as digits, and is called invalid there.
                (_, Err(_)) => {}
            }
        }
        self.form = form;
        self
    }

    /// The bytes to publish, or the first thing that stands in the way.
    pub fn check(&self, stored: Option<&Payload>) -> Result<Vec<u8>, Obstacle> {
        let bytes = encode(self.form, &self.text).map_err(Obstacle::Invalid)?;
        if bytes.is_empty() {
            return Err(Obstacle::Empty);
        }
        if self.is_overtaken(stored) {
            return Err(Obstacle::Conflict(stored.cloned()));
        }
        if stored.is_some_and(|stored| says_the_same(self.form, &bytes, stored)) {
            return Err(Obstacle::Unchanged);
        }
        Ok(bytes)
    }

    pub fn is_overtaken(&self, stored: Option<&Payload>) -> bool {
        match (&self.base, stored) {
            (None, None) => false,
            (Some(base), Some(stored)) => base.differs(stored),
            _ => true,
        }
    }

    /// Goes on with the draft over what somebody else stored.
    pub fn keep_mine(&mut self, stored: Option<&Payload>) {
        self.base = stored.cloned();
    }

    /// Whether closing it would lose something.
    pub fn is_dirty(&self) -> bool {
        let untouched = self.base.as_ref().and_then(Self::of);
        match untouched {
            Some(untouched) => untouched.text != self.text || untouched.form != self.form,
            None => !self.text.trim().is_empty(),
        }
    }
}

/// JSON says the same in another layout: publishing that would only make noise.
fn says_the_same(form: Form, bytes: &[u8], stored: &Payload) -> bool {
    if form != Form::Json {
        return stored.kept() == bytes;
    }
    let text = |bytes| std::str::from_utf8(bytes).map(json::pretty_text).ok();
    text(bytes) == text(stored.kept())
}

fn digits(bytes: &[u8]) -> String {
    let row = |row: &[u8]| {
        let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.join(" ")
    };
    let rows: Vec<String> = bytes.chunks(16).map(row).collect();
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Payload {
        Payload::new(text.as_bytes())
    }

    #[test]
    fn json_is_laid_out_and_the_same_in_another_layout_is_unchanged() {
        let stored = payload(r#"{"on":true}"#);
        let mut draft = Draft::of(&stored).expect("a draft");
        assert_eq!(draft.text, "{\n  \"on\": true\n}");
        assert_eq!(draft.check(Some(&stored)), Err(Obstacle::Unchanged));
        assert!(!draft.is_dirty());
        draft.text = "{\"on\": false}".to_owned();
        assert!(draft.is_dirty());
        assert_eq!(draft.check(Some(&stored)), Ok(b"{\"on\": false}".to_vec()));
    }

    #[test]
    fn invalid_json_is_refused_with_its_place_and_emptiness_is_no_value() {
        let stored = payload("{}");
        let mut draft = Draft::of(&stored).expect("a draft");
        draft.text = "{\n  \"on\": yes\n}".to_owned();
        let Err(Obstacle::Invalid(fault)) = draft.check(Some(&stored)) else {
            panic!("refused")
        };
        assert_eq!(fault.line, 2);
        draft.text = " \n".to_owned();
        assert_eq!(draft.check(Some(&stored)), Err(Obstacle::Empty));
    }

    #[test]
    fn what_somebody_else_stored_meanwhile_is_not_overwritten_unseen() {
        let mut draft = Draft::of(&payload("1")).expect("a draft");
        draft.text = "2".to_owned();
        let theirs = payload("3");
        assert_eq!(
            draft.check(Some(&theirs)),
            Err(Obstacle::Conflict(Some(theirs.clone())))
        );
        assert_eq!(draft.check(None), Err(Obstacle::Conflict(None)));
        draft.keep_mine(Some(&theirs));
        assert_eq!(draft.check(Some(&theirs)), Ok(b"2".to_vec()));
        draft.keep_mine(None);
        assert_eq!(draft.check(None), Ok(b"2".to_vec()));
    }

    #[test]
    fn binary_is_edited_as_digits_and_what_is_cut_is_not_edited() {
        let stored = Payload::new(&[0xff; 17]);
        let draft = Draft::of(&stored).expect("a draft");
        assert_eq!(draft.text.lines().count(), 2);
        assert_eq!(draft.check(Some(&stored)), Err(Obstacle::Unchanged));
        assert_eq!(Draft::of(&stored.start(4)), None);
    }

    #[test]
    fn another_form_has_the_same_bytes() {
        let draft = Draft::of(&payload("\"hi\"")).expect("a draft");
        let hex = draft.clone().with_form(Form::Hex);
        assert_eq!(hex.text, "22 68 69 22");
        assert_eq!(hex.with_form(Form::Json), draft);
    }

    #[test]
    fn a_new_value_conflicts_with_one_that_came_first() {
        let mut draft = Draft::new();
        draft.text = "1".to_owned();
        assert_eq!(draft.check(None), Ok(b"1".to_vec()));
        assert!(draft.is_overtaken(Some(&payload("2"))));
        assert!(draft.is_dirty());
    }
}
