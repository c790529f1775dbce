//! `POST /v1/pairings`: a scanner pairs with the code that the node shows, and proves that the key is its
//! own.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use eventify_protocol::lan::{
    PairingAnswer, PairingRequest,
    signature::{self, Signed},
};

use crate::lan::{
    Lan,
    auth::signature_headers,
    error::ApiError,
    locked, request,
    scanners::{ScannerError, clean_label, read_key},
};

pub(super) async fn pair(
    State(lan): State<Arc<Lan>>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<PairingAnswer>), ApiError> {
    let body = request::body(body).await?;
    let request: PairingRequest = request::json(&body)?;
    let key = read_key(&request.public_key).ok_or(ApiError::BadPublicKey)?;
    let label = clean_label(&request.label).ok_or(ApiError::BadLabel)?;
    let signed = Signed {
        method: "POST",
        path: "/v1/pairings",
        authorization: "",
        body: &body,
    };
    // Before the code is used up: nobody else can spend it for the scanner that has it.
    signature::verify_pairing(&signed, &signature_headers(&headers)?, &key)?;
    let now = lan.clock.boottime();
    let gates = locked(&lan.pairing_codes)
        .redeem(&request.code, now)
        .ok_or(ApiError::UnknownCode)?;
    let scanner_id = lan
        .scanners
        .insert(key, label, gates.clone(), lan.stamp())
        .map_err(|error| match error {
            ScannerError::TooMany => ApiError::TooManyScanners,
            ScannerError::File { .. }
            | ScannerError::Damaged { .. }
            | ScannerError::Unknown(_) => {
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
