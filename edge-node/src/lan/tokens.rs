//! `POST /v1/tokens`: a scanner's key is worth a new access token, also after a reboot.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use eventify_protocol::lan::AccessToken;

use super::{Lan, auth::Caller, locked};

pub(super) async fn issue(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
) -> Json<AccessToken> {
    Json(locked(&lan.access).issue(caller.scanner, lan.clock.boottime()))
}
