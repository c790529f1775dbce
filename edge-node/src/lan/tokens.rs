//! `GET /v1/nonce` and `POST /v1/tokens`: a scanner's key is worth a new access token, also after a
//! reboot; a recorded request is not.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::lan::{AccessToken, Nonce, TokenRequest};

use super::{Lan, auth::Caller, error::ApiError, locked, request, stranger::Stranger};

pub(super) async fn nonce(State(lan): State<Arc<Lan>>) -> Json<Nonce> {
    Json(locked(&lan.nonces).issue(lan.clock.boottime()))
}

pub(super) async fn issue(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    Extension(stranger): Extension<Stranger>,
    body: Bytes,
) -> Result<Json<AccessToken>, ApiError> {
    let asked: TokenRequest = request::json(&body)?;
    let now = lan.clock.boottime();
    if !locked(&lan.nonces).spend(caller.scanner, &asked.nonce, now) {
        return Err(ApiError::BadNonce);
    }
    stranger.is_known();
    Ok(Json(locked(&lan.access).issue(caller.scanner, now)))
}
