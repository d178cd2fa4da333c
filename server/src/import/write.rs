//! What was read, as an `ebbtide.toml`.

use std::fmt::Write;

use ebbtide_api::{Action, Effect, Rule, Who};

use super::Imported;

/// The file. Its notes stand at the end, so that nobody has to look for them elsewhere.
pub fn file(imported: &Imported) -> String {
    let settings = &imported.settings;
    let mut text = String::from(
        "# Made by `ebbtide import mosquitto`. Every option: docs/configuration.md.\n\n",
    );
    for (key, value) in settings.listeners.lines().iter().chain(&settings.top) {
        line(&mut text, key, value);
    }
    let methods = methods(imported);
    if !methods.is_empty() {
        line(&mut text, "auth", &toml::Value::from(methods).to_string());
    }
    if settings.allow_anonymous == Some(true) {
        line(&mut text, "allow_anonymous", "true");
    }
    if !settings.limits.is_empty() {
        text.push_str("\n[limits]\n");
        for (key, value) in &settings.limits {
            line(&mut text, key, value);
        }
    }
    for user in &imported.users {
        text.push_str("\n[[users]]\n");
        line(&mut text, "name", &quoted(&user.name));
        line(&mut text, "password_hash", &quoted(&user.hash));
    }
    if !is_open(imported) {
        let everything = everything();
        for rule in imported.rules.as_ref().unwrap_or(&everything) {
            text.push('\n');
            push_rule(&mut text, rule);
        }
    }
    if !imported.notes.texts().is_empty() {
        text.push_str("\n# To be looked at:\n");
        for note in imported.notes.texts() {
            // A control character would end the comment.
            let note: String = note.chars().filter(|c| !c.is_control()).collect();
            let _ = writeln!(text, "# - {note}");
        }
    }
    text
}

/// Nobody is asked who they are, and everybody may do everything.
pub(super) fn is_open(imported: &Imported) -> bool {
    methods(imported).is_empty()
}

fn methods(imported: &Imported) -> Vec<&'static str> {
    let settings = &imported.settings;
    let mut methods = Vec::new();
    if settings.listeners.has_certificate_users() {
        methods.push("certificate");
    }
    let is_closed = settings.allow_anonymous != Some(true);
    let has_plain = settings.has_users || imported.rules.is_some() || is_closed;
    if has_plain && (methods.is_empty() || settings.has_users) {
        methods.push("password");
    }
    methods
}

/// Without an ACL file whoever is in may do everything.
fn everything() -> Vec<Rule> {
    let rule = |actions: &[Action], topic: &str| Rule {
        effect: Effect::Allow,
        who: Who::Any,
        actions: actions.to_vec(),
        topics: vec![topic.to_owned()],
    };
    vec![
        rule(&[Action::Publish, Action::Subscribe, Action::Retain], "#"),
        rule(&[Action::Subscribe], "$SYS/#"),
    ]
}

fn push_rule(text: &mut String, rule: &Rule) {
    let effect = match rule.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let who = match &rule.who {
        Who::Any => quoted("any"),
        Who::Anonymous => quoted("anonymous"),
        Who::Authenticated => quoted("authenticated"),
        Who::User(name) => format!("{{ user = {} }}", quoted(name)),
        Who::Claim { name, value } => {
            let (name, value) = (quoted(name), quoted(value));
            format!("{{ claim = {{ name = {name}, value = {value} }} }}")
        }
    };
    let actions = rule.actions.iter().map(|action| match action {
        Action::Publish => "publish",
        Action::Subscribe => "subscribe",
        Action::Retain => "retain",
    });
    let actions: Vec<&str> = actions.collect();
    text.push_str("[[rules]]\n");
    line(text, "effect", &quoted(effect));
    line(text, "who", &who);
    line(text, "actions", &toml::Value::from(actions).to_string());
    line(
        text,
        "topics",
        &toml::Value::from(rule.topics.clone()).to_string(),
    );
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
