//! `/v1/shifts` and `POST /v1/authorisations`: who holds this scanner, and a colleague's word.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State, http::StatusCode};
use eventify_protocol::lan::{Authorisation, AuthorisationRequest, Shift, ShiftRequest};

use super::scans::must_be_its_gate;
use crate::lan::{Lan, auth::Caller, error::ApiError, request};

pub(super) async fn begin(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<Shift>, ApiError> {
    let request: ShiftRequest = request::json(&body)?;
    must_be_its_gate(&lan, &caller, request.gate_id)?;
    let person = lan.prove(caller.scanner, request.proof).await?;
    lan.begin_shift(caller.scanner, person.person_id, request.gate_id)?;
    current(State(lan), Extension(caller)).await
}

pub(super) async fn current(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Shift>, ApiError> {
    let shift = lan.current_shift(caller.scanner);
    Ok(Json(shift.ok_or(ApiError::NoCurrentShift)?))
}

pub(super) async fn end(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ApiError> {
    lan.end_shift(caller.scanner)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn authorise(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<Authorisation>, ApiError> {
    let request: AuthorisationRequest = request::json(&body)?;
    let person = lan.prove(caller.scanner, request.proof).await?;
    Ok(Json(lan.authorise(caller.scanner, person)))
}
