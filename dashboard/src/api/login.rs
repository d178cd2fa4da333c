//! From a password to a token, and from that to the next one.

use ebbtide_api::{LoginRequest, LoginResponse, LoginStatus, Password};

use super::{Answer, call, call_without_name, get};

/// Whether the broker asks who somebody is.
pub fn status() -> Answer<LoginStatus> {
    get("/api/v1/login")
}

pub fn log_in(user: String, password: String) -> Answer<LoginResponse> {
    let request = LoginRequest {
        user,
        password: Password(password),
    };
    call_without_name("POST", "/api/v1/login", &request)
}

/// The next token for the present one.
pub fn renew() -> Answer<LoginResponse> {
    call("POST", "/api/v1/login/renew", None::<&()>)
}
