//! The sessions page: who has a session, connected or away, and one of them in full.

mod actions;
mod facts;
mod list;
mod queue;
mod row;
mod session;
mod subscriptions;
mod why;

use yew::prelude::*;

use self::list::List;
use self::session::SessionView;
use crate::shell::Shell;

/// The client id of the session that is shown in full.
const CLIENT: &str = "client";
const STATE: &str = "state";
const SORT: &str = "sort";
const ORDER: &str = "order";
/// Of the queue that is looked into.
const OFFSET: &str = "offset";
/// Of the message that is asked for.
const TOPIC: &str = "topic";

pub fn page(shell: &Shell) -> Html {
    match shell.location.get(CLIENT) {
        Some(client_id) => {
            let key = client_id.to_owned();
            let client_id = AttrValue::from(client_id.to_owned());
            html! { <SessionView {key} {client_id} /> }
        }
        None => html! { <List /> },
    }
}
