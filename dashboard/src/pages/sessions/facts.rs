//! What a session is at, as a block of names and values.

use ebbtide_api::Session;
use yew::prelude::*;

use super::row::state;
use crate::components::now::RelativeTime;
use crate::model::clock;
use crate::model::format::{bytes, count, counted, duration_s};
use crate::model::name;
use crate::model::session::ends;

pub fn facts(session: &Session) -> Html {
    let connection = session.connection.as_ref();
    let waits = html! {
        <>
            { counted(session.queue_messages, "message") }
            <span class="cell-detail">{ bytes(session.queue_bytes as f64) }</span>
        </>
    };
    let text = |text: String| html! { { text } };
    let mut facts = vec![
        ("State", state(session)),
        (
            "User",
            text(
                session
                    .user
                    .as_deref()
                    .map_or_else(|| "anonymous".to_owned(), name::shown),
            ),
        ),
        ("Backlog", waits),
        ("In flight", text(count(session.in_flight))),
        ("Subscriptions", text(count(session.subscriptions))),
        ("Ends in", text(ends(session))),
        ("Dropped", dropped(session)),
    ];
    if let Some(connection) = connection {
        let keep_alive = match connection.keep_alive_s {
            0 => "none".to_owned(),
            seconds => duration_s(seconds.into()),
        };
        let protocol = format!("MQTT {} over {}", connection.protocol, connection.transport);
        facts.push(("Protocol", text(protocol)));
        facts.push(("Address", text(connection.address.clone())));
        facts.push(("Keep alive", text(keep_alive)));
    }
    let facts = facts.into_iter().map(|(name, value)| {
        html! { <div class="fact"><dt>{ name }</dt><dd dir="auto">{ value }</dd></div> }
    });
    html! { <dl class="panel facts" data-testid="facts">{ for facts }</dl> }
}

fn dropped(session: &Session) -> Html {
    let Some(dropped) = &session.dropped else {
        return html! { "nothing" };
    };
    let at_ms = clock::parse(&dropped.last);
    html! {
        <>
            <span data-lost="true">{ counted(dropped.count, "message") }</span>
            if let Some(at_ms) = at_ms {
                <span class="cell-detail">{ "last " }<RelativeTime {at_ms} /></span>
            }
        </>
    }
}
