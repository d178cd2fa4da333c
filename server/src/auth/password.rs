//! Passwords: hashed with argon2id, in threads that may wait, a few at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::mosquitto;

/// So many passwords are checked at a time: each takes 19 MiB and a core for some hundredths of a second.
pub(super) const CHECKS_MAX: usize = 2;
/// So many wait for that. Those who come then are told that the broker is busy.
const CHECKS_WAITING_MAX: usize = 512;
/// The longest password, bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Why a password was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Checks passwords.
#[derive(Debug)]
pub struct Checker {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Is checked for those who are nobody, so that it takes as long.
    nobody: Arc<str>,
}

impl Checker {
    pub fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(CHECKS_MAX)),
            waiting: AtomicUsize::new(0),
            nobody: hash(&super::random::text()).into(),
        }
    }

    /// Waits for its turn. What was true before may not be any more then.
    pub async fn turn(&self) -> Result<Turn, Busy> {
        let _waiting = Waiting::new(&self.waiting)?;
        let places = Arc::clone(&self.places);
        let place = places.acquire_owned().await.map_err(|_| Busy)?;
        Ok(Turn {
            place: Arc::new(place),
            nobody: Arc::clone(&self.nobody),
        })
    }
}

/// The right to one check, or to one hash. The next one's begins when it is dropped, and when the work is done: whoever is not there any
/// more cannot stop that.
#[derive(Debug)]
pub struct Turn {
    place: Arc<OwnedSemaphorePermit>,
    nobody: Arc<str>,
}

impl Turn {
    /// Whether the password belongs to that hash; for `None` no password does, and to say so takes as long.
    pub async fn is_right(&self, password: &[u8], hash: Option<&[u8]>) -> Result<bool, Busy> {
        let hash: Option<Arc<str>> =
            hash.and_then(|hash| std::str::from_utf8(hash).ok().map(Into::into));
        let password = password.to_vec();
        let (known, nobody) = (hash.is_some(), Arc::clone(&self.nobody));
        let hash = hash.unwrap_or_else(|| Arc::clone(&nobody));
        self.run(move || match mosquitto::is_hash(&hash) {
            false => verify(&password, &hash) && known,
            // It is quick: whose hash is such a one must not be told by the time.
            true => {
                let _ = verify(&password, &nobody);
                mosquitto::verify(&password, &hash)
            }
        })
        .await
    }

    /// The hash of a new password.
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        self.run(move || hash(&password)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Arc::clone(&self.place);
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Result<Self, Busy> {
        let place = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        if before >= CHECKS_WAITING_MAX {
            return Err(Busy);
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The hash of a password, in the form of the Password Hashing Competition. Takes its time.
pub fn hash(password: &str) -> String {
    Argon2::default()
        .hash_password(password.as_bytes())
        .expect("the parameters are valid and the system has randomness")
        .to_string()
}

/// Whether passwords can be checked by it.
pub fn is_known_hash(hash: &str) -> bool {
    is_usual(hash) || mosquitto::is_hash(hash)
}

/// Whether it is one that this program can check at its usual cost, so that nobody learns from the time who is there.
fn is_usual(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return false;
    };
    let params = argon2::Params::try_from(&parsed);
    parsed.algorithm.as_str() == "argon2id"
        && params.is_ok_and(|params| {
            let usual = argon2::Params::default();
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (usual.m_cost(), usual.t_cost(), usual.p_cost())
        })
}

fn verify(password: &[u8], hash: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| {
        let argon2 = Argon2::default();
        argon2.verify_password(password, &hash).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of mosquitto_passwd 2.0.11.
    const OTHER: &str = "$7$101$G7bX8MgKhtDZFxjN$eO7AJwutZcOtInham+aZp1TjzHzWBgDcIUVO+hD576uA1rLgyFOYx5AQo6QZ/i6Sm0Aredvh/uJFPphVIKMUug==";

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let checker = Checker::new();
        let turn = checker.turn().await.expect("not busy");
        let hash = turn.hash("secret".into()).await.expect("not busy");
        drop(turn);
        assert!(is_usual(&hash) && !hash.contains("secret"));
        for (password, hash, expected) in [
            ("secret", Some(hash.as_bytes()), true),
            ("Secret", Some(hash.as_bytes()), false),
            ("", Some(hash.as_bytes()), false),
            ("secret", None, false),
            ("secret of ann", Some(OTHER.as_bytes()), true),
            ("secret", Some(OTHER.as_bytes()), false),
            ("secret", Some(&b"no hash"[..]), false),
        ] {
            let turn = checker.turn().await.expect("not busy");
            let is_right = turn.is_right(password.as_bytes(), hash).await;
            assert_eq!(is_right, Ok(expected), "{password}");
        }
        // Nobody has no password either.
        let nobody = Arc::clone(&checker.nobody);
        assert!(nobody.starts_with("$argon2id$"));
    }

    #[test]
    fn a_hash_of_another_cost_is_not_usual() {
        let hash = hash("x");
        assert!(is_usual(&hash));
        assert!(!is_usual(&hash.replace("m=19456", "m=65536")));
        assert!(!is_usual(&hash.replace("argon2id", "argon2i")));
        assert!(!is_usual("$2y$10$abc"));
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_told_so() {
        let checker = Checker::new();
        checker.waiting.store(CHECKS_WAITING_MAX, Ordering::Relaxed);
        assert_eq!(checker.turn().await.map(drop), Err(Busy));
        let waiting = checker.waiting.load(Ordering::Relaxed);
        assert_eq!(waiting, CHECKS_WAITING_MAX, "who went away waits no more");
    }
}
