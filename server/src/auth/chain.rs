//! The methods, one after the other: the first by which a client is somebody decides.

use bytes::Bytes;
use ebbtide_broker::{AuthenticationStep, Identity};
use ebbtide_protocol::ReasonCode;

use super::{Authenticator, Known, Refusal, Shown, check_name, ip_of, jwt::Unverified, token};
use crate::{clock, config::Method, logging::cut, tls::ClientCertificate};

/// The Authentication Method of enhanced authentication: Authentication Data is the token.
const METHOD: &str = "ebbtide-jwt";

impl Authenticator {
    pub(super) async fn who(&self, shown: Shown) -> Result<(Known, Option<Bytes>), Refusal> {
        let Shown {
            credentials,
            address,
            certificate,
        } = shown;
        if !self.is_on() {
            if credentials.enhanced.is_some() {
                // No method is supported [MQTT-4.12.0-1].
                let why =
                    "it asks for enhanced authentication, and nobody is asked who they are here";
                return Err(Refusal::new(ReasonCode::BadAuthenticationMethod, why));
            }
            return Ok((Known::anonymous(), None));
        }
        if let Some(step) = &credentials.enhanced {
            return self.by_step(step).await;
        }
        let password = credentials
            .password
            .as_deref()
            .filter(|password| !password.is_empty());
        let takes_tokens = self.0.methods.contains(&Method::Jwt);
        let mut refusal = None;
        for method in &self.0.methods {
            let result = match (method, &credentials.username, password) {
                (Method::Jwt, _, Some(password)) if looks_like_token(password) => {
                    self.by_foreign_token(password).await
                }
                (Method::Password, _, Some(password)) if is_own_token(password) => {
                    self.by_token_of_ours(password)
                }
                // Checking what is a token as a password would cost as much as a guess, and count as one.
                (Method::Password, Some(user), Some(password))
                    if !(takes_tokens && looks_like_token(password)) =>
                {
                    let ip = ip_of(&address);
                    let user = self.by_password(user, password, ip).await;
                    user.map(|user| Known::user(&user, None))
                }
                (Method::Certificate, ..) if let Some(certificate) = &certificate => {
                    self.by_certificate(certificate)
                }
                _ => continue,
            };
            match result {
                Ok(known) => return Ok((known, None)),
                // What was tried first says the most.
                Err(other) => {
                    refusal.get_or_insert(other);
                }
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if credentials.username.is_none()
                && password.is_none()
                && self.0.allow_anonymous =>
            {
                Ok((Known::anonymous(), None))
            }
            None => {
                let names: Vec<&str> = self.0.methods.iter().map(|method| method.name()).collect();
                let why = format!(
                    "it has shown nothing that `auth` asks for ({})",
                    names.join(", ")
                );
                Err(Refusal::new(ReasonCode::NotAuthorized, why))
            }
        }
    }

    pub(super) async fn by_step(
        &self,
        step: &AuthenticationStep,
    ) -> Result<(Known, Option<Bytes>), Refusal> {
        if &*step.method != METHOD {
            let why = format!(
                "the authentication method {:?} is not known; there is {METHOD:?}",
                cut(&step.method)
            );
            return Err(Refusal::new(ReasonCode::BadAuthenticationMethod, why));
        }
        let token = step.data.as_deref().unwrap_or_default();
        let has = |method| self.0.methods.contains(&method);
        let known = if has(Method::Password) && is_own_token(token) {
            self.by_token_of_ours(token)
        } else if has(Method::Jwt) {
            self.by_foreign_token(token).await
        } else {
            let why = "its token is none of this broker, and `auth` does not name `jwt`";
            Err(Refusal::new(ReasonCode::NotAuthorized, why))
        };
        known
            .map(|known| (known, None))
            .map_err(|refusal| match refusal.reason {
                ReasonCode::BadUserNameOrPassword => Refusal {
                    reason: ReasonCode::NotAuthorized,
                    ..refusal
                },
                _ => refusal,
            })
    }

    /// The handshake has verified who signed it; a session of TLS may have been resumed since.
    fn by_certificate(&self, certificate: &ClientCertificate) -> Result<Known, Refusal> {
        let refused = |why: String| Refusal::new(ReasonCode::BadUserNameOrPassword, why);
        let rules = self.0.certificates;
        let name = certificate.user(rules.user).map_err(refused)?;
        check_name(name).map_err(|why| {
            refused(format!(
                "its certificate names a user who cannot be one: {why}"
            ))
        })?;
        let expires_at = Some(self.0.clock.moment(certificate.expires_at));
        if certificate.expires_at <= clock::system() {
            return Err(refused(format!(
                "the certificate of {:?} has expired",
                cut(name)
            )));
        }
        match self.0.directory.read().users.get(name) {
            Some(user) => Ok(Known::user(user, expires_at)),
            None if rules.known_only => Err(refused(format!(
                "its certificate names {:?}, who is no user of this broker (`certificate_known_users`)",
                cut(name)
            ))),
            None => Ok(Known {
                identity: Identity {
                    expires_at,
                    ..Identity::of_user(Some(name.into()))
                },
                standing: None,
            }),
        }
    }

    async fn by_foreign_token(&self, token: &[u8]) -> Result<Known, Refusal> {
        let jwt = self.0.jwt.load_full();
        let said = jwt.verify_soon(text(token)).await;
        let said = said.map_err(|error| match error {
            Unverified::Refused(why) => Refusal::new(ReasonCode::BadUserNameOrPassword, why),
            // It is not the client's fault: it may come again.
            Unverified::Unavailable(why) => Refusal::new(ReasonCode::ServerUnavailable, why),
        })?;
        Ok(Known {
            identity: Identity {
                user: Some(said.user),
                claims: said.claims,
                expires_at: Some(self.0.clock.moment(said.expires_at)),
                is_trusted: false,
            },
            standing: None,
        })
    }

    fn by_token_of_ours(&self, token: &[u8]) -> Result<Known, Refusal> {
        let refused = |why| Refusal::new(ReasonCode::BadUserNameOrPassword, why);
        let (user, owner) = self.by_own_token(text(token)).map_err(refused)?;
        Ok(Known::user(&user, Some(owner.expires_at)))
    }
}

/// Three parts, of which the first is an object: `{"` is `eyJ` in base64.
fn looks_like_token(password: &[u8]) -> bool {
    password.starts_with(b"eyJ") && password.iter().filter(|byte| **byte == b'.').count() == 2
}

fn is_own_token(password: &[u8]) -> bool {
    looks_like_token(password) && token::is_ours(text(password))
}

/// What is no text is no token.
fn text(token: &[u8]) -> &str {
    std::str::from_utf8(token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        auth::{Directory, jwt},
        clock::Clock,
        config::AuthConfig,
    };

    /// Would fail if a token were verified by one clock, and its connection timed by another.
    #[tokio::test]
    async fn a_token_of_others_ends_when_it_says_though_the_systems_clock_was_set() {
        const SECRET: &str = "a secret of 32 bytes, or some more";
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, SECRET).expect("writes");
        let config = AuthConfig {
            methods: vec![Method::Jwt],
            jwt: vec![jwt::tests::config("HS256", file)],
            ..AuthConfig::default()
        };
        for behind_ms in [-HOUR_MS, 0, HOUR_MS] {
            let clock = Clock::behind(behind_ms);
            let authenticator = Authenticator::new(&config, Directory::default(), clock);
            let authenticator = authenticator.expect("it is valid");
            let claims = json!({ "sub": "ann", "exp": get_current_timestamp() + 60 });
            let key = EncodingKey::from_secret(SECRET.as_bytes());
            let token = encode(&Header::default(), &claims, &key).expect("signs");
            let known = authenticator.by_foreign_token(token.as_bytes()).await;
            let expires_at = known.expect("it counts").identity.expires_at;
            let expires_at = expires_at.expect("it has an end");
            let left_ms = expires_at.0.saturating_sub(clock.now().wall.0);
            assert!((40_000..=60_000).contains(&left_ms), "{left_ms}");
        }
    }

    #[test]
    fn what_looks_like_a_token() {
        for token in ["eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ.."] {
            assert!(looks_like_token(token.as_bytes()), "{token}");
        }
        for other in ["", "eyJ", "eyJ.a", "eyJ.a.b.c", "secret", "a.b.c"] {
            assert!(!looks_like_token(other.as_bytes()), "{other}");
        }
    }
}
