//! `POST /v1/acts`: what people do beside scanning. Here it is found out who they are and whether they may;
//! the owner decides the rest.

use std::sync::Arc;

use axum::{Extension, Json, body::Bytes, extract::State};
use eventify_protocol::{
    ids::ScanId,
    lan::{Act as Asked, ActAnswer, ActRequest, MAX_NOTE_CHARS, Reason, ReasonCode},
    staff::StaffRole,
    text,
};
use eventify_sync::edge::{ActOutcome, ActRefusal};

use super::scans::{begin_typed, end_typed, must_be_its_gate};
use crate::{
    lan::{Lan, auth::Caller, error::ApiError, request},
    owner::{Act, NoAct, What},
};

pub(super) async fn act(
    State(lan): State<Arc<Lan>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Json<ActAnswer>, ApiError> {
    let request: ActRequest = request::json(&body)?;
    must_be_its_gate(&lan, &caller, request.gate_id)?;
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
    // Whoever types codes here guesses no more of them than at a scan.
    let typed = match &request.act {
        Asked::Exit { token } => begin_typed(&lan, &caller, (ScanId(request.act_id.0), token))?,
        Asked::Override { .. } | Asked::Undo { .. } | Asked::ChangeGate => None,
    };
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
    if let Some(attempt) = typed {
        end_typed(&lan, &caller, attempt, is_unknown(&done));
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
    let is_line = note
        .as_ref()
        .is_none_or(|note| text::is_line(note, 1..=MAX_NOTE_CHARS));
    if !is_line || reason.code == ReasonCode::Other && note.is_none() {
        let chars = note.map_or(0, |note| note.chars().count());
        return Err(ApiError::BadNote { chars });
    }
    Ok(Reason {
        code: reason.code,
        note,
    })
}

/// Whether what was typed is no ticket's. That an act was done before says nothing of the code that came with
/// its id now.
fn is_unknown(done: &Result<ActOutcome, NoAct>) -> bool {
    match done {
        Ok(outcome) => outcome.ticket.is_none(),
        Err(NoAct::Refused(refusal)) => *refusal == ActRefusal::UnknownTicket,
        Err(NoAct::Busy | NoAct::Stopping) => false,
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
