//! Names that strangers give, made fit to be shown: of bounded length, and without characters that cannot be seen or that turn
//! around what stands beside them. Only for display: nothing is looked up by it.

use std::borrow::Cow;
use std::fmt::Write;

use super::payload::shorten;

/// Of a client identifier or a user.
const NAME_CHARS_MAX: usize = 120;

/// A client identifier or a user, for people.
pub fn shown(name: &str) -> String {
    visible(&shorten(name, NAME_CHARS_MAX)).into_owned()
}

/// What cannot be seen is written as its code, `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a string does not fail.
            let _written = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that change the direction of text or have no width. The joiner of emoji is none of them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay() {
        for name in [
            "a",
            "scale 7/ü",
            "عميل-1",
            "👩\u{200d}🔧",
            "<img src=x onerror=alert(1)>",
        ] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(shown("gpj\u{202e}exe"), "gpj\\u{202e}exe");
        assert_eq!(shown("a\nb\u{200b}"), "a\\u{a}b\\u{200b}");
    }

    #[test]
    fn long_names_are_cut() {
        let name = shown(&"x".repeat(65_535));
        assert_eq!(name.chars().count(), NAME_CHARS_MAX + 1);
        assert!(name.ends_with('…'));
    }
}
