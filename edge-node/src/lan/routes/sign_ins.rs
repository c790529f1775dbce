//! `/v1/sign-ins` and `POST /v1/pins`: somebody's first time at this node.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use eventify_protocol::{
    ids::SignInId,
    lan::{PinRequest, SignIn, SignInRequest, SignInState},
};

use crate::lan::{Lan, auth::Caller, error::ApiError, request};

pub(super) async fn begin(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<SignIn>, ApiError> {
    let SignInRequest {} = request::json(&body)?;
    Ok(Json(lan.begin_sign_in(caller.scanner).await?))
}

pub(super) async fn state(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<SignInState>, ApiError> {
    let id: SignInId = id.parse().map_err(|_| ApiError::SignInUnknown)?;
    Ok(Json(lan.sign_in_state(caller.scanner, id)?))
}

pub(super) async fn set_pin(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let request: PinRequest = request::json(&body)?;
    lan.set_pin(caller.scanner, request).await?;
    Ok(StatusCode::NO_CONTENT)
}
