//! `GET /v1/nonce` and `POST /v1/tokens`: a scanner gets a new access token for its key, also after
//! a restart of the node. A recorded request gets none.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::lan::{AccessToken, Nonce, TokenRequest};

use crate::lan::{
    Lan, auth::Caller, connections::ConnectionHandle, error::ApiError, locked, request,
};

pub(super) async fn nonce(State(lan): State<Arc<Lan>>) -> Json<Nonce> {
    Json(locked(&lan.nonces).issue(lan.clock.boottime()))
}

pub(super) async fn issue(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    Extension(connection): Extension<ConnectionHandle>,
    body: Bytes,
) -> Result<Json<AccessToken>, ApiError> {
    let request: TokenRequest = request::json(&body)?;
    let now = lan.clock.boottime();
    if !locked(&lan.nonces).spend(caller.scanner, &request.nonce, now) {
        return Err(ApiError::BadNonce);
    }
    connection.mark_authenticated(caller.scanner);
    lan.note_present(&connection, caller.scanner)?;
    let access = locked(&lan.access_tokens).issue(caller.scanner, now);
    Ok(Json(access))
}
