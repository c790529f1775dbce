//! An act as it comes from the LAN, and what is answered.

use std::time::Duration;

use eventify_protocol::{
    ids::{ActId, GateId, PersonId, ScanId, ScannerId, TicketId},
    lan::{Reason, ShownTicket},
    sync::{ActBy, JournalEntry, Moment, Position, ScannedTicket, TicketEntry},
    time::CoreTime,
    verdict::Mode,
};

use crate::edge::{Previous, RequestId};

/// An act from the LAN, with what the shell found for it.
#[derive(Clone, Debug)]
pub struct ActRequest {
    pub request: RequestId,
    pub act: ActId,
    /// Proven by the request's signature.
    pub scanner: ScannerId,
    /// One of the scanner's gates.
    pub gate: GateId,
    /// On shift there, or a colleague who has given their word; they may do it.
    pub person: PersonId,
    pub reason: Option<Reason>,
    pub kind: ActKind,
    /// The row of an act with this id, if the journal has it.
    pub previous: Option<DoneAct>,
    /// When this person did acts that need a reason, by the journal: the newest [`MAX_RECENT_ACTS`].
    pub recent: Vec<(ActId, Moment)>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum ActKind {
    Override(ActScan),
    Undo(ActScan),
    /// The ticket that was scanned or typed, if the replica has it.
    Exit(Option<ActTicket>),
    ChangeGate {
        from: Option<GateId>,
    },
}

/// The scan that an act is about.
#[derive(Clone, Debug)]
pub struct ActScan {
    pub scan: ScanId,
    /// The journal's newest decision for it.
    pub previous: Option<Previous>,
    /// Its ticket, if the replica has it.
    pub ticket: Option<ActTicket>,
}

/// A ticket's row in the replica, with the replica's position in the same read transaction.
#[derive(Clone, Debug)]
pub struct ActTicket {
    pub ticket: TicketId,
    pub position: Position,
    pub entry: TicketEntry,
}

/// An act in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneAct {
    pub entry: JournalEntry,
    pub at: Moment,
}

/// What became of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActOutcome {
    pub act: ActId,
    pub person: PersonId,
    /// As far as the core's clock is known.
    pub at: Option<CoreTime>,
    pub mode: Mode,
    pub ticket: Option<ShownTicket>,
    /// It was done before.
    pub repeated: bool,
    /// How many more acts that need a reason the person has within the hour.
    pub left_this_hour: u32,
}

/// Why nothing was done. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActRefusal {
    /// The act's id was used for something else.
    IdReused,
    /// The person has done as many acts as the venue allows within an hour: how long until the next.
    TooMany(Duration),
    /// Nobody decides at this node at present.
    Locked,
    /// Only the core can, and it is out of reach.
    CoreNeeded,
    /// This node has no decision about the scan.
    UnknownScan,
    /// The replica does not have the ticket.
    UnknownTicket,
    /// The scan was not refused as `AlreadyUsed` or `NotYet`, or not at this gate.
    NotOverridable,
    /// The scan was overridden, or undone, before.
    AlreadyDone,
    /// It is too long ago.
    TooLate,
    /// What the refusal stood on has changed: the guest is to be scanned again.
    Changed,
    /// The scanner has let in somebody else since, or nobody by this scan.
    NotNewest,
    /// Nobody is inside with the ticket, as far as this node knows.
    NotInside,
    /// Out is out at this performance.
    NoReentry,
    /// The gate is none of the node's.
    GateNotAllowed,
}

impl ActRefusal {
    /// Stable code for the LAN's answers.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::IdReused => "act_id_conflict",
            Self::TooMany(_) => "too_many_acts",
            Self::Locked => "node_locked",
            Self::CoreNeeded => "core_unreachable",
            Self::UnknownScan => "scan_not_found",
            Self::UnknownTicket => "ticket_not_found",
            Self::NotOverridable => "not_overridable",
            Self::AlreadyDone => "already_done",
            Self::TooLate => "too_late",
            Self::Changed => "scan_again",
            Self::NotNewest => "not_newest",
            Self::NotInside => "not_inside",
            Self::NoReentry => "no_reentry",
            Self::GateNotAllowed => "gate_not_allowed",
        }
    }
}

impl ActRequest {
    pub(super) fn by(&self, mode: Mode) -> ActBy {
        ActBy {
            act: self.act,
            person: self.person,
            scanner: self.scanner,
            gate: self.gate,
            mode,
            reason: self.reason.clone(),
        }
    }

    /// Whether a row is one of this very act. Who did it stands in the row.
    pub(super) fn is(&self, done: &DoneAct) -> bool {
        let same_target = match (&self.kind, &done.entry) {
            (ActKind::Override(about), JournalEntry::Overridden(row)) => about.scan == row.scan,
            (ActKind::Undo(about), JournalEntry::Undone(row)) => about.scan == row.scan,
            (ActKind::Exit(about), JournalEntry::Left(row)) => about
                .as_ref()
                .is_none_or(|about| about.ticket == row.ticket),
            (ActKind::ChangeGate { .. }, JournalEntry::GateChanged(_)) => true,
            _ => false,
        };
        let by = done.entry.act();
        same_target
            && by.is_some_and(|by| {
                (by.scanner, by.gate, &by.reason) == (self.scanner, self.gate, &self.reason)
            })
    }

    pub(super) fn ticket(&self) -> Option<&ActTicket> {
        match &self.kind {
            ActKind::Override(about) | ActKind::Undo(about) => about.ticket.as_ref(),
            ActKind::Exit(ticket) => ticket.as_ref(),
            ActKind::ChangeGate { .. } => None,
        }
    }

    /// An exit is no more than a scan; everything else somebody has to answer for.
    pub(super) fn needs_reason(&self) -> bool {
        !matches!(self.kind, ActKind::Exit(_))
    }
}

impl ActTicket {
    pub(super) fn scanned(&self) -> ScannedTicket {
        ScannedTicket::of(self.ticket, &self.entry)
    }
}
