//! Tokens of others and of the login: those that count, until when, and those that do not.

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::packet::{Auth, Connect};
use ebbtide_protocol::{Packet, ReasonCode};
use ebbtide_tests::peer::{Peer, Transport, clean, kept};
use jsonwebtoken::Algorithm;
use serde_json::json;

use super::*;

#[test]
fn a_token_of_another_counts_until_it_expires_and_can_be_renewed() -> Result<()> {
    let guarded = Guarded::start()?;
    let claims = |seconds| json!({ "sub": "eve", "exp": in_s(seconds), "role": ["writer"], "site": "north" });
    // As a password it counts, whatever the User Name.
    let mut peer = guarded.is_in(with("whoever", &token(&claims(60))?, clean("p")))?;
    ensure!(!publish_at_1(&mut peer, "site/north/x", false)?.is_error());
    ensure!(publish_at_1(&mut peer, "site/south/x", false)? == ReasonCode::NotAuthorized);
    ensure!(subscribe_to(&mut peer, "own/eve/#")? == ReasonCode::GrantedQoS1);
    // By the method it can be renewed.
    let mut renewed = guarded.is_in(by_method(&token(&claims(3))?, kept("renewed")))?;
    let mut expiring = guarded.is_in(by_method(&token(&claims(3))?, kept("expiring")))?;
    ensure!(subscribe_to(&mut expiring, "own/eve/#")? == ReasonCode::GrantedQoS1);
    let again = |token: &str| {
        Packet::Auth(Box::new(Auth {
            reason: ReasonCode::ReAuthenticate,
            authentication_method: Some("ebbtide-jwt".into()),
            authentication_data: Some(token.to_owned().into()),
            reason_string: None,
            user_properties: Vec::new(),
        }))
    };
    renewed.send(&again(&token(&claims(60))?))?;
    match renewed.receive()? {
        Packet::Auth(auth) => ensure!(auth.reason == ReasonCode::Success),
        other => bail!("no AUTH but {other:?}"),
    }
    match expiring.receive()? {
        Packet::Disconnect(disconnect) => ensure!(disconnect.reason == ReasonCode::NotAuthorized),
        other => bail!("no DISCONNECT but {other:?}"),
    }
    guarded.logged("what it has authenticated with has expired")?;
    renewed.ping()?;
    // The session is there still.
    let mut peer = Peer::open(&guarded.broker, Transport::Tcp)?;
    peer.send(&Packet::Connect(Box::new(by_method(
        &token(&claims(60))?,
        kept("expiring"),
    ))))?;
    match peer.receive()? {
        Packet::ConnAck(connack) => ensure!(connack.session_present, "{connack:?}"),
        other => bail!("no CONNACK but {other:?}"),
    }
    // Another's token does not renew it.
    renewed.send(&again(&token(&json!({ "sub": "ann", "exp": in_s(60) }))?))?;
    match renewed.receive()? {
        Packet::Disconnect(disconnect) => ensure!(disconnect.reason == ReasonCode::NotAuthorized),
        other => bail!("no DISCONNECT but {other:?}"),
    }
    Ok(())
}

#[test]
fn a_token_that_does_not_count_is_refused_with_the_reason_in_the_log() -> Result<()> {
    let guarded = Guarded::start()?;
    let good = json!({ "sub": "eve", "exp": in_s(60) });
    let expired = json!({ "sub": "eve", "exp": in_s(-1) });
    let unsigned = {
        let whole = token(&good)?;
        let body = whole.split('.').nth(1).context("a body")?;
        // {"alg":"none","typ":"JWT","kid":"k1"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiazEifQ.{body}.")
    };
    let cases = [
        (token(&expired)?, "ExpiredSignature"),
        (
            token_of(Algorithm::HS256, JWT_SECRET, "k2", &good)?,
            r#"no key has the id "k2""#,
        ),
        (unsigned, "never accepted"),
        (
            token_of(Algorithm::HS384, JWT_SECRET, "k1", &good)?,
            "signed with HS384, and the key \"issuer\" counts for [HS256] only",
        ),
        (
            token_of(
                Algorithm::HS256,
                "another secret of the same length ..",
                "k1",
                &good,
            )?,
            "InvalidSignature",
        ),
        // As if the broker itself had made it.
        (
            token_of(Algorithm::HS256, JWT_SECRET, "ebbtide", &good)?,
            "its token from the login does not count",
        ),
    ];
    for (token, expected) in &cases {
        let reason = guarded.refused(by_method(token, clean("c")))?;
        ensure!(
            reason == ReasonCode::NotAuthorized,
            "{expected}: {reason:?}"
        );
        guarded.logged(expected)?;
        let reason = guarded.refused(Connect {
            password: Some(token.clone().into()),
            ..clean("c")
        })?;
        ensure!(
            reason == ReasonCode::BadUserNameOrPassword,
            "{expected}: {reason:?}"
        );
    }
    // Neither is a guess of somebody's password, nor taken for one.
    for (token, _) in cases.iter().cycle().take(30) {
        let reason = guarded.refused(with("ann", token, clean("c")))?;
        ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    }
    guarded.is_in(with("ann", PASSWORD, clean("a")))?;
    let parts = cases.iter().flat_map(|(token, _)| token.split('.'));
    let parts: Vec<&str> = parts.filter(|part| part.len() > 8).collect();
    guarded.kept_silent(&parts)
}

/// The secret that has signed them is kept, and so they would count again.
#[test]
fn tokens_of_the_login_open_nothing_where_nobody_is_asked_for_a_password() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("ebbtide.toml");
    let with_passwords = config(&folder)?;
    std::fs::write(&file, &with_passwords)?;
    let path = file.to_str().context("a path")?;
    let mut guarded = Guarded {
        broker: Broker::start_with(&["--config", path])?,
        _folder: folder,
    };
    let token = guarded.login("root")?;
    let key = json!({ "label": "kept", "scopes": ["admin"] });
    let (_, made) = guarded.ask(&token, "POST", "/api/v1/keys", &key)?;
    let key = made["key"].as_str().context("a key")?;
    let jwt = with_passwords.split_once("[[jwt]]").context("a key")?.1;
    std::fs::write(&file, format!("auth = ['jwt']\n[[jwt]]{jwt}"))?;
    guarded.broker.restart()?;
    for (method, path) in [
        ("GET", "/api/v1/users"),
        ("GET", "/api/v1/stats"),
        ("POST", "/api/v1/login/renew"),
    ] {
        let (status, problem) = guarded.ask(&token, method, path, &Value::Null)?;
        ensure!(status == 401, "{method} {path}: {status} {problem}");
        ensure!(
            problem.to_string().contains("does not name `password`"),
            "{problem}"
        );
    }
    let reason = guarded.refused(with("root", &token, clean("c")))?;
    ensure!(reason == ReasonCode::BadUserNameOrPassword, "{reason:?}");
    // A key is nobody's password.
    let (status, _) = guarded.ask(key, "GET", "/api/v1/users", &Value::Null)?;
    ensure!(status == 200, "{status}");
    // Named again, it counts again, as the password does.
    std::fs::write(&file, with_passwords)?;
    guarded.broker.restart()?;
    let (status, _) = guarded.ask(&token, "GET", "/api/v1/users", &Value::Null)?;
    ensure!(status == 200, "{status}");
    guarded.kept_silent(&[&token, key])
}

#[test]
fn a_token_of_the_login_is_a_credential_for_mqtt() -> Result<()> {
    let guarded = Guarded::start()?;
    let token = guarded.login("ann")?;
    for connect in [
        by_method(&token, clean("method")),
        with("ann", &token, clean("password")),
    ] {
        let mut peer = guarded.is_in(connect)?;
        ensure!(subscribe_to(&mut peer, "own/ann/#")? == ReasonCode::GrantedQoS1);
        ensure!(subscribe_to(&mut peer, "own/bob/#")? == ReasonCode::NotAuthorized);
    }
    Ok(())
}
