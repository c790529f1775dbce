//! What a supervisor does, and exits.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::PastScan;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ActKind {
    /// Let in whom the last scan refused.
    Override,
    /// Whom the last scan let in did not go in.
    Undo,
    /// The guest leaves and may come back.
    Exit,
    ChangeGate,
}

/// Why, of a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    NotInside,
    LeftWithoutScan,
    WrongTicket,
    StaysOutside,
    EarlyEntry,
    MoreHands,
    /// Needs a note.
    Other,
}

/// An admission that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Undoable {
    pub scan: PastScan,
    /// Until it is too late.
    pub left_ms: u32,
}

/// Why an act was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ActProblem {
    /// The guest is no longer at the door.
    TooLate,
    /// There was a newer admission.
    NotLast,
    /// The scan was of another kind, or is not known.
    NotThisScan,
    /// The scan was overridden, or taken back, before.
    AlreadyDone,
    /// What the refusal stood on has changed.
    ScanAgain,
    /// The person has done so many in the last hour.
    LimitReached,
    /// Nobody decides, and so nobody overrides.
    Locked,
    /// The person's roles do not allow it, or the colleague's word is over.
    NotAllowed,
    /// Nobody is on shift.
    NoShift,
    /// The performance lets nobody leave and come back.
    NoReentry,
    /// The ticket is not inside.
    NotInside,
    /// No ticket that the node knows.
    UnknownTicket,
    /// The gate is none of this node's.
    GateNotAllowed,
    /// Needs the core.
    CoreUnreachable,
    /// Not known whether it was done: it can be asked again.
    NoAnswer,
    /// See the node's code.
    Other,
}
