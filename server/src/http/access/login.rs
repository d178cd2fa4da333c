//! From a password to a short token, and from that to the next one.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use ebbtide_api::{LoginRequest, LoginResponse, LoginStatus, Password};
use ebbtide_protocol::ReasonCode;
use ebbtide_store::access::UserRow;

use super::bearer;
use crate::{
    auth::{Owner, rows},
    http::{App, extract::json_of_stranger, problem::Problem},
    tcp::Peer,
};

/// Says whether there is anything to log in to, and how.
#[utoipa::path(
    get,
    path = "/api/v1/login",
    operation_id = "getLoginStatus",
    tag = "access",
    responses((status = 200, description = "Whether anybody is asked who they are.", body = LoginStatus), Problem)
)]
pub async fn status(State(app): State<App>) -> Json<LoginStatus> {
    let authenticator = &app.surroundings.authenticator;
    Json(LoginStatus {
        required: authenticator.is_on(),
        by_password: authenticator.asks_for_passwords(),
    })
}

/// Gives a token for a user's password. It counts for the HTTP API and for MQTT, for a quarter of an hour.
#[utoipa::path(
    post,
    path = "/api/v1/login",
    operation_id = "login",
    tag = "access",
    request_body = LoginRequest,
    responses((status = 200, description = "The token.", body = LoginResponse), Problem)
)]
pub async fn login(
    State(app): State<App>,
    request: Request,
) -> Result<Json<LoginResponse>, Problem> {
    let peer = request.extensions().get::<Peer>().copied();
    let LoginRequest { user, password } = json_of_stranger(request).await?;
    let unknown = || std::net::Ipv4Addr::UNSPECIFIED.into();
    let address = peer.map_or_else(unknown, |peer| peer.remote.ip());
    let authenticator = &app.surroundings.authenticator;
    let known = authenticator
        .by_password(&user, password.0.as_bytes(), address)
        .await;
    match known {
        Ok(user) => answer(&app, &user, None),
        Err(refusal) => {
            if let Some(suppressed) = app.surroundings.violations.permit() {
                let address = address.to_string();
                tracing::warn!(address, suppressed, "a login was refused: {}", refusal.why);
            }
            Err(match refusal.reason {
                ReasonCode::ConnectionRateExceeded => Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many logins of this address have failed; try again in a minute.",
                ),
                ReasonCode::ServerBusy => Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Too many passwords wait to be checked; try again later.",
                ),
                _ => Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "There is no such user with this password.",
                ),
            })
        }
    }
}

/// Gives a new token for one that counts still: until a day after the login, then the password is needed again.
#[utoipa::path(
    post,
    path = "/api/v1/login/renew",
    operation_id = "renewLogin",
    tag = "access",
    responses((status = 200, description = "The new token.", body = LoginResponse), Problem)
)]
pub async fn renew(
    State(app): State<App>,
    request: Request,
) -> Result<Json<LoginResponse>, Problem> {
    let token = bearer(request.headers())?;
    let user = app.surroundings.authenticator.by_own_token(token);
    let (user, earlier) =
        user.map_err(|why| Problem::new(StatusCode::UNAUTHORIZED, format!("Not let in: {why}.")))?;
    answer(&app, &user, Some(&earlier))
}

fn answer(
    app: &App,
    user: &UserRow,
    earlier: Option<&Owner>,
) -> Result<Json<LoginResponse>, Problem> {
    let token = app.surroundings.authenticator.token(user, earlier);
    let token = token.ok_or_else(|| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The token could not be made.",
        )
    })?;
    Ok(Json(LoginResponse {
        token: Password(token.text),
        expires_in_s: token.expires_in_s,
        scopes: rows::scopes(user.scopes),
    }))
}
