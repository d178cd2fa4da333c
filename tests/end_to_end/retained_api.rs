//! Retained messages over the HTTP API: what is set is on disk, what is listed is all there is, what is deleted can be put
//! back.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ebbtide_protocol::Packet;
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::load::{Link, clean, publish};
use serde_json::{Value, json};

fn get(broker: &Broker, path: &str) -> Result<(u16, Value)> {
    api(broker.http(), "GET", path, None)
}

fn put(broker: &Broker, topic: &str, body: &Value) -> Result<()> {
    let path = format!("/api/v1/retained/{topic}");
    let (status, answer) = api(broker.http(), "PUT", &path, Some(body))?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(())
}

fn topics(page: &Value) -> Vec<&str> {
    let retained = page["retained"].as_array().into_iter().flatten();
    retained
        .filter_map(|message| message["topic"].as_str())
        .collect()
}

/// Would fail if the operator were locked out of the remedy with everybody else.
#[cfg(target_os = "linux")]
#[test]
fn what_is_retained_can_be_deleted_while_memory_is_short() -> Result<()> {
    let mut broker = Broker::start()?;
    put(&broker, "a", &json!({"payload": "x"}))?;
    put(&broker, "b/c", &json!({"payload": "x"}))?;
    // Less than it takes by itself.
    broker.set_environment(&[("EBBTIDE_MEMORY_BYTES_MAX", "1000000")]);
    broker.restart()?;
    let end = Instant::now() + Duration::from_secs(20);
    let body = json!({"payload": "y"});
    loop {
        let (status, answer) = api(broker.http(), "PUT", "/api/v1/retained/d", Some(&body))?;
        if status == 507 {
            break;
        }
        ensure!(status == 200, "{status} {answer}");
        ensure!(Instant::now() < end, "memory is never short");
        sleep(Duration::from_millis(50));
    }
    for path in ["/api/v1/retained/a", "/api/v1/retained?filter=b/%23"] {
        let (status, answer) = api(broker.http(), "DELETE", path, None)?;
        ensure!(status == 200 && answer["count"] == 1, "{status} {answer}");
    }
    let (_, page) = get(&broker, "/api/v1/retained")?;
    let left = topics(&page);
    ensure!(left.is_empty() || left == ["d"], "{page}");
    Ok(())
}

#[test]
fn what_is_set_is_there_after_a_crash_with_all_that_belongs_to_it() -> Result<()> {
    let mut broker = Broker::start()?;
    let body = json!({
        "payload_base64": "/wA=", "qos": 0,
        "properties": {
            "content_type": "a/b", "message_expiry_interval": 3600,
            "user_properties": [{"name": "k", "value": "v"}],
        },
    });
    put(&broker, "a%2Fb%20c%2F", &body)?;
    put(&broker, "/x//y", &json!({"payload": "{\"é\":1}"}))?;
    broker.crash_and_restart()?;
    let (status, message) = get(&broker, "/api/v1/retained/a/b%20c/")?;
    ensure!(status == 200, "{message}");
    ensure!(
        message["topic"] == "a/b c/" && message["qos"] == 0,
        "{message}"
    );
    ensure!(message["payload_base64"] == "/wA=", "{message}");
    ensure!(
        message["payload_bytes"] == 2 && message["truncated"] == false,
        "{message}"
    );
    ensure!(message["properties"] == body["properties"], "{message}");
    ensure!(message["expires_at"].is_string(), "{message}");
    let (_, message) = get(&broker, "/api/v1/retained/%2Fx%2F%2Fy?payload_bytes_max=3")?;
    ensure!(
        message["payload"] == "{\"" && message["truncated"] == true,
        "{message}"
    );
    Ok(())
}

#[test]
fn pages_have_every_match_once() -> Result<()> {
    let broker = Broker::start()?;
    publish(broker.mqtt(), "p", 700, 100, true, |number| {
        (format!("house/{number}/temperature"), "1".into())
    })?;
    publish(broker.mqtt(), "q", 5, 100, true, |number| {
        (format!("$own/{number}"), "1".into())
    })?;
    let mut found: Vec<String> = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/retained?filter=house/%2B/%23&limit=300{next}");
        let (status, page) = get(&broker, &path)?;
        ensure!(status == 200, "{page}");
        found.extend(topics(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let count = found.len();
    found.sort();
    found.dedup();
    ensure!((count, found.len()) == (700, 700));
    let (_, page) = get(&broker, "/api/v1/retained?limit=1000")?;
    ensure!(topics(&page).len() == 700, "# does not match $own");
    let (_, page) = get(&broker, "/api/v1/retained?filter=$own/%23")?;
    ensure!(topics(&page).len() == 5, "{page}");
    let (_, page) = get(&broker, "/api/v1/retained?filter=nothing/%23")?;
    ensure!(page == json!({"retained": []}), "{page}");
    Ok(())
}

#[test]
fn what_is_deleted_is_gone_and_can_be_put_back() -> Result<()> {
    let mut broker = Broker::start()?;
    publish(broker.mqtt(), "p", 500, 100, true, |number| {
        (format!("old/{number}"), format!("value {number}").into())
    })?;
    put(&broker, "new", &json!({"payload": "stays"}))?;
    let (mut watcher, _) = Link::connect(broker.mqtt(), clean("watcher"))?;
    watcher.subscribe("old/499", QoS::AtMostOnce)?;
    let Packet::Publish(first) = watcher.packet()? else {
        anyhow::bail!("the retained message comes first");
    };
    ensure!(first.retain);

    let path = "/api/v1/retained?filter=old/%23";
    let (status, preview) = api(
        broker.http(),
        "DELETE",
        &format!("{path}&dry_run=true"),
        None,
    )?;
    ensure!(status == 200 && preview["dry_run"] == true, "{preview}");
    ensure!(preview["count"] == 500, "{preview}");
    ensure!(
        preview["topics"].as_array().map(Vec::len) == Some(100),
        "{preview}"
    );
    ensure!(preview["deleted"].is_null(), "{preview}");
    ensure!(preview["given_back"] == 500, "{preview}");
    let (_, page) = get(&broker, "/api/v1/retained?limit=1000")?;
    ensure!(topics(&page).len() == 501, "a dry run deletes nothing");

    let (status, done) = api(broker.http(), "DELETE", path, None)?;
    ensure!(status == 200 && done["count"] == 500, "{status} {done}");
    ensure!(done["bytes"] == preview["bytes"] && done["truncated"] == false);
    let Packet::Publish(cleared) = watcher.packet()? else {
        anyhow::bail!("subscribers are told");
    };
    ensure!(cleared.payload.is_empty());
    // Committed before the answer.
    broker.crash_and_restart()?;
    let (_, page) = get(&broker, "/api/v1/retained?limit=1000")?;
    ensure!(topics(&page) == ["new"], "{page}");

    let deleted = done["deleted"].as_array().cloned().unwrap_or_default();
    let messages = deleted.iter().map(|message| {
        json!({"topic": message["topic"], "payload": message["payload"], "qos": message["qos"], "retain": true})
    });
    let body = json!({"messages": messages.collect::<Vec<_>>()});
    let (status, answer) = api(broker.http(), "POST", "/api/v1/publish/many", Some(&body))?;
    ensure!(status == 200, "{answer}");
    ensure!(
        answer["results"].as_array().map(Vec::len) == Some(500),
        "{answer}"
    );
    let (_, page) = get(&broker, "/api/v1/retained?limit=1000")?;
    ensure!(topics(&page).len() == 501);
    let (_, message) = get(&broker, "/api/v1/retained/old/7")?;
    ensure!(message["payload"] == "value 7", "{message}");

    let (status, one) = api(broker.http(), "DELETE", "/api/v1/retained/old/7", None)?;
    ensure!(
        status == 200 && one["deleted"][0]["payload"] == "value 7",
        "{one}"
    );
    let (status, _) = get(&broker, "/api/v1/retained/old/7")?;
    ensure!(status == 404);
    Ok(())
}

/// Would fail if nothing looked at the deadlines of the connection that HTTP publishes through.
#[test]
fn more_than_a_client_may_publish_in_a_second_takes_longer_and_is_done() -> Result<()> {
    let broker = Broker::start_with(&["--publish-rate-max", "100"])?;
    let messages = (0..250).map(
        |at| json!({"topic": format!("t/{at}"), "payload": "x", "qos": at % 3, "retain": true}),
    );
    let body = json!({"messages": messages.collect::<Vec<_>>()});
    let (status, answer) = api(broker.http(), "POST", "/api/v1/publish/many", Some(&body))?;
    ensure!(status == 200, "{status} {answer}");
    let (_, page) = get(&broker, "/api/v1/retained?limit=1000")?;
    ensure!(topics(&page).len() == 250, "{page}");
    let path = "/api/v1/retained?filter=t/%23";
    let (status, done) = api(broker.http(), "DELETE", path, None)?;
    ensure!(status == 200 && done["count"] == 250, "{status} {done}");
    Ok(())
}

/// Would fail if what is too large were handed on: it ends the connection inside, and nothing after it is published.
#[test]
fn a_message_above_the_largest_packet_is_refused_alone() -> Result<()> {
    let broker = Broker::start_with(&["--maximum-packet-size", "1000"])?;
    let small = |topic: &str| json!({"topic": topic, "payload": "x", "qos": 1, "retain": true});
    let large = |qos: u8| json!({"topic": "large", "payload": "x".repeat(1000), "qos": qos});
    let messages = [small("a"), large(0), small("b"), large(2), small("c")];
    let body = json!({ "messages": messages });
    let (status, answer) = api(broker.http(), "POST", "/api/v1/publish/many", Some(&body))?;
    ensure!(status == 200, "{status} {answer}");
    let reasons = answer["results"].as_array().cloned().unwrap_or_default();
    let reasons: Vec<_> = reasons
        .iter()
        .map(|result| &result["reason_code"])
        .collect();
    // 0x10: nobody subscribes.
    ensure!(reasons == [0x10, 0x95, 0x10, 0x95, 0x10], "{answer}");
    let (_, page) = get(&broker, "/api/v1/retained")?;
    ensure!(topics(&page) == ["a", "b", "c"], "{page}");
    for qos in [0, 1] {
        let alone = Some(large(qos));
        let (status, answer) = api(broker.http(), "POST", "/api/v1/publish", alone.as_ref())?;
        ensure!(status == 413, "{status} {answer}");
    }
    let put = json!({"payload": "x".repeat(1000)});
    let (status, answer) = api(broker.http(), "PUT", "/api/v1/retained/large", Some(&put))?;
    ensure!(status == 413, "{status} {answer}");
    Ok(())
}

#[test]
fn what_cannot_be_done_is_said() -> Result<()> {
    let broker = Broker::start_with(&["--presence-topic", "presence/{client}"])?;
    let (_client, _) = Link::connect(broker.mqtt(), clean("c"))?;
    let put = Some(json!({"payload": "x"}));
    let cases: [(&str, &str, Option<Value>, u16); 18] = [
        ("GET", "/api/v1/retained/none", None, 404),
        ("DELETE", "/api/v1/retained/none", None, 404),
        ("GET", "/api/v1/retained/a%2F%23", None, 400),
        ("GET", "/api/v1/retained/%FF", None, 400),
        ("GET", "/api/v1/retained?filter=a%23", None, 400),
        ("GET", "/api/v1/retained?filter=$share/g/a", None, 400),
        ("GET", "/api/v1/retained?limit=0", None, 400),
        ("GET", "/api/v1/retained?payload_bytes_max=65537", None, 400),
        ("GET", "/api/v1/retained?cursor=%3F", None, 400),
        ("GET", "/api/v1/retained?page=1", None, 400),
        ("DELETE", "/api/v1/retained", None, 400),
        ("DELETE", "/api/v1/retained/presence/c", None, 403),
        ("PUT", "/api/v1/retained/presence/c", put.clone(), 403),
        ("PUT", "/api/v1/retained/$SYS/x", put.clone(), 403),
        ("PUT", "/api/v1/retained/a", Some(json!({})), 400),
        (
            "PUT",
            "/api/v1/retained/a",
            Some(json!({"payload": "x", "qos": 3})),
            400,
        ),
        (
            "PUT",
            "/api/v1/retained/a",
            Some(json!({"payload": "x", "ttl": 3})),
            400,
        ),
        ("POST", "/api/v1/retained", put, 405),
    ];
    for (method, path, body, expected) in cases {
        let (status, problem) = api(broker.http(), method, path, body.as_ref())?;
        ensure!(status == expected, "{method} {path}: {status} {problem}");
        ensure!(problem["status"] == expected, "{method} {path}: {problem}");
        ensure!(problem["detail"].is_string(), "{method} {path}: {problem}");
    }
    let (_, summary) = api(broker.http(), "DELETE", "/api/v1/retained?filter=%23", None)?;
    ensure!(summary["count"] == 0 && summary["kept"] == 1, "{summary}");
    Ok(())
}
