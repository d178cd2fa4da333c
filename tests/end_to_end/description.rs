//! The API keeps what its own description says: asked by a program that knows nothing else of it.

use std::io::Read;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use ebbtide_protocol::QoS;
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::{api, get};
use ebbtide_tests::load::{Link, kept, publish};
use ebbtide_tests::tools::{self, Tool};
use serde_json::{Value, json};

#[test]
fn the_api_keeps_what_its_description_says() -> Result<()> {
    if !tools::present(&[Tool::Python]) {
        return Ok(());
    }
    let broker = Broker::start()?;
    for client_id in ["there", "there too"] {
        let (mut client, _) = Link::connect(broker.mqtt(), kept(client_id))?;
        client.subscribe("t", QoS::AtLeastOnce)?;
    }
    publish(broker.mqtt(), "p", 200, 100, false, |number| {
        ("t".to_owned(), number.to_string().into())
    })?;
    let body = json!({"payload": "x"});
    let path = "/api/v1/retained/retained";
    let (status, _) = api(broker.http(), "PUT", path, Some(&body))?;
    ensure!(status == 200);
    let folder = tempfile::tempdir()?;
    let mut command = tools::python("api.py");
    command
        .arg(format!("http://{}", broker.http()))
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut asking = command.spawn().context("starting Python")?;
    let mut said = String::new();
    if let Some(mut stdout) = asking.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    ensure!(asking.wait()?.success(), "{said}");
    // Not one that found nothing to ask.
    ensure!(said.contains("Tested: 33"), "{said}");
    let answer = get(broker.http(), "/readyz")?;
    ensure!(answer.status == 200, "{}", answer.body);
    Ok(())
}

#[test]
fn the_description_is_json_and_can_only_be_read() -> Result<()> {
    let broker = Broker::start()?;
    let path = "/api/v1/openapi.json";
    let (status, description) = api(broker.http(), "GET", path, None)?;
    ensure!(status == 200 && description["openapi"].is_string());
    let info = &description["info"];
    ensure!(
        info["version"].is_string() && *info != Value::Null,
        "{info}"
    );
    let (status, problem) = api(broker.http(), "PUT", path, Some(&json!({})))?;
    ensure!(status == 405, "{problem}");
    let answer = get(broker.http(), "/api/v1/nothing")?;
    ensure!(
        answer.status == 404 && answer.body.contains(path),
        "{}",
        answer.body
    );
    Ok(())
}
