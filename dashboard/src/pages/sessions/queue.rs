//! What a session is to get, in its order: a look into the queue that changes nothing.

use ebbtide_api::{QueuePage, QueueQuery, QueuedMessage};
use yew::prelude::*;

use super::OFFSET;
use crate::api::{self, Fault, use_polled};
use crate::components::now::RelativeTime;
use crate::components::pager::pager;
use crate::components::topic_path::topic_path;
use crate::model::clock;
use crate::model::format::{bytes, count, duration_s};
use crate::model::payload::shorten;
use crate::model::session::{queued, range};
use crate::shell::{Step, use_shell};

const ASKED_EVERY_MS: u32 = 3_000;
const PAGE_LEN: usize = 25;
/// Of a payload on its line.
const PAYLOAD_CHARS_MAX: usize = 120;
const PAYLOAD_BYTES_MAX: usize = 256;

#[derive(Properties, PartialEq)]
pub struct QueueProps {
    pub client_id: AttrValue,
    /// How many there are, as far as that is known.
    pub waiting: u64,
}

/// The page at an offset, or the last one, if the queue has become shorter than that.
async fn look(client_id: AttrValue, mut offset: u64) -> Result<QueuePage, Fault> {
    loop {
        let asked = QueueQuery {
            offset: Some(offset as usize),
            limit: Some(PAGE_LEN),
            payload_bytes_max: Some(PAYLOAD_BYTES_MAX),
        };
        let page = api::queue(&client_id, &asked).await?;
        let last = page.total.saturating_sub(1) / PAGE_LEN as u64 * PAGE_LEN as u64;
        if !page.messages.is_empty() || offset <= last {
            return Ok(page);
        }
        offset = last;
    }
}

#[component]
pub fn Queue(props: &QueueProps) -> Html {
    let shell = use_shell();
    let offset = shell
        .location
        .get(OFFSET)
        .and_then(|text| text.parse().ok());
    let offset: u64 = offset.unwrap_or_default();
    // Asked anew as soon as the number changes.
    let question = (props.client_id.clone(), offset, props.waiting);
    let polled = use_polled(question, ASKED_EVERY_MS, |(client_id, offset, _)| {
        look(client_id, offset)
    });
    let to_offset = |offset: u64| {
        let text = if offset == 0 {
            String::new()
        } else {
            offset.to_string()
        };
        let to = shell.location.clone().with(OFFSET, &text);
        shell.go.reform(move |()| (to.clone(), Step::Replace))
    };
    // From the page that is shown, not from the one that is asked for.
    let page = polled.value.as_deref();
    let first = page.and_then(|page| page.messages.first());
    let first = first.map_or(0, |message| message.position);
    let previous = (first > 0).then(|| to_offset(first.saturating_sub(PAGE_LEN as u64)));
    let next = page.and_then(|page| page.next_offset).map(to_offset);
    let range = page.map_or_else(String::new, |page| {
        range(first, page.messages.len() as u64, page.total)
    });
    let rows = page.map(|page| page.messages.iter().map(message).collect::<Html>());
    let is_empty = page.is_none_or(|page| page.messages.is_empty());
    html! {
        <section class="part" aria-labelledby="queue-title" data-testid="queue">
            <div class="part-head">
                <h2 id="queue-title">{ "Queue" }</h2>
                { pager("Pages of the queue", range, previous, next) }
            </div>
            if let Some(fault) = &polled.fault {
                <p class="note" role="status">{ fault.to_string() }</p>
            }
            if is_empty && page.is_none() {
                if polled.fault.is_none() {
                    <p class="note">{ "Loading" }</p>
                }
            } else if is_empty {
                <p class="note">{ "Nothing waits, and nothing is under way." }</p>
            } else {
                <div class="table-scroll" tabindex="0" role="region" aria-label="Messages of the queue">
                    <table class="table table-queue">
                        <caption class="visually-hidden">{ "The queue, the next message first" }</caption>
                        <thead><tr>
                            <th scope="col" class="number">{ "Position" }</th>
                            <th scope="col">{ "Topic" }</th>
                            <th scope="col">{ "Payload" }</th>
                            <th scope="col" class="number">{ "Size" }</th>
                            <th scope="col" class="number">{ "QoS" }</th>
                            <th scope="col">{ "State" }</th>
                            <th scope="col">{ "Accepted" }</th>
                            <th scope="col" class="number">{ "Expires in" }</th>
                        </tr></thead>
                        <tbody>{ rows }</tbody>
                    </table>
                </div>
            }
        </section>
    }
}

fn message(message: &QueuedMessage) -> Html {
    let accepted_ms = message.accepted_at.as_deref().and_then(clock::parse);
    let size = message.payload_bytes.map(|size| bytes(size as f64));
    let payload = match (&message.payload, &message.payload_base64) {
        (Some(text), _) => shorten(text, PAYLOAD_CHARS_MAX),
        (None, Some(_)) => "binary".to_owned(),
        (None, None) => "–".to_owned(),
    };
    html! {
        <tr key={message.position}>
            <th scope="row" class="number">{ count(message.position + 1) }</th>
            <td class="cell-topic">
                if let Some(topic) = &message.topic {
                    { topic_path(topic) }
                } else {
                    { "not kept" }
                }
            </td>
            <td class="cell-payload" dir="auto">{ payload }</td>
            <td class="number">{ size.unwrap_or_else(|| "–".to_owned()) }</td>
            <td class="number">{ message.qos }</td>
            <td>{ queued(message.state) }</td>
            <td>
                if let Some(at_ms) = accepted_ms {
                    <RelativeTime {at_ms} />
                } else {
                    { "–" }
                }
            </td>
            <td class="number">{ message.expires_in_s.map_or_else(|| "–".to_owned(), duration_s) }</td>
        </tr>
    }
}
