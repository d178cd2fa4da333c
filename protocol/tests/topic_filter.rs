//! Topic matching against a second, naive implementation.

mod arbitrary;

use ebbtide_protocol::{TopicFilter, TopicName};
use proptest::prelude::*;

fn oracle(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern.split_first(), topic.split_first()) {
        (Some((&"#", _)), _) => true,
        (Some((&wanted, pattern)), Some((level, topic))) => {
            (wanted == "+" || wanted == *level) && oracle(pattern, topic)
        }
        (None, None) => true,
        _ => false,
    }
}

fn expected(filter: &TopicFilter, topic: &TopicName) -> bool {
    let pattern: Vec<&str> = filter.pattern().split('/').collect();
    let levels: Vec<&str> = topic.as_str().split('/').collect();
    let hidden = levels[0].starts_with('$') && matches!(pattern[0], "+" | "#");
    !hidden && oracle(&pattern, &levels)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn matching_agrees_with_the_oracle(filter in arbitrary::topic_filter(), topic in arbitrary::topic_name()) {
        prop_assert_eq!(filter.matches(&topic), expected(&filter, &topic));
    }

    /// A filter made from a topic by replacing levels matches it, unless a leading `$` forbids.
    #[test]
    fn a_generalised_topic_matches(topic in arbitrary::topic_name(), plus in any::<u8>(), cut in option_cut()) {
        let mut levels: Vec<&str> = topic.as_str().split('/').collect();
        for (index, level) in levels.iter_mut().enumerate() {
            if plus >> (index % 8) & 1 == 1 {
                *level = "+";
            }
        }
        if let Some(cut) = cut {
            levels.truncate(cut);
            levels.push("#");
        }
        let pattern = levels.join("/");
        prop_assume!(!pattern.is_empty() && !pattern.starts_with("$share/"));
        let filter = TopicFilter::new(pattern).expect("whole levels");
        let hidden = topic.as_str().starts_with('$') && filter.as_str().starts_with(['+', '#']);
        prop_assert_eq!(filter.matches(&topic), !hidden);
    }
}

fn option_cut() -> impl Strategy<Value = Option<usize>> {
    proptest::option::of(0_usize..9)
}
