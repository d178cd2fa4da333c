//! Any two strings: what is a filter and what a topic, and whether they match, by a second, slower way.

#![no_main]

use ebbtide_protocol::{TopicFilter, TopicName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (filter, topic) = data;
    let (Ok(filter), Ok(topic)) = (
        TopicFilter::new(filter.to_owned()),
        TopicName::new(topic.to_owned()),
    ) else {
        return;
    };
    let is_system = topic.as_str().starts_with('$') && filter.pattern().starts_with(['+', '#']);
    let pattern: Vec<&str> = filter.pattern().split('/').collect();
    let levels: Vec<&str> = topic.levels().collect();
    assert_eq!(
        filter.matches(&topic),
        !is_system && slowly(&pattern, &levels)
    );
});

fn slowly(pattern: &[&str], levels: &[&str]) -> bool {
    match (pattern, levels) {
        (["#"], _) => true,
        ([], []) => true,
        ([wanted, pattern @ ..], [level, levels @ ..]) => {
            (*wanted == "+" || wanted == level) && slowly(pattern, levels)
        }
        _ => false,
    }
}
