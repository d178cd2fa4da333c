//! Tokens that count and tokens that do not, each with the sentence that the operator gets.

use jsonwebtoken::{EncodingKey, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::json;
use tempfile::TempDir;

use super::*;

const SECRET: &str = "a secret of 32 bytes, or some more";
/// Made for this test, and of no use elsewhere.
const RSA_PRIVATE: &str = include_str!("test-rsa.pem");
const RSA_PUBLIC: &str = include_str!("test-rsa-public.pem");

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn put(&self, name: &str, content: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("writes");
        path
    }
}

pub(in crate::auth) fn config(algorithm: &str, file: std::path::PathBuf) -> JwtKey {
    JwtKey {
        name: "main".into(),
        algorithms: vec![algorithm.into()],
        key_file: Some(file),
        jwks_file: None,
        jwks_url: None,
        jwks_ca_file: None,
        jwks_refresh_s: 300,
        jwks_max_age_s: 86_400,
        key_id: None,
        issuer: None,
        audience: None,
        user_claim: "sub".into(),
        claims: vec!["site".into(), "roles".into()],
    }
}

fn remote(algorithm: &str, url: &str) -> JwtKey {
    JwtKey {
        key_file: None,
        jwks_url: Some(url.into()),
        ..config(algorithm, std::path::PathBuf::new())
    }
}

fn token(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header {
        kid: kid.map(str::to_owned),
        ..Header::new(algorithm)
    };
    encode(&header, claims, key).expect("signs")
}

fn hs256(kid: Option<&str>, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    token(Algorithm::HS256, &key, kid, claims)
}

fn soon() -> u64 {
    jsonwebtoken::get_current_timestamp() + 60
}

fn ann() -> Value {
    json!({ "sub": "ann", "exp": soon() })
}

fn fault(jwt: &Jwt, token: &str) -> String {
    let why = jwt
        .verify(token)
        .expect_err("it does not count")
        .to_string();
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!why.contains(part), "a part of the token is in: {why}");
    }
    why
}

#[test]
fn each_family_of_algorithms_counts_with_its_key() {
    let files = Files::new();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let pem = |pair: &KeyPair| pair.serialize_pem().into_bytes();
    for (algorithm, public, private) in [
        (
            "HS256",
            format!("{SECRET}\n"),
            EncodingKey::from_secret(SECRET.as_bytes()),
        ),
        (
            "RS256",
            RSA_PUBLIC.to_owned(),
            EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).expect("a key"),
        ),
        (
            "PS384",
            RSA_PUBLIC.to_owned(),
            EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).expect("a key"),
        ),
        (
            "ES256",
            ec.public_key_pem(),
            EncodingKey::from_ec_pem(&pem(&ec)).expect("a key"),
        ),
        (
            "EdDSA",
            ed.public_key_pem(),
            EncodingKey::from_ed_pem(&pem(&ed)).expect("a key"),
        ),
    ] {
        let file = files.put(algorithm, &public);
        let jwt = Jwt::load(&[config(algorithm, file)]).expect(algorithm);
        let signed_by = Algorithm::from_str(algorithm).expect("an algorithm");
        let exp = soon();
        let claims = json!({
            "sub": "ann", "exp": exp, "site": "north", "roles": ["a", 7, {}], "else": "x",
        });
        let said = jwt.verify(&token(signed_by, &private, None, &claims));
        let said = said.expect(algorithm);
        assert_eq!((&*said.user, said.expires_at.0), ("ann", exp * 1000));
        let expected = [("site", "north"), ("roles", "a"), ("roles", "7")];
        assert_eq!(
            said.claims,
            expected.map(|(name, value)| (name.into(), value.into()))
        );
    }
}

#[test]
fn an_algorithm_that_is_not_the_keys_never_counts() {
    let files = Files::new();
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let public = ed.public_key_pem();
    let jwt = Jwt::load(&[config("EdDSA", files.put("ed.pem", &public))]).expect("loads");
    // The public key, which everybody has, taken as the secret.
    for secret in [
        public.as_bytes(),
        public.trim().as_bytes(),
        ed.public_key_raw(),
    ] {
        let key = EncodingKey::from_secret(secret);
        let why = fault(&jwt, &token(Algorithm::HS256, &key, None, &ann()));
        assert!(
            why.contains("signed with HS256") && why.contains("EdDSA"),
            "{why}"
        );
    }
    // No signature at all.
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let body = BASE64.encode(ann().to_string());
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let head = BASE64.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
        for end in ["", "AAAA"] {
            let why = fault(&jwt, &format!("{head}.{body}.{end}"));
            assert!(why.contains("never accepted"), "{alg}: {why}");
        }
    }
    // A key of the same algorithm that is another one.
    let other = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let other = EncodingKey::from_ed_pem(other.serialize_pem().as_bytes()).expect("a key");
    let why = fault(&jwt, &token(Algorithm::EdDSA, &other, None, &ann()));
    assert!(why.contains("InvalidSignature"), "{why}");
}

#[test]
fn what_a_token_has_to_say() {
    let files = Files::new();
    let mut config = config("HS256", files.put("secret", SECRET));
    config.issuer = Some("issuer".into());
    config.audience = Some("broker".into());
    let jwt = Jwt::load(&[config]).expect("loads");
    let good = json!({ "sub": "ann", "exp": soon(), "iss": "issuer", "aud": ["broker", "x"] });
    assert!(jwt.verify(&hs256(None, &good)).is_ok());
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        hs256(None, &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        hs256(None, &claims)
    };
    for (token, expected) in [
        (with("exp", json!(soon() - 61)), "ExpiredSignature"),
        (with("exp", json!("never")), "exp"),
        (without("exp"), "exp"),
        (with("nbf", json!(soon() + 60)), "does not count yet"),
        (with("iss", json!("other")), "InvalidIssuer"),
        (without("iss"), "iss"),
        (with("aud", json!("other")), "InvalidAudience"),
        (without("aud"), "aud"),
        (with("sub", json!(7)), "does not name its user"),
        (without("sub"), "sub"),
        (with("sub", json!("a/b")), "cannot be one"),
        (with("sub", json!("+")), "cannot be one"),
        (with("sub", json!("")), "cannot be one"),
        (with("roles", json!(vec!["x"; 65])), "more than 64 values"),
        ("a.b.c".into(), "its token is none"),
        (String::new(), "its token is none"),
    ] {
        let why = fault(&jwt, &token);
        assert!(why.contains(expected), "{expected}: {why}");
    }
    assert!(jwt.verify(&with("nbf", json!(soon() - 30))).is_ok());
}

#[test]
fn a_token_counts_by_the_key_that_it_names() {
    let files = Files::new();
    let other = "another secret, of 32 bytes as well";
    let mut first = config("HS256", files.put("first", SECRET));
    first.key_id = Some("1".into());
    let mut second = config("HS256", files.put("second", other));
    second.key_id = Some("2".into());
    let jwt = Jwt::load(&[first, second]).expect("loads");
    assert!(jwt.verify(&hs256(Some("1"), &ann())).is_ok());
    let why = fault(&jwt, &hs256(Some("2"), &ann()));
    assert!(why.contains("InvalidSignature"), "{why}");
    let why = fault(&jwt, &hs256(Some("3"), &ann()));
    assert_eq!(why, r#"no key has the id "3" of its token"#);
    let why = fault(&jwt, &hs256(None, &ann()));
    assert!(why.contains("names no key"), "{why}");
}

/// A key of a set, for HS256.
fn jwk(id: &str, secret: &str, more: &Value) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let mut key = json!({ "kty": "oct", "kid": id, "k": BASE64.encode(secret) });
    let members = more.as_object().expect("an object").clone();
    key.as_object_mut().expect("an object").extend(members);
    key
}

#[test]
fn a_key_that_a_set_has_got_since_is_found() {
    let files = Files::new();
    let set = |keys: &[Value]| json!({ "keys": keys }).to_string();
    let file = files.put(
        "set",
        &set(&[jwk("old", "x".repeat(32).as_str(), &json!({}))]),
    );
    let mut config = config("HS256", file);
    (config.jwks_file, config.key_file) = (config.key_file, None);
    let jwt = Jwt::load(&[config]).expect("loads");
    let new = hs256(Some("new"), &ann());
    assert!(fault(&jwt, &new).contains("no key has the id"));
    let keys = [
        jwk("new", SECRET, &json!({ "alg": "HS256" })),
        jwk("other", SECRET, &json!({ "alg": "HS512" })),
    ];
    files.put("set", &set(&keys));
    // So soon it is not read again.
    assert!(fault(&jwt, &new).contains("no key has the id"));
    let long_ago = Instant::now().checked_sub(AGAIN_AFTER);
    *jwt.0[0].read_at.lock() = long_ago.expect("the system runs for longer");
    assert!(jwt.verify(&new).is_ok());
    // It is for an algorithm that the configuration does not name.
    let why = fault(&jwt, &hs256(Some("other"), &ann()));
    assert!(why.contains("no key has the id"), "{why}");
    // Nonsense in its place changes nothing.
    files.put("set", "{}");
    *jwt.0[0].read_at.lock() = long_ago.expect("the system runs for longer");
    assert!(fault(&jwt, &hs256(Some("gone"), &ann())).contains("no key has the id"));
    assert!(jwt.verify(&new).is_ok());
}

#[test]
fn a_key_that_cannot_be_used_is_told_with_what_would_be_right() {
    let files = Files::new();
    let secret = files.put("secret", SECRET);
    let rsa = files.put("rsa", RSA_PUBLIC);
    let both = JwtKey {
        jwks_file: Some(secret.clone()),
        ..config("HS256", secret.clone())
    };
    let two = JwtKey {
        algorithms: vec!["RS256".into(), "PS256".into()],
        ..config("RS256", rsa.clone())
    };
    for (config, expected) in [
        (
            config("HS256", files.put("short", "short")),
            "5 bytes: give at least 32",
        ),
        (config("HS256", rsa.clone()), "needs a secret"),
        (config("ES256", secret.clone()), "one of its curve"),
        (config("EdDSA", rsa.clone()), "one of Ed25519"),
        (config("none", secret.clone()), "is no algorithm"),
        (config("HS256", files.0.path().join("none")), "No such file"),
        (both, "one of key_file, jwks_file and jwks_url"),
        (
            remote("ES256", "http://issuer.example/keys"),
            "http:// is for this machine only",
        ),
        (
            remote("HS256", "https://127.0.0.1/keys"),
            "what is at a URL is none",
        ),
        (
            JwtKey {
                key_file: Some(rsa.clone()),
                ..remote("RS256", "https://127.0.0.1/keys")
            },
            "one of key_file, jwks_file and jwks_url",
        ),
        (
            JwtKey {
                jwks_max_age_s: 60,
                ..remote("ES256", "https://127.0.0.1/keys")
            },
            "jwks_max_age_s is 60 and jwks_refresh_s is 300",
        ),
        (
            JwtKey {
                jwks_refresh_s: 86_400,
                ..remote("ES256", "https://127.0.0.1/keys")
            },
            "a shorter jwks_refresh_s",
        ),
        (
            JwtKey {
                jwks_ca_file: Some(secret.clone()),
                ..remote("ES256", "https://127.0.0.1/keys")
            },
            "there is no certificate in it",
        ),
        (
            JwtKey {
                jwks_ca_file: Some(secret.clone()),
                ..config("HS256", secret.clone())
            },
            "jwks_ca_file is about jwks_url",
        ),
        (two, "name one"),
    ] {
        let error = Jwt::load(&[config]).expect_err(expected).to_string();
        assert!(
            error.contains("\"main\"") && error.contains(expected),
            "{error}"
        );
        assert!(!error.contains("a secret of"), "{error}");
    }
}

/// Would fail if a key that is tried on every token spoke for one that cannot be had now.
#[test]
fn while_a_key_set_is_not_there_only_the_key_that_a_token_names_refuses_it() {
    let files = Files::new();
    let other = "another secret, of 32 bytes as well";
    // Never fetched: nobody has begun to.
    let away = remote("ES256", "https://127.0.0.1/keys");
    let nameless = config("HS256", files.put("other", other));
    let ed = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    let ed = EncodingKey::from_ed_pem(ed.serialize_pem().as_bytes()).expect("a key");
    let by_nameless = |claims: &Value| {
        let key = EncodingKey::from_secret(other.as_bytes());
        token(Algorithm::HS256, &key, None, claims)
    };
    for order in [
        [away.clone(), nameless.clone()],
        [nameless.clone(), away.clone()],
    ] {
        let jwt = Jwt::load(&order).expect("loads");
        for kid in [None, Some("theirs")] {
            for token in [
                hs256(kid, &ann()),
                token(Algorithm::EdDSA, &ed, kid, &ann()),
            ] {
                let outcome = jwt.verify(&token);
                let Err(Unverified::Unavailable(why)) = &outcome else {
                    panic!("{kid:?}: {outcome:?}");
                };
                assert!(why.contains("was not fetched yet"), "{why}");
            }
        }
        // Whoever may accept that key as well: it does not count by now.
        for (claims, expected) in [
            (
                json!({ "sub": "ann", "exp": soon() - 61 }),
                "ExpiredSignature",
            ),
            (json!({ "sub": "ann" }), "exp"),
            (
                json!({ "sub": "ann", "exp": soon(), "nbf": soon() + 60 }),
                "does not count yet",
            ),
        ] {
            let outcome = jwt.verify(&by_nameless(&claims));
            assert!(
                matches!(&outcome, Err(Unverified::Refused(why)) if why.contains(expected)),
                "{outcome:?}"
            );
        }
        // The set may have that key for tokens which name their user otherwise.
        let outcome = jwt.verify(&by_nameless(&json!({ "exp": soon() })));
        assert!(
            matches!(&outcome, Err(Unverified::Unavailable(_))),
            "{outcome:?}"
        );
        assert!(jwt.verify(&by_nameless(&ann())).is_ok());
    }
    // A name that is known with another key behind it does not have to wait, and is what the log says.
    let mut named = config("HS256", files.put("named", other));
    named.key_id = Some("ours".into());
    let jwt = Jwt::load(&[named, away, nameless]).expect("loads");
    let outcome = jwt.verify(&hs256(Some("ours"), &ann()));
    assert!(
        matches!(&outcome, Err(Unverified::Refused(why)) if why.contains("InvalidSignature")),
        "{outcome:?}"
    );
}
