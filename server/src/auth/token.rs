//! The broker's own tokens: got for a password, short-lived, and void as soon as the password is another one or the user is gone.

use ebbtide_protocol::ByteString;
use ebbtide_store::WallTime;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde::{Deserialize, Serialize};

use super::directory::Directory;

/// How long one counts.
pub const LIFETIME_S: u64 = 15 * 60;
/// The `kid` that tells them from others.
const KEY_ID: &str = "ebbtide";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    /// When the password that it was got for was set, milliseconds.
    set: u64,
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub user: ByteString,
    pub changed_at: WallTime,
    pub expires_at: WallTime,
}

/// Makes one.
pub fn make(
    directory: &Directory,
    user: &str,
    changed_at: WallTime,
    now: WallTime,
) -> Option<String> {
    let header = Header {
        kid: Some(KEY_ID.to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let claims = Claims {
        sub: user.to_owned(),
        exp: now.0 / 1000 + LIFETIME_S,
        set: changed_at.0,
    };
    let key = EncodingKey::from_secret(&directory.read().secret);
    encode(&header, &claims, &key).ok()
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
    let Claims { sub, exp, set } = token.claims;
    Ok(Owner {
        user: sub.into(),
        changed_at: WallTime(set),
        expires_at: WallTime(exp.saturating_mul(1000)),
    })
}
