//! One session on its line.

use ebbtide_api::Session;
use yew::prelude::*;

use super::CLIENT;
use crate::api;
use crate::components::link::PageLink;
use crate::components::now::RelativeTime;
use crate::model::clock;
use crate::model::format::{bytes, count};
use crate::model::location::Location;
use crate::model::name;
use crate::model::page::Page;
use crate::model::session::ends;

pub fn row(session: &Session) -> Html {
    let to = Location::new(Page::Sessions).with(CLIENT, &session.client_id);
    let name = html! { <bdi>{ name::shown(&session.client_id) }</bdi> };
    let connection = session.connection.as_ref();
    let dropped = session.dropped.as_ref().map_or(0, |dropped| dropped.count);
    html! {
        <tr key={session.client_id.clone()} data-client={session.client_id.clone()}>
            <th scope="row" class="cell-client">
                if api::has_room_for(&session.client_id) {
                    <PageLink {to}>{ name }</PageLink>
                } else {
                    { name }
                    <span class="cell-detail">{ format!("{}: too long to be asked about", bytes(session.client_id.len() as f64)) }</span>
                }
                if let Some(user) = &session.user {
                    <span class="cell-detail" dir="auto">{ name::shown(user) }</span>
                }
            </th>
            <td>{ state(session) }</td>
            <td class="wide-only">
                if let Some(connection) = connection {
                    { format!("MQTT {} over {}", connection.protocol, connection.transport) }
                    <span class="cell-detail">{ connection.address.clone() }</span>
                } else {
                    <span class="cell-detail">{ "none" }</span>
                }
            </td>
            <td class="number wide-only">{ count(session.subscriptions) }</td>
            <td class="number wide-only">{ count(session.in_flight) }</td>
            <td class="number">
                { count(session.queue_messages) }
                if session.queue_messages > 0 {
                    <span class="cell-detail">{ bytes(session.queue_bytes as f64) }</span>
                }
            </td>
            <td class="number medium-only">{ ends(session) }</td>
            <td class="number medium-only" data-lost={(dropped > 0).then_some("true")}>{ count(dropped) }</td>
        </tr>
    }
}

/// Connected or away, and for how long.
pub fn state(session: &Session) -> Html {
    let (status, word, since) = if session.connected {
        let since = session.connection.as_ref().map(|c| c.connected_at.as_str());
        ("online", "Connected", since)
    } else {
        ("offline", "Away", session.disconnected_at.as_deref())
    };
    let since_ms = since.and_then(clock::parse);
    html! {
        <>
            <span class="status" data-status={status}>{ word }</span>
            if let Some(at_ms) = since_ms {
                <span class="cell-detail"><RelativeTime {at_ms} lasting={true} /></span>
            }
        </>
    }
}
