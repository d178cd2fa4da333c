//! Topic filters as the boards use them: checked before they are sent, and taken apart for display.

use ebbtide_wasm_client::{TopicFilter, TopicName};

/// What is wrong with it, in words for the person who typed it.
pub fn check(filter: &str) -> Result<(), String> {
    match TopicFilter::new(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(sentence(&error.to_string())),
    }
}

/// The same of a topic name.
pub fn check_name(topic: &str) -> Result<(), String> {
    match TopicName::new(topic) {
        Ok(_) => Ok(()),
        Err(error) => Err(sentence(&error.to_string())),
    }
}

fn sentence(error: &str) -> String {
    // Their code quotes, as in prose.
    let text = typographic_quotes(error);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

/// Opening and closing quotes in place of pairs of backticks.
fn typographic_quotes(text: &str) -> String {
    let mut quotes = ['“', '”'].into_iter().cycle();
    let replace = |c| {
        if c == '`' {
            quotes.next().unwrap_or(c)
        } else {
            c
        }
    };
    text.chars().map(replace).collect()
}

/// The levels before the first wildcard, with their `/`: all topics of the board start with it.
pub fn fixed_part(filter: &str) -> &str {
    let pattern = filter
        .strip_prefix("$share/")
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, pattern)| pattern);
    match pattern.find(['+', '#']) {
        Some(wildcard) => &pattern[..wildcard],
        None => pattern.rfind('/').map_or("", |slash| &pattern[..=slash]),
    }
}

/// The topic without the part that all topics of the board share; whole where nothing would be left.
pub fn relative<'a>(topic: &'a str, fixed_part: &str) -> &'a str {
    match topic.strip_prefix(fixed_part) {
        Some("") | None => topic,
        Some(rest) => rest,
    }
}

/// A topic that the filter matches, with `name` in place of wildcards.
pub fn example_topic(filter: &str, name: &str) -> String {
    let fixed = fixed_part(filter);
    let start = filter.find(fixed).unwrap_or(0);
    filter[start..].replace(['+', '#'], name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_filter_is_explained_in_a_sentence() {
        assert_eq!(check("presence/+"), Ok(()));
        assert_eq!(
            check("config/#/x"),
            Err("“#” stands alone in the last level of a topic filter.".to_owned())
        );
        assert_eq!(
            check(""),
            Err("A topic filter has at least one character.".to_owned())
        );
    }

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard() {
        assert_eq!(fixed_part("presence/+"), "presence/");
        assert_eq!(fixed_part("config/#"), "config/");
        assert_eq!(fixed_part("a/+/c/#"), "a/");
        assert_eq!(fixed_part("#"), "");
        assert_eq!(fixed_part("config/lamp"), "config/");
        assert_eq!(fixed_part("$share/g/config/#"), "config/");
    }

    #[test]
    fn topics_are_shown_relative_but_never_as_nothing() {
        assert_eq!(relative("config/lamp/on", "config/"), "lamp/on");
        assert_eq!(relative("config/", "config/"), "config/");
        assert_eq!(relative("config", "config/"), "config");
        assert_eq!(relative("$SYS/a", ""), "$SYS/a");
    }

    #[test]
    fn an_example_matches_its_filter() {
        for filter in [
            "presence/+",
            "config/#",
            "a/+/b/+",
            "#",
            "$share/g/config/#",
            "x/y",
        ] {
            let topic = example_topic(filter, "ana");
            let topic = TopicName::new(topic).expect("a topic");
            let filter = TopicFilter::new(filter).expect("a filter");
            assert!(filter.matches(&topic), "{filter:?} {topic:?}");
        }
    }
}
