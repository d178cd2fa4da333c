//! The sample that an empty board offers: published, told, and taken back when asked.

use yew::Callback;

use crate::browser;
use crate::components::toast::Notice;
use crate::feed::Outcome;
use crate::model::filter;
use crate::model::page::Page;
use crate::shell::Shell;

/// Where the sample goes.
pub fn topic(filter: &str) -> String {
    filter::example_topic(filter, "sample")
}

pub fn publish(shell: &Shell, page: Page, filter: &str) {
    let Some(feed) = &shell.feed else { return };
    let topic = topic(filter);
    let payload = if page == Page::Config {
        r#"{"enabled":true,"interval_s":30}"#.to_owned()
    } else {
        let now = browser::iso_time(browser::now_ms()).unwrap_or_default();
        format!(r#"{{"status":"online","since":"{now}","meta":{{"from":"the dashboard"}}}}"#)
    };
    let done = {
        let (shell, topic) = (shell.clone(), topic.clone());
        Callback::from(move |outcome: Outcome| {
            shell.notify.emit(match outcome {
                Ok(()) => {
                    let undo = {
                        let (shell, topic) = (shell.clone(), topic.clone());
                        Callback::from(move |()| clear(&shell, &topic))
                    };
                    let text = format!("Published to {topic}. The broker has kept it.");
                    Notice::new(text).with_undo(undo)
                }
                Err(reason) => failed(&topic, &reason),
            });
        })
    };
    feed.publish_retained(&topic, payload, done);
}

fn clear(shell: &Shell, topic: &str) {
    let Some(feed) = &shell.feed else { return };
    let done = {
        let (notify, topic) = (shell.notify.clone(), topic.to_owned());
        Callback::from(move |outcome: Outcome| {
            if let Err(reason) = outcome {
                notify.emit(failed(&topic, &reason));
            }
        })
    };
    feed.publish_retained(topic, String::new(), done);
}

fn failed(topic: &str, reason: &str) -> Notice {
    Notice::new(format!("Nothing was published to {topic}: {reason}."))
}
