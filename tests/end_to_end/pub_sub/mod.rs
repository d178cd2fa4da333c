//! `ebbtide pub` and `ebbtide sub`: over every transport and version, beside Mosquitto's programs, at both brokers; and what they
//! say when something goes wrong.

mod api;
mod failures;
mod session;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::peers;
use ebbtide_tests::program::{Running, Said, ebbtide, run};
use ebbtide_tests::tls::Certificates;
use ebbtide_tests::tools::{self, Tool};
use serde_json::{Value, json};

/// `ebbtide` to its end, with nothing on standard input.
fn said(arguments: &[&str]) -> Result<Said> {
    run(ebbtide(arguments), "")
}

/// What it wrote, if it ended well.
fn well(arguments: &[&str]) -> Result<String> {
    said(arguments)?
        .well()
        .with_context(|| format!("{arguments:?}"))
}

/// The first line as JSON, without the time.
fn object(line: &str) -> Result<Value> {
    let mut object: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let at = object["received_at"].take();
    ensure!(at.as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
    object
        .as_object_mut()
        .context("an object")?
        .remove("received_at");
    Ok(object)
}

/// A retained message, and one that is published while `sub` listens, with each version and QoS.
fn exchange(place: &[&str]) -> Result<()> {
    for version in ["5", "3.1.1"] {
        for qos in ["0", "1", "2"] {
            let topic = format!("exchange/{version}/{qos}");
            let with = |words: &[&'static str]| -> Vec<String> {
                let common = ["-V", version, "-q", qos, "-t", &topic];
                let words = [words, place, &common[..]].concat();
                words.iter().map(|&word| word.to_owned()).collect()
            };
            let words =
                |list: Vec<String>| ebbtide(&list.iter().map(String::as_str).collect::<Vec<_>>());
            run(words(with(&["pub", "-r", "-m", "before"])), "")?.well()?;
            let listening = Running::start(words(with(&["sub", "-C", "2", "--json"])))?;
            let retained = object(&listening.line()?)?;
            let expected = json!({
                "topic": topic, "payload": "before", "qos": qos.parse::<u8>()?, "retain": true, "dup": false,
            });
            ensure!(retained == expected, "{place:?}: {retained}");
            run(words(with(&["pub", "-s"])), "no\0text")?.well()?;
            let live = object(&listening.line()?)?;
            ensure!(
                live["payload"] == "no\0text" && live["retain"] == false,
                "{live}"
            );
            ensure!(listening.end()?.code == 0);
        }
    }
    Ok(())
}

#[test]
fn every_transport_version_and_qos_at_ebbtide() -> Result<()> {
    let certificates = Certificates::make()?;
    let flags = certificates.flags();
    let broker = Broker::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
    let authority = certificates.path("authority.pem").display().to_string();
    let port = |scheme| -> Result<u16> { Ok(broker.address(scheme)?.port()) };
    exchange(&["-h", "127.0.0.1", "-p", &broker.mqtt().port().to_string()])?;
    exchange(&["-L", &format!("ws://{}/mqtt", broker.http())])?;
    let trusting = ["--cafile", &authority];
    let mqtts = format!("mqtts://localhost:{}", port("mqtts")?);
    exchange(&[&["-L", &mqtts], &trusting[..]].concat())?;
    let wss = format!("wss://localhost:{}/mqtt", port("https")?);
    exchange(&[&["-L", &wss], &trusting[..]].concat())
}

#[test]
fn every_version_and_qos_at_mosquitto() -> Result<()> {
    if !tools::present(&[Tool::MosquittoBroker]) {
        return Ok(());
    }
    let mosquitto = peers::ALL
        .iter()
        .find(|peer| peer.name == "Mosquitto")
        .context("Mosquitto is among the peers")?
        .start()?;
    exchange(&["-L", &mosquitto.mqtt])?;
    exchange(&["-L", &format!("{}/mqtt", mosquitto.websocket)])
}

/// The same flags, and the same on the wire: what one publishes the other shows.
#[test]
fn beside_mosquittos_programs() -> Result<()> {
    if !tools::present(&[Tool::Mosquitto]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let publish = [
        "-p",
        &port,
        "-t",
        "a",
        "-m",
        "text",
        "-q",
        "1",
        "-r",
        "-V",
        "mqttv5",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "user-property",
        "site",
        "north",
        "-D",
        "publish",
        "response-topic",
        "answers",
        "-D",
        "publish",
        "correlation-data",
        "17",
        "-D",
        "publish",
        "message-expiry-interval",
        "1000",
    ];
    let subscribe = ["-p", &port, "-t", "a", "-C", "1", "-q", "1", "-V", "mqttv5"];
    let expected = json!({
        "topic": "a", "payload": "text", "qos": 1, "retain": true, "dup": false,
        "properties": {
            "content_type": "text/plain", "response_topic": "answers", "correlation_data_base64": "MTc=",
            "user_properties": [{ "name": "site", "value": "north" }],
        },
    });
    for ours in [true, false] {
        let command = match ours {
            true => ebbtide(&[&["pub"], &publish[..]].concat()),
            false => {
                let mut command = tools::mosquitto_pub();
                command.args(publish);
                command
            }
        };
        run(command, "")?.well()?;
        let line = well(&[&["sub", "--json"], &subscribe[..]].concat())?;
        let mut shown = object(&line)?;
        let properties = shown["properties"].as_object_mut().context("properties")?;
        let left = properties.remove("message_expiry_interval");
        ensure!(
            left.and_then(|left| left.as_u64())
                .is_some_and(|left| left <= 1000)
        );
        ensure!(shown == expected, "ours: {ours}: {shown}");
        let mut theirs = tools::mosquitto("mosquitto_sub");
        theirs
            .args(subscribe)
            .args(["-F", "%t %q %r %C %R %D %P %p"]);
        let line = run(theirs, "")?.well()?;
        ensure!(
            line == "a 1 1 text/plain answers 17 site:north text",
            "{line}"
        );
        well(&["pub", "-p", &port, "-t", "a", "-n", "-r"])?;
    }
    // The flags of long ago as well.
    let mut theirs = tools::mosquitto("mosquitto_sub");
    theirs.args(["-p", &port, "-t", "will", "-C", "1", "-W", "30", "-v"]);
    let theirs = Running::start(theirs)?;
    let will = [
        "--will-topic",
        "will",
        "--will-payload",
        "gone",
        "--will-retain",
        "--will-qos",
        "1",
    ];
    let dying = [&["sub", "-p", &port, "-t", "x", "-i", "dying"], &will[..]].concat();
    let dying = Running::start(ebbtide(&dying))?;
    well(&["pub", "-p", &port, "-t", "x", "-m", "now", "-r"])?;
    ensure!(dying.line()? == "now");
    dying.kill()?;
    ensure!(theirs.line()? == "will gone");
    Ok(())
}
