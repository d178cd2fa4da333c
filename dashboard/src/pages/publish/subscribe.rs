//! What the live list listens to: filters with their QoS, added and ended one by one.

use yew::prelude::*;

use crate::components::form_field::{TextField, text_field};
use crate::components::segmented::{Segmented, segmented};
use crate::shell::use_shell;
use crate::stores::{LiveStore, Subscribed};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub store: LiveStore,
    pub subscriptions: Vec<Subscribed>,
    pub on_change: Callback<()>,
}

#[component]
pub fn Subscriptions(props: &Props) -> Html {
    let shell = use_shell();
    let filter = use_state_eq(String::new);
    let qos = use_state_eq(|| "0");
    let problem = use_state_eq(String::new);
    let onsubmit = {
        let (store, on_change, feed) = (
            props.store.clone(),
            props.on_change.clone(),
            shell.feed.clone(),
        );
        let (filter, qos, problem) = (filter.clone(), qos.clone(), problem.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match store.subscribe(feed.as_deref(), &filter, qos.parse().unwrap_or_default()) {
                Ok(()) => {
                    filter.set(String::new());
                    problem.set(String::new());
                    on_change.emit(());
                }
                Err(reason) => problem.set(reason),
            }
        })
    };
    let on_input = {
        let (filter, problem) = (filter.clone(), problem.clone());
        Callback::from(move |text| {
            filter.set(text);
            problem.set(String::new());
        })
    };
    let on_choose = {
        let qos = qos.clone();
        Callback::from(move |chosen| qos.set(chosen))
    };
    let listed = props.subscriptions.iter().map(|subscription| {
        let onclick = {
            let (store, filter) = (props.store.clone(), subscription.filter.clone());
            Callback::from(move |_: MouseEvent| store.unsubscribe(&filter))
        };
        let refused = subscription.refused.as_ref();
        html! {
            <li key={subscription.filter.clone()} class="subscription" data-testid="live-subscription" data-refused={refused.map(|_| "true")}>
                <code class="subscription-filter">{ subscription.filter.clone() }</code>
                <span class="note">
                    { match refused {
                        None => format!("QoS {}", subscription.qos),
                        Some(reason) => format!("refused: {reason}"),
                    } }
                </span>
                <button type="button" class="button button-small" {onclick}>{ "End" }<span class="visually-hidden">{ format!(" the subscription to {}", subscription.filter) }</span></button>
            </li>
        }
    });
    let field = text_field(TextField {
        id: "live-filter",
        label: "Topic filter",
        value: (*filter).clone(),
        problem: (*problem).clone(),
        placeholder: "sensors/#",
        on_input,
        ..TextField::default()
    });
    let levels = segmented(Segmented {
        name: "live-qos".to_owned(),
        label: "QoS",
        show_label: true,
        choices: vec![("0", "0"), ("1", "1"), ("2", "2")],
        chosen: (*qos).to_owned(),
        on_choose,
    });
    html! {
        <>
            <form class="subscribe-form" {onsubmit} novalidate=true>
                { field }
                { levels }
                <button type="submit" class="button">{ "Subscribe" }</button>
            </form>
            if !props.subscriptions.is_empty() {
                <ul class="subscriptions" aria-label="Subscriptions">{ for listed }</ul>
            }
        </>
    }
}
