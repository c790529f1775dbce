//! `POST /v1/scans`: a scan and its verdict.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::{GateId, ScanId},
    lan::{ScanAnswer, ScanRequest},
    short_code::ShortCode,
    verdict::Verdict,
};

use super::pairings::offered_gates;
use crate::{
    lan::{Lan, auth::Caller, error::ApiError, locked, request, typed_codes::Attempt},
    owner::Scan,
};

pub(super) async fn scan(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<ScanAnswer>, ApiError> {
    let request: ScanRequest = request::json(&body)?;
    must_be_its_gate(&lan, &caller, request.gate_id)?;
    let person = lan.on_shift(caller.scanner);
    if person.is_none() && lan.is_shift_needed() {
        return Err(ApiError::ShiftNeeded);
    }
    let typed = begin_typed(&lan, &caller, (request.scan_id, &request.token))?;
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
    if let Some(attempt) = typed {
        end_typed(&lan, &caller, attempt, is_wrong_code(&lan, &answer));
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

/// A text that is a short code counts before it is looked at.
pub(super) fn begin_typed(
    lan: &Lan,
    caller: &Caller,
    (id, text): (ScanId, &str),
) -> Result<Option<Attempt>, ApiError> {
    let Ok(code) = ShortCode::read(text) else {
        return Ok(None);
    };
    let attempt = Attempt::new(id, code);
    let now = lan.clock.boottime();
    let begun = locked(&lan.typed_codes).begin(caller.scanner, attempt, now);
    begun.map_err(ApiError::TooManyWrongCodes)?;
    Ok(Some(attempt))
}

/// It was no ticket's, or it counts no longer.
pub(super) fn end_typed(lan: &Lan, caller: &Caller, attempt: Attempt, is_wrong: bool) {
    let mut typed = locked(&lan.typed_codes);
    if is_wrong {
        typed.end_wrong(caller.scanner, lan.clock.boottime());
    } else {
        typed.end_right(caller.scanner, attempt);
    }
}

/// Whether a typed code is no ticket's, as far as the answer says. A node that has tickets names the one of a
/// code beside every verdict, also where nobody decides: what it does not name there was guessed as well.
fn is_wrong_code(lan: &Lan, answer: &ScanAnswer) -> bool {
    let is_unknown = matches!(
        answer.verdict,
        Verdict::Unreadable | Verdict::UnknownOffline
    );
    let is_undecided = matches!(answer.verdict, Verdict::ResyncRequired | Verdict::TryAgain);
    let knows_tickets = || !lan.owner.latest().gates.is_empty();
    answer.ticket.is_none() && (is_unknown || is_undecided && knows_tickets())
}

/// Whether the gate is one of the scanner's and one of the node's. Without a replica the node knows
/// no gates of its own, and the core decides.
pub(super) fn must_be_its_gate(lan: &Lan, caller: &Caller, gate: GateId) -> Result<(), ApiError> {
    let is_its = |gate: &GateId| {
        let gates = caller.gates.as_ref();
        gates.is_none_or(|gates| gates.contains(gate))
    };
    let of_node = &lan.owner.latest().gates;
    let is_known = |gate: &GateId| of_node.iter().any(|known| known.gate_id == *gate);
    if is_its(&gate) && (of_node.is_empty() || is_known(&gate)) {
        return Ok(());
    }
    let gates = offered_gates(of_node, caller.gates.as_deref());
    Err(ApiError::GateNotAllowed(gates))
}
