//! What was begun with a key is neither carried out nor goes on once the key is revoked.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);
/// A client that takes nothing is cut off anyway, but not before that.
const BEFORE_A_STALL: Duration = Duration::from_secs(25);

/// An admin's key and its id.
fn key(guarded: &Guarded, root: &str) -> Result<(String, String)> {
    let body = json!({ "label": "stolen", "scopes": ["admin"] });
    let (status, answer) = guarded.ask(root, "POST", "/api/v1/keys", &body)?;
    ensure!(status == 200, "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Ok((text("key"), text("id")))
}

fn revoke(guarded: &Guarded, root: &str, id: &str) -> Result<()> {
    let path = format!("/api/v1/keys/{id}");
    let (status, answer) = guarded.ask(root, "DELETE", &path, &Value::Null)?;
    ensure!(status == 200, "{answer}");
    Ok(())
}

/// Waits until the broker has seen the key.
fn is_used(guarded: &Guarded, root: &str, id: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let (_, list) = guarded.ask(root, "GET", "/api/v1/keys", &Value::Null)?;
        let keys = list["keys"].as_array().into_iter().flatten();
        if keys
            .into_iter()
            .any(|key| key["id"] == id && key["used_at"].is_string())
        {
            return Ok(());
        }
        ensure!(started.elapsed() < DEADLINE, "{list}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The head of a request, whose body follows.
fn head(guarded: &Guarded, key: &str, method: &str, path: &str, length: usize) -> String {
    let host = guarded.broker.http();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn a_request_whose_body_comes_later_is_not_carried_out() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let rule = json!({ "effect": "allow", "actions": ["publish"], "topics": ["#"] });
    for (method, path, body) in [
        (
            "POST",
            "/api/v1/keys",
            json!({ "label": "mine", "scopes": ["admin"] }),
        ),
        ("PUT", "/api/v1/users/eve", json!({ "password": "mine" })),
        ("PUT", "/api/v1/rules", json!({ "rules": [rule] })),
        (
            "PUT",
            "/api/v1/retained/app/mine",
            json!({ "payload": "mine" }),
        ),
        ("POST", "/api/v1/rules/validate", json!({ "rules": [] })),
    ] {
        let (key, id) = key(&guarded, &root)?;
        let body = body.to_string();
        let (most, last) = body.split_at(body.len() - 1);
        let mut stream = TcpStream::connect(guarded.broker.http())?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(head(&guarded, &key, method, path, body.len()).as_bytes())?;
        stream.write_all(most.as_bytes())?;
        is_used(&guarded, &root, &id)?;
        revoke(&guarded, &root, &id)?;
        stream.write_all(last.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(
            answer.starts_with("HTTP/1.1 401 ")
                && answer.contains("it was revoked")
                && answer.to_lowercase().contains("www-authenticate: bearer"),
            "{method} {path}: {answer}"
        );
        guarded.logged(&format!("{method} {path} was refused: Not let in"))?;
    }
    for path in ["/api/v1/keys", "/api/v1/users", "/api/v1/rules"] {
        let (status, now) = guarded.ask(&root, "GET", path, &Value::Null)?;
        let now = now.to_string();
        ensure!(status == 200, "{path}: {now}");
        ensure!(
            !now.contains("mine") && !now.contains("eve"),
            "{path}: {now}"
        );
    }
    let (status, _) = guarded.ask(&root, "GET", "/api/v1/retained/app/mine", &Value::Null)?;
    ensure!(status == 404);
    Ok(())
}

#[test]
fn a_backup_that_runs_is_broken_off() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let (key, id) = key(&guarded, &root)?;
    // More than the buffers of a connection hold.
    let large = json!({ "payload": ".".repeat(4 << 20) });
    for n in 0..4 {
        let path = format!("/api/v1/retained/large/{n}");
        let (status, answer) = guarded.ask(&key, "PUT", &path, &large)?;
        ensure!(status == 200, "{answer}");
    }
    let mut idle = TcpStream::connect(guarded.broker.http())?;
    idle.set_read_timeout(Some(DEADLINE))?;
    let request = head(&guarded, &key, "POST", "/api/v1/backup", 2) + "{}";
    idle.write_all(request.as_bytes())?;
    let mut begin = [0; 15];
    idle.read_exact(&mut begin)?;
    ensure!(&begin == b"HTTP/1.1 200 OK", "{}", begin.escape_ascii());
    revoke(&guarded, &root, &id)?;
    let started = Instant::now();
    while !guarded.broker.log().contains("a backup was broken off") {
        ensure!(started.elapsed() < BEFORE_A_STALL, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    ensure!(!rest.ends_with(b"0\r\n\r\n"), "it ends like a whole one");
    Ok(())
}

/// Rules that take long to look at.
fn many_rules() -> String {
    let rule = |rule: usize| {
        let topics = (0..30).map(|n| format!("{rule}-{n}-{{user}}/{{client}}/x"));
        json!({ "effect": "allow", "actions": ["publish"], "topics": topics.collect::<Vec<_>>() })
    };
    json!({ "rules": (0..3_000).map(rule).collect::<Vec<_>>() }).to_string()
}

/// Would fail if whoever has rules tried out kept the operator waiting who replaces them, or if a key that is revoked while it waits for
/// its turn still got one.
#[test]
fn whoever_waits_for_others_rules_gets_no_turn_and_the_operator_does_not_wait() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let (others, _) = key(&guarded, &root)?;
    let (stolen, id) = key(&guarded, &root)?;
    let post = |key: &str, body: &str| -> Result<TcpStream> {
        let mut stream = TcpStream::connect(guarded.broker.http())?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let head = head(&guarded, key, "POST", "/api/v1/rules/validate", body.len());
        stream.write_all((head + body).as_bytes())?;
        Ok(stream)
    };
    let many = many_rules();
    let mut trials = Vec::new();
    for _ in 0..4 {
        trials.push(post(&others, &many)?);
    }
    std::thread::sleep(Duration::from_millis(200));
    let mut waiting = post(&stolen, r#"{"rules":[]}"#)?;
    is_used(&guarded, &root, &id)?;
    revoke(&guarded, &root, &id)?;
    let none = json!({ "rules": [] });
    let (status, answer) = guarded.ask(&root, "PUT", "/api/v1/rules", &none)?;
    ensure!(status == 200, "{answer}");
    let mut answers = 0;
    for trial in &mut trials {
        trial.set_nonblocking(true)?;
        answers += usize::from(trial.read(&mut [0]).is_ok());
        trial.set_nonblocking(false)?;
    }
    ensure!(answers < trials.len(), "it has waited for all of them");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    Ok(())
}
