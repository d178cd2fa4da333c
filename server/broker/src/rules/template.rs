//! A level of a topic in a rule that stands for what a client is called: `{user}`, `{client}`, `{claim.NAME}`, with or without text
//! around it.
//!
//! What a level is for a client is never written down: a client id of 64 KiB in a hundred thousand levels would be gigabytes. Of each
//! level only its length is kept, and a topic is held against its pieces.

use std::num::NonZeroU16;

use ebbtide_protocol::ByteString;

use super::{Numbered, Subject};

/// A level with at least one variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Template(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Text(Box<str>),
    /// What the variable with this number stands for.
    Variable(usize),
}

/// What is different for each client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Variable {
    User,
    Client,
    Claim(Box<str>),
}

/// Why a level is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no such variable.
    #[error(
        "`{{{0}}}` stands for nothing; give {{user}}, {{client}} or {{claim.NAME}} with the name of a claim"
    )]
    Unknown(String),
    /// A brace is alone.
    #[error("`{{` and `}}` stand around a variable, such as {{user}}")]
    Brace,
}

impl Template {
    /// Parses a level; `None`: it has no variable.
    pub fn new(
        level: &str,
        variables: &mut Numbered<Variable>,
    ) -> Result<Option<Self>, TemplateError> {
        if !level.contains(['{', '}']) {
            return Ok(None);
        }
        let mut pieces = Vec::new();
        let mut rest = level;
        while !rest.is_empty() {
            let (text, behind) = match rest.split_once('{') {
                None => (rest, None),
                Some((text, behind)) => (text, Some(behind)),
            };
            if text.contains('}') {
                return Err(TemplateError::Brace);
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(text.into()));
            }
            let Some(behind) = behind else { break };
            let (name, behind) = behind.split_once('}').ok_or(TemplateError::Brace)?;
            let variable = match (name, name.strip_prefix("claim.")) {
                ("user", _) => Variable::User,
                ("client", _) => Variable::Client,
                (_, Some(claim)) if !claim.is_empty() => Variable::Claim(claim.into()),
                _ => return Err(TemplateError::Unknown(name.to_owned())),
            };
            pieces.push(Piece::Variable(variables.number(&variable)));
            rest = behind;
        }
        Ok(Some(Self(pieces.into())))
    }

    /// How long the level is with these values, bytes; `None`: it fits into no topic, for one of them does not, or all of it is longer
    /// than a topic may be [MQTT-4.7.3-3].
    fn bytes(&self, values: &[Option<ByteString>]) -> Option<NonZeroU16> {
        let mut bytes: usize = 0;
        for piece in &self.0 {
            bytes += piece.text(values)?.len();
            if bytes > usize::from(u16::MAX) {
                return None;
            }
        }
        u16::try_from(bytes).ok().and_then(NonZeroU16::new)
    }

    /// Whether it is this level with these values.
    fn is(&self, level: &str, values: &[Option<ByteString>]) -> bool {
        let rest = self
            .0
            .iter()
            .try_fold(level, |rest, piece| rest.strip_prefix(piece.text(values)?));
        rest == Some("")
    }
}

impl Piece {
    fn text<'a>(&'a self, values: &'a [Option<ByteString>]) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable(number) => values[*number].as_deref(),
        }
    }
}

impl Variable {
    /// What it stands for; `None`: nothing that can be a level, or a part of one.
    fn value(&self, subject: &Subject) -> Option<ByteString> {
        let value = match self {
            Self::User => subject.user.as_ref(),
            Self::Client => Some(&subject.client_id),
            Self::Claim(name) => subject.only_claim(name),
        };
        let fits =
            |value: &&ByteString| !value.is_empty() && !value.contains(['/', '+', '#', '\0']);
        value.filter(fits).cloned()
    }
}

/// What the levels with variables are for one client.
#[derive(Debug)]
pub(super) struct Filled {
    /// Of each variable.
    values: Box<[Option<ByteString>]>,
    /// Of each template how long it is; `None`: it fits into no topic.
    bytes: Box<[Option<NonZeroU16>]>,
}

impl Filled {
    pub fn new(subject: &Subject, variables: &[Variable], templates: &[Template]) -> Self {
        let values = variables.iter().map(|variable| variable.value(subject));
        let values: Box<[_]> = values.collect();
        let bytes = templates.iter().map(|template| template.bytes(&values));
        Self {
            bytes: bytes.collect(),
            values,
        }
    }

    /// Whether the template with this number is this level; `None`: it fits into no topic.
    pub fn is(&self, number: usize, template: &Template, level: &str) -> Option<bool> {
        let bytes = usize::from(self.bytes[number]?.get());
        Some(bytes == level.len() && template.is(level, &self.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a level is for a client of this name, if it is one of these.
    fn is(level: &str, client_id: &str, tried: &str) -> Option<bool> {
        let mut variables = Numbered::default();
        let template = Template::new(level, &mut variables).expect("a template");
        let templates = [template.expect("it has a variable")];
        let subject = Subject {
            client_id: client_id.into(),
            ..Subject::default()
        };
        Filled::new(&subject, &variables.all, &templates).is(0, &templates[0], tried)
    }

    #[test]
    fn a_level_is_held_against_all_of_its_pieces() {
        for (level, tried, expected) in [
            ("{client}", "ab", true),
            ("{client}", "a", false),
            ("{client}", "abc", false),
            ("{client}", "", false),
            ("x{client}y", "xaby", true),
            ("x{client}y", "xabz", false),
            ("x{client}y", "yabx", false),
            ("{client}{client}", "abab", true),
            ("{client}-{client}", "ab-ba", false),
        ] {
            assert_eq!(is(level, "ab", tried), Some(expected), "{level}: {tried}");
        }
    }

    #[test]
    fn what_is_longer_than_a_topic_fits_nowhere() {
        let longest = "x".repeat(65_535);
        assert_eq!(is("{client}", &longest, &longest), Some(true));
        assert_eq!(is("{client}-", &longest, "a"), None);
        assert_eq!(is("{client}", &format!("{longest}x"), "a"), None);
        assert_eq!(is(&"{client}".repeat(10_000), &longest, "a"), None);
    }
}
