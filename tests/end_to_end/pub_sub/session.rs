//! What `sub` takes from a session and what it leaves there, and what `pub -l` does with many lines.

use super::*;

#[test]
fn what_was_not_asked_for_stays_in_the_session() -> Result<()> {
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let listen = |more: &[&str]| -> Result<String> {
        let kept = [
            "sub",
            "-p",
            &port,
            "-t",
            "queue/#",
            "--persistent",
            "-i",
            "worker",
            "-W",
            "30",
        ];
        well(&[&kept, more].concat())
    };
    listen(&["-E"])?;
    let lines = run(
        ebbtide(&["pub", "-p", &port, "-t", "queue/1", "-l"]),
        "1\n2\n3\n4\n5\n6",
    )?;
    ensure!(lines.code == 0, "{}", lines.stderr);
    for qos in ["1", "2"] {
        ensure!(listen(&["-C", "2", "-q", qos])? == if qos == "1" { "1\n2" } else { "3\n4" });
        // Only looks whether the subscription stands.
        listen(&["-E"])?;
    }
    ensure!(listen(&["-C", "2", "-v"])? == "queue/1 5\nqueue/1 6");
    Ok(())
}

#[test]
fn a_crash_of_the_broker_is_survived() -> Result<()> {
    let mut broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let kept = ["-p", &port, "-t", "t", "-c", "-i", "k", "-C", "3"];
    well(&["sub", "-p", &port, "-t", "t", "-c", "-i", "k", "-E"])?;
    let listening = Running::start(ebbtide(&[&["sub"], &kept[..]].concat()))?;
    let publish = |text: &str| well(&["pub", "-p", &port, "-t", "t", "-m", text]);
    publish("before")?;
    ensure!(listening.line()? == "before");
    broker.crash_and_restart()?;
    publish("after")?;
    // The acknowledgement of the first one may have been lost with the broker: then it comes again.
    let mut line = listening.line()?;
    if line == "before" {
        line = listening.line()?;
    }
    ensure!(line == "after", "{line}");
    publish("last")?;
    let said = listening.end()?;
    ensure!(
        said.code == 0 && ["last", ""].contains(&said.stdout.as_str()),
        "{said:?}"
    );
    ensure!(
        said.stderr.contains("the connection was lost") && said.stderr.contains("connected again"),
        "{}",
        said.stderr
    );
    Ok(())
}

/// A message that was not written is not acknowledged: here the program is killed with one in hand.
#[test]
fn who_is_killed_gets_again_what_was_not_written() -> Result<()> {
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let kept = ["sub", "-p", &port, "-t", "t", "-c", "-i", "k"];
    well(&[&kept[..], &["-E"]].concat())?;
    let numbers: Vec<String> = (1..=2000).map(|number| number.to_string()).collect();
    let lines = run(
        ebbtide(&["pub", "-p", &port, "-t", "t", "-l", "-q", "1"]),
        &numbers.join("\n"),
    )?;
    ensure!(lines.code == 0, "{}", lines.stderr);
    let listening = Running::start(ebbtide(&kept))?;
    let mut written = vec![listening.line()?];
    written.extend(listening.kill()?);
    let rest = Running::start(ebbtide(&kept))?;
    let mut seen = vec![rest.line()?];
    while seen.last().is_none_or(|last| last != "2000") {
        seen.push(rest.line()?);
    }
    rest.ask_to_end()?;
    ensure!(rest.end()?.code == 0);
    ensure!(written == numbers[..written.len()], "{written:?}");
    let from: usize = seen[0].parse()?;
    ensure!(from <= written.len() + 1, "{from} after {}", written.len());
    ensure!(seen == numbers[from - 1..], "there is a gap behind {from}");
    Ok(())
}

#[test]
fn two_thousand_lines_arrive_in_order() -> Result<()> {
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let numbers: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    let text = numbers.join("\n");
    for qos in ["0", "1", "2"] {
        let kept = ["sub", "-p", &port, "-t", "t", "-q", qos, "-C", "2001"];
        let listening = Running::start(ebbtide(&kept))?;
        // The first line says that the subscription stands.
        well(&["pub", "-p", &port, "-t", "t", "-r", "-m", "ready"])?;
        ensure!(listening.line()? == "ready");
        let lines = ["pub", "-p", &port, "-t", "t", "-l", "-q", qos];
        run(ebbtide(&lines), &text)?.well()?;
        ensure!(listening.end()?.well()? == text, "QoS {qos}");
        well(&["pub", "-p", &port, "-t", "t", "-r", "-n"])?;
    }
    Ok(())
}

#[test]
fn options_of_the_subscription() -> Result<()> {
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let place = ["-p", &port, "-t", "t"];
    well(&[&["pub", "-m", "old", "-r"], &place[..]].concat())?;
    let never = [
        &[
            "sub",
            "--retain-handling",
            "never",
            "-C",
            "1",
            "--json",
            "--retain-as-published",
        ],
        &place[..],
    ]
    .concat();
    let never = Running::start(ebbtide(&never))?;
    let ready = [&["sub", "-C", "1", "-N"], &place[..]].concat();
    ensure!(well(&ready)? == "old");
    // Until it has subscribed nothing reaches it, however often.
    let line = loop {
        well(&[&["pub", "-m", "new", "-r"], &place[..]].concat())?;
        let waiting = std::time::Duration::from_millis(200);
        if let Some(line) = never.line_within(waiting) {
            break object(&line)?;
        }
    };
    ensure!(line["payload"] == "new" && line["retain"] == true, "{line}");
    let refused = said(&[&["sub", "--no-local", "-V", "311"], &place[..]].concat())?;
    ensure!(
        refused.code == 2 && refused.stderr.contains("MQTT 5"),
        "{refused:?}"
    );
    Ok(())
}
