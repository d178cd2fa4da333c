//! The topic that is looked at: what it says now, with what it came, its numbers as a line, and what it said before.

use std::rc::Rc;

use ebbtide_api::Scope;
use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::versions::Versions;
use crate::api;
use crate::browser;
use crate::components::copy_button::CopyButton;
use crate::components::link::PageLink;
use crate::components::needs::needs;
use crate::components::payload_panel::PayloadPanel;
use crate::components::spark::spark;
use crate::components::topic_path::topic_path;
use crate::model::clock;
use crate::model::export;
use crate::model::location::Location;
use crate::model::message::{Message, Properties};
use crate::model::payload::size;
use crate::model::series;
use crate::pages::publish;
use crate::retained;
use crate::shell::use_shell;

/// The broker is asked about a retained message when it has stayed the same for so long.
const SETTLED_MS: u32 = 250;

#[derive(Properties)]
pub struct Props {
    pub topic: AttrValue,
    /// The newest first; empty when nothing is known.
    pub versions: Rc<[Rc<Message>]>,
    pub is_retained: bool,
    /// Of the topic, during this visit.
    pub messages: u64,
    /// Topics below it.
    pub below: usize,
    /// The page without a selection.
    pub back: Location,
    pub on_delete: Callback<Option<String>>,
}

impl PartialEq for Props {
    /// Messages never change; only others come first.
    fn eq(&self, other: &Self) -> bool {
        let first = |versions: &[Rc<Message>]| versions.first().map(Rc::as_ptr);
        first(&self.versions) == first(&other.versions)
            && (
                &self.topic,
                self.is_retained,
                self.messages,
                self.below,
                &self.back,
            ) == (
                &other.topic,
                other.is_retained,
                other.messages,
                other.below,
                &other.back,
            )
    }
}

/// What only the broker knows of a retained message.
#[derive(Clone, PartialEq)]
struct Kept {
    qos: u8,
    accepted_at_ms: Option<i64>,
    expires_at_ms: Option<i64>,
}

#[component]
pub fn Detail(props: &Props) -> Html {
    let shell = use_shell();
    let kept = use_kept(props);
    let member = use_state_eq(|| None::<String>);
    let newest = props.versions.first().filter(|newest| !is_clearing(newest));
    let was_cleared = newest.is_none() && !props.versions.is_empty();
    let whole = is_kept(props).then(|| AttrValue::from(api::retained::path(&props.topic)));
    let on_clear = {
        let (shell, topic) = (shell.clone(), props.topic.clone());
        Callback::from(move |_: MouseEvent| retained::clear(&shell, &topic))
    };
    let on_delete = {
        let topic = props.topic.to_string();
        props
            .on_delete
            .reform(move |_: MouseEvent| Some(topic.clone()))
    };
    let on_export = {
        let versions = Rc::clone(&props.versions);
        Callback::from(move |_: MouseEvent| {
            // In the order in which they came.
            let lines = export::json_lines(versions.iter().rev().map(|message| &**message));
            browser::download("topic.jsonl", &lines.into());
        })
    };
    let can_change = shell.connection.is_online() && shell.may(Scope::Publish);
    let has_change = props.is_retained && newest.is_some() || props.below > 0;
    html! {
        <article class="panel topic-detail" aria-labelledby="topic-title" data-testid="topic-detail" data-topic={props.topic.clone()}>
            <PageLink to={props.back.clone()} class="topic-back">{ "All topics" }</PageLink>
            <div class="topic-head">
                <h2 id="topic-title" class="topic-title">{ topic_path(&props.topic) }</h2>
                <CopyButton text={props.topic.clone()} label="the topic" />
            </div>
            { standing(props, newest, kept.as_ref(), was_cleared) }
            <div class="topic-actions">
                <PageLink to={publish::location_for(&props.topic)} class="button button-small">{ "Publish to it" }</PageLink>
                if props.is_retained && newest.is_some() {
                    <button type="button" class="button button-small" disabled={!can_change} onclick={on_clear}>{ "Clear" }<span class="visually-hidden">{ " the retained message" }</span></button>
                }
                if props.below > 0 {
                    <button type="button" class="button button-small button-danger" disabled={!can_change} onclick={on_delete}>{ "Delete retained below…" }</button>
                }
                if !props.versions.is_empty() {
                    <button type="button" class="button button-small" onclick={on_export}>{ "Export" }<span class="visually-hidden">{ " its messages as JSON Lines" }</span></button>
                }
            </div>
            if has_change {
                { needs(&shell, Scope::Publish) }
            }
            <div class="slot">
                if let Some(newest) = newest {
                <PayloadPanel id="topic" payload={newest.payload.clone()} {whole} />
                { properties(&newest.properties) }
                }
            </div>
            <div class="slot">{ numbers(&props.versions, &member) }</div>
            if !props.versions.is_empty() {
                <section class="topic-part" aria-labelledby="topic-history">
                    <h3 id="topic-history">{ "History of this visit" }</h3>
                    <Versions versions={Rc::clone(&props.versions)} />
                </section>
            }
        </article>
    }
}

/// An empty retained message takes away what was kept.
fn is_clearing(message: &Message) -> bool {
    message.retained && message.payload.is_empty()
}

/// Whether the newest message is the one that the broker keeps: an event after it leaves that as it is.
fn is_kept(props: &Props) -> bool {
    props.is_retained && props.versions.first().is_some_and(|newest| newest.retained)
}

fn standing(
    props: &Props,
    newest: Option<&Rc<Message>>,
    kept: Option<&Kept>,
    was_cleared: bool,
) -> Html {
    let Some(newest) = newest else {
        let text = match (was_cleared, props.below) {
            (true, _) => "Its retained message was cleared.".to_owned(),
            (false, 0) => "Nothing is known of this topic under this filter.".to_owned(),
            (false, 1) => "No message of its own; one topic below it.".to_owned(),
            (false, below) => format!("No message of its own; {below} topics below it."),
        };
        return html! { <p class="note" data-testid="topic-standing">{ text }</p> };
    };
    let time = |at_ms: i64| {
        html! {
            <time datetime={browser::iso_time(at_ms)}>{ browser::exact_time(at_ms) }</time>
        }
    };
    let accepted = kept.and_then(|kept| kept.accepted_at_ms);
    let qos = kept.map_or(newest.qos, |kept| kept.qos);
    html! {
        <dl class="standing" data-testid="topic-standing">
            <div><dt>{ "Kept" }</dt><dd>{ standing_of(props) }</dd></div>
            if let Some(at_ms) = accepted {
                <div><dt>{ "Published" }</dt><dd>{ time(at_ms) }</dd></div>
            } else {
                <div><dt>{ "Arrived here" }</dt><dd>{ time(newest.at_ms) }</dd></div>
            }
            <div><dt>{ if kept.is_some() { "QoS" } else { "QoS of delivery" } }</dt><dd>{ qos }</dd></div>
            if let Some(at_ms) = kept.and_then(|kept| kept.expires_at_ms) {
                <div><dt>{ "Expires" }</dt><dd>{ time(at_ms) }</dd></div>
            }
            <div><dt>{ "Size" }</dt><dd>{ size(newest.payload.bytes()) }</dd></div>
            <div><dt>{ "Messages seen" }</dt><dd>{ props.messages }</dd></div>
        </dl>
    }
}

fn standing_of(props: &Props) -> &'static str {
    match props.is_retained {
        true if is_kept(props) => "Retained",
        true => "Not this one: another message is retained",
        false => "Not retained",
    }
}

/// With what a message came, beside its payload.
pub fn properties(properties: &Properties) -> Html {
    if properties.is_empty() {
        return Html::default();
    }
    let rows = properties.rows().into_iter().map(|(name, value)| {
        html! { <div><dt>{ name }</dt><dd><bdi>{ value }</bdi></dd></div> }
    });
    let user = properties.user_properties.iter().map(|(name, value)| {
        html! { <tr><th scope="row"><bdi>{ name.clone() }</bdi></th><td><bdi>{ value.clone() }</bdi></td></tr> }
    });
    let left_out = properties.user_properties_left_out;
    html! {
        <section class="topic-part" aria-labelledby="topic-properties">
            <h3 id="topic-properties">{ "Properties" }</h3>
            <dl class="standing">{ for rows }</dl>
            if !properties.user_properties.is_empty() {
                <table class="pairs">
                    <caption>{ "User Properties" }</caption>
                    <tbody>{ for user }</tbody>
                </table>
            }
            if left_out > 0 {
                <p class="note">{ format!("{left_out} more user properties.") }</p>
            }
        </section>
    }
}

/// The numbers of the topic, where it has had at least two.
fn numbers(versions: &[Rc<Message>], chosen: &UseStateHandle<Option<String>>) -> Html {
    let fields = versions
        .first()
        .map(|newest| series::fields(&newest.payload));
    let fields = fields.unwrap_or_default();
    let Some((first, _)) = fields.first() else {
        return Html::default();
    };
    let is_offered = |name: &&String| fields.iter().any(|(known, _)| known == *name);
    let field = chosen.as_ref().filter(is_offered).unwrap_or(first);
    let points = series::points(versions, field);
    if points.len() < 2 {
        return Html::default();
    }
    let label = if field.is_empty() { "Value" } else { field };
    let choose = fields.len() > 1;
    let onchange = {
        let chosen = chosen.clone();
        Callback::from(move |event: Event| chosen.set(browser::value_of(&event)))
    };
    let options = fields.iter().map(|(name, _)| {
        html! { <option value={name.clone()} selected={name == field}>{ name.clone() }</option> }
    });
    html! {
        <section class="topic-part" aria-labelledby="topic-numbers">
            <div class="part-head">
                <h3 id="topic-numbers">{ if choose { "Numbers" } else { label } }</h3>
                if choose {
                    <label class="sort">{ "Member" }<select {onchange}>{ for options }</select></label>
                }
            </div>
            { spark(&points, label) }
        </section>
    }
}

/// Asked once the message has settled, and again when it is another.
#[hook]
fn use_kept(props: &Props) -> Option<Kept> {
    // With the message that it is about.
    let known = use_state(|| None::<(*const Message, Kept)>);
    let newest = props.versions.first().map(Rc::as_ptr);
    let about = newest.filter(|_| is_kept(props));
    use_effect_with((about, props.topic.clone()), {
        let known = known.clone();
        move |(about, topic): &(Option<*const Message>, AttrValue)| {
            let (about, topic) = (*about, topic.clone());
            let ask = about.map(|about| {
                Timeout::new(SETTLED_MS, move || {
                    wasm_bindgen_futures::spawn_local(async move {
                        // Gone meanwhile, or no answer: then what is known here is shown.
                        let Ok(Some(found)) = api::retained::about(&topic).await else {
                            return;
                        };
                        let kept = Kept {
                            qos: found.qos,
                            accepted_at_ms: clock::parse(&found.accepted_at),
                            expires_at_ms: found.expires_at.as_deref().and_then(clock::parse),
                        };
                        known.set(Some((about, kept)));
                    });
                })
            });
            move || drop(ask)
        }
    });
    let (of, kept) = (*known).clone()?;
    (Some(of) == about).then_some(kept)
}
