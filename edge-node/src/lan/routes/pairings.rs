//! `POST /v1/pairings`: a scanner pairs with the code that the node shows, and proves that the key is its
//! own.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use eventify_protocol::{
    ids::GateId,
    lan::{
        GatePerformance, GateStatus, NamedGate, NodeStatus, PairingAnswer, PairingRequest,
        signature::{self, Signed},
    },
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
    let label = clean_label(&request.label).ok_or_else(|| {
        let chars = request.label.trim().chars().count();
        ApiError::BadLabel { chars }
    })?;
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
    // The current ones, not the latest shown: the first snapshot may have arrived just now.
    let status = lan.status().await?;
    let (gates, performances) = offer(status, gates.as_deref());
    let answer = PairingAnswer {
        scanner_id,
        node_id: lan.node,
        venue_id: lan.venue,
        gates,
        performances,
        access: locked(&lan.access_tokens).issue(scanner_id, now),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// What a scanner may choose from: its gates by name, and what these admit to around now.
fn offer(
    status: NodeStatus,
    narrowed_to: Option<&[GateId]>,
) -> (Vec<NamedGate>, Vec<GatePerformance>) {
    let is_its = |gate: &GateId| narrowed_to.is_none_or(|gates| gates.contains(gate));
    let gates = offered_gates(&status.gates, narrowed_to);
    let mut performances = status.performances;
    for performance in &mut performances {
        performance.gates.retain(is_its);
    }
    performances.retain(|performance| !performance.gates.is_empty());
    (gates, performances)
}

/// The gates that a scanner may scan for, by name.
pub(super) fn offered_gates(
    of_node: &[GateStatus],
    narrowed_to: Option<&[GateId]>,
) -> Vec<NamedGate> {
    let is_its = |gate: &GateId| narrowed_to.is_none_or(|gates| gates.contains(gate));
    let known = of_node.iter().map(|gate| NamedGate {
        gate_id: gate.gate_id,
        name: gate.name.clone(),
    });
    let known: Vec<_> = known.filter(|gate| is_its(&gate.gate_id)).collect();
    // Before the first snapshot the node has no names, and knows the gates that it was told at pairing.
    let unknown = narrowed_to.unwrap_or_default().iter();
    let unknown = unknown.filter(|gate| known.iter().all(|it| it.gate_id != **gate));
    let unnamed: Vec<_> = unknown
        .map(|gate| NamedGate {
            gate_id: *gate,
            name: gate.to_string(),
        })
        .collect();
    known.into_iter().chain(unnamed).collect()
}
