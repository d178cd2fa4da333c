//! A Mosquitto ACL file as rules that decide the same.
//!
//! Mosquitto looks at what is denied first, then at what is allowed, first for the user and then in the patterns, and denies the rest.
//! Rules are asked in their order, so that is the order in which they are written here.

use ebbtide_api::{Action, Effect, Rule, Who};
use ebbtide_protocol::TopicFilter;

use super::{Line, Notes};

/// Levels of a topic in a rule; the broker takes no more.
const LEVELS_MAX: usize = 128;

/// Whose lines these are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// Clients without a user name: what stands above the first `user`.
    Anonymous,
    User(String),
}

/// One line of it.
#[derive(Clone, Debug)]
struct Entry {
    effect: Effect,
    actions: Vec<Action>,
    topic: String,
}

/// What one user, or all by their names, may do.
#[derive(Clone, Debug, Default)]
struct Entries(Vec<Entry>);

impl Entries {
    /// Denials first; what follows each other with the same effect and actions is one rule.
    fn rules(self, who: &Who) -> Vec<Rule> {
        let (denied, allowed): (Vec<Entry>, Vec<Entry>) = self
            .0
            .into_iter()
            .partition(|entry| entry.effect == Effect::Deny);
        let mut rules: Vec<Rule> = Vec::new();
        for entry in denied.into_iter().chain(allowed) {
            match rules.last_mut() {
                Some(last) if (last.effect, &last.actions) == (entry.effect, &entry.actions) => {
                    last.topics.push(entry.topic);
                }
                _ => rules.push(Rule {
                    effect: entry.effect,
                    who: who.clone(),
                    actions: entry.actions,
                    topics: vec![entry.topic],
                }),
            }
        }
        rules
    }
}

/// The rules, and what could not become one.
pub fn rules(lines: &[Line], notes: &mut Notes) -> Vec<Rule> {
    let mut users: Vec<(Subject, Entries)> = vec![(Subject::Anonymous, Entries::default())];
    let (mut named, mut general) = (Entries::default(), Entries::default());
    let mut current = 0;
    for line in lines {
        let (key, rest) = line.text.split_once(' ').unwrap_or((&line.text, ""));
        let rest = rest.trim();
        match key {
            "user" if rest.is_empty() => notes.add(line, "`user` names nobody: left out"),
            "user" => {
                let subject = Subject::User(rest.to_owned());
                if let Err(why) = crate::auth::check_name(rest) {
                    notes.add(line, format!("this user cannot be one here: {why}"));
                }
                let known = users.iter().position(|(known, _)| *known == subject);
                current = known.unwrap_or_else(|| {
                    users.push((subject, Entries::default()));
                    users.len() - 1
                });
            }
            "topic" => {
                if let Some(entry) = entry(line, rest, false, notes) {
                    users[current].1.0.push(entry);
                }
            }
            "pattern" => {
                if let Some(entry) = entry(line, rest, true, notes) {
                    let is_named = entry.topic.contains("{user}");
                    let entries = if is_named { &mut named } else { &mut general };
                    entries.0.push(entry);
                }
            }
            _ => notes.add(
                line,
                format!("`{key}` is none of `user`, `topic` and `pattern`: left out"),
            ),
        }
    }
    let mut rules = Vec::new();
    for (subject, entries) in users {
        let who = match subject {
            Subject::Anonymous => Who::Anonymous,
            Subject::User(name) => Who::User(name),
        };
        rules.extend(entries.rules(&who));
    }
    // A pattern with `%u` is not about those without a name. Among the patterns, too, what is denied comes first.
    let mut patterns = named.rules(&Who::Authenticated);
    patterns.extend(general.rules(&Who::Any));
    patterns.sort_by_key(|rule| rule.effect == Effect::Allow);
    rules.extend(patterns);
    rules
}

/// What stands behind `topic` and `pattern`.
fn entry(line: &Line, rest: &str, is_pattern: bool, notes: &mut Notes) -> Option<Entry> {
    let (access, topic) = match rest.split_once(' ') {
        Some((access, topic)) => (access, topic.trim()),
        None => ("readwrite", rest),
    };
    let (effect, actions) = match access {
        "read" => (Effect::Allow, vec![Action::Subscribe]),
        "write" => (Effect::Allow, vec![Action::Publish, Action::Retain]),
        "readwrite" => (
            Effect::Allow,
            vec![Action::Publish, Action::Subscribe, Action::Retain],
        ),
        "deny" => (
            Effect::Deny,
            vec![Action::Publish, Action::Subscribe, Action::Retain],
        ),
        other => {
            notes.add(
                line,
                format!("`{other}` is none of read, write, readwrite and deny: left out"),
            );
            return None;
        }
    };
    if topic.contains(['{', '}']) {
        notes.add(line, "braces mean something else in rules: left out");
        return None;
    }
    let is_whole = |level: &str| !level.is_empty();
    if TopicFilter::new(topic).is_err() || !is_whole(topic) {
        notes.add(line, format!("{topic:?} is no topic filter: left out"));
        return None;
    }
    if topic.split('/').count() > LEVELS_MAX {
        notes.add(
            line,
            format!("it has more than {LEVELS_MAX} levels: left out"),
        );
        return None;
    }
    let topic = match is_pattern {
        true => topic.replace("%u", "{user}").replace("%c", "{client}"),
        false => topic.to_owned(),
    };
    if effect == Effect::Deny && topic.contains("{client}") {
        notes.add(
            line,
            "a client whose id has `/`, `+` or `#` in it is denied more here: any name in that place",
        );
    }
    Some(Entry {
        effect,
        actions,
        topic,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut notes = Notes::default();
        let rules = rules(&Line::all("acl", text), &mut notes);
        let rules = rules.iter().map(|rule| {
            let effect = format!("{:?}", rule.effect).to_lowercase();
            let actions: String = rule
                .actions
                .iter()
                .map(|action| match action {
                    Action::Publish => 'p',
                    Action::Subscribe => 's',
                    Action::Retain => 'r',
                })
                .collect();
            format!(
                "{effect} {:?} {actions} {}",
                rule.who,
                rule.topics.join(" ")
            )
        });
        (rules.collect(), notes.texts())
    }

    #[test]
    fn what_is_denied_comes_first_and_patterns_come_last() {
        let (rules, notes) = read(
            "# everybody\n\ntopic read news/#\npattern write dev/%c/up\nuser ann\ntopic a/#\ntopic deny a/secret\ntopic read b\n\
             user bob\ntopic write b\npattern deny x/#\npattern read home/%u/#\nuser ann\ntopic read c\n",
        );
        assert_eq!(
            rules,
            [
                "allow Anonymous s news/#",
                "deny User(\"ann\") psr a/secret",
                "allow User(\"ann\") psr a/#",
                "allow User(\"ann\") s b c",
                "allow User(\"bob\") pr b",
                "deny Any psr x/#",
                "allow Authenticated s home/{user}/#",
                "allow Any pr dev/{client}/up",
            ]
        );
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_a_rule_is_named_with_its_line() {
        let (rules, notes) = read(
            "topic readwrit a\ntopic read a{b\nuser\nuser a/b\ntopic a#\nacl x\npattern deny c/%c\ntopic read a b\n",
        );
        assert_eq!(
            rules,
            ["allow User(\"a/b\") s a b", "deny Any psr c/{client}",]
        );
        let starts = [
            "acl:1: `readwrit`",
            "acl:2: braces",
            "acl:3: `user`",
            "acl:4: this user",
            "acl:5: \"a#\"",
            "acl:6: `acl`",
            "acl:7: a client",
        ];
        assert_eq!(notes.len(), starts.len(), "{notes:?}");
        for (note, start) in notes.iter().zip(starts) {
            assert!(note.starts_with(start), "{note}");
        }
    }
}
