//! A payload as the page keeps it: at most [`KEPT_BYTES_MAX`] of it, and what kind of content that is.
//!
//! Never holds on to the network buffer that it came in.

use super::format::fixed;
use std::rc::Rc;

use super::json;

/// A larger payload is cut to this for display.
pub const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Of a payload, for search.
const SEARCHED_BYTES_MAX: usize = 2_000;

/// The start of a message's content and its true length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    kept: Rc<[u8]>,
    bytes: usize,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    Json(Vec<json::Line<'a>>),
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Payload {
    pub fn new(payload: &[u8]) -> Self {
        Self {
            kept: payload[..payload.len().min(KEPT_BYTES_MAX)].into(),
            bytes: payload.len(),
        }
    }

    /// The same, with no more than so many bytes of it.
    #[must_use]
    pub fn start(&self, bytes_max: usize) -> Self {
        Self {
            kept: self.kept[..self.kept.len().min(bytes_max)].into(),
            bytes: self.bytes,
        }
    }

    /// The length as it was published.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn is_cut(&self) -> bool {
        self.kept.len() < self.bytes
    }

    /// Whether showing the other one instead would look different. Of cut payloads this cannot be known.
    pub fn differs(&self, other: &Self) -> bool {
        self.is_cut() || self != other
    }

    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The kept part as text, unless it is binary: not UTF-8, or with control characters other than line ends and tabs.
    pub fn text(&self) -> Option<&str> {
        let text = match std::str::from_utf8(&self.kept) {
            Ok(text) => text,
            // Cut in the middle of a character.
            Err(error) if self.is_cut() && error.error_len().is_none() => {
                std::str::from_utf8(&self.kept[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        (!text.contains(control)).then_some(text)
    }

    /// Whether its beginning has a text, whatever the case. The text is in lower case already.
    pub fn has(&self, search: &str) -> bool {
        let Some(text) = self.text() else {
            return false;
        };
        let mut end = text.len().min(SEARCHED_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_lowercase().contains(search)
    }

    pub fn content(&self) -> Content<'_> {
        let Some(text) = self.text() else {
            return Content::Binary(&self.kept);
        };
        let lines = if self.is_cut() {
            None
        } else {
            json::pretty(text)
        };
        lines.map_or(Content::Text(text), Content::Json)
    }
}

/// Bytes as text, whatever they are: what is no character is a mark, and control characters are their pictures.
pub fn plain(bytes: &[u8]) -> String {
    let picture = |c: char| match c {
        '\n' | '\t' => c,
        '\u{7f}' => '\u{2421}',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        _ if c.is_control() => '\u{fffd}',
        _ => c,
    };
    // A line end of two characters is one.
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.chars().map(picture).collect()
}

/// `1,234 bytes`, `12.3 KiB`, `1.0 MiB`.
pub fn size(bytes: usize) -> String {
    const KIB: f64 = 1024.0;
    let amount = bytes as f64;
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", fixed(amount / KIB, 1)),
        _ => format!("{} MiB", fixed(amount / KIB / KIB, 1)),
    }
}

/// At most that many characters, with an ellipsis in place of the rest.
pub fn shorten(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_json_text_and_binary_apart() {
        let kind = |payload: &[u8]| match Payload::new(payload).content() {
            Content::Json(_) => "json",
            Content::Text(_) => "text",
            Content::Binary(_) => "binary",
        };
        assert_eq!(kind(b"{\"on\": true}"), "json");
        assert_eq!(kind(b"21.5"), "json");
        assert_eq!(kind(b"{\"on\": tru"), "text");
        assert_eq!(kind("<b>ä🌊</b>\n".as_bytes()), "text");
        assert_eq!(kind(&[0xff, 0xfe]), "binary");
        assert_eq!(kind(b"a\x00b"), "binary");
    }

    #[test]
    fn a_huge_payload_is_cut_at_a_character_and_says_its_true_size() {
        let mut text = "a".repeat(KEPT_BYTES_MAX - 1);
        text.push_str("🌊 and more");
        let payload = Payload::new(text.as_bytes());
        assert!(payload.is_cut());
        assert_eq!(payload.bytes(), text.len());
        assert_eq!(payload.text().map(str::len), Some(KEPT_BYTES_MAX - 1));
    }

    #[test]
    fn a_search_ignores_case_and_looks_at_the_beginning() {
        let payload = Payload::new(format!("{}🌊Needle", "x".repeat(1_995)).as_bytes());
        assert!(payload.has("🌊") && !payload.has("needle"));
        assert!(Payload::new("ÄRGER".as_bytes()).has("ärg"));
        assert!(!Payload::new(&[0xff]).has(""));
    }

    #[test]
    fn any_bytes_have_a_text_without_control_characters() {
        assert_eq!(
            plain(b"a\x00b\xff\r\nc\x1b[0m\x7f"),
            "a\u{2400}b\u{fffd}\nc\u{241b}[0m\u{2421}"
        );
    }

    #[test]
    fn cut_json_is_shown_as_text() {
        let text = format!("[{}1]", "1,".repeat(KEPT_BYTES_MAX));
        assert!(matches!(
            Payload::new(text.as_bytes()).content(),
            Content::Text(_)
        ));
    }

    #[test]
    fn sizes_and_shortening_keep_whole_characters() {
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(1 << 20), "1.0 MiB");
        assert_eq!(shorten("🌊🌊🌊", 2), "🌊🌊…");
        assert_eq!(shorten("🌊🌊", 2), "🌊🌊");
    }
}
