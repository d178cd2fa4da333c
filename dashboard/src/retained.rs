//! Setting and clearing one retained message over MQTT: told when it is done, and taken back when asked.

use yew::Callback;

use crate::components::toast::Notice;
use crate::feed::Answer;
use crate::model::message::Properties;
use crate::model::payload::Payload;
use crate::model::publish::Outgoing;
use crate::shell::Shell;

/// Publishes what is to be kept. `before` is what was, to be brought back; `done` learns whether the broker took it.
pub fn set(
    shell: &Shell,
    topic: &str,
    payload: Vec<u8>,
    properties: Properties,
    before: Option<(Payload, Properties)>,
    done: Callback<Result<(), String>>,
) {
    let (shell_then, topic_then) = (shell.clone(), topic.to_owned());
    send(shell, topic, payload, properties, move |answer| {
        if let Ok(()) = &answer {
            let text = format!("Published to {topic_then}. The broker has kept it.");
            shell_then
                .notify
                .emit(undoable(&shell_then, text, &topic_then, before.clone()));
        }
        done.emit(answer);
    });
}

/// Takes away what the broker keeps there.
pub fn clear(shell: &Shell, topic: &str, payload: Payload, properties: Properties) {
    let (shell_then, topic_then) = (shell.clone(), topic.to_owned());
    send(
        shell,
        topic,
        Vec::new(),
        Properties::default(),
        move |answer| {
            shell_then.notify.emit(match answer {
                Ok(()) => {
                    let text = format!("Cleared {topic_then}.");
                    undoable(
                        &shell_then,
                        text,
                        &topic_then,
                        Some((payload.clone(), properties.clone())),
                    )
                }
                Err(reason) => Notice::new(format!("{topic_then} was not cleared: {reason}.")),
            });
        },
    );
}

/// With a way back, if what was there is known whole.
fn undoable(
    shell: &Shell,
    text: String,
    topic: &str,
    before: Option<(Payload, Properties)>,
) -> Notice {
    let (payload, properties) = before.unwrap_or((Payload::new(&[]), Properties::default()));
    if payload.is_cut() {
        return Notice::new(format!(
            "{text} It was too large to be brought back from here."
        ));
    }
    let (shell, topic) = (shell.clone(), topic.to_owned());
    Notice::new(text).with_undo(Callback::from(move |()| {
        let (notify, topic_then) = (shell.notify.clone(), topic.clone());
        let bytes = payload.kept().to_vec();
        send(&shell, &topic, bytes, properties.clone(), move |answer| {
            notify.emit(Notice::new(match answer {
                Ok(()) => format!("{topic_then} is as it was."),
                Err(reason) => format!("{topic_then} was not brought back: {reason}."),
            }));
        });
    }))
}

fn send(
    shell: &Shell,
    topic: &str,
    payload: Vec<u8>,
    properties: Properties,
    done: impl Fn(Result<(), String>) + 'static,
) {
    let Some(feed) = &shell.feed else {
        done(Err("there is no connection".to_owned()));
        return;
    };
    let message = Outgoing {
        topic: topic.to_owned(),
        payload,
        qos: 1,
        retain: true,
        properties,
    };
    feed.send(
        message,
        Callback::from(move |answer: Answer| done(answer.map(drop))),
    );
}
