//! Rules in words, in their order: the first that matches decides.

use ebbtide_api::{Effect, Rule};
use yew::prelude::*;

use crate::components::topic_path::topic_path;
use crate::model::access::rule_in_words;

/// `marked` is the place, from 1, of one that is wrong, or that decides.
pub fn rules_list(rules: &[Rule], marked: Option<usize>) -> Html {
    let rows = rules.iter().enumerate().map(|(at, rule)| {
        let number = at + 1;
        let effect = match rule.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let topics = rule.topics.iter().map(|topic| html! { <li>{ topic_path(topic) }</li> });
        html! {
            <li class="rule" data-effect={effect} data-marked={(marked == Some(number)).then_some("true")}>
                <span class="rule-number">{ number }</span>
                <div>
                    <p class="rule-words" dir="auto">{ rule_in_words(rule) }</p>
                    <ul class="rule-topics">{ for topics }</ul>
                </div>
            </li>
        }
    });
    html! {
        <ol class="rules" data-testid="rules">
            { for rows }
            <li class="rule" data-effect="deny">
                <span class="rule-number" aria-hidden="true">{ "–" }</span>
                <p class="rule-words">{ "Whatever no rule decides may not be done" }</p>
            </li>
        </ol>
    }
}
