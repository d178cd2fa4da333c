//! Setting one retained message over MQTT and clearing it over the API: told when it is done, and taken back when asked.

use ebbtide_api::DeleteRetainedResponse;
use yew::Callback;

use crate::api;
use crate::browser;
use crate::components::toast::Notice;
use crate::feed::Answer;
use crate::model::message::Properties;
use crate::model::payload::Payload;
use crate::model::publish::Outgoing;
use crate::model::undo;
use crate::shell::Shell;

const TOO_LARGE: &str = "It was too large to be brought back from here.";

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

/// Takes away what the broker keeps there. The broker says what that was: the page may have seen events since, and keeps of
/// what it has seen no more than its limits.
pub fn clear(shell: &Shell, topic: &str) {
    let (shell, topic) = (shell.clone(), topic.to_owned());
    wasm_bindgen_futures::spawn_local(async move {
        let notice = match api::retained::delete_matching(&topic, false).await {
            Ok(deleted) if deleted.kept > 0 => Notice::new(format!(
                "{topic} was not cleared: it is one of the broker itself."
            )),
            Ok(deleted) => deleted_notice(
                &shell,
                format!("Cleared {topic}."),
                deleted,
                format!("{topic} is as it was."),
            ),
            Err(reason) => Notice::new(format!("{topic} was not cleared. {reason}")),
        };
        shell.notify.emit(notice);
    });
}

/// Says what was deleted, with a way back as far as the broker has given it back, and then that it is `back`.
pub fn deleted_notice(
    shell: &Shell,
    text: String,
    deleted: DeleteRetainedResponse,
    back: String,
) -> Notice {
    let (gone, count) = (deleted.deleted, deleted.count);
    if gone.is_empty() && count > 0 {
        return Notice::new(format!("{text} {TOO_LARGE}"));
    } else if gone.is_empty() {
        return Notice::new(text);
    }
    let notify = shell.notify.clone();
    Notice::new(text).with_undo(Callback::from(move |()| {
        let messages = undo::messages(&gone, browser::now_ms());
        let (notify, back, all) = (notify.clone(), back.clone(), gone.len());
        wasm_bindgen_futures::spawn_local(async move {
            notify.emit(Notice::new(
                match api::retained::bring_back(messages).await {
                    Ok(taken) if taken == all => back,
                    Ok(taken) => format!(
                        "Brought back {taken} of {all}; the others have expired, or the broker refused them."
                    ),
                    Err(reason) => format!("Nothing was brought back. {reason}"),
                },
            ));
        });
    }))
}

/// With a way back, if what was there is known whole.
fn undoable(
    shell: &Shell,
    text: String,
    topic: &str,
    before: Option<(Payload, Properties)>,
) -> Notice {
    let (payload, properties) = before.unwrap_or((Payload::new(&[]), Properties::default()));
    if payload.is_cut() || properties.is_cut {
        return Notice::new(format!("{text} {TOO_LARGE}"));
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
