//! Bytes as people type them: text, JSON, or hexadecimal digits.

use super::json::{self, Fault};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Json,
    Text,
    Hex,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Json, Self::Text, Self::Hex];

    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Hex => "hex",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Text => "Text",
            Self::Hex => "Hex",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// What was typed, as bytes.
pub fn encode(form: Form, text: &str) -> Result<Vec<u8>, Fault> {
    match form {
        Form::Text => Ok(text.as_bytes().to_vec()),
        // Nothing at all is no JSON, but a payload: it clears a retained message.
        Form::Json if text.trim().is_empty() => Ok(Vec::new()),
        Form::Json => json::check(text).map(|()| text.as_bytes().to_vec()),
        Form::Hex => hex(text),
    }
}

/// Digits in pairs; spaces, line ends, commas, colons and `0x` between them mean nothing.
fn hex(text: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut half: Option<u8> = None;
    let mut place = (1, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        place = if c == '\n' {
            (place.0 + 1, 0)
        } else {
            (place.0, place.1 + 1)
        };
        let fault = |reason: String| Fault {
            line: place.0,
            column: place.1.max(1),
            reason,
        };
        if c == '0' && half.is_none() && matches!(chars.peek(), Some('x' | 'X')) {
            chars.next();
            place.1 += 1;
        } else if let Some(digit) = c.to_digit(16) {
            // At most 15.
            let digit = digit as u8;
            match half.take() {
                None => half = Some(digit),
                Some(high) => bytes.push(high << 4 | digit),
            }
        } else if c.is_whitespace() || matches!(c, ',' | ':') {
            if half.is_some() {
                return Err(fault("a byte has two digits".to_owned()));
            }
        } else {
            return Err(fault(format!("“{c}” is no hexadecimal digit")));
        }
    }
    if half.is_some() {
        return Err(Fault {
            line: place.0,
            column: place.1.max(1),
            reason: "a byte has two digits".to_owned(),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(
            encode(Form::Hex, " ff 00,0A:0x1b\n2c"),
            Ok(vec![0xff, 0, 10, 0x1b, 0x2c])
        );
        assert_eq!(encode(Form::Hex, ""), Ok(Vec::new()));
        let fault = |text: &str| {
            let fault = encode(Form::Hex, text).expect_err(text);
            (fault.line, fault.column, fault.reason)
        };
        assert_eq!(
            fault("ff\n0g"),
            (2, 2, "“g” is no hexadecimal digit".to_owned())
        );
        assert_eq!(fault("f f"), (1, 2, "a byte has two digits".to_owned()));
        assert_eq!(fault("fff"), (1, 3, "a byte has two digits".to_owned()));
    }

    #[test]
    fn json_is_checked_and_sent_as_typed() {
        assert_eq!(
            encode(Form::Json, "{ \"a\":1.0 }"),
            Ok(b"{ \"a\":1.0 }".to_vec())
        );
        assert!(encode(Form::Json, "{a:1}").is_err());
        assert_eq!(encode(Form::Json, " "), Ok(Vec::new()));
        assert_eq!(encode(Form::Text, "{a"), Ok(b"{a".to_vec()));
    }
}
