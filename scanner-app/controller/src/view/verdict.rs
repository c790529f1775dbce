//! What stands on the glass after a scan.

use serde::Serialize;
use ts_rs::TS;

use super::{ActKind, ActProblem, Reason};

/// The four classes of verdicts, each with its colour, sound and vibration, and what is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Let the guest in.
    Go,
    /// The ticket was used before.
    Used,
    /// No.
    Stop,
    /// Nobody has decided.
    Hold,
    /// Something else than entering was done.
    Done,
}

/// A verdict as it stands on the glass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    pub scan_id: String,
    pub class: Class,
    pub why: Why,
    pub ticket: Option<TicketFacts>,
    /// None if no node has answered.
    pub decided_by: Option<Decider>,
    /// Of the data that it was decided by; none if the core decided.
    pub cache_age_ms: Option<u64>,
    /// When the trigger was pulled. Some time before `at_ms` if answers were lost or the app was started
    /// anew: the guest may be another one by now.
    pub triggered_at_ms: u64,
    /// When it came.
    pub at_ms: u64,
    /// The same scan was answered before.
    pub repeated: bool,
    /// Made up for a drill: lets nobody in, and asks what the person would do.
    pub drill: bool,
}

/// Who decided a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Decider {
    Core,
    Node,
}

/// The verdict with its facts: twelve of the node's, and two of the app's own; and the answers to acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(
    tag = "verdict",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Why {
    Admit,
    /// `confirmed: false` is a screen of its own: a supervisor decides.
    AlreadyUsed {
        gate: Option<String>,
        at_ms: u64,
        /// How long ago, by the node's time.
        ago_ms: Option<u64>,
        confirmed: bool,
        /// How long ago this scanner itself has let in this guest, if it was its last one, some seconds ago.
        read_again_ms: Option<u64>,
    },
    Revoked,
    NotValidHere {
        /// Doors that admit this ticket.
        gates: Vec<String>,
    },
    NotYet {
        admits_from_ms: u64,
    },
    Expired {
        admitted_until_ms: u64,
    },
    Unreadable,
    Forged,
    UnknownOffline,
    ResyncRequired,
    TryAgain,
    NodeFault,
    /// Admitted by data that was too old when the answer came.
    TooLate,
    /// No node has answered: given up by the person, or refused for good.
    NoAnswer {
        /// The node's code, for venue IT.
        code: Option<String>,
    },
    /// A supervisor lets in whom a scan refused.
    Overridden {
        reason: Reason,
        note: Option<String>,
        person: Option<String>,
        /// How many more acts the person has within the hour.
        left_this_hour: Option<u32>,
    },
    /// Whom a scan let in did not go in.
    TakenBack {
        person: Option<String>,
    },
    /// The guest has left, and may come back.
    Left,
    /// An act was refused, or has no answer.
    NotDone {
        act: ActKind,
        problem: ActProblem,
        /// The node's code, for venue IT.
        code: Option<String>,
    },
}

/// What the ticket is for. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TicketFacts {
    pub title: Option<String>,
    pub starts_at_ms: Option<u64>,
    pub category: String,
    /// Seat or zone, as people read it.
    pub seat: Option<String>,
}

/// A scan of before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PastScan {
    pub shown: Shown,
    /// How long ago it came.
    pub ago_ms: u64,
}
