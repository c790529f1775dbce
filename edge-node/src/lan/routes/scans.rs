//! `POST /v1/scans`: a scan and its verdict.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::GateId,
    lan::{ScanAnswer, ScanRequest},
    verdict::Verdict,
};

use crate::{
    lan::{Lan, auth::Caller, error::ApiError, request},
    owner::Scan,
};

pub(super) async fn scan(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<ScanAnswer>, ApiError> {
    let request: ScanRequest = request::json(&body)?;
    if !may_scan(&lan, &caller, request.gate_id) {
        return Err(ApiError::GateNotAllowed);
    }
    let scan = Scan {
        scan: request.scan_id,
        scanner: caller.scanner,
        gate: request.gate_id,
        token: request.token,
    };
    let answer = lan.owner.submit(scan).await?;
    if answer.verdict == Verdict::Unreadable {
        lan.count_unreadable(caller.scanner);
    }
    tracing::debug!(
        scan_id = %answer.scan_id,
        gate_id = %request.gate_id,
        verdict = answer.verdict.name(),
        mode = ?answer.mode,
        repeated = answer.repeated,
        "scan decided"
    );
    Ok(Json(answer))
}

/// Whether the gate is one of the scanner's and one of the node's. Without a replica the node knows
/// no gates of its own, and the core decides.
fn may_scan(lan: &Lan, caller: &Caller, gate: GateId) -> bool {
    let of_scanner = caller
        .gates
        .as_ref()
        .is_none_or(|gates| gates.contains(&gate));
    let of_node = &lan.owner.latest().gates;
    of_scanner && (of_node.is_empty() || of_node.iter().any(|known| known.gate_id == gate))
}
