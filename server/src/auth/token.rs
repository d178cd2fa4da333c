//! The broker's own tokens: got for a password, short-lived, and void as soon as the password is another one or the user is gone.
//!
//! One can be exchanged for the next, but none counts longer than a day after the password was shown: whoever has read one cannot keep it
//! alive for ever.

use ebbtide_protocol::ByteString;
use ebbtide_store::{WallTime, access::UserRow};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};

use super::directory::Directory;

/// How long one counts.
const LIFETIME_S: u64 = 15 * 60;
/// How long after the login the last one of its renewals counts.
const RENEWALS_S: u64 = 24 * 60 * 60;
/// The `kid` that tells them from others.
const KEY_ID: &str = "ebbtide";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    /// When the password was shown, seconds (as in OpenID Connect).
    auth_time: u64,
    /// When the password that it was got for was set, milliseconds.
    set: u64,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub user: ByteString,
    pub changed_at: WallTime,
    /// By the system's clock, as [`verify`] gives it.
    pub expires_at: WallTime,
    /// When it has shown its password.
    pub login_at: WallTime,
}

/// One that was made.
#[derive(Debug)]
pub struct Token {
    pub text: String,
    pub expires_in_s: u64,
}

/// Makes one for a user who has shown its password at `login_at`.
pub fn make(
    directory: &Directory,
    user: &UserRow,
    login_at: WallTime,
    now: WallTime,
) -> Option<Token> {
    let (login_s, now_s) = (login_at.0 / 1000, now.0 / 1000);
    let expires_s = (now_s + LIFETIME_S).min(login_s.saturating_add(RENEWALS_S));
    let header = Header {
        kid: Some(KEY_ID.to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let claims = Claims {
        sub: user.name.to_string(),
        exp: expires_s,
        auth_time: login_s,
        set: user.changed_at.0,
    };
    let key = EncodingKey::from_secret(&directory.read().secret);
    Some(Token {
        text: encode(&header, &claims, &key).ok()?,
        expires_in_s: expires_s.saturating_sub(now_s),
    })
}

/// Whether it says that it is one of ours.
pub fn is_ours(token: &str) -> bool {
    decode_header(token).is_ok_and(|header| header.kid.as_deref() == Some(KEY_ID))
}

/// Whose it is, if it is ours and counts. Whether its user is still there is to be looked at by the caller.
pub fn verify(directory: &Directory, token: &str) -> Result<Owner, String> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(&directory.read().secret);
    let token = decode::<Claims>(token, &key, &validation)
        .map_err(|error| format!("its token from the login does not count: {error}"))?;
    let claims = token.claims;
    Ok(Owner {
        user: claims.sub.into(),
        changed_at: WallTime(claims.set),
        expires_at: WallTime(claims.exp.saturating_mul(1000)),
        login_at: WallTime(claims.auth_time.saturating_mul(1000)),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use ebbtide_store::access::{Scopes, Secret};

    use super::*;
    use crate::config::AuthConfig;

    #[test]
    fn it_counts_for_a_quarter_of_an_hour_and_its_renewals_for_a_day() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = WallTime(now.expect("after 1970").as_millis() as u64);
        let directory = Directory::default();
        directory.load(Vec::new(), &AuthConfig::default(), now);
        let user = UserRow {
            name: "ann".into(),
            password: Secret(Vec::new()),
            scopes: Scopes::default(),
            claims: Vec::new(),
            changed_at: now,
        };
        const DAY_S: u64 = 24 * 60 * 60;
        for (since_login_s, expected) in [
            (0, 900),
            (DAY_S - 900, 900),
            (DAY_S - 60, 60),
            (DAY_S + 1, 0),
        ] {
            let login_at = WallTime(now.0 - since_login_s * 1000);
            let token = make(&directory, &user, login_at, now).expect("a token");
            assert_eq!(token.expires_in_s, expected, "{since_login_s}");
            let owner = verify(&directory, &token.text);
            assert_eq!(owner.is_ok(), expected > 0, "{since_login_s}: {owner:?}");
            if let Ok(owner) = owner {
                // What the next one is made with.
                assert_eq!(owner.login_at.0 / 1000, login_at.0 / 1000);
            }
        }
    }
}
