//! "Why did this client not get that message?": asked for a topic, answered from what the broker itself decided.

use ebbtide_api::{Why, WhyQuery};
use yew::prelude::*;

use super::TOPIC;
use super::subscriptions;
use crate::api::{self, use_polled};
use crate::browser;
use crate::components::draft::use_draft;
use crate::components::now::RelativeTime;
use crate::model::clock;
use crate::model::format::{count, counted};
use crate::model::session::{queued, verdict};
use crate::shell::{Step, use_shell};

const ASKED_EVERY_MS: u32 = 3_000;

#[derive(Properties, PartialEq)]
pub struct WhyNotProps {
    pub client_id: AttrValue,
}

#[component]
pub fn WhyNot(props: &WhyNotProps) -> Html {
    let shell = use_shell();
    let topic = shell.location.get(TOPIC).map(str::to_owned);
    let typed = use_draft(topic.as_deref().unwrap_or_default());
    let question = (props.client_id.clone(), topic.clone());
    let polled = use_polled(question, ASKED_EVERY_MS, |(client_id, topic)| async move {
        let Some(topic) = topic else { return Ok(None) };
        api::why(&client_id, &WhyQuery { topic }).await.map(Some)
    });
    let onsubmit = {
        let (shell, typed) = (shell.clone(), typed.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let to = shell.location.clone().with(TOPIC, &typed);
            shell.go.emit((to, Step::Replace));
        })
    };
    let oninput = {
        let typed = typed.clone();
        Callback::from(move |event: InputEvent| {
            typed.set(browser::value_of(&event).unwrap_or_default());
        })
    };
    let answer = polled.value.as_deref().and_then(Option::as_ref);
    let answer = answer.filter(|_| polled.is_current);
    html! {
        <section class="panel why" aria-labelledby="why-title" data-testid="why">
            <h2 id="why-title">{ "Why did this client not get that message?" }</h2>
            <form class="why-form" {onsubmit}>
                <label for="why-topic">{ "Topic of the message" }</label>
                <input id="why-topic" class="text-input" type="text" required={true}
                    value={(*typed).clone()} {oninput} autocomplete="off" autocapitalize="off" spellcheck="false" />
                <button type="submit" class="button button-primary">{ "Ask the broker" }</button>
            </form>
            <div class="why-answer" role="status">
                if let (Some(fault), true) = (&polled.fault, topic.is_some()) {
                    <p class="note">{ fault.to_string() }</p>
                }
                if let Some(why) = answer {
                    { answer_in_words(why) }
                }
            </div>
        </section>
    }
}

fn answer_in_words(why: &Why) -> Html {
    let (words, tone) = verdict(why.verdict);
    let waiting = why.waiting.iter().map(|message| {
        let at_ms = clock::parse(&message.accepted_at);
        html! {
            <li>
                { format!("At position {}: {}", count(message.position + 1), queued(message.state)) }
                if let Some(at_ms) = at_ms {
                    { ", taken in " }<RelativeTime {at_ms} />
                }
            </li>
        }
    });
    let fates = why.fates.iter().map(|fate| {
        let at_ms = clock::parse(&fate.last_at);
        html! {
            <li>
                { verdict(fate.fate).0 }
                if fate.count > 1 {
                    { format!(", {} times", count(fate.count)) }
                }
                if let Some(at_ms) = at_ms {
                    { ", last " }<RelativeTime {at_ms} />
                }
                if !fate.certain {
                    { " (perhaps of another topic)" }
                }
            </li>
        }
    });
    html! {
        <>
            <p class="verdict" data-tone={tone.name()} data-testid="verdict">{ words }</p>
            <p class="lead">{ why.explanation.clone() }</p>
            if let Some(rule) = why.rule {
                <p class="note">{ format!("Rule {rule} decides whether it may have messages of this topic.") }</p>
            }
            if !why.waiting.is_empty() {
                <h3>{ "Waiting" }</h3>
                <ul class="why-list">{ for waiting }</ul>
            }
            if !why.fates.is_empty() {
                <h3>{ "Earlier messages of this topic" }</h3>
                <ul class="why-list">{ for fates }</ul>
            }
            if !why.subscriptions.is_empty() {
                <h3>{ "Subscriptions that match" }</h3>
                { subscriptions::table("Subscriptions that match", &why.subscriptions) }
            }
            if why.looked_at < why.queue_total {
                <p class="note">{ format!("Looked at the first {} of {}.", count(why.looked_at), counted(why.queue_total, "waiting message")) }</p>
            }
        </>
    }
}
