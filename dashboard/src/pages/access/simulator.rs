//! "May this client do that?": asked of the rules in force, for somebody who need not be there. The question is the address.

use ebbtide_api::{SimulateRequest, SimulateResponse};
use yew::prelude::*;

use super::Known;
use super::rules_list::rules_list;
use crate::api::Polled;
use crate::browser;
use crate::components::segmented::{Segmented, segmented};
use crate::model::access::{action_named, parse_claims};
use crate::model::location::Location;
use crate::shell::{Shell, Step};

const USER: &str = "user";
const CLIENT: &str = "client";
const CLAIMS: &str = "claims";
const ACTION: &str = "action";
const TOPIC: &str = "topic";
/// Name of the parameter, label, and what may stand there.
const FIELDS: [(&str, &str, &str); 4] = [
    (USER, "User", "nobody: anonymous"),
    (CLIENT, "Client id", "any"),
    (CLAIMS, "Claims", "those of the user"),
    (TOPIC, "Topic or filter", "app/ann/lamp"),
];

pub fn simulator(
    shell: &Shell,
    asked: Option<Result<SimulateRequest, String>>,
    typed: &UseStateHandle<Location>,
    polled: &Polled<Known>,
) -> Html {
    let onsubmit = {
        let (go, typed) = (shell.go.clone(), typed.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            go.emit(((*typed).clone(), Step::Replace));
        })
    };
    let inputs = FIELDS.iter().map(|(name, label, placeholder)| {
        let id = format!("try-{name}");
        let oninput = {
            let typed = typed.clone();
            Callback::from(move |event: InputEvent| {
                let text = browser::value_of(&event).unwrap_or_default();
                typed.set((*typed).clone().with(name, &text));
            })
        };
        html! {
            <div class="field">
                <label for={id.clone()}>{ *label }</label>
                <input {id} class="input" type="text" placeholder={*placeholder} required={*name == TOPIC}
                    value={typed.get(name).unwrap_or_default().to_owned()} {oninput} autocomplete="off" autocapitalize="off" spellcheck="false" />
            </div>
        }
    });
    let on_choose = {
        let typed = typed.clone();
        Callback::from(move |chosen: &'static str| typed.set((*typed).clone().with(ACTION, chosen)))
    };
    let actions = segmented(Segmented {
        name: "try-action".to_owned(),
        label: "May it",
        show_label: true,
        choices: vec![
            ("publish", "publish"),
            ("retain", "publish retained"),
            ("subscribe", "subscribe"),
        ],
        chosen: typed.get(ACTION).unwrap_or("publish").to_owned(),
        on_choose,
    });
    let answer = polled.value.as_deref().filter(|_| polled.is_current);
    html! {
        <section class="panel" aria-labelledby="try-title" data-testid="simulator">
            <h2 id="try-title" class="panel-title">{ "May this client do that?" }</h2>
            <form class="form" {onsubmit}>
                <div class="form-grid">{ for inputs }</div>
                <div class="form-row">
                    { actions }
                    <button type="submit" class="button button-primary">{ "Ask the broker" }</button>
                </div>
            </form>
            <div class="why-answer" role="status">
                if let Some(Err(problem)) = &asked {
                    <p class="problem">{ problem.clone() }</p>
                } else if let Some(fault) = &polled.fault {
                    <p class="problem">{ fault.to_string() }</p>
                } else if let Some(Known::Simulated(rules, answer)) = answer {
                    { in_words(answer) }
                    { rules_list(&rules.rules, answer.rule.and_then(|rule| usize::try_from(rule).ok())) }
                }
            </div>
        </section>
    }
}

/// `None`: nothing yet. The error is a sentence.
pub fn asked(location: &Location) -> Option<Result<SimulateRequest, String>> {
    let text = |name: &str| location.get(name).map(str::to_owned);
    let topic = text(TOPIC)?;
    // In the address they stand in one line.
    let claims = text(CLAIMS).map(|claims| parse_claims(&claims.replace(',', "\n")));
    Some(claims.transpose().map(|claims| SimulateRequest {
        rules: None,
        user: text(USER),
        client_id: text(CLIENT).unwrap_or_default(),
        claims,
        action: action_named(location.get(ACTION).unwrap_or("publish")),
        topic,
    }))
}

fn in_words(answer: &SimulateResponse) -> Html {
    let (tone, word) = match answer.allowed {
        true => ("good", "Yes"),
        false => ("bad", "No"),
    };
    html! { <p class="verdict" data-tone={tone} data-testid="verdict">{ format!("{word}: {}.", answer.explanation) }</p> }
}
