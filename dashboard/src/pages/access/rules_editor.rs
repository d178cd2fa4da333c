//! The rules as a text, looked at by the broker while they are typed: beside it what they say in words, or what is wrong and
//! where. Saved at once for everybody, and taken back with the way back that is offered then.

use std::cell::Cell;
use std::rc::Rc;

use ebbtide_api::Rule;
use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::rules_list::rules_list;
use crate::api::{self, Fault};
use crate::browser;
use crate::components::fault_place::fault_place;
use crate::components::form_field::{TextField, text_field};
use crate::components::toast::Notice;
use crate::components::unsaved::{button, use_unsaved};
use crate::model::access::{place, rules_text, wrong_rule};
use crate::model::json;
use crate::model::value;
use crate::shell::{Shell, use_shell};

/// The broker is asked when nothing was typed for so long.
const SETTLED_MS: u32 = 250;
/// And again, when it could not look.
const ASK_AGAIN_MS: u32 = 2_000;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Those in force.
    pub rules: Vec<Rule>,
    pub on_close: Callback<()>,
    /// Asks for those in force anew.
    pub refresh: Callback<()>,
}

/// What the broker says of a text, and of which one.
type Looked = (String, Result<Vec<Rule>, Fault>);

#[component]
pub fn RulesEditor(props: &Props) -> Html {
    let shell = use_shell();
    // With which the editing began: others may change them meanwhile.
    let began = use_state_eq(|| props.rules.clone());
    let text = use_state_eq(|| rules_text(&props.rules));
    let failed = use_state_eq(String::new);
    let syntax = json::check(&text).err();
    let looked = use_looked(&text, syntax.is_none());
    let (good, wrong, not_looked) = match &looked {
        Some(Ok(rules)) => (Some(rules), None, None),
        Some(Err(why)) if why.is_verdict() => (None, Some(why.to_string()), None),
        Some(Err(why)) => (None, None, Some(why)),
        None => (None, None, None),
    };
    let is_dirty = *text != rules_text(&began);
    let is_overtaken = *began != props.rules;
    let on_save = {
        let (shell, good, before) = (shell.clone(), good.cloned(), props.rules.clone());
        let (failed, on_close) = (failed.clone(), props.on_close.clone());
        let refresh = props.refresh.clone();
        Callback::from(move |_: MouseEvent| {
            let Some(rules) = good.clone() else { return };
            let (shell, before, refresh) = (shell.clone(), before.clone(), refresh.clone());
            let (failed, on_close) = (failed.clone(), on_close.clone());
            wasm_bindgen_futures::spawn_local(async move {
                match api::access::put_rules(rules).await {
                    Ok(_) => {
                        shell.notify.emit(saved(&shell, before, refresh));
                        on_close.emit(());
                    }
                    Err(fault) => failed.set(format!("They were not saved. {fault}")),
                }
            });
        })
    };
    let unsaved = use_unsaved(is_dirty, &props.on_close);
    let fault = syntax.or_else(|| wrong.as_deref().and_then(place));
    let problem = match (&fault, &wrong) {
        (Some(fault), _) => format!("Not valid: {fault}."),
        (None, Some(said)) => format!("Not valid: {said}"),
        _ => String::new(),
    };
    let marked = wrong.as_deref().and_then(wrong_rule);
    let field = text_field(TextField {
        id: "rules-text",
        label: "Rules, a JSON array: one on a line",
        value: (*text).clone(),
        on_input: {
            let (text, go_on, failed) = (text.clone(), unsaved.go_on(), failed.clone());
            Callback::from(move |next| {
                text.set(next);
                go_on.emit(());
                failed.set(String::new());
            })
        },
        problem,
        is_long: true,
        ..TextField::default()
    });
    let undone = match not_looked {
        Some(why) if failed.is_empty() => {
            format!("The broker has not looked at this text yet, and is asked again. {why}")
        }
        _ => (*failed).clone(),
    };
    // What is wrong in meaning has a form all the same, and its place is shown in words too.
    let in_words = good.cloned().or_else(|| value::from_text(&text).ok());
    let can_save = good.is_some() && is_dirty;
    let actions = html! {
        <>
            <p class="note dialog-question">{ "They hold at once, also for what waits." }</p>
            { button("Cancel", "button", unsaved.close.clone()) }
            <button type="button" class="button button-primary" disabled={!can_save} onclick={on_save}>{ "Save" }</button>
        </>
    };
    html! {
        <section class="panel rules-editor" aria-label="The rules" data-testid="rules-editor">
            if is_overtaken {
                <p class="warning" role="alert">{ "Somebody else has saved other rules meanwhile. What you save replaces them." }</p>
            }
            <div class="editor-columns">
                <div class="form">
                    { field }
                    if let Some(fault) = &fault {
                        { fault_place(&text, fault) }
                    }
                </div>
                <section aria-labelledby="rules-words">
                    <h2 id="rules-words" class="field-label">{ "In words" }</h2>
                    if let Some(rules) = &in_words {
                        { rules_list(rules, marked) }
                    } else {
                        <p class="note">{ "Shown as soon as the rules are valid." }</p>
                    }
                </section>
            </div>
            <p class="problem" role="alert">{ undone }</p>
            { unsaved.actions("Your changes are not saved. Leave them?", actions) }
        </section>
    }
}

/// What the broker says of the text, once it has settled.
#[hook]
fn use_looked(text: &str, is_json: bool) -> Option<Result<Vec<Rule>, Fault>> {
    let looked = use_state_eq(|| None::<Looked>);
    use_effect_with(text.to_owned(), {
        let looked = looked.clone();
        move |text: &String| {
            // An answer that another text has overtaken would take the place of that one's.
            let is_wanted = Rc::new(Cell::new(true));
            let (text, still) = (text.clone(), Rc::clone(&is_wanted));
            let ask = is_json.then(|| {
                Timeout::new(SETTLED_MS, move || {
                    wasm_bindgen_futures::spawn_local(async move {
                        while still.get() {
                            let answer = api::access::validate_rules(&text).await;
                            if !still.get() {
                                return;
                            }
                            let is_done = answer.as_ref().map_or_else(Fault::is_verdict, |_| true);
                            let answer = answer.map(|rules| rules.rules);
                            looked.set(Some((text.clone(), answer)));
                            if is_done {
                                return;
                            }
                            browser::sleep_ms(ASK_AGAIN_MS).await;
                        }
                    });
                })
            });
            move || {
                is_wanted.set(false);
                drop(ask);
            }
        }
    });
    let (of, answer) = (*looked).clone()?;
    (of == text).then_some(answer)
}

/// With the way back to those that were in force before.
fn saved(shell: &Shell, before: Vec<Rule>, refresh: Callback<()>) -> Notice {
    let notify = shell.notify.clone();
    Notice::new("The rules are saved, and hold now.").with_undo(Callback::from(move |()| {
        let (notify, before, refresh) = (notify.clone(), before.clone(), refresh.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let text = match api::access::put_rules(before).await {
                Ok(_) => "The rules are as they were.".to_owned(),
                Err(fault) => format!("The rules were not brought back. {fault}"),
            };
            notify.emit(Notice::new(text));
            refresh.emit(());
        });
    }))
}
