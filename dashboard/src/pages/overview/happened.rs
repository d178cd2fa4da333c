//! What has happened while this page was in sight, the newest first.

use ebbtide_api::Scope;
use yew::prelude::*;

use crate::browser;
use crate::components::needs::needs;
use crate::model::name;
use crate::model::recent::Recent;
use crate::shell::Shell;

/// More are kept; so many are shown.
const LINES_SHOWN: usize = 12;

pub fn happened(shell: &Shell, recent: &Recent) -> Html {
    let lines = recent.lines().take(LINES_SHOWN).map(|line| {
        let at_ms = line.at_ms;
        html! {
            <li key={line.number} class="happening" data-mark={line.mark.name()}>
                <time datetime={browser::iso_time(at_ms)}>{ browser::time_of_day(at_ms) }</time>
                <p>
                    if let Some(client_id) = &line.client_id {
                        <bdi class="client-id">{ name::shown(client_id) }</bdi>{ " " }
                    }
                    { line.what.clone() }
                    if !line.detail.is_empty() {
                        <span class="happening-detail">{ line.detail.clone() }</span>
                    }
                </p>
            </li>
        }
    });
    html! {
        <section class="panel digest" aria-labelledby="digest-events" data-testid="events">
            <div class="digest-head">
                <h2 id="digest-events">{ "Events" }</h2>
                <p class="digest-count">{ "while this page is in sight" }</p>
            </div>
            if !shell.may(Scope::Read) {
                { needs(shell, Scope::Read) }
            } else if recent.is_empty() {
                <p class="note">{ "Nothing yet. Clients that come and go, and what is lost, show here." }</p>
            } else {
                <ol class="happenings">{ for lines }</ol>
            }
        </section>
    }
}
