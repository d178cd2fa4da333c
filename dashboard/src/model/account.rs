//! Who is signed in, what that user may do here, and when the token has to be renewed.
//!
//! The scopes are those of the HTTP API, and hold for what the page does by MQTT as well; there the rules are asked, too.

use ebbtide_api::Scope;

/// A token is renewed when so much of its time is over.
const RENEW_AT: f64 = 2.0 / 3.0;
/// Not more often, however short the time of a token is.
const RENEW_MS_MIN: u32 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub scopes: Vec<Scope>,
}

impl Account {
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&Scope::Admin) || self.scopes.contains(&scope)
    }

    /// Why it may not, in a sentence.
    pub fn lacks(&self, scope: Scope) -> Option<String> {
        (!self.may(scope)).then(|| {
            format!(
                "You are signed in as {}, and this needs the scope “{}”. An administrator can give it on the Access page.",
                self.user,
                scope.name()
            )
        })
    }

    /// What it may do, in words.
    pub fn scopes_in_words(&self) -> String {
        scopes_in_words(&self.scopes)
    }
}

/// `none`, or the names.
pub fn scopes_in_words(scopes: &[Scope]) -> String {
    if scopes.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.join(", ")
}

/// How long to wait before a token that counts so long is renewed.
pub fn renew_in_ms(expires_in_s: u64) -> u32 {
    let wait_ms = expires_in_s as f64 * 1_000.0 * RENEW_AT;
    (wait_ms as u32).max(RENEW_MS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(scopes: &[Scope]) -> Account {
        Account {
            user: "ann".to_owned(),
            scopes: scopes.to_vec(),
        }
    }

    #[test]
    fn an_admin_may_all_and_the_others_what_is_theirs() {
        let all = [Scope::Read, Scope::Publish, Scope::Admin];
        for scope in all {
            assert!(account(&[Scope::Admin]).may(scope));
            assert_eq!(account(&[Scope::Read]).may(scope), scope == Scope::Read);
            assert!(!account(&[]).may(scope));
        }
        let why = account(&[Scope::Read]).lacks(Scope::Publish).expect("no");
        assert!(why.contains("ann") && why.contains("“publish”"), "{why}");
        assert_eq!(
            account(&[Scope::Read, Scope::Publish]).scopes_in_words(),
            "read, publish"
        );
        assert_eq!(account(&[]).scopes_in_words(), "none");
    }

    #[test]
    fn a_token_is_renewed_well_before_its_end_and_not_all_the_time() {
        assert_eq!(renew_in_ms(900), 600_000);
        assert_eq!(renew_in_ms(0), 1_000);
        assert_eq!(renew_in_ms(u64::MAX), u32::MAX);
    }
}
