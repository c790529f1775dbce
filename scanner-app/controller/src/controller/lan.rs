//! From the messages of the LAN API to what the screen shows: the one place that knows both.

use eventify_lan_client::{ClientError, Light};
use eventify_protocol::{
    ids::GateId,
    lan::{NamedGate, NodeStatus, ScanAnswer, ShownTicket},
    sync::PerformanceState,
    verdict::{DecidedBy, Mode, Verdict},
};

use crate::view::{
    Class, Decider, GateChoice, LockReason, NodeMode, PairProblem, PerformanceFacts, Shown,
    TicketFacts, Why,
};

/// When a scan was triggered and answered, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) triggered_at_ms: u64,
    pub(super) at_ms: u64,
}

/// Nobody has, where the answer is that it was not decided.
fn decider(answer: &ScanAnswer) -> Option<Decider> {
    answer
        .verdict
        .is_decided()
        .then_some(match answer.decided_by {
            DecidedBy::Core => Decider::Core,
            DecidedBy::Edge => Decider::Node,
        })
}

/// The verdict as it stands on the glass.
pub(super) fn shown(answer: ScanAnswer, light: Light, times: Times) -> Shown {
    let why = match light {
        Light::Late => Why::TooLate,
        Light::Green | Light::Red | Light::Undecided => why(&answer),
    };
    let decided_by = decider(&answer);
    Shown {
        scan_id: answer.scan_id.to_string(),
        class: class(&why),
        why,
        ticket: answer.ticket.map(ticket),
        decided_by,
        cache_age_ms: answer.cache_age_ms,
        triggered_at_ms: times.triggered_at_ms,
        at_ms: times.at_ms,
        repeated: answer.repeated,
        drill: false,
    }
}

fn why(answer: &ScanAnswer) -> Why {
    match &answer.verdict {
        Verdict::Admit => Why::Admit,
        Verdict::AlreadyUsed { first } => {
            Why::AlreadyUsed {
                gate: answer.first_gate_name.clone(),
                at_ms: u64::try_from(first.at.0 / 1_000).unwrap_or(0),
                // By the node's time: this machine's clock may say anything.
                ago_ms: answer.first_ago_ms,
                // What this scanner has shown itself needs nobody else's word.
                confirmed: first.confirmed || answer.read_again_ms.is_some(),
                read_again_ms: answer.read_again_ms,
            }
        }
        Verdict::Revoked => Why::Revoked,
        Verdict::NotValidHere { .. } => Why::NotValidHere {
            gates: names(&answer.admitting_gates),
        },
        Verdict::NotYet { not_before } => Why::NotYet {
            admits_from_ms: seconds(*not_before),
        },
        Verdict::Expired { expiry } => Why::Expired {
            admitted_until_ms: seconds(*expiry),
        },
        Verdict::Unreadable => Why::Unreadable,
        Verdict::Forged => Why::Forged,
        Verdict::UnknownOffline => Why::UnknownOffline,
        Verdict::ResyncRequired => Why::ResyncRequired,
        Verdict::TryAgain => Why::TryAgain,
        Verdict::NodeFault => Why::NodeFault,
    }
}

/// Colour, sound and vibration of a verdict.
pub(super) fn class(why: &Why) -> Class {
    match why {
        Why::Admit | Why::Overridden { .. } => Class::Go,
        Why::TakenBack { .. } | Why::Left => Class::Done,
        Why::AlreadyUsed { .. } => Class::Used,
        Why::Revoked
        | Why::NotValidHere { .. }
        | Why::NotYet { .. }
        | Why::Expired { .. }
        | Why::Unreadable
        | Why::Forged => Class::Stop,
        Why::UnknownOffline
        | Why::ResyncRequired
        | Why::TryAgain
        | Why::NodeFault
        | Why::TooLate
        | Why::NoAnswer { .. }
        | Why::NotDone { .. } => Class::Hold,
    }
}

pub(super) fn ticket(ticket: ShownTicket) -> TicketFacts {
    TicketFacts {
        title: ticket.title,
        starts_at_ms: ticket.starts_at.map(seconds),
        category: ticket
            .category_name
            .unwrap_or_else(|| ticket.category.to_string()),
        seat: ticket.place,
    }
}

fn names(gates: &[NamedGate]) -> Vec<String> {
    gates.iter().map(|gate| gate.name.clone()).collect()
}

/// The gates that the scanner may work at: those of the node that the pairing names, all of them if it
/// names none.
pub(super) fn gates(status: &NodeStatus, allowed: &[GateId]) -> Vec<GateChoice> {
    let is_allowed = |gate: &GateId| allowed.is_empty() || allowed.contains(gate);
    let gates = status.gates.iter().filter(|gate| is_allowed(&gate.gate_id));
    gates
        .map(|gate| GateChoice {
            gate_id: gate.gate_id.to_string(),
            name: gate.name.clone(),
            performances: performances(status, gate.gate_id),
        })
        .collect()
}

fn performances(status: &NodeStatus, gate: GateId) -> Vec<PerformanceFacts> {
    let known = status.performances.iter();
    known
        .filter(|performance| performance.gates.contains(&gate))
        .map(|performance| PerformanceFacts {
            performance_id: performance.performance_id.to_string(),
            title: performance.title.clone(),
            doors_at_ms: Some(seconds(performance.doors_at)),
            starts_at_ms: Some(seconds(performance.starts_at)),
            cancelled: performance.state == PerformanceState::Cancelled,
        })
        .collect()
}

pub(super) fn mode(mode: Mode) -> NodeMode {
    match mode {
        Mode::Online => NodeMode::Online,
        Mode::Degraded => NodeMode::Degraded,
        Mode::Locked => NodeMode::Locked,
        Mode::Resyncing => NodeMode::Resyncing,
    }
}

/// Of the code in the node's status and stream.
pub(super) fn lock_reason(code: Option<&str>) -> LockReason {
    match code {
        Some("cache_too_old") => LockReason::CacheTooOld,
        Some("clock_not_trusted") => LockReason::ClockNotTrusted,
        Some("no_replica" | "no_sync_point" | "journal_rows_lost") => LockReason::NoCache,
        Some("unacknowledged_admissions") => LockReason::Unacknowledged,
        Some("degraded_off") => LockReason::DegradedOff,
        Some("revoked") => LockReason::Revoked,
        Some(_) | None => LockReason::Other,
    }
}

pub(super) fn pair_problem(error: &ClientError) -> PairProblem {
    match error {
        ClientError::WrongKey => PairProblem::OtherNode,
        ClientError::NoAnswer(_) => PairProblem::NoAnswer,
        ClientError::Refused(refusal) => match refusal.error.code.as_str() {
            "pairing_code_unknown" => PairProblem::CodeEnded,
            "too_many_scanners" => PairProblem::TooManyScanners,
            _ => PairProblem::Refused,
        },
        ClientError::Setup(_) | ClientError::Malformed { .. } => PairProblem::Refused,
    }
}

/// The node's word for why there is no answer, for venue IT.
pub(super) fn error_code(error: &ClientError) -> Option<String> {
    match error {
        ClientError::Refused(refusal) => Some(refusal.error.code.clone()),
        ClientError::WrongKey => Some("wrong_key".to_owned()),
        ClientError::Malformed { .. } => Some("malformed_answer".to_owned()),
        ClientError::Setup(_) => Some("client_setup".to_owned()),
        ClientError::NoAnswer(_) => None,
    }
}

fn seconds(unix: i64) -> u64 {
    u64::try_from(unix).unwrap_or(0).saturating_mul(1_000)
}
