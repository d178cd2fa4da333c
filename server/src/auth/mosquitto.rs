//! Hashes of passwords that Mosquitto has made: users keep their passwords when they move here. New ones are argon2id.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

/// More would be seen in how long an answer takes. Mosquitto has 101.
const ITERATIONS_MAX: u32 = 1_000;

/// A hash taken apart.
struct Parsed {
    /// `None`: one round, as in versions before 2.0 (`$6$`).
    iterations: Option<u32>,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Parsed {
    fn new(text: &str) -> Option<Self> {
        let (iterations, rest) = match text.split_at_checked(3)? {
            ("$6$", rest) => (None, rest),
            ("$7$", rest) => {
                let (iterations, rest) = rest.split_once('$')?;
                (Some(iterations.parse().ok()?), rest)
            }
            _ => return None,
        };
        let (salt, hash) = rest.split_once('$')?;
        let parsed = Self {
            iterations,
            salt: STANDARD.decode(salt).ok()?,
            hash: STANDARD.decode(hash).ok()?,
        };
        let is_usual = iterations.is_none_or(|count| (1..=ITERATIONS_MAX).contains(&count))
            && (8..=64).contains(&parsed.salt.len())
            && parsed.hash.len() == <Sha512 as Digest>::output_size();
        is_usual.then_some(parsed)
    }

    fn of(&self, password: &[u8]) -> [u8; 64] {
        match self.iterations {
            None => Sha512::new()
                .chain_update(password)
                .chain_update(&self.salt)
                .finalize()
                .into(),
            Some(iterations) => {
                let mut hash = [0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, &self.salt, iterations, &mut hash);
                hash
            }
        }
    }
}

/// Whether it is one of these.
pub fn is_hash(text: &str) -> bool {
    Parsed::new(text).is_some()
}

/// Whether the password belongs to it.
pub fn verify(password: &[u8], text: &str) -> bool {
    Parsed::new(text).is_some_and(|parsed| parsed.of(password).ct_eq(&parsed.hash[..]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of mosquitto_passwd 2.0.11.
    const PBKDF2: &str = "$7$101$G7bX8MgKhtDZFxjN$eO7AJwutZcOtInham+aZp1TjzHzWBgDcIUVO+hD576uA1rLgyFOYx5AQo6QZ/i6Sm0Aredvh/uJFPphVIKMUug==";
    const SHA512: &str = "$6$AAECAwQFBgcICQoL$WN2BERyrhHthSD5226mToiKBGm0+gy8MHWOtcGUeQy9NEJRqgkr66LTQDEKg2DanNKpQ3Sr6Q0ig6NJDrzz1Fg==";

    #[test]
    fn the_right_password_is_right_and_no_other() {
        for hash in [PBKDF2, SHA512] {
            assert!(is_hash(hash));
            assert!(verify(b"secret of ann", hash));
            for wrong in [&b"secret of Ann"[..], b"", b"secret of ann "] {
                assert!(!verify(wrong, hash), "{hash}");
            }
        }
    }

    #[test]
    fn anything_else_is_none() {
        for other in [
            "",
            "$7$",
            "$7$101$AAAA",
            &PBKDF2.replace("101", "0"),
            &PBKDF2.replace("101", "1001"),
            &PBKDF2.replace("$7$", "$8$"),
            &PBKDF2[..PBKDF2.len() - 4],
            &SHA512.replace("AAECAwQFBgcICQoL", ""),
            "$argon2id$v=19$m=47104,t=1,p=1$x$y",
        ] {
            assert!(
                !is_hash(other) && !verify(b"secret of ann", other),
                "{other}"
            );
        }
    }
}
