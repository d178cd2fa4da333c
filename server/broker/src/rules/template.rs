//! A level of a topic in a rule that stands for what a client is called: `{user}`, `{client}`, `{claim.NAME}`, with or without text
//! around it.

use super::Subject;

/// A level with at least one variable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Text(String),
    User,
    Client,
    Claim(String),
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
    pub fn new(level: &str) -> Result<Option<Self>, TemplateError> {
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
                pieces.push(Piece::Text(text.to_owned()));
            }
            let Some(behind) = behind else { break };
            let (name, behind) = behind.split_once('}').ok_or(TemplateError::Brace)?;
            pieces.push(match (name, name.strip_prefix("claim.")) {
                ("user", _) => Piece::User,
                ("client", _) => Piece::Client,
                (_, Some(claim)) if !claim.is_empty() => Piece::Claim(claim.to_owned()),
                _ => return Err(TemplateError::Unknown(name.to_owned())),
            });
            rest = behind;
        }
        Ok(Some(Self(pieces)))
    }

    /// The level for this client; `None`: what it is called fits into no topic.
    pub fn fill(&self, subject: &Subject) -> Option<Box<str>> {
        let mut level = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => level.push_str(text),
                Piece::User => level.push_str(fitting(subject.user.as_deref()?)?),
                Piece::Client => level.push_str(fitting(&subject.client_id)?),
                Piece::Claim(name) => level.push_str(fitting(subject.only_claim(name)?)?),
            }
        }
        Some(level.into())
    }
}

/// A value that can be a level, or a part of one.
fn fitting(value: &str) -> Option<&str> {
    (!value.is_empty() && !value.contains(['/', '+', '#', '\0'])).then_some(value)
}
