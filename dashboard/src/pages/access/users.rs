//! The users that the broker keeps: listed, made, changed, removed with all that is theirs.

use ebbtide_api::User;
use yew::prelude::*;

use super::user_dialog::UserDialog;
use super::{EDIT, NEW};
use crate::api;
use crate::components::confirm::ConfirmButton;
use crate::components::doing::doing;
use crate::components::link::PageLink;
use crate::components::now::RelativeTime;
use crate::components::toast::Notice;
use crate::model::access::claims_text;
use crate::model::account::scopes_in_words;
use crate::model::clock;
use crate::model::format::counted;
use crate::shell::{Shell, Step};

pub fn users(shell: &Shell, users: &[User], refresh: &Callback<()>) -> Html {
    let new = shell.location.clone().with(NEW, "1");
    html! {
        <>
            <div class="page-tools">
                <p class="note">{ counted(users.len() as u64, "user") }</p>
                <PageLink to={new} class="button button-small button-primary">{ "Add a user" }</PageLink>
            </div>
            { table(shell, users, refresh) }
            { dialog(shell, users, refresh) }
        </>
    }
}

/// What the address asks for.
fn dialog(shell: &Shell, users: &[User], refresh: &Callback<()>) -> Html {
    let location = &shell.location;
    let name = location.get(EDIT);
    let known = name.and_then(|name| users.iter().find(|user| user.name == name));
    if known.is_none() && location.get(NEW).is_none() {
        return Html::default();
    }
    let on_close = {
        let (shell, refresh) = (shell.clone(), refresh.clone());
        Callback::from(move |told: Option<String>| {
            if let Some(told) = told {
                shell.notify.emit(Notice::new(told));
                refresh.emit(());
            }
            let to = shell.location.clone().with(EDIT, "").with(NEW, "");
            shell.go.emit((to, Step::Replace));
        })
    };
    let key = name.unwrap_or_default().to_owned();
    html! { <UserDialog {key} user={known.cloned()} {on_close} /> }
}

fn table(shell: &Shell, users: &[User], refresh: &Callback<()>) -> Html {
    let rows = users.iter().map(|user| row(shell, user, refresh));
    html! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="Table: Users">
            <table class="table table-access">
                <caption class="visually-hidden">{ "Users" }</caption>
                <thead><tr>
                    <th scope="col">{ "User" }</th>
                    <th scope="col">{ "Scopes" }</th>
                    <th scope="col" class="medium-only">{ "Claims" }</th>
                    <th scope="col" class="medium-only">{ "Password set" }</th>
                    <th scope="col"><span class="visually-hidden">{ "Actions" }</span></th>
                </tr></thead>
                <tbody>{ for rows }</tbody>
            </table>
        </div>
    }
}

fn row(shell: &Shell, user: &User, refresh: &Callback<()>) -> Html {
    let name = user.name.clone();
    let changed = clock::parse(&user.changed_at);
    let remove = {
        let name = name.clone();
        doing(shell, refresh, move || {
            let (name, gone) = (name.clone(), api::access::remove_user(&name));
            Box::pin(async move {
                let sessions = counted(gone.await?.sessions, "session");
                Ok(format!(
                    "Removed {name}, and {sessions} with all that waited."
                ))
            })
        })
    };
    let question = format!(
        "Remove {name}? Its connections end, and its sessions are deleted with all that waits for them."
    );
    let edit = shell.location.clone().with(EDIT, &name);
    html! {
        <tr key={name.clone()} data-user={name.clone()}>
            <th scope="row" class="cell-name"><bdi>{ name.clone() }</bdi></th>
            <td class="cell-wrap">{ scopes_in_words(&user.scopes) }</td>
            <td class="cell-wrap medium-only">{ claims_text(&user.claims).replace('\n', ", ") }</td>
            <td class="medium-only">if let Some(at_ms) = changed { <RelativeTime {at_ms} /> }</td>
            <td class="number">
                <PageLink to={edit} class="button button-small">{ "Change" }<span class="visually-hidden">{ format!(" {name}") }</span></PageLink>
                <ConfirmButton id={format!("remove-{name}")} label="Remove" about={name.clone()} {question} yes="Remove" is_small=true is_dangerous=true
                    outlook="This cannot be taken back." on_yes={remove} />
            </td>
        </tr>
    }
}
