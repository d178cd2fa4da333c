//! What goes wrong, its exit code, and what the message tells to do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";

/// A server that takes one connection, answers what comes by one of these after the other, and then says nothing more.
fn server(answers: &'static [&'static [u8]]) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut input = [0; 4096];
        let mut answers = answers.iter();
        while stream.read(&mut input)? > 0 {
            stream.write_all(answers.next().copied().unwrap_or_default())?;
        }
        Ok::<(), std::io::Error>(())
    });
    Ok(port.to_string())
}

fn guarded(folder: &TempDir) -> Result<Broker> {
    let file = folder.path().join("ebbtide.toml");
    std::fs::write(
        &file,
        format!(
            "auth = ['password']\n[[users]]\nname = 'ann'\npassword = '{PASSWORD}'\n[[rules]]\neffect = 'allow'\n\
             actions = ['publish', 'subscribe']\ntopics = ['own/{{user}}/#']\n"
        ),
    )?;
    Broker::start_with(&["--config", file.to_str().context("a path")?])
}

#[track_caller]
fn fails(said: &Said, code: i32, parts: &[&str]) -> Result<()> {
    ensure!(said.code == code, "{said:?}");
    for part in parts {
        ensure!(said.stderr.contains(part), "{part} is not in {said:?}");
    }
    ensure!(!said.stderr.contains(PASSWORD) && !said.stdout.contains(PASSWORD));
    Ok(())
}

#[test]
fn who_is_not_let_in_or_may_not() -> Result<()> {
    let folder = TempDir::new()?;
    let broker = guarded(&folder)?;
    let port = broker.mqtt().port().to_string();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{PASSWORD}\n"))?;
    let secret = secret.to_str().context("a path")?;
    let ann = ["-p", &port, "-u", "ann", "--password-file", secret];
    let (own, other) = (["-t", "own/ann/x"], ["-t", "own/bob/x"]);
    let publish = |words: &[&str]| said(&[&["pub", "-m", "x"], words].concat());
    let subscribe = |words: &[&str]| said(&[&["sub", "-W", "30", "-C", "1"], words].concat());
    well(&[&["pub", "-m", "x"], &ann[..], &own].concat())?;
    // The password by the variable, and by standard input.
    let mut by_variable =
        ebbtide(&[&["pub", "-m", "x", "-p", &port, "-u", "ann"], &own[..]].concat());
    by_variable.env("EBBTIDE_PASSWORD", PASSWORD);
    run(by_variable, "")?.well()?;
    let by_stdin = [
        "pub",
        "-m",
        "x",
        "-p",
        &port,
        "-u",
        "ann",
        "--password-file",
        "-",
    ];
    run(ebbtide(&[&by_stdin, &own[..]].concat()), PASSWORD)?.well()?;

    // A URL may have it, and counts before file and variable; the file before the variable.
    let mistaken = folder.path().join("mistaken");
    std::fs::write(&mistaken, "wrong\n")?;
    let mistaken = mistaken.to_str().context("a path")?;
    let url = format!("mqtt://ann:correct%20horse%20battery%20staple@127.0.0.1:{port}/own/ann/x");
    let mut by_url = ebbtide(&["pub", "-m", "x", "-L", &url, "--password-file", mistaken]);
    by_url
        .env("EBBTIDE_PASSWORD", "wrong")
        .env("EBBTIDE_USER", "bob");
    run(by_url, "")?.well()?;
    let mut by_file = ebbtide(&[&["pub", "-m", "x"], &ann[..], &own].concat());
    by_file.env("EBBTIDE_PASSWORD", "wrong");
    run(by_file, "")?.well()?;

    let wrong = [&["-p", &port, "-u", "ann", "-P", "wrong"], &own[..]].concat();
    fails(&publish(&wrong)?, 9, &["0x86", "--password-file"])?;
    fails(&subscribe(&wrong)?, 9, &["0x86"])?;
    let wrong_311 = [&wrong[..], &["-V", "311"]].concat();
    fails(
        &publish(&wrong_311)?,
        9,
        &["the broker refused the connection"],
    )?;
    fails(
        &publish(&[&["-p", &port], &own[..]].concat())?,
        9,
        &["refused the connection"],
    )?;
    let not_own = [&ann[..], &other].concat();
    fails(
        &publish(&not_own)?,
        9,
        &[
            "the message to own/bob/x",
            "0x87",
            "acl test",
            "0 acknowledged",
        ],
    )?;
    fails(
        &subscribe(&not_own)?,
        9,
        &["the subscription to own/bob/x", "0x87"],
    )?;
    let lines = [&["pub", "-l"], &not_own[..]].concat();
    fails(&run(ebbtide(&lines), "1\n2\n3\n")?, 9, &["0x87"])
}

#[test]
fn who_cannot_be_reached_or_does_not_answer() -> Result<()> {
    let unused = TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port()
        .to_string();
    let at = |port: &str, more: &[&str]| {
        said(&[&["pub", "-t", "t", "-m", "x", "-p", port], more].concat())
    };
    fails(&at(&unused, &[])?, 6, &["does the broker run"])?;
    fails(&at(&server(&[])?, &["-W", "1"])?, 10, &["more than 1 s"])?;
    // No MQTT at all.
    fails(
        &at(&server(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"])?, &[])?,
        11,
        &["broke the protocol"],
    )?;
    // CONNACK of 3.1.1: unacceptable protocol version.
    fails(
        &at(&server(&[b"\x20\x02\x00\x01"])?, &["-V", "311"])?,
        11,
        &["-V 3.1.1"],
    )?;
    fails(
        &at(&server(&[b"\x20\x03\x00\x84\x00"])?, &[])?,
        11,
        &["0x84"],
    )?;
    // It lets the client in and then says nothing.
    fails(
        &at(&server(&[b"\x20\x03\x00\x00\x00"])?, &["-W", "1"])?,
        10,
        &["more than 1 s"],
    )?;
    // And says goodbye before it acknowledges: busy.
    let busy = at(
        &server(&[b"\x20\x03\x00\x00\x00", b"\xe0\x02\x89\x00"])?,
        &[],
    )?;
    fails(
        &busy,
        6,
        &[
            "Server busy",
            "0 acknowledged, 1 that may or may not have arrived",
        ],
    )?;
    // Too large for it: CONNACK with a Maximum Packet Size of 20.
    let port = server(&[b"\x20\x08\x00\x00\x05\x27\x00\x00\x00\x14"])?;
    let large = said(&[
        "pub",
        "-t",
        "t",
        "-m",
        "more than twenty bytes",
        "-p",
        &port,
    ])?;
    fails(&large, 11, &["larger than the server accepts"])?;
    let broker = Broker::start()?;
    let port = broker.mqtt().port().to_string();
    let late = said(&["sub", "-p", &port, "-t", "t", "-W", "1"])?;
    fails(&late, 10, &["more than 1 s"])?;
    let path = format!("ws://{}/nowhere", broker.http());
    fails(
        &said(&["pub", "-L", &path, "-t", "t", "-n"])?,
        6,
        &["/mqtt"],
    )
}

#[test]
fn certificates_that_do_not_fit() -> Result<()> {
    let (certificates, others) = (Certificates::make()?, Certificates::make()?);
    let flags = certificates.flags();
    let broker = Broker::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
    let authority = |made: &Certificates| made.path("authority.pem").display().to_string();
    let port = broker.address("mqtts")?.port();
    let publish = |host: &str, more: &[&str]| {
        let url = format!("mqtts://{host}:{port}");
        said(&[&["pub", "-t", "t", "-m", "x", "-L", &url], more].concat())
    };
    let (right, wrong) = (authority(&certificates), authority(&others));
    ensure!(publish("localhost", &["--cafile", &right])?.code == 0);
    fails(
        &publish("localhost", &["--cafile", &wrong])?,
        6,
        &["BadSignature", "--cafile"],
    )?;
    // 0.0.0.0 leads to this machine, and is not in the certificate.
    fails(
        &publish("0.0.0.0", &["--cafile", &right])?,
        6,
        &["another name", "--insecure"],
    )?;
    ensure!(publish("0.0.0.0", &["--cafile", &right, "--insecure"])?.code == 0);
    fails(
        &publish("0.0.0.0", &["--cafile", &wrong, "--insecure"])?,
        6,
        &["invalid peer certificate", "--cafile"],
    )?;
    let key = certificates.path("key.pem").display().to_string();
    fails(
        &publish("localhost", &["--cafile", &key])?,
        7,
        &["no certificate"],
    )?;
    let plain = format!("mqtts://{}", broker.mqtt());
    fails(
        &said(&[
            "pub", "-t", "t", "-m", "x", "-L", &plain, "--cafile", &right,
        ])?,
        6,
        &["speak TLS"],
    )
}

#[test]
fn what_is_typed_wrong() -> Result<()> {
    for (words, code, part) in [
        (&["pub", "-m", "x"][..], 2, "--topic TOPIC"),
        (&["pub", "-t", "a/#", "-m", "x"], 2, "wildcard"),
        (&["pub", "-t", "a"], 2, "--message"),
        (
            &["pub", "-t", "a", "-m", "x", "-f", "y"],
            2,
            "cannot be used with",
        ),
        (
            &["pub", "-t", "a", "-f", "/nowhere/at/all"],
            7,
            "/nowhere/at/all",
        ),
        (
            &["pub", "-t", "a", "-m", "x", "-L", "localhost"],
            2,
            "mqtt://HOST:PORT",
        ),
        (
            &[
                "pub",
                "-t",
                "a",
                "-m",
                "x",
                "-D",
                "publish",
                "contenttype",
                "x",
            ],
            2,
            "content-type",
        ),
        (
            &[
                "pub",
                "-t",
                "a",
                "-m",
                "x",
                "-V",
                "311",
                "--content-type",
                "x",
            ],
            2,
            "MQTT 5",
        ),
        (
            &["pub", "-t", "a", "-m", "x", "--cert", "c.pem"],
            2,
            "--key",
        ),
        (&["sub"], 2, "--topic FILTER"),
        (&["sub", "-t", "a/#/b"], 2, "a/#/b"),
        (&["sub", "-t", "a", "--persistent"], 2, "--id"),
        (&["sub", "-t", "a", "-q", "3"], 2, "3"),
        (
            &["sub", "-t", "a", "--password-file", "/nowhere"],
            7,
            "/nowhere",
        ),
    ] {
        fails(&said(words)?, code, &[part])?;
    }
    Ok(())
}
