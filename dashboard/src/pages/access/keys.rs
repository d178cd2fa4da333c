//! The keys of the HTTP API: listed with their last use, made, revoked.

use ebbtide_api::Key;
use yew::prelude::*;

use super::NEW;
use super::new_key::NewKeyDialog;
use crate::api;
use crate::components::confirm::ConfirmButton;
use crate::components::doing::doing;
use crate::components::link::PageLink;
use crate::components::now::RelativeTime;
use crate::components::state_panel::message;
use crate::model::account::scopes_in_words;
use crate::model::clock;
use crate::model::format::counted;
use crate::shell::{Shell, Step};

pub fn keys(shell: &Shell, keys: &[Key], refresh: &Callback<()>) -> Html {
    let list = if keys.is_empty() {
        message(
            "No keys",
            "A key lets a program use the HTTP API and the command line, without a user and a password.",
            Html::default(),
        )
    } else {
        table(shell, keys, refresh)
    };
    let new = shell.location.clone().with(NEW, "1");
    let on_close = {
        let (shell, refresh) = (shell.clone(), refresh.clone());
        Callback::from(move |()| {
            refresh.emit(());
            shell
                .go
                .emit((shell.location.clone().with(NEW, ""), Step::Replace));
        })
    };
    html! {
        <>
            <div class="page-tools">
                <p class="note">{ counted(keys.len() as u64, "key") }</p>
                <PageLink to={new} class="button button-small button-primary">{ "Make a key" }</PageLink>
            </div>
            { list }
            if shell.location.get(NEW).is_some() {
                <NewKeyDialog {on_close} />
            }
        </>
    }
}

fn table(shell: &Shell, keys: &[Key], refresh: &Callback<()>) -> Html {
    let rows = keys.iter().map(|key| row(shell, key, refresh));
    html! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="Table: Keys">
            <table class="table table-access">
                <caption class="visually-hidden">{ "Keys" }</caption>
                <thead><tr>
                    <th scope="col">{ "For" }</th>
                    <th scope="col">{ "Scopes" }</th>
                    <th scope="col" class="medium-only">{ "Made" }</th>
                    <th scope="col">{ "Last used" }</th>
                    <th scope="col"><span class="visually-hidden">{ "Actions" }</span></th>
                </tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

fn row(shell: &Shell, key: &Key, refresh: &Callback<()>) -> Html {
    let time = |text: Option<&str>| text.and_then(clock::parse);
    let revoke = {
        let (id, label) = (key.id.clone(), key.label.clone());
        doing(shell, refresh, move || {
            let (label, done) = (label.clone(), api::access::revoke_key(&id));
            Box::pin(async move {
                done.await?;
                Ok(format!("Revoked the key for {label}."))
            })
        })
    };
    let question = format!(
        "Revoke the key for {}? Whatever uses it is refused from that moment on.",
        key.label
    );
    html! {
        <tr key={key.id.clone()} data-key={key.id.clone()}>
            <th scope="row" class="cell-name"><bdi>{ key.label.clone() }</bdi><span class="cell-detail">{ key.id.clone() }</span></th>
            <td class="cell-wrap">{ scopes_in_words(&key.scopes) }</td>
            <td class="medium-only">if let Some(at_ms) = time(Some(&key.created_at)) { <RelativeTime {at_ms} /> }</td>
            <td>
                if let Some(at_ms) = time(key.used_at.as_deref()) { <RelativeTime {at_ms} /> } else { { "never" } }
            </td>
            <td class="number">
                <ConfirmButton id={format!("revoke-{}", key.id)} label="Revoke" about={key.label.clone()} {question} yes="Revoke" is_small=true is_dangerous=true
                    outlook="This cannot be taken back." on_yes={revoke} />
            </td>
        </tr>
    }
}
