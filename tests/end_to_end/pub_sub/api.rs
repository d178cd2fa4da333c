//! `ebbtide retained` and `ebbtide sessions`: through the HTTP API of a running broker; and what the program says of itself.

use super::*;
use std::fs::File;
use std::process::Stdio;
use tempfile::TempDir;

struct Asked {
    broker: Broker,
}

impl Asked {
    fn said(&self, words: &[&str]) -> Result<Said> {
        let mut command = ebbtide(words);
        command.env("EBBTIDE_URL", format!("http://{}", self.broker.http()));
        run(command, "")
    }

    fn well(&self, words: &[&str]) -> Result<String> {
        self.said(words)?
            .well()
            .with_context(|| format!("{words:?}"))
    }
}

#[test]
fn retained_messages_are_listed_set_and_deleted() -> Result<()> {
    let asked = Asked {
        broker: Broker::start()?,
    };
    let set = [
        "retained",
        "set",
        "lamp/1",
        "-m",
        "on",
        "--content-type",
        "text/plain",
    ];
    ensure!(asked.well(&set)? == "it is kept; no matching subscribers");
    let folder = TempDir::new()?;
    let file = folder.path().join("picture");
    std::fs::write(&file, [0xff, 0, 0x1b])?;
    let file = file.to_str().context("a path")?;
    asked.well(&["retained", "set", "lamp/\u{1b}[2J", "-f", file])?;
    let list = asked.well(&["retained", "list", "lamp/#"])?;
    ensure!(
        list == "lamp/\\u{1b}[2J  (3 bytes, no text)\nlamp/1  on",
        "{list}"
    );
    let json = asked.well(&["retained", "list", "lamp/1", "--json"])?;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["payload"] == "on" && json["properties"]["content_type"] == "text/plain");
    ensure!(asked.well(&["retained", "get", "lamp/1"])? == "on");
    let mut bytes = ebbtide(&["retained", "get", "lamp/\u{1b}[2J"]);
    bytes.env("EBBTIDE_URL", format!("http://{}", asked.broker.http()));
    ensure!(bytes.output()?.stdout == [0xff, 0, 0x1b]);
    // More than a page, and an end in the middle.
    for number in 0..3 {
        let lines: String = (0..400).map(|line| format!("{line}\n")).collect();
        for line in lines.lines().step_by(40) {
            asked.well(&[
                "retained",
                "set",
                &format!("many/{number}/{line}"),
                "-m",
                line,
            ])?;
        }
    }
    ensure!(asked.well(&["retained", "list", "many/#"])?.lines().count() == 30);
    ensure!(
        asked
            .well(&["retained", "list", "many/#", "--limit", "7"])?
            .lines()
            .count()
            == 7
    );
    let dry = asked.well(&["retained", "delete", "many/1/#", "--dry-run"])?;
    ensure!(
        dry.contains("10 messages") && dry.ends_with("would be deleted"),
        "{dry}"
    );
    ensure!(
        asked
            .well(&["retained", "list", "many/1/#"])?
            .lines()
            .count()
            == 10
    );
    let gone = asked.well(&["retained", "delete", "many/1/#"])?;
    ensure!(gone.ends_with("bytes deleted"), "{gone}");
    ensure!(asked.well(&["retained", "list", "many/1/#"])?.is_empty());
    let absent = asked.said(&["retained", "get", "nothing"])?;
    ensure!(
        absent.code == 6 && absent.stderr.contains("404"),
        "{absent:?}"
    );
    Ok(())
}

/// A part of it must not pass for the whole.
#[test]
fn what_cannot_be_written_is_no_success() -> Result<()> {
    let asked = Asked {
        broker: Broker::start()?,
    };
    asked.well(&["retained", "set", "lamp/1", "-m", "on"])?;
    let words: [&[&str]; 4] = [
        &["retained", "get", "lamp/1"],
        &["retained", "get", "lamp/1", "--json"],
        &["retained", "list"],
        &["man"],
    ];
    for words in words {
        let mut command = ebbtide(words);
        command.env("EBBTIDE_URL", format!("http://{}", asked.broker.http()));
        let full = File::options().write(true).open("/dev/full")?;
        let output = command.stdout(full).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(7), "{words:?}: {said}");
        ensure!(
            said.starts_with("error: cannot write "),
            "{words:?}: {said}"
        );
        // Who reads may have had enough, and that is no fault.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        drop(child.stdout.take());
        ensure!(child.wait()?.code() == Some(0), "{words:?}");
    }
    Ok(())
}

/// At QoS 0 as well: nothing else would say that it is not kept.
#[test]
fn a_retained_message_for_which_there_is_no_room_is_not_said_to_be_kept() -> Result<()> {
    let asked = Asked {
        broker: Broker::start_with(&["--retained-messages-max", "1"])?,
    };
    let set = |topic, qos| asked.said(&["retained", "set", topic, "-q", qos, "-m", "on"]);
    // The broker's own topics have taken it.
    for qos in ["0", "1", "2"] {
        let refused = set("lamp/1", qos)?;
        ensure!(
            refused.code != 0 && refused.stderr.contains("507"),
            "{qos}: {refused:?}"
        );
    }
    ensure!(asked.well(&["retained", "list"])?.is_empty());
    Ok(())
}

#[test]
fn sessions_are_looked_at_and_ended() -> Result<()> {
    let asked = Asked {
        broker: Broker::start()?,
    };
    let port = asked.broker.mqtt().port().to_string();
    let client = "away / 1";
    well(&["sub", "-p", &port, "-t", "q/#", "-c", "-i", client, "-E"])?;
    run(
        ebbtide(&["pub", "-p", &port, "-t", "q/1", "-l"]),
        "one\ntwo\nthree\n",
    )?
    .well()?;
    let there = ["sub", "-p", &port, "-t", "ready", "-i", "there"];
    let there = Running::start(ebbtide(&there))?;
    well(&["pub", "-p", &port, "-t", "ready", "-m", "r", "-r"])?;
    there.line()?;
    let away = asked.well(&["sessions", "list", "--state", "away"])?;
    ensure!(
        away.contains("3 messages wait") && away.lines().count() == 1,
        "{away}"
    );
    let sorted = [
        "sessions",
        "list",
        "--sort",
        "queue-messages",
        "--descending",
        "--json",
        "--limit",
        "1",
    ];
    let first: Value = serde_json::from_str(&asked.well(&sorted)?)?;
    ensure!(
        first["client_id"] == client && first["queue_messages"] == 3,
        "{first}"
    );
    ensure!(
        asked
            .well(&["sessions", "list", "--search", "THERE"])?
            .contains("connected from")
    );
    let shown = asked.well(&["sessions", "show", client])?;
    ensure!(
        shown.contains("ends at 20") && shown.contains("3 messages (20 bytes) wait"),
        "{shown}"
    );
    ensure!(asked.well(&["sessions", "subscriptions", client])? == "q/#  QoS 1");
    let queue = asked.well(&["sessions", "queue", client, "--offset", "1", "--limit", "1"])?;
    ensure!(queue == "1  waits  QoS 1  q/1  two", "{queue}");
    let why = asked.well(&["sessions", "why", client, "q/1"])?;
    ensure!(why.contains("waits"), "{why}");
    ensure!(asked.well(&["sessions", "purge", client])? == "3 messages dropped");
    ensure!(asked.well(&["sessions", "queue", client])?.is_empty());
    asked.well(&["sessions", "delete", client])?;
    let gone = asked.said(&["sessions", "show", client])?;
    ensure!(gone.code == 6 && gone.stderr.contains("404"), "{gone:?}");
    // Who is disconnected by an operator may come back, and `sub` does.
    asked.well(&["sessions", "disconnect", "there"])?;
    ensure!(there.line()? == "r", "it has subscribed again");
    there.ask_to_end()?;
    ensure!(there.end()?.stderr.contains("Administrative action"));
    Ok(())
}

/// Without the right there is nothing to see, and the message says what is missing.
#[test]
fn a_key_is_asked_for() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("ebbtide.toml");
    std::fs::write(&file, "auth = ['password']\n")?;
    let file = file.to_str().context("a path")?;
    let asked = Asked {
        broker: Broker::start_with(&["--config", file])?,
    };
    for words in [["retained", "list"], ["sessions", "list"]] {
        let said = asked.said(&words)?;
        ensure!(said.code == 6 && said.stderr.contains("401"), "{said:?}");
        let login = [&words[..], &["--login", "ann"]].concat();
        let said = asked.said(&login)?;
        ensure!(
            said.code == 2 && said.stderr.contains("--password-file"),
            "{said:?}"
        );
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "wr0ng-password\n")?;
        let secret = secret.to_str().context("a path")?;
        let said = asked.said(&[&login[..], &["--password-file", secret]].concat())?;
        ensure!(said.code == 6 && said.stderr.contains("401"), "{said:?}");
        ensure!(!said.stderr.contains("wr0ng"), "{said:?}");
    }
    Ok(())
}

#[test]
fn completions_and_manual_pages() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().to_str().context("a path")?;
    well(&["man", "--out", path])?;
    for page in ["ebbtide.1", "ebbtide-pub.1", "ebbtide-retained-delete.1"] {
        let text = std::fs::read_to_string(folder.path().join(page))?;
        ensure!(text.contains(".SH NAME"), "{page}");
    }
    ensure!(well(&["man"])?.contains(".TH ebbtide 1"));
    let script = folder.path().join("ebbtide.bash");
    std::fs::write(&script, well(&["completions", "bash"])?)?;
    let mut bash = std::process::Command::new("bash");
    let lines = "source \"$1\" && COMP_WORDS=(ebbtide retained de) COMP_CWORD=2 && _ebbtide ebbtide de retained && echo \"${COMPREPLY[@]}\"";
    bash.args(["-c", lines, "bash"]).arg(&script);
    ensure!(run(bash, "")?.well()? == "delete");
    Ok(())
}
