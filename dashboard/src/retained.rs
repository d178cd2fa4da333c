//! Setting one retained message over MQTT and clearing it over the API: told when it is done, and taken back when asked.

use ebbtide_api::{DeleteRetainedResponse, Scope};
use yew::Callback;

use crate::api;
use crate::browser;
use crate::components::toast::Notice;
use crate::feed::Answer;
use crate::model::deletion;
use crate::model::message::Properties;
use crate::model::name::shown;
use crate::model::payload::Payload;
use crate::model::publish::Outgoing;
use crate::model::undo;
use crate::shell::Shell;

const TOO_LARGE: &str = "What was there before is too large to be brought back from here.";

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
            let text = format!(
                "Published to {}. The broker has kept it.",
                shown(&topic_then)
            );
            shell_then
                .notify
                .emit(undoable(&shell_then, text, &topic_then, before.clone()));
        }
        done.emit(answer);
    });
}

/// Takes away what the broker keeps there. The broker says what that was: the page may have seen events since, and keeps of
/// what it has seen no more than its limits. To whoever may not read it says nothing: then the page waits before.
pub fn clear(shell: &Shell, topic: &str) {
    let name = shown(topic);
    let clearing = {
        let (shell, topic, name) = (shell.clone(), topic.to_owned(), name.clone());
        move || clear_now(shell, topic, name)
    };
    if shell.may(Scope::Read) {
        return clearing();
    }
    let undone = shell
        .notify
        .reform(|()| Notice::new("Nothing was cleared."));
    let notice = Notice::before(format!("Clearing {name}."), clearing, undone);
    shell.notify.emit(notice);
}

fn clear_now(shell: Shell, topic: String, name: String) {
    browser::begin(async move {
        let notice = match api::retained::delete_matching(&topic, false).await {
            Ok(deleted) => {
                let text = deletion::cleared(&name, &deleted, shell.may(Scope::Read));
                deleted_notice(&shell, text, deleted, format!("{name} is as it was."))
            }
            Err(reason) => Notice::new(format!("{name} was not cleared. {reason}")),
        };
        shell.notify.emit(notice);
    });
}

/// Says what was deleted, with a way back if the broker has given some of it back, and then that it is `back`.
pub fn deleted_notice(
    shell: &Shell,
    text: String,
    deleted: DeleteRetainedResponse,
    back: String,
) -> Notice {
    let gone = deleted.deleted;
    if gone.is_empty() {
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
        let (notify, name) = (shell.notify.clone(), shown(&topic));
        let bytes = payload.kept().to_vec();
        send(&shell, &topic, bytes, properties.clone(), move |answer| {
            notify.emit(Notice::new(match answer {
                Ok(()) => format!("{name} is as it was."),
                Err(reason) => format!("{name} was not brought back: {reason}."),
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
