//! From the messages about acts to what the screen shows, and back.

use eventify_lan_client::ClientError;
use eventify_protocol::lan::{self, Act, ReasonCode};

use crate::view::{ActKind, ActProblem, Reason};

pub(super) fn kind(act: &Act) -> ActKind {
    match act {
        Act::Override { .. } => ActKind::Override,
        Act::Undo { .. } => ActKind::Undo,
        Act::Exit { .. } => ActKind::Exit,
        Act::ChangeGate => ActKind::ChangeGate,
    }
}

pub(super) fn reason(reason: Reason, note: Option<&str>) -> lan::Reason {
    let code = match reason {
        Reason::NotInside => ReasonCode::NotInside,
        Reason::LeftWithoutScan => ReasonCode::LeftWithoutScan,
        Reason::WrongTicket => ReasonCode::WrongTicket,
        Reason::StaysOutside => ReasonCode::StaysOutside,
        Reason::EarlyEntry => ReasonCode::EarlyEntry,
        Reason::MoreHands => ReasonCode::MoreHands,
        Reason::Other => ReasonCode::Other,
    };
    let note = note.map(str::to_owned);
    lan::Reason { code, note }
}

pub(super) fn shown_reason(reason: &lan::Reason) -> Reason {
    match reason.code {
        ReasonCode::NotInside => Reason::NotInside,
        ReasonCode::LeftWithoutScan => Reason::LeftWithoutScan,
        ReasonCode::WrongTicket => Reason::WrongTicket,
        ReasonCode::StaysOutside => Reason::StaysOutside,
        ReasonCode::EarlyEntry => Reason::EarlyEntry,
        ReasonCode::MoreHands => Reason::MoreHands,
        ReasonCode::Other => Reason::Other,
    }
}

/// In the operator's words.
pub(super) fn problem(error: &ClientError) -> ActProblem {
    let Some(refusal) = error.refusal() else {
        return ActProblem::NoAnswer;
    };
    match refusal.error.code.as_str() {
        "too_late" => ActProblem::TooLate,
        "not_newest" => ActProblem::NotLast,
        "scan_not_found" | "not_overridable" => ActProblem::NotThisScan,
        "already_done" => ActProblem::AlreadyDone,
        "scan_again" => ActProblem::ScanAgain,
        "too_many_acts" => ActProblem::LimitReached,
        "node_locked" => ActProblem::Locked,
        "not_allowed" | "authorisation_unknown" => ActProblem::NotAllowed,
        "no_shift" => ActProblem::NoShift,
        "no_reentry" => ActProblem::NoReentry,
        "not_inside" => ActProblem::NotInside,
        "ticket_not_found" => ActProblem::UnknownTicket,
        "gate_not_allowed" => ActProblem::GateNotAllowed,
        "core_unreachable" => ActProblem::CoreUnreachable,
        _ => ActProblem::Other,
    }
}
