//! `POST /v1/pairings`: a scanner joins the node with the code on its screen.

use std::sync::Arc;

use axum::{Json, body::Body, extract::State, http::StatusCode};
use eventify_protocol::lan::{PairingAnswer, PairingRequest};

use super::{Lan, ScannerError, error::ApiError, locked, request, scanners::read_key};

const MAX_LABEL_CHARS: usize = 64;

pub(super) async fn pair(
    State(lan): State<Arc<Lan>>,
    body: Body,
) -> Result<(StatusCode, Json<PairingAnswer>), ApiError> {
    let asked: PairingRequest = request::json(&request::body(body).await?)?;
    let key = read_key(&asked.public_key).ok_or(ApiError::BadPublicKey)?;
    if !(1..=MAX_LABEL_CHARS).contains(&asked.label.trim().chars().count()) {
        return Err(ApiError::BadLabel);
    }
    let now = lan.clock.boottime();
    let gates = locked(&lan.codes)
        .redeem(&asked.code, now)
        .ok_or(ApiError::UnknownCode)?;
    let scanner_id = lan
        .scanners
        .add(key, asked.label.trim(), gates.clone())
        .map_err(|error| match error {
            ScannerError::TooMany => ApiError::TooManyScanners,
            ScannerError::File { .. } | ScannerError::Damaged { .. } => {
                tracing::error!(code = "not_stored", %error, "scanner not paired");
                ApiError::NotStored
            }
        })?;
    tracing::info!(scanner = %scanner_id, "scanner paired");
    let gates = match gates {
        Some(gates) => gates,
        // As they are now, not as they were last shown: the first snapshot may just have come.
        None => {
            let status = lan.status().await?;
            status.gates.iter().map(|gate| gate.gate_id).collect()
        }
    };
    let answer = PairingAnswer {
        scanner_id,
        node_id: lan.node,
        venue_id: lan.venue,
        gates,
        access: locked(&lan.access).issue(scanner_id, now),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
