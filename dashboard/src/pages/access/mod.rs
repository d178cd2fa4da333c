//! The access page: users, keys, rules, and what somebody may do by them. Where nobody is asked who they are: how to change that.

mod keys;
mod new_key;
mod rules;
mod rules_editor;
mod rules_list;
mod scopes;
mod simulator;
mod user_dialog;
mod users;

use std::future::ready;

use ebbtide_api::{KeyList, Rules, Scope, SimulateRequest, SimulateResponse, UserList};
use yew::prelude::*;

use crate::api::{self, Answer, use_polled};
use crate::components::code_line::code_line;
use crate::components::link::PageLink;
use crate::components::page_head::page_head;
use crate::components::state_panel::{message, rows_skeleton};
use crate::model::location::Location;
use crate::model::page::Page;
use crate::shell::{Shell, use_shell};

/// The part of the page; not given: the users.
const PART: &str = "part";
const ASKED_EVERY_MS: u32 = 5_000;
/// The user or the rules being edited.
const EDIT: &str = "edit";
/// A user or a key to be made.
const NEW: &str = "new";

/// What the file has to say before anybody is asked.
const TURNED_ON: &str = r##"auth = ["password"]

[[users]]
name = "root"
password = "change me"
scopes = ["admin"]

[[rules]]
effect = "allow"
who = { user = "root" }
actions = ["publish", "subscribe", "retain"]
topics = ["#", "$SYS/#"]"##;

pub fn page(shell: &Shell) -> Html {
    let part = shell.location.get(PART).unwrap_or_default();
    html! {
        <section class="page access" data-testid="access">
            { page_head(Page::Access, Html::default(), Html::default()) }
            if shell.account.is_none() {
                { nobody_is_asked(shell) }
            } else {
                { parts(part) }
                { body(shell, part) }
            }
        </section>
    }
}

fn parts(shown: &str) -> Html {
    let parts = [
        ("", "Users"),
        ("keys", "Keys"),
        ("rules", "Rules"),
        ("try", "Who may what"),
    ];
    let links = parts.map(|(part, words)| {
        let to = Location::new(Page::Access).with(PART, part);
        let current = (part == shown).then_some("page");
        html! { <li><PageLink {to} class="part-link" {current}>{ words }</PageLink></li> }
    });
    html! { <nav class="part-links" aria-label="Parts of this page"><ul>{ for links }</ul></nav> }
}

/// What a part shows, as the broker said it last.
enum Known {
    Users(UserList),
    Keys(KeyList),
    Rules(Rules),
    Simulated(Rules, SimulateResponse),
    /// There was nothing to ask.
    Nothing,
}

#[derive(Clone, PartialEq)]
enum Question {
    Users,
    Keys,
    Rules,
    Simulated(SimulateRequest),
    Nothing,
}

fn ask(question: Question) -> Answer<Known> {
    match question {
        Question::Users => {
            let users = api::access::users();
            Box::pin(async move { users.await.map(Known::Users) })
        }
        Question::Keys => {
            let keys = api::access::keys();
            Box::pin(async move { keys.await.map(Known::Keys) })
        }
        Question::Rules => {
            let rules = api::access::rules();
            Box::pin(async move { rules.await.map(Known::Rules) })
        }
        Question::Simulated(request) => {
            let (rules, answer) = (api::access::rules(), api::access::simulate(&request));
            Box::pin(async move { Ok(Known::Simulated(rules.await?, answer.await?)) })
        }
        Question::Nothing => Box::pin(ready(Ok(Known::Nothing))),
    }
}

#[derive(Properties, PartialEq)]
struct PartProps {
    part: AttrValue,
}

#[component]
fn Part(props: &PartProps) -> Html {
    let shell = use_shell();
    let simulated = simulator::asked(&shell.location);
    let typed = use_state_eq(|| shell.location.clone());
    let question = match (&*props.part, &simulated) {
        ("keys", _) => Question::Keys,
        ("rules", _) => Question::Rules,
        ("try", Some(Ok(asked))) => Question::Simulated(asked.clone()),
        ("try", _) => Question::Nothing,
        _ => Question::Users,
    };
    let polled = use_polled(question, ASKED_EVERY_MS, ask);
    if &*props.part == "try" {
        return simulator::simulator(&shell, simulated, &typed, &polled);
    }
    let refresh = &polled.refresh;
    let part = match (polled.value.as_deref(), &polled.fault) {
        (Some(Known::Users(list)), _) => users::users(&shell, &list.users, refresh),
        (Some(Known::Keys(list)), _) => keys::keys(&shell, &list.keys, refresh),
        (Some(Known::Rules(rules)), _) => rules::rules(&shell, &rules.rules, refresh),
        (_, Some(fault)) => message(
            "The broker did not tell",
            &fault.to_string(),
            Html::default(),
        ),
        _ => rows_skeleton(),
    };
    html! {
        <>
            if let (Some(fault), Some(_)) = (&polled.fault, &polled.value) {
                <p class="note" role="status">{ format!("{fault} What is shown may have been overtaken.") }</p>
            }
            { part }
        </>
    }
}

fn body(shell: &Shell, part: &str) -> Html {
    match shell.lacks(Scope::Admin) {
        Some(why) if !matches!(part, "rules" | "try") => {
            message("Only administrators see this", &why, Html::default())
        }
        // Each part begins with nothing known.
        _ => html! { <Part key={part.to_owned()} part={part.to_owned()} /> },
    }
}

/// Known as soon as the broker has let the page in.
fn nobody_is_asked(shell: &Shell) -> Html {
    let connection = &shell.connection;
    if !connection.has_stood {
        return match connection.lost_at_ms {
            None => rows_skeleton(),
            Some(_) => message(
                "The broker cannot be reached",
                "Whether it asks who somebody is shows as soon as it answers.",
                Html::default(),
            ),
        };
    }
    html! {
        <div class="panel" data-testid="access-off">
            <h2>{ "Nobody is asked who they are" }</h2>
            <p class="lead">{ "Everybody who reaches this broker may do everything. It listens on this machine only, unless it was told otherwise." }</p>
            <p class="lead">{ "To have users, keys and rules, put this into ebbtide.toml with a password of your own, and start the broker again. From then on they are changed here." }</p>
            <div class="access-how">{ code_line(TURNED_ON, "ebbtide.toml", "the configuration") }</div>
            <p class="lead">
                { "All of it is explained in " }<a href="/docs/access.html">{ "Who may do what" }</a>{ "." }
            </p>
        </div>
    }
}
