//! `POST /v1/pairings`: a scanner pairs with the code that the node shows.

use std::sync::Arc;

use axum::{Json, body::Body, extract::State, http::StatusCode};
use eventify_protocol::lan::{PairingAnswer, PairingRequest};

use crate::lan::{
    Lan,
    auth::{ScannerError, read_key},
    error::ApiError,
    locked, request,
};

const MAX_LABEL_CHARS: usize = 64;

pub(super) async fn pair(
    State(lan): State<Arc<Lan>>,
    body: Body,
) -> Result<(StatusCode, Json<PairingAnswer>), ApiError> {
    let request: PairingRequest = request::json(&request::body(body).await?)?;
    let label = request.label.trim();
    let key = read_key(&request.public_key).ok_or(ApiError::BadPublicKey)?;
    if !(1..=MAX_LABEL_CHARS).contains(&label.chars().count()) {
        return Err(ApiError::BadLabel);
    }
    let now = lan.clock.boottime();
    let gates = locked(&lan.pairing_codes)
        .redeem(&request.code, now)
        .ok_or(ApiError::UnknownCode)?;
    let scanner_id = lan
        .scanners
        .insert(key, label, gates.clone())
        .map_err(|error| match error {
            ScannerError::TooMany => ApiError::TooManyScanners,
            ScannerError::File { .. } | ScannerError::Damaged { .. } => {
                tracing::error!(code = "lan.scanner_not_stored", %error, "a scanner could not be paired");
                ApiError::NotStored
            }
        })?;
    tracing::info!(code = "lan.scanner_paired", %scanner_id, "a scanner was paired");
    let gates = match gates {
        Some(gates) => gates,
        // The current ones, not the latest shown: the first snapshot may have arrived just now.
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
        access: locked(&lan.access_tokens).issue(scanner_id, now),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
