//! `POST /v1/scans`: a scan and its verdict.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::{GateId, ScanId},
    lan::{ScanAnswer, ScanRequest},
    short_code::ShortCode,
    verdict::Verdict,
};

use crate::{
    lan::{Lan, auth::Caller, error::ApiError, locked, request},
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
    let person = lan.on_shift(caller.scanner);
    if person.is_none() && lan.is_shift_needed() {
        return Err(ApiError::ShiftNeeded);
    }
    let is_code = ShortCode::read(&request.token).is_ok();
    if is_code {
        let mut typed = locked(&lan.typed_codes);
        let begun = typed.begin(caller.scanner, request.scan_id, lan.clock.boottime());
        begun.map_err(ApiError::TooManyWrongCodes)?;
    }
    let scan = Scan {
        scan: request.scan_id,
        scanner: caller.scanner,
        gate: request.gate_id,
        person,
        token: request.token,
    };
    let arrived = lan.clock.boottime();
    let answer = lan.owner.submit(scan).await?;
    if !answer.repeated {
        locked(&lan.paces).answered(request.gate_id, arrived, lan.clock.boottime());
    }
    if answer.verdict == Verdict::Unreadable {
        lan.count_unreadable(caller.scanner);
    }
    if is_code {
        count_code(&lan, &caller, (request.scan_id, &answer));
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

/// Counts a typed code that is no ticket's, and no longer one that was a ticket's or was not decided.
fn count_code(lan: &Lan, caller: &Caller, (scan, answer): (ScanId, &ScanAnswer)) {
    let is_known = answer.ticket.is_some();
    let is_wrong = !is_known
        && matches!(
            answer.verdict,
            Verdict::Unreadable | Verdict::UnknownOffline
        );
    let mut typed = locked(&lan.typed_codes);
    if !is_wrong {
        typed.end_right(caller.scanner, scan);
    } else if typed.end_wrong(caller.scanner, lan.clock.boottime()) {
        tracing::warn!(code = "lan.wrong_codes", scanner_id = %caller.scanner,
            "a scanner has typed too many short codes that are no ticket's: it types none for a minute");
    }
}

/// Whether the gate is one of the scanner's and one of the node's. Without a replica the node knows
/// no gates of its own, and the core decides.
pub(super) fn may_scan(lan: &Lan, caller: &Caller, gate: GateId) -> bool {
    let of_scanner = caller
        .gates
        .as_ref()
        .is_none_or(|gates| gates.contains(&gate));
    let of_node = &lan.owner.latest().gates;
    of_scanner && (of_node.is_empty() || of_node.iter().any(|known| known.gate_id == gate))
}
