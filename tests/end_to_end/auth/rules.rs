//! Rules at the broker itself: what clients may do, and what changes when they are replaced.

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::{QoS, ReasonCode};
use ebbtide_tests::peer::{clean, kept, publish};
use serde_json::{Value, json};

use super::*;

#[test]
fn rules_decide_what_a_client_may_do() -> Result<()> {
    let guarded = Guarded::start()?;
    let mut ann = guarded.is_in(with("ann", PASSWORD, clean("ann")))?;
    let mut bob = guarded.is_in(with("bob", PASSWORD, clean("bob")))?;
    for (filter, expected) in [
        ("own/ann/#", ReasonCode::GrantedQoS1),
        ("own/bob/#", ReasonCode::NotAuthorized),
        ("own/+/#", ReasonCode::NotAuthorized),
        ("app/#", ReasonCode::GrantedQoS1),
        ("app/x/secret/y", ReasonCode::NotAuthorized),
        ("#", ReasonCode::NotAuthorized),
        ("$SYS/#", ReasonCode::NotAuthorized),
    ] {
        let reason = subscribe_to(&mut ann, filter)?;
        ensure!(reason == expected, "{filter}: {reason:?}");
    }
    guarded.logged(r#"not allowed to subscribe: "own/bob/#": no rule allows it"#)?;
    guarded.logged(r#"not allowed to subscribe: "app/x/secret/y": rule 1 denies it"#)?;
    ensure!(publish_at_1(&mut ann, "app/1", false)? == ReasonCode::NotAuthorized);
    guarded.logged(r#"not allowed to publish: "app/1": no rule allows it"#)?;
    ensure!(publish_at_1(&mut ann, "own/ann/x", true)? == ReasonCode::NotAuthorized);
    ensure!(publish_at_1(&mut bob, "app/1/secret/x", true)? == ReasonCode::Success);
    ensure!(publish_at_1(&mut bob, "app/1/open", true)? == ReasonCode::Success);
    let message = ann.take()?;
    let topic = message.topic.context("a topic")?;
    ensure!(topic.as_str() == "app/1/open", "{topic}");
    ann.ping()?;
    let root = guarded.login("root")?;
    let path = "/api/v1/sessions/ann/why?topic=app/1/secret/x";
    let (status, why) = guarded.ask(&root, "GET", path, &Value::Null)?;
    ensure!(
        status == 200 && why["verdict"] == "denied" && why["rule"] == 1,
        "{why}"
    );
    let (_, stats) = guarded.ask(&root, "GET", "/api/v1/stats", &Value::Null)?;
    ensure!(stats.to_string().contains(r#""denied":"#), "{stats}");
    guarded.kept_silent(&[&root])
}

#[test]
fn rules_that_are_replaced_hold_at_once_and_after_a_crash() -> Result<()> {
    let mut guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let mut ann = guarded.is_in(with("ann", PASSWORD, kept("ann")))?;
    ensure!(subscribe_to(&mut ann, "app/#")? == ReasonCode::GrantedQoS1);
    drop(ann);
    let mut bob = guarded.is_in(with("bob", PASSWORD, clean("bob")))?;
    for topic in ["app/1", "app/2"] {
        bob.publish(publish(topic, topic, QoS::AtLeastOnce, 7)?)?;
    }
    let rules = json!({ "rules": [
        { "effect": "allow", "who": { "user": "ann" }, "actions": ["subscribe"], "topics": ["app/2", "app/3"] },
    ] });
    let wrong =
        json!({ "rules": [{ "effect": "allow", "actions": ["publish"], "topics": ["a/{usr}"] }] });
    for (method, path) in [("PUT", "/api/v1/rules"), ("POST", "/api/v1/rules/validate")] {
        let (status, answer) = guarded.ask(&root, method, path, &wrong)?;
        let detail = answer["detail"].as_str().unwrap_or_default();
        ensure!(
            status == 400 && detail.contains("rule 1") && detail.contains("{user}"),
            "{answer}"
        );
    }
    let (status, answer) = guarded.ask(&root, "PUT", "/api/v1/rules", &rules)?;
    ensure!(status == 200, "{answer}");
    ensure!(publish_at_1(&mut bob, "app/3", false)? == ReasonCode::NotAuthorized);
    guarded.broker.crash_and_restart()?;
    let (_, now) = guarded.ask(&root, "GET", "/api/v1/rules", &Value::Null)?;
    ensure!(
        now["rules"][0]["topics"] == json!(["app/2", "app/3"]),
        "{now}"
    );
    // What waited and may not be had any more does not come.
    let mut ann = guarded.is_in(with("ann", PASSWORD, kept("ann")))?;
    let message = ann.take()?;
    ensure!(&message.payload[..] == b"app/2", "{message:?}");
    ann.ping()?;
    let simulate = |action: &str, topic: &str| {
        let body = json!({ "user": "ann", "client_id": "x", "action": action, "topic": topic });
        guarded.ask(&root, "POST", "/api/v1/rules/simulate", &body)
    };
    for (action, topic, allowed, rule) in [
        ("subscribe", "app/2", true, json!(1)),
        ("subscribe", "app/#", false, Value::Null),
        ("publish", "app/2", false, Value::Null),
    ] {
        let (status, answer) = simulate(action, topic)?;
        ensure!(
            status == 200 && answer["allowed"] == allowed && answer["rule"] == rule,
            "{answer}"
        );
    }
    Ok(())
}

/// A name of a megabyte, in each of thousands of levels, would be gigabytes.
#[test]
fn a_simulation_is_about_names_that_a_client_may_have() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let topics: Vec<String> = (0..1_000).map(|n| format!("own/{n}-{{client}}")).collect();
    let rules = json!([{ "effect": "allow", "actions": ["publish"], "topics": topics }]);
    for (bytes, expected) in [(60_000, 200), (65_535, 200), (65_536, 400), (1 << 20, 400)] {
        let client_id = "c".repeat(bytes);
        let body = json!({
            "client_id": client_id, "action": "publish", "topic": "own/1", "rules": rules,
        });
        let (status, answer) = guarded.ask(&root, "POST", "/api/v1/rules/simulate", &body)?;
        ensure!(status == expected, "{bytes}: {status} {answer}");
        let said = answer["detail"].as_str().unwrap_or("client_id: at most");
        ensure!(said.starts_with("client_id: at most"), "{answer}");
    }
    Ok(())
}
