//! A Mosquitto password file as users: their hashes are taken over as they are, so that nobody needs a new password.

use super::{Line, Notes};
use crate::auth::{check_name, is_known_hash};

/// A user to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    pub name: String,
    pub hash: String,
}

/// The users, and those who need a new password.
pub fn users(lines: &[Line], notes: &mut Notes) -> Vec<Imported> {
    let mut users: Vec<Imported> = Vec::new();
    for line in lines {
        let Some((name, hash)) = line.text.split_once(':') else {
            notes.add(line, "there is no `:`: left out");
            continue;
        };
        let (name, hash) = (name.trim(), hash.trim());
        if let Err(why) = check_name(name) {
            notes.add(line, format!("this user is left out: {why}"));
        } else if users.iter().any(|user| user.name == name) {
            notes.add(
                line,
                format!("{name:?} was there before: this line is left out"),
            );
        } else if is_known_hash(hash) {
            users.push(Imported {
                name: name.to_owned(),
                hash: hash.to_owned(),
            });
        } else {
            notes.add(
                line,
                format!(
                    "the password of {name:?} is no hash of mosquitto_passwd ($6$, $7$): the user is left out; set the password anew with \
                     `ebbtide users set`"
                ),
            );
        }
    }
    users
}
