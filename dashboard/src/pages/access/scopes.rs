//! Choosing scopes: each with what it lets do.

use ebbtide_api::Scope;
use yew::prelude::*;

const WORDS: [(Scope, &str); 3] = [
    (Scope::Read, "looks at everything but users and keys"),
    (Scope::Publish, "publishes, and changes retained messages"),
    (Scope::Admin, "does everything"),
];

pub fn scopes_field(chosen: &[Scope], on_change: &Callback<Vec<Scope>>) -> Html {
    let boxes = WORDS.map(|(scope, words)| {
        let checked = chosen.contains(&scope);
        let chosen = chosen.to_vec();
        let onchange = on_change.reform(move |_: Event| {
            let all = WORDS.map(|(scope, _)| scope);
            let is_chosen = |known: &Scope| (*known == scope) != chosen.contains(known);
            all.into_iter().filter(is_chosen).collect()
        });
        html! {
            <label class="check">
                <input type="checkbox" name="scope" value={scope.name()} {checked} {onchange} />
                <span><strong>{ scope.name() }</strong>{ " " }<span class="check-words">{ words }</span></span>
            </label>
        }
    });
    html! {
        <fieldset class="scopes">
            <legend class="field-label">{ "Scopes: what it may do here and in the HTTP API" }</legend>
            { for boxes }
        </fieldset>
    }
}
