//! `ebbtide bench` where something goes wrong: it says what, it ends, it leaves nothing behind, and its figures are true.

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::http::api;
use ebbtide_tests::program::{Running, Said, ebbtide, run};
use ebbtide_tests::tools;
use serde_json::Value;

use super::load_generator::{bench, figure, free_port};

const PASSWORD: &str = "correct horse battery staple";

fn url(broker: &Broker) -> String {
    format!("mqtt://{}", broker.mqtt())
}

fn load(arguments: &[&str]) -> Result<Said> {
    run(ebbtide(&[&["bench"], arguments].concat()), "")
}

fn signal(name: &str, process: u32) -> Result<()> {
    let process = process.to_string();
    let kill = Command::new("kill").args([name, &process]).status()?;
    ensure!(kill.success(), "{name} could not be sent");
    Ok(())
}

/// Until the broker has a session, which the load has made.
fn has_begun(broker: &Broker) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while count(broker, "sessions")? == 0 {
        ensure!(Instant::now() < end, "the load does not begin");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// One of the numbers that a broker gives of itself.
pub fn count(broker: &Broker, name: &str) -> Result<u64> {
    let (_, stats) = api(broker.http(), "GET", "/api/v1/stats", None)?;
    let found = stats.get(name).and_then(Value::as_u64);
    found.with_context(|| format!("{name} in {stats}"))
}

/// What is retained below `bench`, a line each.
pub fn left(broker: &Broker) -> Result<String> {
    let url = format!("http://{}", broker.http());
    run(
        ebbtide(&["retained", "list", "bench/#", "--url", &url, "--json"]),
        "",
    )?
    .well()
}

/// The load ends while the broker stands still. What it delivers later is late and not lost.
#[test]
fn a_broker_that_stalls_at_the_end_is_not_spared() -> Result<()> {
    for qos in ["0", "1"] {
        let broker = Broker::start()?;
        let stalling = || -> Result<()> {
            has_begun(&broker)?;
            thread::sleep(Duration::from_millis(1_500));
            signal("-STOP", broker.id())?;
            thread::sleep(Duration::from_millis(2_500));
            signal("-CONT", broker.id())
        };
        let url = url(&broker);
        let time = ["--warm-up-s", "0.2", "--duration-s", "3"];
        let traffic = ["p2p", "--rate", "200", "--qos", qos];
        let arguments = [&traffic[..], &time].concat();
        let figures = thread::scope(|scope| -> Result<Value> {
            let stall = scope.spawn(stalling);
            let figures = bench(&url, &arguments);
            stall.join().expect("no panic")?;
            figures
        })?;
        ensure!(figure(&figures, "latency_max_ms")? > 1_000.0, "{figures}");
        ensure!(figure(&figures, "latency_p99_ms")? > 500.0, "{figures}");
        ensure!(figure(&figures, "lost")? == 0.0, "{figures}");
        ensure!(figure(&figures, "unsent")? == 0.0, "{figures}");
    }
    Ok(())
}

/// Far more than the window lets out: the rest has waited too.
#[test]
fn what_never_left_counts_as_late() -> Result<()> {
    let broker = Broker::start()?;
    let window = ["--qos", "1", "--publishers", "1", "--window", "1"];
    // No machine has a round trip of three microseconds.
    let time = ["--warm-up-s", "0", "--duration-s", "1", "--rate", "1000000"];
    let figures = bench(&url(&broker), &[&["p2p"], &window[..], &time].concat())?;
    ensure!(figure(&figures, "unsent")? > 10_000.0, "{figures}");
    ensure!(figure(&figures, "latency_p50_ms")? > 500.0, "{figures}");
    ensure!(figure(&figures, "lost")? == 0.0, "{figures}");
    Ok(())
}

/// Each would have been delivered to all: as many have waited. Counted once, what never left would hide behind what was delivered.
#[test]
fn what_never_left_counts_as_late_for_each_subscriber() -> Result<()> {
    let broker = Broker::start()?;
    let window = ["--qos", "1", "--window", "1", "--subscribers", "100"];
    let time = ["--warm-up-s", "0", "--duration-s", "1", "--rate", "20000"];
    let figures = bench(&url(&broker), &[&["fan-out"], &window[..], &time].concat())?;
    let sent = figure(&figures, "published_per_s")?;
    ensure!(figure(&figures, "unsent")? > sent, "{figures}");
    ensure!(figure(&figures, "latency_p50_ms")? > 2_100.0, "{figures}");
    Ok(())
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() -> Result<()> {
    let server = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("mqtt://{}", server.local_addr()?);
    let said = load(&["p2p", "--url", &url])?;
    ensure!(said.code == 6, "{said:?}");
    ensure!(
        said.stderr.contains("is an MQTT broker there"),
        "{}",
        said.stderr
    );
    Ok(())
}

#[test]
fn a_broker_that_dies_is_told() -> Result<()> {
    let mut broker = Broker::start()?;
    let time = ["--duration-s", "30", "--rounds", "2"];
    let url = url(&broker);
    let arguments = [&["bench", "p2p", "--url", &url], &time[..]].concat();
    let running = Running::start(ebbtide(&arguments))?;
    has_begun(&broker)?;
    thread::sleep(Duration::from_millis(300));
    broker.kill()?;
    let said = running.end()?;
    ensure!(said.code == 6, "{said:?}");
    ensure!(
        said.stderr.contains("broke off") || said.stderr.contains("has ended the connection"),
        "{}",
        said.stderr
    );
    Ok(())
}

/// The figures so far are there, and the exit code says that they are not all.
#[test]
fn what_was_measured_before_ctrl_c_is_shown() -> Result<()> {
    let broker = Broker::start()?;
    let url = url(&broker);
    let time = ["--warm-up-s", "0", "--duration-s", "50", "--rounds", "2"];
    let load = ["bench", "p2p", "--qos", "1", "--url", &url, "--json"];
    let running = Running::start(ebbtide(&[&load[..], &time].concat()))?;
    has_begun(&broker)?;
    thread::sleep(Duration::from_millis(500));
    signal("-INT", running.id())?;
    let said = running.end()?;
    ensure!(said.code == 130, "{said:?}");
    ensure!(said.stderr.contains("interrupted after"), "{}", said.stderr);
    let figures: Value = serde_json::from_str(&said.stdout).context(said.stdout.clone())?;
    ensure!(figure(&figures, "delivered_per_s")? > 0.0, "{figures}");
    ensure!(figure(&figures, "lost")? == 0.0, "{figures}");
    Ok(())
}

#[test]
fn credentials_are_shown_and_never_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("ebbtide.toml");
    let user = format!("[[users]]\nname = \"ann\"\npassword = \"{PASSWORD}\"\n");
    let rule = "[[rules]]\neffect = \"allow\"\nwho = \"authenticated\"\nactions = [\"publish\", \"subscribe\"]\ntopics = [\"bench/#\"]\n";
    std::fs::write(&config, format!("auth = [\"password\"]\n{user}{rule}"))?;
    let broker = Broker::start_with(&["--config", &config.display().to_string()])?;
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, format!("{PASSWORD}\n"))?;
    let password_file = password_file.display().to_string();
    let mistaken = folder.path().join("mistaken");
    std::fs::write(&mistaken, "wr0ng-secret\n")?;
    let mistaken = mistaken.display().to_string();

    let address = broker.mqtt();
    let plain = format!("mqtt://{address}");
    let in_url = format!("mqtt://ann:{}@{address}", PASSWORD.replace(' ', "%20"));
    let wrong = format!("mqtt://ann:wr0ng-secret@{address}");
    let short = ["--warm-up-s", "0", "--duration-s", "0.2"];
    for (url, more, is_in) in [
        (&in_url, &["--password-file", &mistaken][..], true),
        (
            &plain,
            &["--username", "ann", "--password-file", &password_file],
            true,
        ),
        (&wrong, &[], false),
        (&plain, &[], false),
    ] {
        for protocol in ["5", "3.1.1"] {
            let load_at = ["p2p", "--protocol", protocol, "--url", url];
            let said = load(&[&load_at[..], more, &short].concat())?;
            let all = format!("{}{}", said.stdout, said.stderr);
            ensure!(said.code == if is_in { 0 } else { 6 }, "{url}: {all}");
            ensure!(is_in || all.contains("--username"), "{url}: {all}");
            ensure!(
                !all.contains("horse") && !all.contains("wr0ng"),
                "{url}: {all}"
            );
        }
    }
    let said = load(&["p2p", "--url", &plain, "--password-file", "/nowhere"])?;
    let why = "cannot read --password-file /nowhere";
    ensure!(said.code == 7 && said.stderr.contains(why), "{said:?}");
    Ok(())
}

/// [MQTT-3.3.4-7]
#[test]
fn no_more_is_under_way_than_the_broker_takes() -> Result<()> {
    let broker = Broker::start_with(&["--receive-maximum", "5"])?;
    let url = url(&broker);
    let short = ["--warm-up-s", "0", "--duration-s", "0.3"];
    let said = load(&[&["p2p", "--qos", "2", "--url", &url], &short[..]].concat())?;
    ensure!(said.code == 0, "{said:?}");
    ensure!(said.stderr.contains("takes 5 unacknowledged"), "{said:?}");
    let retained = ["retained", "--qos", "1", "--messages", "300", "--url", &url];
    let said = load(&retained)?;
    ensure!(said.code == 0, "{said:?}");
    Ok(())
}

/// A second round, or somebody else's next load, must not carry what the first has left.
#[test]
fn nothing_is_left_in_the_broker() -> Result<()> {
    let broker = Broker::start()?;
    let (url, pid) = (url(&broker), broker.id().to_string());
    let persistent = [
        "p2p",
        "--persistent",
        "--warm-up-s",
        "0",
        "--duration-s",
        "0.2",
    ];
    let messages = ["--messages", "20", "--publish", "30"];
    let offline = [&["offline", "--sessions", "7"], &messages[..]].concat();
    let retained = ["retained", "--messages", "50"];
    for arguments in [&persistent[..], &offline, &retained] {
        for protocol in ["5", "3.1.1"] {
            let all = [
                "--qos",
                "1",
                "--protocol",
                protocol,
                "--rounds",
                "2",
                "--pid",
                &pid,
            ];
            let load_at = [arguments, &all, &["--url", &url, "--json"]].concat();
            let said = load(&load_at)?.well()?;
            for (line, is_first) in said.lines().zip([true, false]) {
                // What a process has freed it keeps: only the first round shows what something takes.
                let is_told = line.contains("broker_memory_bytes_per_");
                ensure!(is_told == (is_first && arguments[0] != "p2p"), "{line}");
            }
            // The last one has said goodbye; the broker may hear it a moment later.
            let end = Instant::now() + Duration::from_secs(30);
            while count(&broker, "sessions")? > 0 {
                ensure!(Instant::now() < end, "sessions after {arguments:?}");
                thread::sleep(Duration::from_millis(20));
            }
            ensure!(left(&broker)?.is_empty(), "{arguments:?}");
        }
    }
    Ok(())
}

#[test]
fn a_broker_that_forgets_is_told_so() -> Result<()> {
    let port = free_port()?;
    let program = tools::broker();
    let start = format!(
        "'{}' serve --mqtt 127.0.0.1:{port} --http 127.0.0.1:0 --ephemeral",
        program.display()
    );
    let url = format!("mqtt://127.0.0.1:{port}");
    let restart = ["restart", "--qos", "1", "--messages", "20", "--url", &url];
    let said = load(&[&restart[..], &["--start", &start]].concat())?;
    ensure!(said.code == 6, "{said:?}");
    ensure!(said.stderr.contains("does not keep"), "{}", said.stderr);
    Ok(())
}

/// The one that is started would find its port taken.
#[test]
fn a_broker_that_is_there_is_neither_filled_nor_measured() -> Result<()> {
    let broker = Broker::start()?;
    let url = url(&broker);
    let folder = tempfile::tempdir()?;
    let start = format!(
        "'{}' serve --mqtt {} --http 127.0.0.1:0 --data-dir '{}'",
        tools::broker().display(),
        broker.mqtt(),
        folder.path().display()
    );
    let restart = ["restart", "--qos", "1", "--messages", "20", "--url", &url];
    let said = load(&[&restart[..], &["--start", &start]].concat())?;
    ensure!(said.code == 6, "{said:?}");
    ensure!(said.stderr.contains("another port"), "{}", said.stderr);
    ensure!(left(&broker)?.is_empty(), "it was filled");
    Ok(())
}

/// A message that others have left on the topic comes beside those that are sent.
#[test]
fn what_comes_and_was_not_sent_is_told() -> Result<()> {
    let broker = Broker::start()?;
    let url = url(&broker);
    let topic = ["--topic", "bench/p2p/0", "--message", "of others"];
    let publish = [&["pub", "--retain", "--url", &url], &topic[..]].concat();
    run(ebbtide(&publish), "")?.well()?;
    let short = ["--warm-up-s", "0.1", "--duration-s", "0.2"];
    let one = ["p2p", "--qos", "1", "--publishers", "1", "--json"];
    let said = load(&[&one[..], &["--url", &url], &short].concat())?;
    ensure!(said.code == 0, "{said:?}");
    let figures: Value = serde_json::from_str(&said.stdout).context(said.stdout.clone())?;
    ensure!(figure(&figures, "surplus")? == 1.0, "{figures}");
    ensure!(figure(&figures, "lost")? == 0.0, "{figures}");
    ensure!(said.stderr.contains("there is a surplus"), "{said:?}");
    Ok(())
}

#[test]
fn a_wrong_process_is_not_passed_over() -> Result<()> {
    let broker = Broker::start()?;
    let nobody = u32::MAX.to_string();
    let said = load(&["p2p", "--url", &url(&broker), "--pid", &nobody])?;
    ensure!(said.code == 2 && said.stderr.contains("--pid"), "{said:?}");
    Ok(())
}
