//! Users: wrong passwords, guessing, sessions that are theirs alone, and what goes with them.

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::packet::Connect;
use ebbtide_protocol::{Packet, ReasonCode};
use ebbtide_tests::broker::{Broker, run_to_end};
use ebbtide_tests::http::api;
use ebbtide_tests::peer::{clean, kept};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

#[test]
fn a_wrong_password_and_an_unknown_user_are_told_the_same() -> Result<()> {
    let guarded = Guarded::start()?;
    guarded.is_in(with("ann", PASSWORD, clean("a")))?;
    for (user, password) in [
        ("ann", "wr0ng-secret"),
        ("nobody", "wr0ng-secret"),
        ("nobody", PASSWORD),
    ] {
        let reason = guarded.refused(with(user, password, clean("a")))?;
        ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
        guarded.logged(&format!("there is no user {user:?} with this password"))?;
    }
    let reason = guarded.refused(clean("a"))?;
    ensure!(reason == ReasonCode::NotAuthorized, "{reason:?}");
    guarded.logged("it has shown nothing that `auth` asks for (jwt, password)")?;
    let reason = guarded.refused(Connect {
        authentication_method: Some("SCRAM-SHA-256".into()),
        ..clean("a")
    })?;
    ensure!(reason == ReasonCode::BadAuthenticationMethod, "{reason:?}");
    guarded.kept_silent(&["wr0ng-secret"])
}

#[test]
fn who_guesses_has_to_wait() -> Result<()> {
    let guarded = Guarded::start()?;
    let body = json!({ "user": "ann", "password": "guess" });
    let mut tried = 0;
    loop {
        let (status, answer) = api(guarded.broker.http(), "POST", "/api/v1/login", Some(&body))?;
        if status == 429 {
            break;
        }
        ensure!(status == 401 && tried < 25, "{status} {answer}");
        tried += 1;
    }
    ensure!(tried == 20, "{tried}");
    // The right one too, and by MQTT as well.
    let reason = guarded.refused(with("ann", PASSWORD, clean("a")))?;
    ensure!(reason == ReasonCode::ConnectionRateExceeded, "{reason:?}");
    guarded.logged("an address has failed 20 times in 60 s")
}

#[test]
fn a_session_is_its_users_alone() -> Result<()> {
    let guarded = Guarded::start()?;
    let mut ann = guarded.is_in(with("ann", PASSWORD, kept("shared")))?;
    let reason = guarded.refused(with("bob", PASSWORD, kept("shared")))?;
    ensure!(reason == ReasonCode::ClientIdentifierNotValid, "{reason:?}");
    guarded.logged("the session belongs to another user")?;
    ann.ping()?;
    drop(ann);
    let reason = guarded.refused(with("bob", PASSWORD, clean("shared")))?;
    ensure!(reason == ReasonCode::ClientIdentifierNotValid, "{reason:?}");
    guarded.is_in(with("ann", PASSWORD, kept("shared")))?;
    Ok(())
}

#[test]
fn a_removed_user_is_gone_with_all_that_was_its_own() -> Result<()> {
    let mut guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let token = guarded.login("ann")?;
    let mut there = guarded.is_in(with("ann", PASSWORD, kept("there")))?;
    drop(guarded.is_in(with("ann", PASSWORD, kept("away")))?);
    let mut by_token = guarded.is_in(by_method(&token, kept("by token")))?;
    let mut bob = guarded.is_in(with("bob", PASSWORD, kept("bob")))?;
    let (status, answer) = guarded.ask(&root, "DELETE", "/api/v1/users/ann", &Value::Null)?;
    ensure!(status == 200 && answer["sessions"] == 3, "{answer}");
    for peer in [&mut there, &mut by_token] {
        match peer.receive()? {
            Packet::Disconnect(disconnect) => {
                ensure!(disconnect.reason == ReasonCode::AdministrativeAction);
            }
            other => bail!("no DISCONNECT but {other:?}"),
        }
    }
    guarded.logged("a user was removed, with its connections and sessions")?;
    bob.ping()?;
    for round in 0..2 {
        let reason = guarded.refused(with("ann", PASSWORD, kept("there")))?;
        ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
        let reason = guarded.refused(by_method(&token, kept("there")))?;
        ensure!(reason == ReasonCode::NotAuthorized, "{reason:?}");
        let (_, sessions) = guarded.ask(&root, "GET", "/api/v1/sessions", &Value::Null)?;
        let text = sessions.to_string();
        ensure!(!text.contains("there") && text.contains("bob"), "{text}");
        if round == 0 {
            guarded.broker.crash_and_restart()?;
        }
    }
    guarded.logged("is gone, or has another password since")?;
    let (status, _) = guarded.ask(&root, "DELETE", "/api/v1/users/ann", &Value::Null)?;
    ensure!(status == 404);
    guarded.kept_silent(&[&token, &root])
}

#[test]
fn a_new_password_voids_the_old_one_and_its_tokens() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let token = guarded.login("bob")?;
    let put = |name: &str, body: Value| {
        let path = format!("/api/v1/users/{name}");
        guarded.ask(&root, "PUT", &path, &body)
    };
    let (status, answer) = put("bob", json!({ "password": "another-0ne" }))?;
    ensure!(
        status == 200 && answer["scopes"] == json!(["publish"]),
        "{answer}"
    );
    guarded.refused(with("bob", PASSWORD, clean("b")))?;
    guarded.refused(with("x", &token, clean("b")))?;
    guarded.is_in(with("bob", "another-0ne", clean("b")))?;
    let (status, answer) = put("eve", json!({ "scopes": [] }))?;
    ensure!(
        status == 400 && answer.to_string().contains("a new user needs one"),
        "{answer}"
    );
    for name in ["a%2Fb", "%23", "%2B", "$SYS"] {
        let (status, answer) = put(name, json!({ "password": "p" }))?;
        ensure!(status == 400, "{name}: {answer}");
    }
    let (status, _) = put(
        "eve",
        json!({ "password": "eves-0wn", "claims": { "role": ["writer"], "site": ["s"] } }),
    )?;
    ensure!(status == 200);
    let mut eve = guarded.is_in(with("eve", "eves-0wn", clean("e")))?;
    ensure!(!publish_at_1(&mut eve, "site/s/x", false)?.is_error());
    ensure!(publish_at_1(&mut eve, "site/t/x", false)? == ReasonCode::NotAuthorized);
    let (_, users) = guarded.ask(&root, "GET", "/api/v1/users", &Value::Null)?;
    ensure!(
        users["users"].as_array().map(Vec::len) == Some(4),
        "{users}"
    );
    ensure!(!users.to_string().contains("argon2"), "{users}");
    guarded.kept_silent(&["another-0ne", "eves-0wn", &token])
}

/// A password takes its time to be hashed: what is said of its user meanwhile counts too.
#[test]
fn of_two_changes_at_the_same_time_none_is_lost() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let put = |body: Value| {
        let (status, answer) = guarded.ask(&root, "PUT", "/api/v1/users/bob", &body)?;
        ensure!(status == 200, "{answer}");
        Ok(())
    };
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| put(json!({ "password": "another-0ne" })));
        // In the midst of hashing, most likely. Whenever it is, both have to count.
        std::thread::sleep(Duration::from_millis(5));
        put(json!({ "scopes": [] }))?;
        slow.join().expect("it does not panic")
    })?;
    let (_, users) = guarded.ask(&root, "GET", "/api/v1/users", &Value::Null)?;
    let bob = users["users"].as_array().context("users")?;
    let bob = bob.iter().find(|user| user["name"] == "bob");
    ensure!(bob.context("bob")?["scopes"] == json!([]), "{users}");
    guarded.is_in(with("bob", "another-0ne", clean("b")))?;
    Ok(())
}

/// Who says nothing, where that is allowed, is somebody whom rules decide about.
#[test]
fn anonymous_clients_may_what_the_rules_say() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("ebbtide.toml");
    let text = "auth = ['password']\nallow_anonymous = true\n[[rules]]\neffect = 'allow'\nwho = 'anonymous'\nactions = ['subscribe']\ntopics = ['public/#']\n";
    std::fs::write(&file, text)?;
    let file = file.to_str().context("a path")?;
    let guarded = Guarded {
        broker: Broker::start_with(&["--config", file])?,
        _folder: folder,
    };
    let mut anybody = guarded.is_in(clean("anybody"))?;
    ensure!(subscribe_to(&mut anybody, "public/#")? == ReasonCode::GrantedQoS1);
    ensure!(subscribe_to(&mut anybody, "#")? == ReasonCode::NotAuthorized);
    ensure!(publish_at_1(&mut anybody, "public/x", false)? == ReasonCode::NotAuthorized);
    let reason = guarded.refused(with("ann", "x", clean("ann")))?;
    ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    Ok(())
}

#[test]
fn a_mistake_in_the_configuration_is_told_before_anything_starts() -> Result<()> {
    let folder = TempDir::new()?;
    for (text, expected) in [
        (
            "[[users]]\nname = 'a'\npassword = 'p'\n",
            "`auth` does not name `password`",
        ),
        (
            "auth = ['password']\n[[users]]\nname = 'a'\n",
            "either its password or its password_hash",
        ),
        (
            "auth = ['password']\n[[users]]\nname = 'a/b'\npassword = 'p'\n",
            "none of `/`",
        ),
        (
            "auth = ['password']\n[[users]]\nname = 'a'\npassword_hash = 'x'\n",
            "ebbtide users hash",
        ),
        (
            "auth = ['password']\n[[rules]]\neffect = 'allow'\nactions = ['publish']\ntopics = ['a/#/b']\n",
            "rule 1",
        ),
        ("auth = ['password']\n[[rules]]\neffect = 'alow'\n", "alow"),
        ("auth = ['jwt']\n", "no key is given"),
        (
            "auth = ['jwt']\n[[jwt]]\nname = 'x'\nalgorithms = ['none']\nkey_file = 'k'\n",
            "is no algorithm",
        ),
        ("auth = ['passwd']\n", "passwd"),
    ] {
        std::fs::write(folder.path().join("ebbtide.toml"), text)?;
        let output = run_to_end(&["config", "check"], folder.path())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(2) && said.contains(expected),
            "{text}: {said}"
        );
    }
    // Authentication is enough to listen to the world.
    let text =
        "auth = ['password']\nmqtt = '0.0.0.0:0'\n[[users]]\nname = 'a'\npassword = 'hidd3n'\n";
    std::fs::write(folder.path().join("ebbtide.toml"), text)?;
    let output = run_to_end(&["config", "check"], folder.path())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && said.contains("1 [[users]]"),
        "{said}"
    );
    ensure!(!said.contains("hidd3n"), "{said}");
    Ok(())
}

/// What was seeded once is not seeded again.
#[test]
fn the_file_says_only_what_to_begin_with() -> Result<()> {
    let mut guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let (status, _) = guarded.ask(&root, "DELETE", "/api/v1/users/bob", &Value::Null)?;
    ensure!(status == 200);
    guarded.broker.restart()?;
    guarded.refused(with("bob", PASSWORD, clean("bob")))?;
    guarded.is_in(with("ann", PASSWORD, clean("ann")))?;
    // The token of before counts: the secret is kept as well.
    let (status, _) = guarded.ask(&root, "GET", "/api/v1/users", &Value::Null)?;
    ensure!(status == 200);
    Ok(())
}
