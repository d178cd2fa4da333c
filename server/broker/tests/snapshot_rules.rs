//! The snapshot extension where rules are in force: nobody is told how many messages there are that it may not have.

mod world;

use std::sync::Arc;

use ebbtide_broker::Rules;
use ebbtide_protocol::packet::Connect;
use ebbtide_store::access::{Actions, Effect, RuleRow, Who};
use world::{World, clean, snapshots::*};

/// More levels of topics than are looked at in one turn.
const COUNTLESS: usize = 20_000;

fn row(effect: Effect, user: &str, topic: &str) -> RuleRow {
    RuleRow {
        effect,
        who: Who::User(user.into()),
        actions: Actions {
            publish: true,
            subscribe: true,
            retain: true,
        },
        topics: vec![topic.into()],
    }
}

/// `bob` may do everything, `ann` what is below `r` but for these.
fn rows(denied: &[&str]) -> Vec<RuleRow> {
    let denied = denied.iter().map(|topic| row(Effect::Deny, "ann", topic));
    let allowed = [
        row(Effect::Allow, "ann", "r/#"),
        row(Effect::Allow, "bob", "#"),
    ];
    denied.chain(allowed).collect()
}

fn of(user: &str) -> Connect {
    Connect {
        username: Some(user.into()),
        ..clean(user)
    }
}

fn change(world: &mut World, rows: Vec<RuleRow>) {
    let rules = Rules::new(rows).expect("valid rules");
    world.broker.set_rules(Arc::new(rules));
}

/// A world with so many retained messages, and `ann` in it.
fn with_retained(denied: &[&str], count: usize) -> (World, world::Client) {
    let mut world = World::guarded(rows(denied));
    let (bob, _) = world.connect(of("bob"));
    for n in 0..count {
        set(&mut world, bob, n, "old");
    }
    let (ann, _) = world.connect(of("ann"));
    (world, ann)
}

/// Rules may change while the messages are on their way, so the number is not relied on.
#[test]
fn what_a_rule_denies_is_not_counted_and_the_marker_comes() {
    let (mut world, ann) = with_retained(&["r/00001", "r/00003"], 5);
    let suback = ask(&mut world, ann, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["3"], true));
    let mut expected = vec!["r/00000 old", "r/00002 old", "r/00004 old"];
    expected.push("$ebbtide/end/1 [1]");
    assert_eq!(all(&mut world, ann), expected);
    let (bob, _) = world.connect(of("bob"));
    let suback = ask(&mut world, bob, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["5"], true));
}

#[test]
fn where_all_is_denied_it_looks_as_if_nothing_were_there() {
    let (mut world, ann) = with_retained(&["r/00000"], 1);
    for filter in ["r/00001", "r/+"] {
        let suback = ask(&mut world, ann, 1, &[(filter, AT_LEAST_ONCE)]);
        assert_eq!(told(&suback), (vec!["0"], false), "{filter}");
        assert!(all(&mut world, ann).is_empty());
    }
}

/// Not even where there are too many to be counted.
#[test]
fn how_many_there_are_in_all_is_not_told() {
    let (mut world, ann) = with_retained(&["r/+"], COUNTLESS);
    let mut rows = rows(&["r/+"]);
    rows.insert(0, row(Effect::Allow, "ann", "r/00000"));
    change(&mut world, rows);
    let suback = ask(&mut world, ann, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["1"], true));
    let expected = ["r/00000 old", "$ebbtide/end/1 [1]"];
    assert_eq!(all(&mut world, ann), expected);
}

/// A right that is given while they are on their way gives more than were counted.
#[test]
fn the_end_is_right_though_the_rules_change_on_the_way() {
    let (mut world, ann) = with_retained(&["r/00003", "r/00004"], 5);
    world.cut(ann);
    let (ann, _) = world.connect(Connect {
        username: Some("ann".into()),
        ..slow("ann")
    });
    let suback = ask(&mut world, ann, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["3"], true));
    change(&mut world, rows(&[]));
    let mut expected = values(0..5);
    expected.push("$ebbtide/end/1 [1]".to_owned());
    assert_eq!(all(&mut world, ann), expected);
}
