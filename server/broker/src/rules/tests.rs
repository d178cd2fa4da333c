//! Rules by table, and held against what they are to mean by a model that tries every topic.

use std::collections::BTreeSet;

use ebbtide_protocol::{TopicFilter, TopicName};
use ebbtide_store::access::Actions;
use proptest::prelude::*;

use super::*;

const ALL: Actions = Actions {
    publish: true,
    subscribe: true,
    retain: true,
};

fn row(effect: Effect, who: Who, topic: &str) -> RuleRow {
    RuleRow {
        effect,
        who,
        actions: ALL,
        topics: vec![topic.into()],
    }
}

/// `+topic` allows, `-topic` denies, for all who have said who they are.
fn rules(lines: &[&str]) -> Rules {
    let rows = lines.iter().map(|line| {
        let (effect, topic) = match line.split_at(1) {
            ("+", topic) => (Effect::Allow, topic),
            (_, topic) => (Effect::Deny, topic),
        };
        row(effect, Who::Authenticated, topic)
    });
    Rules::new(rows.collect()).expect("valid rules")
}

fn ann() -> Subject {
    Subject {
        user: Some("ann".into()),
        client_id: "pump".into(),
        claims: vec![
            ("site".into(), "north".into()),
            ("role".into(), "reader".into()),
            ("role".into(), "writer".into()),
        ],
    }
}

fn rights(lines: &[&str], subject: Subject) -> Rights {
    Rights::new(subject, Arc::new(rules(lines)))
}

fn topic(name: &str) -> TopicName {
    TopicName::new(name.to_owned()).expect("a topic")
}

fn filter(filter: &str) -> TopicFilter {
    TopicFilter::new(filter.to_owned()).expect("a filter")
}

/// The rule that decides a publish, negative if it denies; 0: none.
fn publish(rights: &Rights, name: &str) -> i64 {
    signed(rights.decide(Action::Publish, &topic(name)))
}

fn subscribe(rights: &Rights, name: &str) -> i64 {
    signed(rights.decide_filter(&filter(name)))
}

fn signed(decision: Decision) -> i64 {
    let rule = decision.rule.unwrap_or(0) as i64;
    if decision.is_allowed { rule } else { -rule }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rights = rights(
        &["-a/secret/#", "+a/+/b", "+a/#", "-a/x", "+$SYS/#", "+#"],
        ann(),
    );
    for (name, expected) in [
        ("a/secret", -1),
        ("a/secret/x", -1),
        ("a/x/b", 2),
        ("a/x", 3),
        ("a", 3),
        ("b", 6),
        ("$SYS/x", 5),
        ("$other", 0),
    ] {
        assert_eq!(publish(&rights, name), expected, "{name}");
    }
}

#[test]
fn a_subscription_is_decided_by_the_first_rule_that_covers_all_of_it() {
    let rights = rights(
        &[
            "-a/secret/#",
            "+a/+",
            "+b/+/c/#",
            "+$SYS/a/#",
            "-x/+/y",
            "+x/#",
        ],
        ann(),
    );
    for (name, expected) in [
        ("a/secret/#", -1),
        ("a/secret", -1),
        ("a/secret/+/x", -1),
        ("a/+", 2),
        ("a/x", 2),
        ("$share/group/a/+", 2),
        ("$share/group/a/secret/x", -1),
        ("a/#", 0),
        ("a", 0),
        ("#", 0),
        ("+/+", 0),
        ("b/+/c/#", 3),
        ("b/x/c/+/d/#", 3),
        ("b/+/c", 3),
        ("b/+/+", 0),
        ("b/#", 0),
        ("$SYS/a/#", 4),
        ("$SYS/#", 0),
        ("x/z/y", -5),
        ("x/+/y", -5),
        ("x/+/+", 6),
        ("x/#", 6),
    ] {
        assert_eq!(subscribe(&rights, name), expected, "{name}");
    }
}

#[test]
fn a_wildcard_does_not_reach_what_is_the_brokers_own() {
    let rights = rights(&["+#", "+{user}/#"], ann());
    assert_eq!(subscribe(&rights, "#"), 1);
    assert_eq!(subscribe(&rights, "$SYS/#"), 0);
    let system = Subject {
        user: Some("$SYS".into()),
        ..ann()
    };
    let rights = self::rights(&["+{user}/#"], system);
    assert_eq!(subscribe(&rights, "$SYS/#"), 0);
    assert_eq!(publish(&rights, "$SYS/x"), 0);
}

#[test]
fn names_stand_in_topics() {
    let lines = [
        "+u/{user}/#",
        "+c/{client}",
        "+s/{claim.site}/in-{user}-out/+",
        "+r/{claim.role}",
        "+n/{claim.none}",
    ];
    let rights = rights(&lines, ann());
    for (name, expected) in [
        ("u/ann/x", 1),
        ("u/bob/x", 0),
        ("c/pump", 2),
        ("c/ann", 0),
        ("s/north/in-ann-out/x", 3),
        ("s/north/in-annout/x", 0),
        // A claim with two values fits nowhere.
        ("r/reader", 0),
        ("n/", 0),
    ] {
        assert_eq!(publish(&rights, name), expected, "{name}");
    }
    assert_eq!(subscribe(&rights, "u/+/#"), 0);
    assert_eq!(subscribe(&rights, "u/ann/#"), 1);
}

#[test]
fn no_name_breaks_out_of_its_level() {
    for name in ["", "+", "#", "a/b", "ann/#", "ann+", "/", "\0"] {
        let subject = Subject {
            user: Some(name.into()),
            ..ann()
        };
        let rights = rights(
            &["-d/{user}/x", "+u/{user}/#", "+p-{user}/#", "+d/#"],
            subject,
        );
        for tried in ["u/a", "u/ann", "u/a/b", "u//", "u/", "p-", "p-a", "p-a/b"] {
            assert_eq!(publish(&rights, tried), 0, "{name:?}: {tried}");
        }
        for tried in ["u/#", "u/+", "u/+/#", "u/a/b", "u/ann/#", "#", "+/#"] {
            assert_eq!(subscribe(&rights, tried), 0, "{name:?}: {tried}");
        }
        // What denies is not undone by a name that does not fit.
        assert_eq!(publish(&rights, "d/anything/x"), -1, "{name:?}");
        assert_eq!(publish(&rights, "d/anything/y"), 4, "{name:?}");
    }
}

#[test]
fn whom_a_rule_is_about() {
    let claim = |name: &str, value: &str| Who::Claim {
        name: name.into(),
        value: value.into(),
    };
    let anonymous = Subject {
        client_id: "pump".into(),
        ..Subject::default()
    };
    for (who, is_ann, is_anonymous) in [
        (Who::Any, true, true),
        (Who::Anonymous, false, true),
        (Who::Authenticated, true, false),
        (Who::User("ann".into()), true, false),
        (Who::User("bob".into()), false, false),
        (claim("role", "writer"), true, false),
        (claim("role", "admin"), false, false),
        (claim("site", "north"), true, false),
    ] {
        let rows = vec![row(Effect::Allow, who.clone(), "t")];
        let rules = Arc::new(Rules::new(rows).expect("valid"));
        for (subject, expected) in [(ann(), is_ann), (anonymous.clone(), is_anonymous)] {
            let rights = Rights::new(subject, Arc::clone(&rules));
            assert_eq!(publish(&rights, "t") == 1, expected, "{who:?}");
        }
    }
}

#[test]
fn a_retained_message_needs_both_rights() {
    let actions = |publish, retain| Actions {
        publish,
        subscribe: false,
        retain,
    };
    for (actions, live, retained) in [
        (actions(true, false), true, false),
        (actions(false, true), false, false),
        (actions(true, true), true, true),
    ] {
        let rule = RuleRow {
            actions,
            ..row(Effect::Allow, Who::Any, "t")
        };
        let rights = Rights::new(ann(), Arc::new(Rules::new(vec![rule]).expect("valid")));
        assert_eq!(rights.decide_publish(&topic("t"), false).is_allowed, live);
        assert_eq!(
            rights.decide_publish(&topic("t"), true).is_allowed,
            retained
        );
        assert!(!rights.decide_filter(&filter("t")).is_allowed);
    }
}

#[test]
fn a_wrong_rule_is_named_with_what_would_be_right() {
    let good = row(Effect::Allow, Who::Any, "t");
    let with = |topic: &str| vec![good.clone(), row(Effect::Allow, Who::Any, topic)];
    for (rows, expected) in [
        (with("a/#/b"), "rule 2: the topic `a/#/b`: `#` stands alone"),
        (with("a/{usr}"), "`{usr}` stands for nothing; give {user}"),
        (with("a/{claim.}"), "`{claim.}` stands for nothing"),
        (with("a/{user"), "stand around a variable"),
        (with("a/user}"), "stand around a variable"),
        (with("a/{user}+"), "`+` stands alone"),
        (with("$share/g/a"), "leave that out"),
        (
            with(&"a/".repeat(200)),
            "it has 201 levels: give at most 128",
        ),
        (
            vec![RuleRow {
                topics: Vec::new(),
                ..good.clone()
            }],
            "rule 1: it names no topic",
        ),
        (
            vec![RuleRow {
                actions: Actions::default(),
                ..good.clone()
            }],
            "rule 1: it names no action",
        ),
        (vec![good.clone(); RULES_MAX + 1], "give at most 10000"),
        (
            vec![
                RuleRow {
                    topics: vec!["t".into(); RULE_TOPICS_MAX],
                    ..good.clone()
                };
                101
            ],
            "together have 101000 topics: give at most 100000",
        ),
        (
            vec![
                RuleRow {
                    topics: vec!["a/".repeat(99).as_str().into(); RULE_TOPICS_MAX],
                    ..good.clone()
                };
                6
            ],
            "together have 600000 levels: give at most 500000",
        ),
    ] {
        let error = Rules::new(rows).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_change_is_seen_at_the_next_look() {
    let book = Book::new(rules(&["+a"]));
    let mut rights = Rights::of(ann(), &book);
    assert!(!rights.refresh(&book));
    assert_eq!(publish(&rights, "a"), 1);
    book.set(Arc::new(rules(&["+b"])));
    assert!(rights.refresh(&book));
    assert_eq!((publish(&rights, "a"), publish(&rights, "b")), (0, 1));
    assert_eq!(rights.subject(), &ann());
}

/// Every way to put up to so many of these levels one after the other, each once.
fn names(levels: &[&str], levels_max: usize) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = levels.iter().map(ToString::to_string).collect();
    for _ in 1..levels_max {
        let longer = names
            .iter()
            .flat_map(|name| levels.iter().map(move |level| format!("{name}/{level}")));
        let longer: Vec<String> = longer.collect();
        names.extend(longer);
    }
    names
}

/// Every topic of up to four levels of these: one more than any filter here names.
fn topics() -> Vec<String> {
    let names = names(&["a", "b", "", "$x"], 4);
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// Every filter of up to three levels of these, by itself and with `#` after it.
fn filters() -> Vec<String> {
    let names = names(&["a", "b", "", "+", "$x"], 3);
    let mut filters = vec!["#".to_owned()];
    filters.extend(names.iter().map(|name| format!("{name}/#")));
    filters.extend(names.into_iter().filter(|name| !name.is_empty()));
    filters
}

fn any_filter() -> impl Strategy<Value = String> {
    prop::sample::select(filters())
}

#[test]
fn all_topics_have_a_first_level() {
    let all = rights(&["++/#"], ann());
    assert_eq!(subscribe(&all, "#"), 1);
    assert_eq!(subscribe(&all, "+"), 1);
    // `a/#` matches `a` as well, which has no second one.
    let below = rights(&["+a/+/#"], ann());
    assert_eq!(subscribe(&below, "a/#"), 0);
    assert_eq!(subscribe(&below, "a/+/#"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// As each rule's filter by itself says, in their order.
    #[test]
    fn a_topic_is_decided_as_by_trying_one_rule_after_the_other(
        lines in prop::collection::vec((any::<bool>(), any_filter()), 0..9),
    ) {
        let lines: Vec<String> = lines
            .into_iter()
            .map(|(allows, filter)| format!("{}{filter}", if allows { '+' } else { '-' }))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let rights = rights(&lines, ann());
        for name in topics() {
            let matches = |line: &&str| filter(&line[1..]).matches(&topic(&name));
            let first = lines.iter().position(matches);
            let expected = first.map_or(0, |at| {
                let rule = at as i64 + 1;
                if lines[at].starts_with('+') { rule } else { -rule }
            });
            prop_assert_eq!(publish(&rights, &name), expected, "{}", name);
        }
    }
}

/// Every pair of filters: a rule allows one when no topic that it matches is outside the rule's own, and only then.
#[test]
fn a_filter_is_allowed_if_it_is_nowhere_wider_than_the_rule() {
    let topics: Vec<TopicName> = topics().iter().map(|name| topic(name)).collect();
    let filters = filters();
    let matched: Vec<Vec<bool>> = filters
        .iter()
        .map(|pattern| {
            let pattern = filter(pattern);
            topics.iter().map(|name| pattern.matches(name)).collect()
        })
        .collect();
    for (rule, by_rule) in filters.iter().zip(&matched) {
        let rights = rights(&[&format!("+{rule}")], ann());
        for (asked, by_asked) in filters.iter().zip(&matched) {
            let is_wider = by_asked
                .iter()
                .zip(by_rule)
                .any(|(asked, rule)| *asked && !rule);
            assert_eq!(
                subscribe(&rights, asked) == 1,
                !is_wider,
                "{asked} by {rule}"
            );
        }
    }
}

/// Whoever may only look may have rules checked, so it costs little however they are made. Each topic has a template of its own, in the
/// same level.
#[test]
fn the_most_rules_that_there_may_be_are_read_at_once() {
    let each = RULES_TOPICS_MAX / RULES_MAX;
    let rows = (0..RULES_MAX).map(|rule| RuleRow {
        topics: (0..each)
            .map(|n| format!("{rule}-{n}-{{user}}").into())
            .collect(),
        ..row(Effect::Allow, Who::Any, "t")
    });
    let rows = rows.collect();
    let started = std::time::Instant::now();
    let rules = Rules::new(rows).expect("valid");
    let took = started.elapsed();
    // A second or so; minutes if each template were looked for among all.
    assert!(took < std::time::Duration::from_secs(30), "{took:?}");
    let rights = Rights::new(ann(), Arc::new(rules));
    assert_eq!(publish(&rights, "9999-9-ann"), 10_000);
    assert_eq!(publish(&rights, "9999-9-bob"), 0);
}

/// So many rules, of all kinds.
fn rights_among(count: usize) -> Rights {
    let mut rows = Vec::new();
    for n in 0..count - 3 {
        let topic = match n % 4 {
            0 => format!("site/{n}/state"),
            1 => format!("site/+/{n}/#"),
            2 => format!("site/{{user}}/{n}/+"),
            _ => format!("own/{{client}}/{n}"),
        };
        let who = match n % 5 {
            0 => Who::User(format!("user {n}").into()),
            _ => Who::Authenticated,
        };
        rows.push(row(Effect::Allow, who, &topic));
    }
    rows.push(row(Effect::Deny, Who::Any, "site/+/secret/#"));
    rows.push(row(Effect::Allow, Who::Any, "site/#"));
    rows.push(row(Effect::Allow, Who::Any, "own/{client}/#"));
    Rights::new(ann(), Arc::new(Rules::new(rows).expect("valid")))
}

/// What a check costs among a thousand rules is printed: `cargo test --release -p ebbtide-broker --lib a_check_among -- --nocapture`.
/// What is held is that it looks at no more than among a hundred.
#[test]
fn a_check_among_a_thousand_rules_is_quick() {
    const COUNT: usize = 1_000;
    let (rights, fewer) = (rights_among(COUNT), rights_among(COUNT / 10));
    let cases = [
        ("site/ann/94/x", 95),
        ("site/x/secret/y", -998),
        ("site/z/state", 999),
        ("own/pump/z/z/z", 1000),
        ("nowhere/at/all", 0),
    ];
    let cases = cases.map(|(name, expected)| (topic(name), expected));
    for (name, _) in &cases {
        let steps = |rights: &Rights| rights.steps(Action::Publish, name);
        assert!(steps(&fewer) > 0);
        assert_eq!(steps(&rights), steps(&fewer), "{name}");
    }
    const ROUNDS: u32 = 20_000;
    let started = std::time::Instant::now();
    for _ in 0..ROUNDS {
        for (name, expected) in &cases {
            let decision = std::hint::black_box(&rights).decide(Action::Publish, name);
            assert_eq!(signed(decision), *expected, "{name}");
        }
    }
    let each = started.elapsed() / (ROUNDS * cases.len() as u32);
    println!("a check among 1,000 rules takes {} ns", each.as_nanos());
}
