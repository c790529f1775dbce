//! `POST /v1/acts`: what people do beside scanning. Here it is found out who they are and whether they may;
//! the owner decides the rest.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::ScanId,
    lan::{Act as Asked, ActAnswer, ActRequest, MAX_NOTE_CHARS, Reason, ReasonCode},
    short_code::ShortCode,
    staff::StaffRole,
};
use eventify_sync::edge::{ActOutcome, ActRefusal};

use super::scans::may_scan;
use crate::{
    lan::{Lan, auth::Caller, error::ApiError, locked, request},
    owner::{Act, NoAct, What},
};

pub(super) async fn act(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<ActAnswer>, ApiError> {
    let request: ActRequest = request::json(&body)?;
    if !may_scan(&lan, &caller, request.gate_id) {
        return Err(ApiError::GateNotAllowed);
    }
    let is_exit = matches!(request.act, Asked::Exit { .. });
    let reason = if is_exit {
        None
    } else {
        Some(checked(request.reason)?)
    };
    let may = if is_exit {
        anybody
    } else {
        StaffRole::supervises
    };
    let person = lan.who_acts(caller.scanner, request.authorisation.as_deref(), may)?;
    let typed = typed_code(&lan, &caller, &request.act, ScanId(request.act_id.0))?;
    let what = match request.act {
        Asked::Override { scan_id } => What::Override(scan_id),
        Asked::Undo { scan_id } => What::Undo(scan_id),
        Asked::Exit { token } => What::Exit(lan.owner.check(&token)),
        Asked::ChangeGate => What::ChangeGate {
            from: lan.current_shift(caller.scanner).map(|it| it.gate_id),
        },
    };
    let moves = matches!(what, What::ChangeGate { .. });
    let act = Act {
        act: request.act_id,
        scanner: caller.scanner,
        gate: request.gate_id,
        person: person.person_id,
        reason,
        what,
    };
    let done = lan.owner.submit_act(act).await;
    if let Some(scan) = typed {
        let is_unknown = done == Err(NoAct::Refused(ActRefusal::UnknownTicket));
        end_typed(&lan, &caller, scan, is_unknown);
    }
    let outcome = done?;
    if moves {
        lan.change_gate_of_shift(caller.scanner, request.gate_id)?;
    }
    tracing::info!(
        code = "act.done",
        act_id = %outcome.act,
        person_id = %outcome.person,
        scanner_id = %caller.scanner,
        gate_id = %request.gate_id,
        mode = ?outcome.mode,
        repeated = outcome.repeated,
        "somebody has acted at a gate"
    );
    Ok(Json(answer(outcome)))
}

/// A guest is scanned on the way out by whoever is on shift.
fn anybody(_: StaffRole) -> bool {
    true
}

/// Somebody has to answer for it later.
fn checked(reason: Option<Reason>) -> Result<Reason, ApiError> {
    let reason = reason.ok_or(ApiError::ReasonNeeded)?;
    let note = reason.note.map(|note| note.trim().to_owned());
    let note = note.filter(|note| !note.is_empty());
    let is_short = note
        .as_ref()
        .is_none_or(|note| note.chars().count() <= MAX_NOTE_CHARS);
    if !is_short || reason.code == ReasonCode::Other && note.is_none() {
        return Err(ApiError::BadNote);
    }
    Ok(Reason {
        code: reason.code,
        note,
    })
}

/// Whoever types codes here guesses no more of them than at a scan.
fn typed_code(
    lan: &Lan,
    caller: &Caller,
    act: &Asked,
    id: ScanId,
) -> Result<Option<ScanId>, ApiError> {
    let Asked::Exit { token } = act else {
        return Ok(None);
    };
    if ShortCode::read(token).is_err() {
        return Ok(None);
    }
    let mut typed = locked(&lan.typed_codes);
    let begun = typed.begin(caller.scanner, id, lan.clock.boottime());
    begun.map_err(ApiError::TooManyWrongCodes)?;
    Ok(Some(id))
}

fn end_typed(lan: &Lan, caller: &Caller, id: ScanId, is_unknown: bool) {
    let mut typed = locked(&lan.typed_codes);
    if is_unknown {
        typed.end_wrong(caller.scanner, lan.clock.boottime());
    } else {
        typed.end_right(caller.scanner, id);
    }
}

fn answer(outcome: ActOutcome) -> ActAnswer {
    ActAnswer {
        act_id: outcome.act,
        person_id: outcome.person,
        at: outcome.at,
        mode: outcome.mode,
        ticket: outcome.ticket,
        repeated: outcome.repeated,
        left_this_hour: Some(outcome.left_this_hour),
    }
}
