//! Messages as they arrive: held with Pause, narrowed with the search, each opened where it stands.

use std::rc::Rc;

use yew::prelude::*;

use super::subscribe::Subscriptions;
use crate::browser;
use crate::components::payload_panel::PayloadPanel;
use crate::components::topic_path::topic_path;
use crate::model::export;
use crate::model::format::{count, counted};
use crate::model::live::SHOWN_MAX;
use crate::model::message::Message;
use crate::pages::topics::{preview, properties};
use crate::shell::use_shell;
use crate::stores::LiveStore;

/// Drawn; the others are a search or an export away.
const LISTED_MAX: usize = 200;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub search: String,
}

#[component]
pub fn LivePanel(props: &Props) -> Html {
    let shell = use_shell();
    let store = shell.stores.live.clone();
    let redraw = use_force_update();
    let opened = use_state(|| None::<Rc<Message>>);
    use_effect_with(store.clone(), {
        let redraw = redraw.clone();
        move |store: &LiveStore| {
            store.show_on(Some(Callback::from(move |()| redraw.force_update())));
            let store = store.clone();
            move || store.show_on(None)
        }
    });
    let on_change = Callback::from(move |()| redraw.force_update());
    let act = |act: fn(&LiveStore)| {
        let (store, on_change) = (store.clone(), on_change.clone());
        Callback::from(move |_: MouseEvent| {
            act(&store);
            on_change.emit(());
        })
    };
    let on_pause = act(|store| store.live_mut().pause());
    let on_resume = act(|store| store.live_mut().resume());
    let on_clear = act(|store| store.live_mut().clear());
    let live = store.live();
    let found = live.matching(&props.search);
    let on_export = {
        let found: Vec<Rc<Message>> = found.clone();
        Callback::from(move |_: MouseEvent| {
            let lines = export::json_lines(found.iter().rev().map(|message| &**message));
            browser::download("messages.jsonl", &lines.into());
        })
    };
    let subscriptions = store.subscriptions();
    let is_silent = subscriptions.is_empty();
    let messages = found.iter().take(LISTED_MAX);
    let messages = messages.map(|message| live_message(message, &opened));
    html! {
        <section class="panel live" aria-labelledby="live-title">
            <h2 id="live-title" class="panel-title">{ "What arrives" }</h2>
            <Subscriptions store={store.clone()} {subscriptions} {on_change} />
            <div class="form-row live-tools">
                if live.is_paused() {
                    <button type="button" class="button button-small" onclick={on_resume}>{ "Go on" }</button>
                } else {
                    <button type="button" class="button button-small" disabled={is_silent} onclick={on_pause}>{ "Pause" }</button>
                }
                <button type="button" class="button button-small" disabled={live.received == 0} onclick={on_clear}>{ "Clear" }</button>
                <button type="button" class="button button-small" disabled={found.is_empty()} onclick={on_export}>{ "Export as JSON Lines" }</button>
                <p class="note" data-testid="live-count">{ summary(live.received, live.waiting(), live.dropped) }</p>
            </div>
            if found.is_empty() {
                <p class="note">{ why_empty(is_silent, live.received, &props.search) }</p>
            } else {
                <ol class="versions live-list" aria-label="Messages, the newest first" data-testid="live-list">{ for messages }</ol>
            }
            if found.len() > LISTED_MAX {
                <p class="note">{ format!("The newest {LISTED_MAX} of {}. Search to see others.", found.len()) }</p>
            }
        </section>
    }
}

fn summary(received: u64, waiting: usize, dropped: u64) -> String {
    let mut text = counted(received, "message");
    if waiting > 0 {
        text.push_str(&format!(", {} wait", count(waiting as u64)));
    }
    if dropped > 0 {
        text.push_str(&format!(
            ", {} older ones gone: the last {} are kept",
            count(dropped),
            count(SHOWN_MAX as u64)
        ));
    }
    text
}

fn why_empty(is_silent: bool, received: u64, search: &str) -> String {
    match (is_silent, received) {
        (_, 1..) if !search.trim().is_empty() => format!("No message matches “{search}”."),
        (true, _) => {
            "Subscribe to a filter, and its messages appear here as they arrive.".to_owned()
        }
        _ => "Nothing has arrived yet.".to_owned(),
    }
}

fn live_message(message: &Rc<Message>, opened: &UseStateHandle<Option<Rc<Message>>>) -> Html {
    let is_open = opened
        .as_ref()
        .is_some_and(|open| Rc::ptr_eq(open, message));
    let onclick = {
        let (opened, message) = (opened.clone(), Rc::clone(message));
        Callback::from(move |_: MouseEvent| opened.set((!is_open).then(|| Rc::clone(&message))))
    };
    let expanded = if is_open { "true" } else { "false" };
    html! {
        <li key={format!("{:p}", Rc::as_ptr(message))} class="version" data-topic={AttrValue::Rc(Rc::clone(&message.topic))}>
            <button type="button" class="version-head" aria-expanded={expanded} {onclick}>
                <time datetime={browser::iso_time(message.at_ms)}>{ browser::time_of_day(message.at_ms) }</time>
                <span class="live-topic">{ topic_path(&message.topic) }</span>
                <span class="note">{ format!("QoS {}", message.qos) }</span>
                if message.retained {
                    <span class="mark-retained" title="Retained">{ "R" }<span class="visually-hidden">{ "etained" }</span></span>
                }
                <span class="topic-value">{ preview(&message.payload) }</span>
            </button>
            if is_open {
                <div class="version-body">
                    <PayloadPanel id="live" payload={message.payload.clone()} />
                    { properties(&message.properties) }
                </div>
            }
        </li>
    }
}
