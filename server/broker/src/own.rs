//! Topics that are the broker's own: nobody else publishes there (section 4.7.2).

use ebbtide_protocol::{TopicName, extension};

/// Whether this is one.
pub(crate) fn is_own(topic: &TopicName) -> bool {
    let name = topic.as_str();
    name.starts_with(extension::TOPICS) || name.starts_with("$SYS/") && !is_of_a_bridge(name)
}

/// Where a bridge of Mosquitto says whether it is connected, by a retained message and by its will: where that is refused, it never is. The broker
/// says nothing there itself, and rules decide about it as about any other topic.
fn is_of_a_bridge(name: &str) -> bool {
    let bridge = name
        .strip_prefix("$SYS/broker/connection/")
        .and_then(|rest| rest.strip_suffix("/state"));
    bridge.is_some_and(|bridge| !bridge.is_empty() && !bridge.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_below_sys_but_the_states_of_bridges() {
        for (name, expected) in [
            ("$SYS/broker/uptime", true),
            ("$SYS/broker/connection/state", true),
            ("$SYS/broker/connection//state", true),
            ("$SYS/broker/connection/a/b/state", true),
            ("$SYS/broker/connection/a/state/x", true),
            ("$SYS/broker/connection/host.name/state", false),
            ("$ebbtide/end/0", true),
            ("$other", false),
            ("a/$SYS/x", false),
        ] {
            let topic = TopicName::new(name).expect("a topic");
            assert_eq!(is_own(&topic), expected, "{name}");
        }
    }
}
