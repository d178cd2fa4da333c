//! `ebbtide bench`: every scenario, short, against the broker; nothing is lost where nothing may be.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::{Broker, run_to_end};
use ebbtide_tests::tls::Certificates;
use serde_json::Value;

use super::load_faults::{count, left};

const SHORT: [&str; 4] = ["--warm-up-s", "0.1", "--duration-s", "0.3"];

/// Runs it, and gives the figures that it prints.
pub fn bench(url: &str, arguments: &[&str]) -> Result<Value> {
    let arguments = [&["bench"], arguments, &["--url", url, "--json"]].concat();
    let output = run_to_end(&arguments, Path::new("."))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?}: {said}"))
}

pub fn figure(figures: &Value, name: &str) -> Result<f64> {
    let figure = figures.get(name).and_then(Value::as_f64);
    figure.with_context(|| format!("{name} in {figures}"))
}

#[test]
fn messages_are_delivered_all_of_them() -> Result<()> {
    let broker = Broker::start()?;
    let url = format!("mqtt://{}", broker.mqtt());
    for scenario in ["p2p", "fan-out", "fan-in", "shared"] {
        for qos in ["0", "1", "2"] {
            let people = match scenario {
                "p2p" => &["--subscribers", "3"][..],
                _ => &["--publishers", "2", "--subscribers", "3"],
            };
            let topics = ["--topics", "3"];
            let arguments = [&[scenario, "--qos", qos], people, &topics, &SHORT].concat();
            let figures = bench(&url, &arguments)?;
            ensure!(figure(&figures, "delivered_per_s")? > 0.0, "{figures}");
            ensure!(figure(&figures, "latency_p50_ms")? > 0.0, "{figures}");
            ensure!(
                figure(&figures, "lost")? == 0.0,
                "{scenario} {qos}: {figures}"
            );
            ensure!(figure(&figures, "surplus")? == 0.0, "{figures}");
            ensure!(figure(&figures, "refused")? == 0.0, "{figures}");
        }
    }
    Ok(())
}

#[test]
fn a_rate_is_kept_over_every_transport_and_version() -> Result<()> {
    let certificates = Certificates::make()?;
    let flags = certificates.flags();
    let broker = Broker::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
    let authority = certificates.path("authority.pem").display().to_string();
    let port = |scheme| -> Result<u16> { Ok(broker.address(scheme)?.port()) };
    for url in [
        format!("mqtt://{}", broker.mqtt()),
        format!("ws://{}/mqtt", broker.http()),
        format!("mqtts://localhost:{}", port("mqtts")?),
        format!("wss://localhost:{}/mqtt", port("https")?),
    ] {
        for protocol in ["5", "3.1.1"] {
            let load = [
                "p2p",
                "--publishers",
                "2",
                "--rate",
                "500",
                "--protocol",
                protocol,
            ];
            let trust = [
                "--cafile",
                &authority,
                "--warm-up-s",
                "0.1",
                "--duration-s",
                "1",
            ];
            let figures = bench(&url, &[&load[..], &trust].concat())?;
            let rate = figure(&figures, "published_per_s")?;
            // It is caught up with after every delay, but for one at the very end.
            ensure!(
                (250.0..750.0).contains(&rate),
                "{url} {protocol}: {figures}"
            );
            ensure!(figure(&figures, "lost")? == 0.0, "{figures}");
        }
    }
    Ok(())
}

#[test]
fn what_is_kept_is_there() -> Result<()> {
    let broker = Broker::start()?;
    let (url, pid) = (format!("mqtt://{}", broker.mqtt()), broker.id().to_string());
    let retained = ["retained", "--qos", "1", "--messages", "500", "--pid", &pid];
    let figures = bench(&url, &retained)?;
    ensure!(figure(&figures, "wildcard_last_ms")? > 0.0, "{figures}");
    ensure!(figure(&figures, "look_up_p50_ms")? > 0.0, "{figures}");
    let offline = [
        "offline",
        "--qos",
        "1",
        "--sessions",
        "5",
        "--messages",
        "100",
        "--publish",
        "300",
    ];
    let figures = bench(&url, &offline)?;
    let queued = figure(&figures, "queued_per_s")? / figure(&figures, "published_per_s")?;
    ensure!((queued - 5.0).abs() < 0.01, "{figures}");
    ensure!(figure(&figures, "drained_per_s")? > 0.0, "{figures}");
    let figures = bench(&url, &["connect", "--connections", "50", "--pid", &pid])?;
    ensure!(figure(&figures, "connected_per_s")? > 0.0, "{figures}");
    Ok(())
}

/// They say goodbye and are waited for, or the next round would measure their end as well.
#[test]
fn a_round_of_connects_ends_before_the_next() -> Result<()> {
    let broker = Broker::start()?;
    let url = format!("mqtt://{}", broker.mqtt());
    let load = ["bench", "connect", "--connections", "50", "--url", &url];
    let output = run_to_end(&[&load[..], &["--rounds", "2"]].concat(), Path::new("."))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let (_, log) = broker.terminate()?;
    let is_silent = |line: &str| line.contains("bench-") && line.contains("without DISCONNECT");
    ensure!(!log.lines().any(is_silent), "{log}");
    Ok(())
}

/// Nobody else gets it meanwhile: it is below those that the system gives away.
pub fn free_port() -> Result<u16> {
    let first = 20_000 + (std::process::id() % 10_000) as u16;
    let mut ports = first..first + 100;
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).context("a free port")
}

#[test]
fn a_broker_is_killed_and_started_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let program = ebbtide_tests::tools::broker();
    let start = format!(
        "'{}' serve --mqtt 127.0.0.1:{port} --http 127.0.0.1:0 --data-dir '{}'",
        program.display(),
        folder.path().join("data").display()
    );
    let url = format!("mqtt://127.0.0.1:{port}");
    for protocol in ["5", "3.1.1"] {
        let load = ["restart", "--qos", "1", "--messages", "300"];
        let load = [&load[..], &["--start", &start, "--protocol", protocol]].concat();
        let figures = bench(&url, &load)?;
        let connected = figure(&figures, "start_to_connected_ms")?;
        let answered = figure(&figures, "start_to_first_retained_ms")?;
        ensure!(0.0 < connected && connected < answered, "{figures}");
        // It has ended with the run.
        ensure!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
    // A second round would find as much as the first.
    let broker = Broker::start_with_data(folder)?;
    ensure!(count(&broker, "sessions")? == 0, "a session is left");
    ensure!(left(&broker)?.is_empty(), "{}", left(&broker)?);
    Ok(())
}

#[test]
fn it_says_what_is_wrong() -> Result<()> {
    let certificates = Certificates::make()?;
    let flags = certificates.flags();
    let broker = Broker::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mqtts = format!("mqtts://localhost:{}", broker.address("mqtts")?.port());
    let restart = ["bench", "restart", "--qos", "1", "--start", "false"];
    for (arguments, code, expected) in [
        (
            &["bench", "p2p", "--url", "http://h"][..],
            2,
            "mqtt://HOST:PORT",
        ),
        (
            &["bench", "p2p", "--url", "mqtt://127.0.0.1:1"],
            6,
            "mqtt://127.0.0.1:1: ",
        ),
        (
            // Nobody has told this machine to trust it.
            &["bench", "p2p", "--url", &mqtts],
            6,
            "--cafile FILE",
        ),
        (
            &["bench", "offline", "--url", "mqtt://127.0.0.1:1"],
            6,
            "--qos 1",
        ),
        (&["bench", "p2p", "--window", "70000"], 2, "1 to 30000"),
        (&["bench", "restart", "--qos", "1"], 2, "--start <COMMAND>"),
        (
            &[&restart[..], &["--url", "mqtt://127.0.0.1:1"]].concat(),
            6,
            "has ended",
        ),
        (
            &["bench", "p2p", "--publishers", "2", "--subscribers", "3"],
            2,
            "a subscriber for each publisher",
        ),
    ] {
        let output = run_to_end(arguments, Path::new("."))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "{arguments:?}: {said}");
        ensure!(said.contains(expected), "{arguments:?}: {said}");
    }
    Ok(())
}
