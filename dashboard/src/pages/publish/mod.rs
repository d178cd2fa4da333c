//! The publish page: a message to send, with all that MQTT 5 lets travel with it, and beside it what arrives.

mod form;
mod live_list;
mod properties;
mod saved_list;
mod subscribe;

use yew::prelude::*;

use self::form::PublishForm;
use self::live_list::LivePanel;
use crate::components::page_head::page_head;
use crate::model::location::Location;
use crate::model::page::Page;
use crate::model::publish::Draft;
use crate::shell::Shell;

/// The parameter of the address that fills in the topic.
const TOPIC: &str = "topic";

/// The publish page with the topic filled in.
pub fn location_for(topic: &str) -> Location {
    Location::new(Page::Publish).with(TOPIC, topic)
}

/// A change of what is being typed: to a copy of the draft, which is handed on.
fn editing<T: 'static>(
    draft: &Draft,
    on_change: &Callback<Draft>,
    change: impl Fn(&mut Draft, T) + 'static,
) -> Callback<T> {
    let draft = draft.clone();
    on_change.reform(move |with: T| {
        let mut next = draft.clone();
        change(&mut next, with);
        next
    })
}

pub fn page(shell: &Shell) -> Html {
    let topic = shell.location.get(TOPIC).unwrap_or_default().to_owned();
    let search = shell.location.search().to_owned();
    html! {
        <section class="page">
            { page_head(Page::Publish, Html::default(), Html::default()) }
            <div class="publish-columns">
                <PublishForm {topic} />
                <LivePanel {search} />
            </div>
        </section>
    }
}
