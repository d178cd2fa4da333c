//! What an answer of the API says: a value, or why there is none, in words for people.

use std::fmt;

use ebbtide_api::ProblemDetails;
use serde::de::DeserializeOwned;

use crate::model::value;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer came.
    Unreachable,
    /// Nothing was asked: nobody is signed in any more.
    SignInNeeded,
    /// The broker has said no, and why.
    Refused(ProblemDetails),
    /// Something answered, and it was not understood: another program, or a broker of another version.
    NotUnderstood { status: u16 },
}

impl Fault {
    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.has_status(404)
    }

    /// Whether the broker has said no with this status.
    pub fn has_status(&self, status: u16) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == status)
    }

    /// Whether the broker has looked at what it was asked, and would say the same again.
    pub fn is_verdict(&self) -> bool {
        self.has_status(400) || self.has_status(413)
    }
}

impl fmt::Display for Fault {
    /// One sentence or more, each with its full stop.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => formatter.write_str("The broker did not answer."),
            Self::SignInNeeded => formatter.write_str("Sign in again to go on."),
            Self::Refused(problem) => formatter.write_str(&problem.detail),
            Self::NotUnderstood { status } => write!(
                formatter,
                "The answer (status {status}) was not understood: this page may be older than the broker. Load it anew."
            ),
        }
    }
}

/// Reads an answer.
pub fn read<T: DeserializeOwned>(status: u16, body: &str) -> Result<T, Fault> {
    of_success(status, body)?;
    value::from_text(body).map_err(|_| Fault::NotUnderstood { status })
}

/// What all types of answers have in common.
fn of_success(status: u16, body: &str) -> Result<(), Fault> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    Err(refusal(status, body))
}

/// Of an answer that is no success.
pub fn refusal(status: u16, body: &str) -> Fault {
    match value::from_text(body) {
        Ok(problem) => Fault::Refused(problem),
        Err(_) => Fault::NotUnderstood { status },
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_api::PurgeResponse;

    use super::*;

    #[test]
    fn a_success_is_read() {
        let answer = read::<PurgeResponse>(200, r#"{"purged":3,"new_member":1}"#);
        assert_eq!(answer, Ok(PurgeResponse { purged: 3 }));
    }

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let body = r#"{"title":"Not Found","status":404,"detail":"There is no such session."}"#;
        let fault = read::<PurgeResponse>(404, body).expect_err("a problem");
        assert!(fault.is_not_found());
        assert_eq!(fault.to_string(), "There is no such session.");
    }

    #[test]
    fn a_verdict_is_about_what_was_asked_and_not_about_the_moment() {
        let refused = |status: u16| {
            let body = format!(r#"{{"title":"","status":{status},"detail":"no"}}"#);
            read::<PurgeResponse>(status, &body).expect_err("a problem")
        };
        assert!(refused(400).is_verdict() && refused(413).is_verdict());
        for status in [401, 403, 408, 500, 503] {
            assert!(!refused(status).is_verdict(), "{status}");
        }
        for fault in [
            Fault::Unreachable,
            Fault::SignInNeeded,
            Fault::NotUnderstood { status: 400 },
        ] {
            assert!(!fault.is_verdict(), "{fault}");
        }
    }

    #[test]
    fn what_is_no_answer_of_ours_is_said_to_be_so() {
        for (status, body) in [(200, "<html>"), (502, "Bad gateway"), (500, "{}")] {
            let fault = read::<PurgeResponse>(status, body);
            assert_eq!(fault, Err(Fault::NotUnderstood { status }));
        }
    }
}
