//! What is published over HTTP at QoS 0: no acknowledgement tells what became of it, but the answer does.

use super::*;

const NOT_AUTHORIZED: u64 = 0x87;

#[test]
fn a_publish_at_qos_0_that_is_refused_is_no_success() -> Result<()> {
    let guarded = Guarded::start()?;
    let root = guarded.login("root")?;
    let body = json!({ "label": "k", "scopes": ["admin"] });
    let (status, answer) = guarded.ask(&root, "POST", "/api/v1/keys", &body)?;
    ensure!(status == 200, "{answer}");
    let key = answer["key"].as_str().context("a key")?;
    let bob = &*guarded.login("bob")?;
    let deep = &*"a/".repeat(1_100);
    // Rules hold for users, and a key is the operator's: what nobody may do is not done for it either.
    for (bearer, topic, retain, expected) in [
        (bob, "own/bob/x", false, 200),
        (bob, "own/bob/x", true, 403),
        (bob, "other/x", false, 403),
        (bob, "$SYS/x", false, 403),
        (key, "other/x", true, 200),
        (key, "$SYS/x", false, 403),
        (key, deep, false, 400),
    ] {
        let body = json!({ "topic": topic, "payload": "x", "qos": 0, "retain": retain });
        let (status, answer) = guarded.ask(bearer, "POST", "/api/v1/publish", &body)?;
        ensure!(status == expected, "{topic}: {status} {answer}");
    }
    let put = json!({ "payload": "y", "qos": 0 });
    for (bearer, expected) in [(bob, 403), (key, 200)] {
        let (status, answer) = guarded.ask(bearer, "PUT", "/api/v1/retained/other/x", &put)?;
        ensure!(status == expected, "{status} {answer}");
        let path = "/api/v1/retained/other/x";
        let (_, kept) = guarded.ask(key, "GET", path, &Value::Null)?;
        let is_set = kept["payload"] == "y";
        ensure!(is_set == (expected == 200), "{kept}");
    }
    Ok(())
}

/// One that is refused does not stand for the others, whatever their QoS.
#[test]
fn what_became_of_each_is_told() -> Result<()> {
    let guarded = Guarded::start()?;
    let bob = guarded.login("bob")?;
    let tried = [
        ("own/bob/1", 0, true),
        ("other/1", 0, false),
        ("app/1", 1, true),
        ("other/2", 2, false),
        ("$SYS/x", 0, false),
        ("own/bob/2", 0, true),
    ];
    let messages = tried.map(|(topic, qos, _)| json!({ "topic": topic, "qos": qos }));
    let body = json!({ "messages": messages });
    let (status, answer) = guarded.ask(&bob, "POST", "/api/v1/publish/many", &body)?;
    ensure!(status == 200, "{status} {answer}");
    for (at, (topic, _, is_taken)) in tried.iter().enumerate() {
        let reason = answer["results"][at]["reason_code"].as_u64();
        let reason = reason.context("a reason code")?;
        ensure!(reason < 128 || reason == NOT_AUTHORIZED, "{answer}");
        ensure!((reason < 128) == *is_taken, "{topic}: {answer}");
    }
    Ok(())
}
