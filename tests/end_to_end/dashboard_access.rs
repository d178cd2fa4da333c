//! The dashboard of a broker that asks who somebody is: signing in and leaving, what the scopes allow, and the access page; in
//! a real browser, and with no secret in the log.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::script;
use ebbtide_tests::tools::{self, Tool};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "Tr0ub4dor and 3";

fn user(name: &str, scopes: &str) -> String {
    format!("[[users]]\nname = \"{name}\"\npassword = \"{PASSWORD}\"\nscopes = [{scopes}]\n\n")
}

fn config() -> String {
    let rule = |who: &str, actions: &str, topics: &str| {
        format!(
            "[[rules]]\neffect = \"allow\"\nwho = {who}\nactions = [{actions}]\ntopics = [{topics}]\n\n"
        )
    };
    let all = r#""publish", "subscribe", "retain""#;
    [
        "auth = [\"password\"]\n\n".to_owned(),
        user("root", "\"admin\""),
        user("ann", "\"read\""),
        user("bob", "\"read\", \"publish\""),
        user("eve", "\"read\""),
        rule(r#"{ user = "root" }"#, all, r##""#", "$SYS/#""##),
        rule(r#"{ user = "bob" }"#, all, r##""config/#", "presence/#""##),
        rule("\"authenticated\"", all, r#""own/{user}/#""#),
    ]
    .concat()
}

/// Runs a script of `tests/node/browser` against a broker with users and rules.
fn guarded(script: &str, config: &str, arguments: &[&str]) -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let folder = TempDir::new()?;
    let file = folder.path().join("ebbtide.toml");
    std::fs::write(&file, config)?;
    let file = file.to_str().context("a path")?;
    let broker = Broker::start_with(&["--config", file, "--log", "debug"])?;
    let mut command = tools::node(&format!("browser/{script}.mjs"));
    command.arg(format!("http://{}", broker.http()));
    for argument in arguments {
        match *argument {
            "mqtt" => command.arg(format!("mqtt://{}", broker.mqtt())),
            other => command.arg(other),
        };
    }
    script::run(command)?;
    let log = broker.log();
    // A token begins like this, a key like that.
    for secret in [
        PASSWORD,
        OTHER,
        "eves own secret",
        "eyJ",
        "ebbtide_",
        "argon2id",
    ] {
        ensure!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    Ok(())
}

fn subscribing(effect: &str, who: &str, topic: &str) -> String {
    format!(
        "[[rules]]\neffect = \"{effect}\"\nwho = {{ user = \"{who}\" }}\nactions = [\"subscribe\"]\ntopics = [\"{topic}\"]\n\n"
    )
}

/// All may look at the boards; one value is not for everybody.
fn with_boards_for_all() -> String {
    config() + &subscribing("deny", "ann", "config/secret") + &subscribing("allow", "ann", "#")
}

/// One who may delete and not read, and one who may do both: they see more than rules let them delete. The broker keeps presence.
fn with_those_who_delete() -> String {
    let presence = "presence_topic = \"presence/{client}\"\n".to_owned();
    let pam = user("pam", "\"publish\"");
    let sees = |who: &str| subscribing("allow", who, "#");
    presence + &config() + &pam + &sees("bob") + &sees("pam")
}

#[test]
fn signing_in_is_told_renewed_asked_again_and_leaves_nothing() -> Result<()> {
    guarded("sign_in", &with_boards_for_all(), &[PASSWORD, OTHER])
}

#[test]
fn what_was_confirmed_is_done_when_its_user_signs_out() -> Result<()> {
    guarded("leaving", &with_boards_for_all(), &["mqtt", PASSWORD])
}

#[test]
fn what_a_scope_does_not_allow_is_disabled_and_says_why() -> Result<()> {
    guarded("scopes", &with_boards_for_all(), &["mqtt", PASSWORD])
}

#[test]
fn what_is_not_deleted_or_cannot_be_brought_back_is_said_so() -> Result<()> {
    guarded("deletion", &with_those_who_delete(), &["mqtt", PASSWORD])
}

#[test]
fn users_and_keys_are_made_and_removed_on_the_access_page() -> Result<()> {
    guarded("access_users", &config(), &["mqtt", PASSWORD])
}

#[test]
fn rules_are_changed_and_tried_on_the_access_page() -> Result<()> {
    guarded("access_rules", &config(), &[PASSWORD])
}

#[test]
fn where_nobody_is_asked_the_access_page_tells_how_to_change_that() -> Result<()> {
    if !tools::present(&[Tool::Node, Tool::Chromium]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let mut command = tools::node("browser/access_off.mjs");
    command.arg(format!("http://{}", broker.http()));
    script::run(command)
}
