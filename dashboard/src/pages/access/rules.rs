//! The rules in force, in words; and the way to change them, for those who may.

use ebbtide_api::{Rule, Scope};
use yew::prelude::*;

use super::EDIT;
use super::rules_editor::RulesEditor;
use super::rules_list::rules_list;
use crate::components::link::PageLink;
use crate::components::needs::needs;
use crate::model::format::counted;
use crate::shell::{Shell, Step};

pub fn rules(shell: &Shell, rules: &[Rule], refresh: &Callback<()>) -> Html {
    let is_editing = shell.location.get(EDIT).is_some() && shell.may(Scope::Admin);
    let on_close = {
        let (shell, refresh) = (shell.clone(), refresh.clone());
        Callback::from(move |()| {
            refresh.emit(());
            shell
                .go
                .emit((shell.location.clone().with(EDIT, ""), Step::Replace));
        })
    };
    if is_editing {
        let rules = rules.to_vec();
        return html! { <RulesEditor {rules} {on_close} refresh={refresh.clone()} /> };
    }
    let edit = shell.location.clone().with(EDIT, "1");
    html! {
        <>
            <div class="page-tools">
                <p class="note">{ format!("{}. The first that matches decides.", counted(rules.len() as u64, "rule")) }</p>
                if shell.may(Scope::Admin) {
                    <PageLink to={edit} class="button button-small button-primary">{ "Edit the rules" }</PageLink>
                } else {
                    <button type="button" class="button button-small" disabled={true}>{ "Edit the rules" }</button>
                }
            </div>
            { needs(shell, Scope::Admin) }
            { rules_list(rules, None) }
        </>
    }
}
