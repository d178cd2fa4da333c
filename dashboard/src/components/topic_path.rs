//! A topic, level by level. Text of strangers: isolated, so that it cannot reorder what stands beside it.

use yew::prelude::*;

use crate::model::name::visible;
use crate::model::payload::shorten;

/// Of one topic; the whole of it is in the title.
const TOPIC_CHARS_MAX: usize = 300;

pub fn topic_path(topic: &str) -> Html {
    let topic = shorten(topic, TOPIC_CHARS_MAX);
    let levels = topic.split('/').enumerate().map(|(index, level)| {
        html! {
            <>
                if index > 0 {
                    <span class="topic-slash">{ "/" }</span><wbr />
                }
                { level_name(level) }
            </>
        }
    });
    html! { <bdi class="topic">{ for levels }</bdi> }
}

/// An empty level is valid in MQTT and would be invisible, as would be characters that cannot be seen.
pub fn level_name(level: &str) -> Html {
    if level.is_empty() {
        html! { <span class="topic-empty">{ "(empty)" }</span> }
    } else {
        html! { visible(level).into_owned() }
    }
}
