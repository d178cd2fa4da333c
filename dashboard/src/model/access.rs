//! Users, claims and rules as people read and write them.

use std::collections::BTreeMap;

use ebbtide_api::{Action, Effect, Rule, Who};

use super::json::Fault;

pub type Claims = BTreeMap<String, Vec<String>>;

/// A line for each value: `site=north`.
pub fn claims_text(claims: &Claims) -> String {
    let lines: Vec<String> = claims
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")))
        .collect();
    lines.join("\n")
}

/// The error names the line, and what is right.
pub fn parse_claims(text: &str) -> Result<Claims, String> {
    let mut claims = Claims::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("“{line}” is no claim: write name=value, one on a line."))?;
        claims
            .entry(name.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(claims)
}

/// An array with a rule on each line: the place of a rule is its line, but for the bracket.
pub fn rules_text(rules: &[Rule]) -> String {
    if rules.is_empty() {
        return "[\n]".to_owned();
    }
    let lines: Vec<String> = rules
        .iter()
        .map(|rule| format!("  {}", serde_json::to_string(rule).unwrap_or_default()))
        .collect();
    format!("[\n{}\n]", lines.join(",\n"))
}

/// `ann may not publish`, without the topics.
pub fn rule_in_words(rule: &Rule) -> String {
    let who = match &rule.who {
        Who::Any => "Everybody".to_owned(),
        Who::Anonymous => "Anonymous clients".to_owned(),
        Who::Authenticated => "Every user".to_owned(),
        Who::User(user) => user.clone(),
        Who::Claim { name, value } => format!("Whoever has {name}={value}"),
    };
    let may = match rule.effect {
        Effect::Allow => "may",
        Effect::Deny => "may not",
    };
    let actions: Vec<&str> = rule
        .actions
        .iter()
        .map(|action| action_name(*action))
        .collect();
    let actions = match &actions[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => actions.concat(),
    };
    format!("{who} {may} {actions}")
}

pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Publish => "publish",
        Action::Subscribe => "subscribe",
        Action::Retain => "retain",
    }
}

pub fn action_named(name: &str) -> Option<Action> {
    let all = [Action::Publish, Action::Subscribe, Action::Retain];
    all.into_iter().find(|action| action_name(*action) == name)
}

/// What the broker said of a text of rules: the place in the text, if it named one.
pub fn place(said: &str) -> Option<Fault> {
    let (what, place) = said.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let number = |text: &str| text.trim_end_matches('.').parse::<usize>().ok();
    Some(Fault {
        // The body has one line before the text.
        line: number(line)?.checked_sub(1).filter(|line| *line > 0)?,
        column: number(column)?.max(1),
        reason: what.trim_start_matches("body: ").to_owned(),
    })
}

/// The rule that the broker found wrong, counted from 1: `rule 2: it names no topic`.
pub fn wrong_rule(said: &str) -> Option<usize> {
    let (number, _) = said.strip_prefix("rule ")?.split_once(':')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_as_they_are_written() {
        let text = "role=a\nrole=b=c\nsite=north";
        let claims = parse_claims(&format!("\n {text} \n")).expect("claims");
        assert_eq!(claims_text(&claims), text);
        for wrong in ["role", "=x"] {
            let said = parse_claims(&format!("a=b\n{wrong}")).expect_err("wrong");
            assert!(said.contains(wrong), "{said}");
        }
    }

    #[test]
    fn rules_stand_one_on_a_line_and_are_said_in_words() {
        let rule = |effect, who, actions: &[Action]| Rule {
            effect,
            who,
            actions: actions.to_vec(),
            topics: vec!["a/#".to_owned()],
        };
        let rules = [
            rule(
                Effect::Deny,
                Who::User("ann".to_owned()),
                &[Action::Publish],
            ),
            rule(
                Effect::Allow,
                Who::Authenticated,
                &[Action::Publish, Action::Subscribe],
            ),
        ];
        let text = rules_text(&rules);
        assert_eq!(text.lines().count(), 4);
        assert_eq!(
            serde_json::from_str::<Vec<Rule>>(&text).expect("rules"),
            rules
        );
        assert_eq!(rule_in_words(&rules[0]), "ann may not publish");
        assert_eq!(
            rule_in_words(&rules[1]),
            "Every user may publish and subscribe"
        );
        assert_eq!(rules_text(&[]), "[\n]");
    }

    #[test]
    fn the_place_that_the_broker_names_is_found_in_the_text() {
        let said = "body: unknown field `efect`, expected `effect` at line 3 column 11";
        let fault = place(said).expect("a place");
        assert_eq!((fault.line, fault.column), (2, 11));
        assert!(
            fault.reason.starts_with("unknown field"),
            "{}",
            fault.reason
        );
        assert_eq!(place("rule 2: it names no topic"), None);
        assert_eq!(wrong_rule("rule 2: it names no topic"), Some(2));
        assert_eq!(wrong_rule("There are too many."), None);
    }
}
