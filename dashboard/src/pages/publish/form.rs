//! The message to send: checked while it is typed, sent with Control and Enter, and what the broker said to it.

use ebbtide_api::Scope;
use yew::prelude::*;

use super::editing;
use super::properties::{Problems, property_fields};
use super::saved_list::SavedList;
use crate::browser;
use crate::components::form_field::{TextField, text_field};
use crate::components::segmented::{Segmented, segmented};
use crate::feed::{Accepted, Answer};
use crate::model::bytes::Form;
use crate::model::payload::size;
use crate::model::publish::{Draft, Field};
use crate::shell::use_shell;

/// The broker's reason when nobody has subscribed.
const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Filled in by the address.
    pub topic: String,
}

/// What became of the last message.
#[derive(Clone, PartialEq)]
enum Sent {
    Waiting,
    Told { is_good: bool, text: String },
}

#[component]
pub fn PublishForm(props: &Props) -> Html {
    let shell = use_shell();
    let draft = use_state_eq(Draft::new);
    let sent = use_state_eq(|| None::<Sent>);
    // Nothing is called wrong before somebody has tried.
    let tried = use_state_eq(|| false);
    use_effect_with(props.topic.clone(), {
        let draft = draft.clone();
        move |topic: &String| {
            if !topic.is_empty() {
                draft.set(Draft {
                    topic: topic.clone(),
                    ..(*draft).clone()
                });
            }
        }
    });
    let on_change = {
        let draft = draft.clone();
        Callback::from(move |next: Draft| draft.set(next))
    };
    let edit = |change: fn(&mut Draft, String)| editing(&draft, &on_change, change);
    let checked = draft.check();
    let problem = |field: Field| -> String {
        let faults = checked.as_ref().err().filter(|_| *tried);
        let found = faults.and_then(|faults| faults.iter().find(|(of, _)| *of == field));
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let lacks = shell.lacks(Scope::Publish);
    let online = shell.connection.is_online();
    let can_send = online && lacks.is_none();
    let send = {
        let (checked, feed) = (checked.clone(), shell.feed.clone());
        let (sent, tried) = (sent.clone(), tried.clone());
        Callback::from(move |()| {
            tried.set(true);
            let (Ok(message), Some(feed)) = (&checked, &feed) else {
                sent.set(None);
                return;
            };
            sent.set(Some(Sent::Waiting));
            let (topic, bytes) = (message.topic.clone(), message.payload.len());
            let sent = sent.clone();
            let done = Callback::from(move |answer| sent.set(Some(told(answer, &topic, bytes))));
            feed.send(message.clone(), done);
        })
    };
    let onsubmit = {
        let send = send.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            send.emit(());
        })
    };
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) && can_send {
            event.prevent_default();
            send.emit(());
        }
    });
    let on_form = editing(&draft, &on_change, |draft, form: &'static str| {
        draft.form = form.to_owned();
    });
    let on_qos = editing(&draft, &on_change, |draft, qos: &'static str| {
        draft.qos = qos.parse().unwrap_or_default();
    });
    let on_retain = editing(&draft, &on_change, |draft, _: Event| {
        draft.retain = !draft.retain;
    });
    let on_draft = {
        let tried = tried.clone();
        on_change.reform(move |next: Draft| {
            tried.set(false);
            next
        })
    };
    let topic = text_field(TextField {
        id: "publish-topic",
        label: "Topic",
        value: draft.topic.clone(),
        problem: problem(Field::Topic),
        placeholder: "config/lamp",
        on_input: edit(|draft, text| draft.topic = text),
        ..TextField::default()
    });
    let forms = segmented(Segmented {
        name: "publish-form".to_owned(),
        label: "Payload as",
        show_label: true,
        choices: Form::ALL.map(|form| (form.name(), form.words())).to_vec(),
        chosen: draft.form().name().to_owned(),
        on_choose: on_form,
    });
    let payload = text_field(TextField {
        id: "publish-payload",
        label: "Payload",
        value: draft.payload.clone(),
        problem: problem(Field::Payload),
        is_long: true,
        onkeydown,
        on_input: edit(|draft, text| draft.payload = text),
        ..TextField::default()
    });
    let levels = segmented(Segmented {
        name: "publish-qos".to_owned(),
        label: "QoS",
        show_label: true,
        choices: vec![("0", "0"), ("1", "1"), ("2", "2")],
        chosen: draft.qos.to_string(),
        on_choose: on_qos,
    });
    let problems = Problems {
        expiry: problem(Field::Expiry),
        response_topic: problem(Field::ResponseTopic),
        correlation: problem(Field::Correlation),
    };
    html! {
        <section class="panel" aria-labelledby="publish-title">
            <h2 id="publish-title" class="panel-title">{ "A message" }</h2>
            <form class="form" {onsubmit} novalidate=true>
                <SavedList draft={(*draft).clone()} on_choose={on_draft} />
                { topic }
                { forms }
                { payload }
                <div class="form-row">
                    { levels }
                    <label class="check">
                        <input type="checkbox" checked={draft.retain} onchange={on_retain} />
                        { "Retain: the broker keeps it for later subscribers" }
                    </label>
                </div>
                { property_fields(&draft, problems, &on_change) }
                <div class="form-row">
                    <button type="submit" class="button button-primary" disabled={!can_send} title="Control and Enter">{ "Publish" }</button>
                    <p class="sent" role="status" data-testid="publish-answer">{ answer(&sent, online, lacks, *tried && checked.is_err()) }</p>
                </div>
            </form>
        </section>
    }
}

fn answer(sent: &Option<Sent>, online: bool, lacks: Option<String>, is_wrong: bool) -> Html {
    if let Some(why) = lacks {
        return html! { <span class="note needs" data-testid="needs">{ why }</span> };
    }
    let (class, text) = match sent {
        _ if !online => (
            "note",
            "There is no connection: nothing is sent until it is back.".to_owned(),
        ),
        _ if is_wrong => ("problem", "Not sent: see what is marked above.".to_owned()),
        None => return Html::default(),
        Some(Sent::Waiting) => ("note", "Waiting for the broker…".to_owned()),
        Some(Sent::Told { is_good, text }) => {
            (if *is_good { "good" } else { "problem" }, text.clone())
        }
    };
    html! { <span {class}>{ text }</span> }
}

fn told(answer: Answer, topic: &str, bytes: usize) -> Sent {
    let at = browser::time_of_day(browser::now_ms());
    let what = format!("{} to {topic}", size(bytes));
    let (is_good, text) = match answer {
        Ok(Accepted::NoAnswer) => (
            true,
            format!("{at}: {what} sent. To QoS 0 the broker gives no answer."),
        ),
        Ok(Accepted::Acknowledged {
            reason_code: NO_MATCHING_SUBSCRIBERS,
            reason,
        }) => (
            true,
            format!("{at}: {what} accepted: {reason} (0x10). Nobody was there to get it."),
        ),
        Ok(Accepted::Acknowledged {
            reason_code,
            reason,
        }) => (
            true,
            format!("{at}: {what} accepted: {reason} (0x{reason_code:02x})."),
        ),
        Err(reason) => (false, format!("{at}: {what} refused: {reason}.")),
    };
    Sent::Told { is_good, text }
}
