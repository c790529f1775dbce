//! `POST /v1/scans`: what the product is for.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::GateId,
    lan::{ScanAnswer, ScanRequest},
};

use super::{Lan, auth::Caller, error::ApiError, request};
use crate::owner::Scan;

pub(super) async fn scan(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<ScanAnswer>, ApiError> {
    let asked: ScanRequest = request::json(&body)?;
    if !may_scan(&lan, &caller, asked.gate_id) {
        return Err(ApiError::GateNotAllowed);
    }
    let scan = Scan {
        scan: asked.scan_id,
        scanner: caller.scanner,
        gate: asked.gate_id,
        token: asked.token,
    };
    let answer = lan.owner.submit(scan).await?;
    tracing::debug!(
        scan = %answer.scan_id,
        gate = %asked.gate_id,
        verdict = answer.verdict.name(),
        mode = ?answer.mode,
        repeated = answer.repeated,
        "decided"
    );
    Ok(Json(answer))
}

/// The scanner's own gates, of those that the node decides for. While the node has no replica it
/// knows no gates, and the core has the say.
fn may_scan(lan: &Lan, caller: &Caller, gate: GateId) -> bool {
    let of_scanner = caller
        .gates
        .as_ref()
        .is_none_or(|gates| gates.contains(&gate));
    let of_node = &lan.owner.latest().gates;
    of_scanner && (of_node.is_empty() || of_node.iter().any(|known| known.gate_id == gate))
}
