//! TLS on both kinds of listener: real clients that trust the certificate and one that does not, certificates of clients, and a
//! certificate that is renewed while somebody is connected.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::{Broker, run_to_end};
use ebbtide_tests::tls::{Certificates, Secured};
use ebbtide_tests::tools::{self, Tool};

/// Longer than the broker takes to look at its files again, on a loaded machine.
const RELOAD_DEADLINE: Duration = Duration::from_secs(30);
/// 3.1.1, clean, keep alive off, client id `t`.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01t";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
const PINGREQ: &[u8] = b"\xc0\x00";
const PINGRESP: &[u8] = b"\xd0\x00";

fn start(certificates: &Certificates, more: &[&str]) -> Result<Broker> {
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Broker::start_with(&[&flags, more].concat())
}

fn exchange(stream: &mut Secured, question: &[u8], expected: &[u8]) -> Result<()> {
    stream.write_all(question)?;
    stream.flush()?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer)?;
    ensure!(answer == expected, "{answer:02x?}");
    Ok(())
}

fn publish(address: SocketAddr, arguments: &[&str]) -> Result<bool> {
    let output = tools::mosquitto_pub()
        .args(["-h", "localhost", "-p", &address.port().to_string()])
        .args(["-t", "t", "-m", "m", "-q", "1"])
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .context("starting mosquitto_pub")?;
    Ok(output.status.success())
}

#[test]
fn mosquitto_pub_trusts_the_authority_and_no_other() -> Result<()> {
    if !tools::present(&[Tool::Mosquitto]) {
        return Ok(());
    }
    let (certificates, others) = (Certificates::make()?, Certificates::make()?);
    let broker = start(&certificates, &[])?;
    let mqtts = broker.address("mqtts")?;
    let trust = |made: &Certificates| made.path("authority.pem").display().to_string();
    ensure!(publish(mqtts, &["--cafile", &trust(&certificates)])?);
    ensure!(!publish(mqtts, &["--cafile", &trust(&others)])?);
    // What is not TLS at all is turned away, and costs nobody else anything.
    ensure!(!publish(mqtts, &[])?);
    ensure!(publish(mqtts, &["--cafile", &trust(&certificates)])?);
    Ok(())
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_turned_away() -> Result<()> {
    let (certificates, others) = (Certificates::make()?, Certificates::make()?);
    let authority = certificates.path("authority.pem").display().to_string();
    let broker = start(&certificates, &["--tls-client-ca", &authority])?;
    let mqtts = broker.address("mqtts")?;
    exchange(
        &mut certificates.connect_as_client(mqtts)?,
        CONNECT,
        CONNACK,
    )?;
    let bare = certificates.connect(mqtts);
    let let_in = bare.and_then(|mut stream| exchange(&mut stream, CONNECT, CONNACK));
    ensure!(let_in.is_err(), "a client that shows no certificate is in");
    for name in ["client.pem", "client-key.pem"] {
        fs::copy(others.path(name), certificates.path(name))?;
    }
    let foreign = certificates.connect_as_client(mqtts);
    let let_in = foreign.and_then(|mut stream| exchange(&mut stream, CONNECT, CONNACK));
    ensure!(let_in.is_err(), "a client of another authority is in");
    Ok(())
}

#[test]
fn a_renewed_certificate_is_used_and_nobody_is_disconnected() -> Result<()> {
    let (certificates, renewed) = (Certificates::make()?, Certificates::make()?);
    let broker = start(&certificates, &[])?;
    let mqtts = broker.address("mqtts")?;
    let mut before = certificates.connect(mqtts)?;
    exchange(&mut before, CONNECT, CONNACK)?;
    ensure!(renewed.connect(mqtts).is_err(), "it is not there yet");
    // Half of a pair is no pair: the old one stays.
    fs::copy(
        renewed.path("certificate.pem"),
        certificates.path("certificate.pem"),
    )?;
    wait_for(|| Ok(broker.log().contains("the old TLS certificate stays")))?;
    certificates.connect(mqtts).context("the old one is gone")?;
    fs::copy(renewed.path("key.pem"), certificates.path("key.pem"))?;
    wait_for(|| Ok(renewed.connect(mqtts).is_ok()))?;
    ensure!(certificates.connect(mqtts).is_err(), "the old one is there");
    exchange(&mut before, PINGREQ, PINGRESP)
}

fn wait_for(condition: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + RELOAD_DEADLINE;
    while !condition()? {
        ensure!(Instant::now() < deadline, "not within {RELOAD_DEADLINE:?}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn the_api_answers_over_https() -> Result<()> {
    let certificates = Certificates::make()?;
    let broker = start(&certificates, &[])?;
    let https = broker.address("https")?;
    let mut stream = certificates.connect(https)?;
    let request = format!(
        "GET /readyz HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        https.port()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let authority = certificates.path("authority.pem").display().to_string();
    let ask = |url: &str, more: &[&str]| -> Result<(Option<i32>, String)> {
        let arguments = [&["acl", "get", "--url", url], more].concat();
        let output = run_to_end(&arguments, Path::new("."))?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8(said)?))
    };
    let port = https.port();
    let url = format!("https://localhost:{port}");
    let (code, said) = ask(&url, &["--cafile", &authority])?;
    ensure!(code == Some(0) && said.contains("rules"), "{said}");
    let (code, said) = ask(&url, &[])?;
    let is_told = said.contains("--cafile");
    ensure!(matches!(code, Some(2 | 6)) && is_told, "{code:?} {said}");
    let (code, said) = ask(&format!("http://localhost:{port}"), &[])?;
    ensure!(code == Some(6) && said.contains("https"), "{said}");
    Ok(())
}

#[test]
fn what_makes_no_certificate_is_said_before_anything_is_served() -> Result<()> {
    let certificates = Certificates::make()?;
    let refusal = |certificate: &str, key: &str| -> Result<String> {
        let output = run_to_end(
            &[
                "serve",
                "--ephemeral",
                "--mqtt",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
                "--mqtts",
                "127.0.0.1:0",
                "--tls-certificate",
                certificate,
                "--tls-key",
                key,
            ],
            certificates.path("").as_path(),
        )?;
        ensure!(output.status.code() == Some(2), "{:?}", output.status);
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let absent = refusal("nowhere.pem", "key.pem")?;
    ensure!(
        absent.contains("nowhere.pem") && absent.contains("--tls-certificate"),
        "{absent}"
    );
    let swapped = refusal("key.pem", "key.pem")?;
    ensure!(swapped.contains("no certificate in key.pem"), "{swapped}");
    let keyless = refusal("certificate.pem", "certificate.pem")?;
    ensure!(
        keyless.contains("private key") && keyless.contains("--tls-key"),
        "{keyless}"
    );
    let strangers = refusal("certificate.pem", "client-key.pem")?;
    ensure!(
        strangers.contains("certificate.pem and the key in client-key.pem"),
        "{strangers}"
    );
    // What is there is never written over.
    let again = run_to_end(
        &["cert", "dev", "--out", "."],
        certificates.path("").as_path(),
    )?;
    let said = String::from_utf8_lossy(&again.stderr);
    ensure!(
        again.status.code() == Some(7) && said.contains("remove it first"),
        "{said}"
    );
    Ok(())
}
