//! Retained messages over the HTTP API, for those who may change them and not look at them.

use super::*;

const TOPICS: [&str; 3] = ["app/1", "app/2", "other/1"];

fn key(guarded: &Guarded, root: &str, scopes: &Value) -> Result<String> {
    let body = json!({ "label": "k", "scopes": scopes });
    let (status, answer) = guarded.ask(root, "POST", "/api/v1/keys", &body)?;
    ensure!(status == 200, "{answer}");
    Ok(answer["key"].as_str().context("a key")?.to_owned())
}

/// All that an answer says to whoever may not read.
fn only_counts(count: u64, kept: u64, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run, "count": count, "bytes": 0, "topics": [], "kept": kept, "given_back": 0,
        "truncated": false,
    })
}

#[test]
fn whoever_may_publish_only_is_told_how_many_and_no_more() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let (admin, publishing) = (
        key(&guarded, &root, &json!(["admin"]))?,
        key(&guarded, &root, &json!(["publish"]))?,
    );
    let both = key(&guarded, &root, &json!(["publish", "read"]))?;
    for topic in TOPICS {
        let path = format!("/api/v1/retained/{topic}");
        let body = json!({ "payload": "a secret" });
        let (status, answer) = guarded.ask(&admin, "PUT", &path, &body)?;
        ensure!(status == 200, "{answer}");
    }
    // A user may have rules against it, and finds out nothing about the topics that they keep.
    let bob = guarded.login("bob")?;
    let all = "/api/v1/retained?filter=%23";
    let delete = |bearer: &str, path: &str, expected: u16| -> Result<Value> {
        let (status, answer) = guarded.ask(bearer, "DELETE", path, &Value::Null)?;
        ensure!(status == expected, "{path}: {status} {answer}");
        Ok(answer)
    };
    let dry_run = format!("{all}&dry_run=true");
    let told = delete(&publishing, &dry_run, 200)?;
    ensure!(told == only_counts(3, 0, true), "{told}");
    let told = delete(&both, &dry_run, 200)?;
    ensure!(told["topics"] == json!(TOPICS), "{told}");
    let told = delete(&bob, &dry_run, 200)?;
    ensure!(told == only_counts(2, 0, true), "{told}");
    let mut answers = Vec::new();
    for topic in ["other/1", "other/nothing"] {
        let path = format!("/api/v1/retained?filter={topic}&dry_run=true");
        let told = delete(&bob, &path, 200)?;
        ensure!(told == only_counts(0, 0, true), "{told}");
        answers.push(delete(&bob, &format!("/api/v1/retained/{topic}"), 403)?);
    }
    ensure!(answers[0] == answers[1], "{answers:?}");
    delete(&bob, "/api/v1/retained/app/nothing", 404)?;
    let told = delete(&bob, "/api/v1/retained/app/1", 200)?;
    ensure!(told == only_counts(1, 0, false), "{told}");
    let told = delete(&bob, all, 200)?;
    ensure!(told == only_counts(1, 0, false), "{told}");
    let (_, page) = guarded.ask(&admin, "GET", "/api/v1/retained", &Value::Null)?;
    ensure!(page["retained"][0]["topic"] == "other/1", "{page}");
    let told = delete(&publishing, "/api/v1/retained/other/1", 200)?;
    ensure!(told == only_counts(1, 0, false), "{told}");
    Ok(())
}

/// Who may read as well has all of it back, and is told how much rules keep.
#[test]
fn whoever_may_read_too_has_it_back() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let admin = key(&guarded, &root, &json!(["admin"]))?;
    for topic in TOPICS {
        let path = format!("/api/v1/retained/{topic}");
        guarded.ask(&admin, "PUT", &path, &json!({ "payload": "a secret" }))?;
    }
    let scopes = json!({ "scopes": ["publish", "read"] });
    let (status, _) = guarded.ask(&root, "PUT", "/api/v1/users/bob", &scopes)?;
    ensure!(status == 200);
    let bob = guarded.login("bob")?;
    let path = "/api/v1/retained?filter=%23";
    let (status, told) = guarded.ask(&bob, "DELETE", path, &Value::Null)?;
    ensure!(
        status == 200 && told["count"] == 2 && told["kept"] == 1,
        "{told}"
    );
    ensure!(told["topics"] == json!(["app/1", "app/2"]), "{told}");
    ensure!(told["deleted"][1]["payload"] == "a secret", "{told}");
    Ok(())
}
