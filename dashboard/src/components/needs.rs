//! Why something on a page cannot be used: a scope that the viewer does not have. What it is about is disabled beside it.

use ebbtide_api::Scope;
use yew::prelude::*;

use crate::shell::Shell;

/// Nothing for those who may.
pub fn needs(shell: &Shell, scope: Scope) -> Html {
    shell.lacks(scope).map_or_else(Html::default, |why| {
        html! { <p class="note needs" data-testid="needs">{ why }</p> }
    })
}
