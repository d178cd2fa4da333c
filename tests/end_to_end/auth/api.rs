//! The HTTP API and the command line, once authentication is on.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::http::{Events, api};
use ebbtide_tests::peer::clean;
use ebbtide_tests::tools;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

use super::*;

#[test]
fn the_api_asks_for_a_key_or_a_token_with_the_scope() -> Result<()> {
    let mut guarded = Guarded::start()?;
    let http = guarded.broker.http();
    let message = json!({ "topic": "app/1", "payload": "x" });
    let (status, problem) = api(http, "GET", "/api/v1/sessions", None)?;
    ensure!(
        status == 401 && problem["detail"].to_string().contains("Bearer"),
        "{problem}"
    );
    let answer = ask(
        &guarded.broker,
        "nonsense",
        "GET",
        "/api/v1/stats",
        &Value::Null,
    )?;
    ensure!(
        answer.status == 401
            && answer
                .head
                .to_lowercase()
                .contains("www-authenticate: bearer")
    );
    for open in ["/api/v1/openapi.json", "/healthz", "/readyz"] {
        ensure!(
            ebbtide_tests::http::get(http, open)?.status == 200,
            "{open}"
        );
    }
    let root = guarded.login("root")?;
    let key = |label: &str, scopes: Value| -> Result<(String, String)> {
        let body = json!({ "label": label, "scopes": scopes });
        let (status, answer) = guarded.ask(&root, "POST", "/api/v1/keys", &body)?;
        ensure!(status == 200, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok((text("id"), text("key")))
    };
    let (read_id, read) = key("a dashboard", json!(["read"]))?;
    let (_, publishing) = key("a script", json!(["publish"]))?;
    let (bob, ann) = (guarded.login("bob")?, guarded.login("ann")?);
    for (bearer, method, path, body, expected) in [
        (&read, "GET", "/api/v1/sessions", &Value::Null, 200),
        (&read, "GET", "/api/v1/rules", &Value::Null, 200),
        (&read, "GET", "/metrics", &Value::Null, 200),
        (&publishing, "GET", "/metrics", &Value::Null, 403),
        (&read, "POST", "/api/v1/publish", &message, 403),
        (&read, "GET", "/api/v1/keys", &Value::Null, 403),
        (&read, "DELETE", "/api/v1/sessions/x", &Value::Null, 403),
        (&publishing, "POST", "/api/v1/publish", &message, 200),
        (
            &publishing,
            "PUT",
            "/api/v1/retained/anything",
            &json!({ "payload": "x" }),
            200,
        ),
        (&publishing, "GET", "/api/v1/sessions", &Value::Null, 403),
        // Rules hold for users here too.
        (&bob, "POST", "/api/v1/publish", &message, 200),
        (
            &bob,
            "POST",
            "/api/v1/publish",
            &json!({ "topic": "else", "payload": "x" }),
            403,
        ),
        (&bob, "PUT", "/api/v1/rules", &json!({ "rules": [] }), 403),
        (&ann, "POST", "/api/v1/publish", &message, 403),
        (&root, "GET", "/api/v1/stats", &Value::Null, 200),
    ] {
        let (status, answer) = guarded.ask(bearer, method, path, body)?;
        ensure!(status == expected, "{method} {path}: {status} {answer}");
    }
    guarded.logged("GET /api/v1/keys was refused: This needs the scope `admin`")?;
    let (_, keys) = guarded.ask(&root, "GET", "/api/v1/keys", &Value::Null)?;
    ensure!(keys["keys"][0]["used_at"].is_string(), "{keys}");
    ensure!(!keys.to_string().contains(&read), "{keys}");
    let (status, renewed) = guarded.ask(&bob, "POST", "/api/v1/login/renew", &Value::Null)?;
    ensure!(status == 200 && renewed["expires_in_s"] == 900, "{renewed}");
    // Who listens when its key is revoked does so no longer.
    let events = Events::listen_with(http, &format!("Authorization: Bearer {read}\r\n"))?;
    let path = format!("/api/v1/keys/{read_id}");
    let (status, _) = guarded.ask(&root, "DELETE", &path, &Value::Null)?;
    ensure!(status == 200);
    events.end()?;
    for _ in 0..2 {
        let (status, answer) = guarded.ask(&read, "GET", "/api/v1/sessions", &Value::Null)?;
        ensure!(
            status == 401 && answer.to_string().contains("revoked"),
            "{answer}"
        );
        let (status, _) = guarded.ask(&publishing, "POST", "/api/v1/publish", &message)?;
        ensure!(status == 200, "the other key counts still");
        guarded.broker.crash_and_restart()?;
    }
    guarded.logged("there is no such key, or it was revoked")?;
    guarded.kept_silent(&[&read, &publishing, &root, &bob])
}

/// A page learns whether it has to ask for a password, without showing anything.
#[test]
fn anybody_is_told_whether_there_is_a_login() -> Result<()> {
    let open = Broker::start()?;
    for (broker, expected) in [(&open, false), (&Guarded::start()?.broker, true)] {
        let (status, answer) = api(broker.http(), "GET", "/api/v1/login", None)?;
        ensure!(status == 200, "{status} {answer}");
        ensure!(
            answer == json!({ "required": expected, "by_password": expected }),
            "{answer}"
        );
    }
    let (status, answer) = api(open.http(), "PUT", "/api/v1/login", Some(&json!({})))?;
    ensure!(status == 405, "{status} {answer}");
    Ok(())
}

/// The command line goes through the API.
#[test]
fn users_keys_and_rules_from_the_command_line() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let url = format!("http://{}", guarded.broker.http());
    let run = |arguments: &[&str], input: &str| -> Result<(i32, String)> {
        let mut child = Command::new(tools::broker())
            .args(arguments)
            .env("EBBTIDE_URL", &url)
            .env("EBBTIDE_KEY", &root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        let code = output.status.code().context("it ended by itself")?;
        Ok((code, String::from_utf8_lossy(&said).into_owned()))
    };
    let done = |arguments: &[&str], input: &str| -> Result<String> {
        let (code, said) = run(arguments, input)?;
        ensure!(code == 0, "{arguments:?}: {code} {said}");
        Ok(said)
    };
    let set = [
        "users",
        "set",
        "eve",
        "--claim",
        "role=writer",
        "--claim",
        "site=s",
        "--scope",
        "read",
    ];
    done(&set, "eves-0wn\n")?;
    ensure!(done(&["users", "list"], "")?.contains("eve (read)"));
    let mut eve = guarded.is_in(with("eve", "eves-0wn", clean("e")))?;
    ensure!(!publish_at_1(&mut eve, "site/s/x", false)?.is_error());
    for (action, topic, expected, code) in [
        ("publish", "site/s/x", "rule 5 allows it", 0),
        ("publish", "site/t/x", "no rule allows it", 8),
        ("subscribe", "app/+/secret/#", "rule 1 denies it", 8),
    ] {
        let (found, said) = run(&["acl", "test", action, topic, "--user", "eve"], "")?;
        ensure!(
            found == code && said.contains(expected),
            "{topic}: {found} {said}"
        );
    }
    let key = done(&["keys", "make", "--label", "ci", "--scope", "read"], "")?;
    let (status, _) = guarded.ask(key.trim(), "GET", "/api/v1/stats", &Value::Null)?;
    ensure!(status == 200, "{key}");
    let list = done(&["keys", "list"], "")?;
    let id = list.split(' ').next().context("an id")?;
    done(&["keys", "revoke", id], "")?;
    let (status, _) = guarded.ask(key.trim(), "GET", "/api/v1/stats", &Value::Null)?;
    ensure!(status == 401);
    let folder = TempDir::new()?;
    let file = folder.path().join("rules.json");
    let rules = done(&["acl", "get"], "")?;
    std::fs::write(&file, rules.replace("app/+/secret/#", "app/+/hidden/#"))?;
    done(&["acl", "set", file.to_str().context("a path")?], "")?;
    let (code, _) = run(
        &[
            "acl",
            "test",
            "subscribe",
            "app/1/secret/x",
            "--user",
            "ann",
        ],
        "",
    )?;
    ensure!(code == 0);
    done(&["users", "remove", "eve"], "")?;
    guarded.refused(with("eve", "eves-0wn", clean("e")))?;
    let hash = done(&["users", "hash"], "a password\n")?;
    ensure!(hash.starts_with("$argon2id$"), "{hash}");
    // One that nobody could come in with is not hashed, and not sent.
    let longest = "p".repeat(1024);
    done(&["users", "hash"], &longest)?;
    for words in [&["users", "hash"][..], &["users", "set", "eve"]] {
        let (code, said) = run(words, &format!("{longest}p"))?;
        ensure!(code == 2 && said.contains("at most 1024 bytes"), "{said}");
    }
    let (code, said) = run(&["users", "set", "eve"], "")?;
    ensure!(code == 2 && said.contains("standard input"), "{said}");
    Ok(())
}
