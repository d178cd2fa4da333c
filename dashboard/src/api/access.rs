//! Users, keys and rules.

use ebbtide_api::{
    KeyList, KeyRequest, NewKey, Rule, Rules, SimulateRequest, SimulateResponse, User, UserChange,
    UserList, UserRemoved,
};

use super::path::segment;
use super::{Answer, call, call_with_text, get};

pub fn users() -> Answer<UserList> {
    get("/api/v1/users")
}

pub fn put_user(name: &str, change: &UserChange) -> Answer<User> {
    call("PUT", &user_path(name), Some(change))
}

pub fn remove_user(name: &str) -> Answer<UserRemoved> {
    call("DELETE", &user_path(name), None::<&()>)
}

fn user_path(name: &str) -> String {
    format!("/api/v1/users/{}", segment(name))
}

pub fn keys() -> Answer<KeyList> {
    get("/api/v1/keys")
}

pub fn make_key(request: &KeyRequest) -> Answer<NewKey> {
    call("POST", "/api/v1/keys", Some(request))
}

pub fn revoke_key(id: &str) -> Answer<KeyList> {
    call(
        "DELETE",
        &format!("/api/v1/keys/{}", segment(id)),
        None::<&()>,
    )
}

pub fn rules() -> Answer<Rules> {
    get("/api/v1/rules")
}

pub fn put_rules(rules: Vec<Rule>) -> Answer<Rules> {
    call("PUT", "/api/v1/rules", Some(&Rules { rules }))
}

/// Looks at a text that is to be an array of rules. What is wrong is told by the place in this text.
pub fn validate_rules(text: &str) -> Answer<Rules> {
    // On the lines of the text, so that the broker's places are places of the text.
    let body = format!("{{\"rules\":\n{text}\n}}");
    call_with_text("POST", "/api/v1/rules/validate", body)
}

pub fn simulate(request: &SimulateRequest) -> Answer<SimulateResponse> {
    call("POST", "/api/v1/rules/simulate", Some(request))
}
