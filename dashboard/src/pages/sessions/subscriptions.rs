//! What a session subscribes to.

use ebbtide_api::{Subscription, SubscriptionQuery};
use yew::prelude::*;

use crate::api::{self, use_polled};
use crate::components::topic_path::topic_path;
use crate::model::format::count;
use crate::model::session::options;

const ASKED_EVERY_MS: u32 = 10_000;
/// More are counted, not shown.
const SHOWN_MAX: usize = 1_000;

#[derive(Properties, PartialEq)]
pub struct SubscriptionsProps {
    pub client_id: AttrValue,
    /// How many there are, as far as that is known.
    pub count: u64,
}

#[component]
pub fn Subscriptions(props: &SubscriptionsProps) -> Html {
    // Asked anew as soon as the number changes.
    let question = (props.client_id.clone(), props.count);
    let polled = use_polled(question, ASKED_EVERY_MS, |(client_id, _)| {
        let asked = SubscriptionQuery {
            cursor: None,
            limit: Some(SHOWN_MAX),
        };
        api::subscriptions(&client_id, &asked)
    });
    let page = polled.value.as_deref();
    let total = page.map_or(props.count, |page| page.total);
    let more = page.is_some_and(|page| page.next.is_some());
    html! {
        <section class="part" aria-labelledby="subscriptions-title" data-testid="subscriptions">
            <div class="part-head">
                <h2 id="subscriptions-title">{ "Subscriptions" }</h2>
                <span class="note">{ count(total) }</span>
            </div>
            if let Some(fault) = &polled.fault {
                <p class="note" role="status">{ fault.to_string() }</p>
            }
            if let Some(page) = page {
                if page.subscriptions.is_empty() {
                    <p class="note">{ "It has none: nothing new is sent to it." }</p>
                } else {
                    { table("Subscriptions", &page.subscriptions) }
                }
            }
            if more {
                <p class="note">{ format!("Showing the first {}.", count(SHOWN_MAX as u64)) }</p>
            }
        </section>
    }
}

pub fn table(caption: &'static str, subscriptions: &[Subscription]) -> Html {
    let rows = subscriptions.iter().map(|subscription| {
        html! {
            <tr key={subscription.filter.clone()}>
                <th scope="row" class="cell-topic">{ topic_path(&subscription.filter) }</th>
                <td class="number">{ subscription.qos }</td>
                <td class="cell-wrap">{ options(subscription) }</td>
            </tr>
        }
    });
    html! {
        <div class="table-scroll" tabindex="0" role="region" aria-label={format!("Table: {caption}")}>
            <table class="table">
                <caption class="visually-hidden">{ caption }</caption>
                <thead><tr>
                    <th scope="col">{ "Filter" }</th>
                    <th scope="col" class="number">{ "QoS" }</th>
                    <th scope="col">{ "Options" }</th>
                </tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}
