//! Every refusal in one table: what the client gets, what the log says for the operator, and that no secret is in it, in either format
//! and with all that can be logged.

use std::process::Command;

use super::*;
use ebbtide_tests::peer::{clean, kept};
use ebbtide_tests::program::{ebbtide, run};
use ebbtide_tests::tls::Certificates;
use ebbtide_tests::tools;

const NEW_PASSWORD: &str = "a password that came later";
const WRONG_PASSWORD: &str = "wr0ng but long enough";

/// What the client gets, as one word: a reason code, a status, or `no connection`.
type Outcome = String;

/// A refusal.
struct Case<'a> {
    what: &'a str,
    act: Box<dyn Fn() -> Result<Outcome> + 'a>,
    outcome: &'a str,
    log: &'a str,
}

fn case<'a>(
    what: &'a str,
    outcome: &'a str,
    log: &'a str,
    act: impl Fn() -> Result<Outcome> + 'a,
) -> Case<'a> {
    Case {
        what,
        act: Box::new(act),
        outcome,
        log,
    }
}

fn code(reason: ReasonCode) -> Outcome {
    format!("0x{:02x}", reason as u8)
}

/// The private key of somebody who signs tokens, and its public half, as PEM.
fn key_pair(folder: &TempDir) -> Result<(String, String)> {
    let run = |line: &str| -> Result<String> {
        let mut command = Command::new("bash");
        let output = command
            .args(["-c", line])
            .current_dir(folder.path())
            .output()?;
        ensure!(output.status.success(), "{line}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    };
    let private =
        run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | tee private.pem")?;
    let public = run("openssl pkey -in private.pem -pubout | tee public.pem")?;
    Ok((private, public))
}

fn start(folder: &TempDir, format: &str) -> Result<(Guarded, Certificates)> {
    let certificates = Certificates::make()?;
    let file = folder.path().join("ebbtide.toml");
    std::fs::write(
        &file,
        format!(
            r#"
auth = ["jwt", "password"]

[[users]]
name = "ann"
password = "{PASSWORD}"

[[users]]
name = "root"
password = "{PASSWORD}"
scopes = ["admin"]

[[rules]]
effect = "allow"
who = "authenticated"
actions = ["publish", "subscribe"]
topics = ["people/{{user}}/#"]

[[jwt]]
name = "the app"
algorithms = ["ES256"]
key_file = "{}"
key_id = "2026-11"
issuer = "shop"
audience = "broker"
"#,
            folder.path().join("public.pem").display()
        ),
    )?;
    let file = file.to_str().context("a path")?;
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let more = ["--config", file, "--log", "trace", "--log-format", format];
    let guarded = Guarded {
        broker: Broker::start_with(&[&more, &flags[..]].concat())?,
        _folder: TempDir::new()?,
    };
    Ok((guarded, certificates))
}

/// Tokens that do not count, with what the log says of each.
fn tokens(private: &str, public: &str) -> Result<Vec<(&'static str, String, &'static str)>> {
    let signed =
        |algorithm: Algorithm, kid: &str, key: &EncodingKey, claims: &Value| -> Result<String> {
            let header = Header {
                kid: Some(kid.to_owned()),
                ..Header::new(algorithm)
            };
            Ok(encode(&header, claims, key)?)
        };
    let claims = |seconds: i64| json!({ "sub": "ada", "iss": "shop", "aud": "broker", "exp": in_s(seconds) });
    let key = EncodingKey::from_ec_pem(private.as_bytes())?;
    let good = signed(Algorithm::ES256, "2026-11", &key, &claims(60))?;
    let body = good.split('.').nth(1).context("a body")?;
    let mut forged: Vec<&str> = good.split('.').collect();
    let another = signed(
        Algorithm::ES256,
        "2026-11",
        &key,
        &json!({ "sub": "root", "exp": in_s(60) }),
    )?;
    forged[1] = another.split('.').nth(1).context("a body")?;
    let foreign = json!({ "sub": "ada", "iss": "another shop", "aud": "broker", "exp": in_s(60) });
    let elsewhere =
        json!({ "sub": "ada", "iss": "shop", "aud": "another broker", "exp": in_s(60) });
    Ok(vec![
        (
            "an expired token",
            signed(Algorithm::ES256, "2026-11", &key, &claims(-1))?,
            r#"its token does not count by the key "the app": ExpiredSignature"#,
        ),
        (
            "an unknown key id",
            signed(Algorithm::ES256, "2025-01", &key, &claims(60))?,
            r#"no key has the id "2025-01""#,
        ),
        (
            "alg: none",
            // {"alg":"none","typ":"JWT","kid":"2026-11"}
            format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiMjAyNi0xMSJ9.{body}."),
            "never accepted",
        ),
        (
            "a public key taken for a secret",
            signed(
                Algorithm::HS256,
                "2026-11",
                &EncodingKey::from_secret(public.as_bytes()),
                &claims(60),
            )?,
            r#"signed with HS256, and the key "the app" counts for [ES256] only"#,
        ),
        ("another body", forged.join("."), "InvalidSignature"),
        (
            "another issuer",
            signed(Algorithm::ES256, "2026-11", &key, &foreign)?,
            "InvalidIssuer",
        ),
        (
            "another audience",
            signed(Algorithm::ES256, "2026-11", &key, &elsewhere)?,
            "InvalidAudience",
        ),
    ])
}

#[test]
fn each_refusal_has_its_code_and_a_sentence_in_the_log_and_no_secret() -> Result<()> {
    for format in ["text", "json"] {
        // A broker for each half: of many refusals in a short time the log has only the first twenty.
        refuse_tokens(format).with_context(|| format!("log format {format}"))?;
        refuse_the_rest(format).with_context(|| format!("log format {format}"))?;
    }
    Ok(())
}

fn refuse_the_rest(format: &str) -> Result<()> {
    let folder = TempDir::new()?;
    let (private, _) = key_pair(&folder)?;
    let (guarded, certificates) = start(&folder, format)?;
    let guarded = &guarded;
    let others = Certificates::make()?;
    let root = guarded.login("root")?;
    let (_, made) = guarded.ask(
        &root,
        "POST",
        "/api/v1/keys",
        &json!({ "label": "r", "scopes": ["read"] }),
    )?;
    let (id, key) = (
        made["id"].as_str().context("an id")?,
        made["key"].as_str().context("a key")?,
    );
    let (_, users) = guarded.ask(
        &root,
        "PUT",
        "/api/v1/users/bob",
        &json!({ "password": NEW_PASSWORD }),
    )?;
    ensure!(users["name"] == "bob", "{users}");
    let mqtts = format!(
        "mqtts://localhost:{}",
        guarded.broker.address("mqtts")?.port()
    );
    let trusting = |made: &Certificates| made.path("authority.pem").display().to_string();
    let over_tls = |authority: &str| -> Result<Outcome> {
        let words = [
            "pub",
            "-L",
            &mqtts,
            "-t",
            "people/ann/x",
            "-m",
            "x",
            "-u",
            "ann",
            "--cafile",
            authority,
        ];
        let mut command = ebbtide(&words);
        command.env("EBBTIDE_PASSWORD", PASSWORD);
        Ok(match run(command, "")?.code {
            0 => "let in".to_owned(),
            _ => "no connection".to_owned(),
        })
    };
    ensure!(over_tls(&trusting(&certificates))? == "let in");
    let cases = vec![
        case(
            "a certificate that is not trusted",
            "no connection",
            "the TLS handshake was not completed",
            || over_tls(&trusting(&others)),
        ),
        case(
            "a wrong password",
            "0x86",
            r#"there is no user "ann" with this password"#,
            || {
                Ok(code(guarded.refused(with(
                    "ann",
                    WRONG_PASSWORD,
                    clean("c"),
                ))?))
            },
        ),
        case(
            "nothing shown",
            "0x87",
            "it has shown nothing that `auth` asks for (jwt, password)",
            || Ok(code(guarded.refused(clean("c"))?)),
        ),
        case(
            "a topic that no rule allows",
            "0x87",
            r#"not allowed to publish: "people/grace/status": no rule allows it"#,
            || {
                let mut ann = guarded.is_in(with("ann", PASSWORD, clean("ann")))?;
                Ok(code(publish_at_1(&mut ann, "people/grace/status", false)?))
            },
        ),
        case(
            "a filter that no rule allows",
            "0x87",
            r##"not allowed to subscribe: "people/#": no rule allows it"##,
            || {
                let mut ann = guarded.is_in(with("ann", PASSWORD, clean("ann")))?;
                Ok(code(subscribe_to(&mut ann, "people/#")?))
            },
        ),
        case(
            "a scope that is missing",
            "403",
            "This needs the scope `admin`",
            || {
                let (status, _) = guarded.ask(key, "GET", "/api/v1/users", &Value::Null)?;
                Ok(status.to_string())
            },
        ),
        case(
            "a key that was revoked",
            "401",
            "there is no such key, or it was revoked",
            || {
                let (status, _) =
                    guarded.ask(&root, "DELETE", &format!("/api/v1/keys/{id}"), &Value::Null)?;
                ensure!(status == 200);
                let (status, _) = guarded.ask(key, "GET", "/api/v1/stats", &Value::Null)?;
                Ok(status.to_string())
            },
        ),
        case(
            "a user who was removed",
            "0x98, then 0x86",
            "a user was removed, with its connections and sessions",
            || {
                let mut bob = guarded.is_in(with("bob", NEW_PASSWORD, kept("bob")))?;
                let (status, _) =
                    guarded.ask(&root, "DELETE", "/api/v1/users/bob", &Value::Null)?;
                ensure!(status == 200);
                let Packet::Disconnect(told) = bob.receive()? else {
                    bail!("no DISCONNECT");
                };
                let after = guarded.refused(with("bob", NEW_PASSWORD, kept("bob")))?;
                Ok(format!("{}, then {}", code(told.reason), code(after)))
            },
        ),
    ];
    check(guarded, &cases)?;
    let tls_key = std::fs::read_to_string(certificates.path("key.pem"))?;
    let mut secrets = vec![NEW_PASSWORD, WRONG_PASSWORD, key];
    secrets.extend(
        root.split('.')
            .chain(lines(&private))
            .chain(lines(&tls_key)),
    );
    guarded.kept_silent(&secrets)
}

fn refuse_tokens(format: &str) -> Result<()> {
    let folder = TempDir::new()?;
    let (private, public) = key_pair(&folder)?;
    let (guarded, _certificates) = start(&folder, format)?;
    let guarded = &guarded;
    let tokens = tokens(&private, &public)?;
    let mut cases = Vec::new();
    for (what, token, log) in &tokens {
        cases.push(case(what, "0x87", log, move || {
            Ok(code(guarded.refused(by_method(token, clean("c")))?))
        }));
        cases.push(case(what, "0x86", log, move || {
            let connect = Connect {
                password: Some(token.clone().into()),
                ..clean("c")
            };
            Ok(code(guarded.refused(connect)?))
        }));
    }
    check(guarded, &cases)?;
    let parts = tokens.iter().flat_map(|(_, token, _)| token.split('.'));
    let secrets: Vec<&str> = parts
        .filter(|part| part.len() > 8)
        .chain(lines(&private))
        .collect();
    guarded.kept_silent(&secrets)
}

/// Those of a key in PEM that say something.
fn lines(pem: &str) -> impl Iterator<Item = &str> {
    pem.lines().filter(|line| !line.starts_with("---"))
}

fn check(guarded: &Guarded, cases: &[Case<'_>]) -> Result<()> {
    for Case {
        what,
        act,
        outcome,
        log,
    } in cases
    {
        let before = sentences(guarded, log);
        let got = act().with_context(|| (*what).to_owned())?;
        ensure!(got == *outcome, "{what}: {got}");
        let deadline = Instant::now() + Duration::from_secs(10);
        while sentences(guarded, log) == before {
            ensure!(
                Instant::now() < deadline,
                "{what}: not in the log: {log}\n{}",
                guarded.broker.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// How often the log says it.
fn sentences(guarded: &Guarded, part: &str) -> usize {
    let log = guarded.broker.log().replace("\\\"", "\"");
    log.matches(part).count()
}

/// What docs/secured-app.md says of the log is what the table above asks of it.
#[test]
fn the_documents_quote_the_log() -> Result<()> {
    let page = std::fs::read_to_string(tools::folder("../docs/secured-app.md"))?;
    let source = std::fs::read_to_string(tools::folder("end_to_end/auth/refusals.rs"))?;
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        match cells[..] {
            [_, _, log] => Some(log.trim().trim_matches('`')),
            _ => None,
        }
    });
    let rows: Vec<&str> = rows
        .filter(|log| !log.starts_with("the log says"))
        .collect();
    ensure!(rows.len() == 8, "{rows:?}");
    for log in rows {
        ensure!(source.contains(log), "not in the table: {log}");
    }
    Ok(())
}

/// The page's broker runs with the level that is the default, where the first of its lines does not show.
#[test]
fn a_handshake_that_the_client_breaks_off_is_said_at_debug_only() -> Result<()> {
    let page = std::fs::read_to_string(tools::folder("../docs/secured-app.md"))?;
    ensure!(page.contains("The first of these lines is there with `--log debug` only"));
    let (certificates, others) = (Certificates::make()?, Certificates::make()?);
    let flags = certificates.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    for (level, is_said) in [("info", false), ("debug", true)] {
        let broker = Broker::start_with(&[&["--log", level], &flags[..]].concat())?;
        let mqtts = format!("mqtts://localhost:{}", broker.address("mqtts")?.port());
        let publish = |authority: &Certificates| -> Result<i32> {
            let authority = authority.path("authority.pem").display().to_string();
            let place = ["pub", "-L", &mqtts, "--cafile", &authority];
            let words = [&place[..], &["-t", "t", "-m", "x", "-q", "1"]].concat();
            Ok(run(ebbtide(&words), "")?.code)
        };
        ensure!(publish(&others)? == 6);
        // The next one comes after it.
        ensure!(publish(&certificates)? == 0);
        let line = "the TLS handshake was not completed";
        match is_said {
            true => logged(&broker, line)?,
            false => ensure!(!broker.log().contains(line), "{}", broker.log()),
        }
    }
    Ok(())
}
