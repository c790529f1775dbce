//! A scan on its way through the core (`ADMISSION` 3).
//!
//! ```text
//! Scan of a node ─────┐                     database rows ─▶ Snapshot
//!                     ├─▶ ScanRequest ─▶ Queued ─────────────evaluate─▶ ScanAnswer
//! check-in over REST ─┘
//! ```

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, NodeId, PersonId, ScanId, ScannerId, TicketId, VenueId};
use eventify_protocol::keys::KeySet;
use eventify_protocol::short_code::CodeHash;
use eventify_protocol::sync::{AdmissionWindow, Epoch, GateEntry, PerformanceEntry, ScannedTicket};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::admission::{self, Decided, LockedState, Request, ScanIdReused};
use eventify_sync::core::{Conflict, Effect, ScanRecord};
use eventify_sync::token::{SignedTicket, TokenCheck};

use super::performances::Performance;
use super::tickets::Ticket;

/// A scan that the core is to decide.
#[derive(Clone, Debug)]
pub(crate) struct ScanRequest {
    pub(crate) scan: ScanId,
    pub(crate) scanner: ScannerId,
    pub(crate) gate: GateId,
    /// The venue has no gates and is one door: its id stands for the gate's. Over REST alone.
    pub(crate) is_only_door: bool,
    /// None over REST.
    pub(crate) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(crate) device: Option<String>,
    /// Why a supervisor lets in although the performance admits nobody yet, or nobody any more: its times
    /// have moved, and nobody has said so yet.
    pub(crate) out_of_hours: Option<String>,
    pub(crate) presented: Presented,
    /// From then on nobody waits for the answer; none over REST.
    pub(crate) deadline: Option<CoreTime>,
    /// Earlier scans of the ticket for which the node showed no `Admit` and never will.
    pub(crate) replaces: Vec<ScanId>,
}

/// What the guest has presented.
#[derive(Clone, Debug)]
pub(crate) enum Presented {
    /// A scanned text. It is verified before any lock is taken, with a key set of this version.
    Token {
        text: String,
        check: TokenCheck,
        keys: u64,
    },
    /// The caller vouches for the ticket itself.
    Ticket(TicketId),
    /// The hash of a typed short code, and the ticket that had it when the scan arrived.
    Code {
        code: CodeHash,
        ticket: Option<TicketId>,
    },
}

/// Why a scan gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScanError {
    #[error("node {0} is not known")]
    UnknownNode(NodeId),
    #[error("node {0} is revoked")]
    RevokedNode(NodeId),
    #[error("there is no ticket {0}")]
    UnknownTicket(TicketId),
    #[error(transparent)]
    IdReused(#[from] ScanIdReused),
}

/// All that a decision needs, read after the ticket's row lock was taken.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The primary's clock.
    pub(crate) now: CoreTime,
    /// The database that it was read from.
    pub(crate) epoch: Epoch,
    /// Version of the key set in force.
    pub(crate) keys: Option<u64>,
    pub(crate) node: Option<Node>,
    pub(crate) gate: Option<Gate>,
    pub(crate) scan: Option<StoredScan>,
    pub(crate) ticket: Option<Ticket>,
    /// The ticket's performance.
    pub(crate) performance: Option<Performance>,
    /// The ticket's conflicts: that of this scan, or all of them if the scan replaces others.
    pub(crate) conflicts: Vec<Conflict>,
}

/// A gate, with its venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) venue: VenueId,
    pub(crate) entry: GateEntry,
}

/// A node that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) venue: VenueId,
    pub(crate) gates: Vec<GateId>,
    pub(crate) revoked: bool,
}

/// A scan id in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredScan {
    pub(crate) id: ScanId,
    pub(crate) record: ScanRecord,
    /// When the core gave its own verdict.
    pub(crate) own_at: Option<DateTime<Utc>>,
    pub(crate) ticket: Option<TicketId>,
    /// None for the REST API.
    pub(crate) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(crate) device: Option<String>,
    /// Who was on shift at the scanner, as the journal says.
    pub(crate) person: Option<PersonId>,
    /// Who made the decision that counts.
    pub(crate) decided_by: DecidedBy,
    /// Feed position and time of the sync point on which a node's decision rests.
    pub(crate) point: Option<(i64, CoreTime)>,
    pub(crate) created_at: DateTime<Utc>,
}

/// The core's answer to a scan, and what is to be written with it.
#[derive(Clone, Debug)]
pub(crate) struct ScanAnswer {
    pub(crate) verdict: Verdict,
    /// When it was decided.
    pub(crate) at: CoreTime,
    /// The database that it was decided on.
    pub(crate) epoch: Epoch,
    /// The ticket after the scan.
    pub(crate) ticket: Option<Ticket>,
    /// The same for the node that asked, if the ticket is one of its venue and the token or code is its own.
    pub(crate) scanned: Option<ScannedTicket>,
    /// The node has scanned at a gate that is not one of its own.
    pub(crate) foreign_gate: bool,
    /// What the scan changes of the ticket's entries.
    pub(crate) effect: Option<Effect>,
    /// The scan's new row; none if nothing is to be written.
    pub(crate) record: Option<StoredScan>,
}

impl Presented {
    pub(crate) fn token(text: String, keys: &KeySet) -> Self {
        Self::Token {
            check: TokenCheck::of(&text, keys),
            keys: keys.version(),
            text,
        }
    }
}

impl ScanError {
    /// Stable code, for alarms and logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::UnknownNode(_) => "scan_node_unknown",
            Self::RevokedNode(_) => "scan_node_revoked",
            Self::UnknownTicket(_) => "scan_ticket_unknown",
            Self::IdReused(_) => "scan_id_reused",
        }
    }
}

impl ScanRequest {
    /// The ticket to be locked: none if no key of ours vouches for the token.
    pub(crate) fn ticket(&self) -> Option<TicketId> {
        match &self.presented {
            Presented::Token { check, .. } => check.signed().map(SignedTicket::ticket),
            Presented::Ticket(id) => Some(*id),
            Presented::Code { ticket, .. } => *ticket,
        }
    }

    /// Whether the token was verified with another key set than the one in force.
    pub(crate) fn is_outdated(&self, in_force: Option<u64>) -> bool {
        match &self.presented {
            Presented::Token { keys, .. } => in_force.is_some_and(|in_force| in_force != *keys),
            Presented::Ticket(_) | Presented::Code { .. } => false,
        }
    }

    /// Verifies the token again, with another key set.
    pub(crate) fn verify(&mut self, keys: &KeySet) {
        if let Presented::Token { text, .. } = &mut self.presented {
            self.presented = Presented::token(std::mem::take(text), keys);
        }
    }

    /// The ticket all of whose conflicts are needed: a scan may want to replace its check-in or to renew
    /// it, or has an entry that another guest's may stand beside.
    pub(crate) fn may_replace(&self, snapshot: &Snapshot) -> Option<TicketId> {
        let ticket = snapshot.ticket.as_ref()?;
        let check_in = ticket.check_in.as_ref()?;
        let may_replace = !self.replaces.is_empty()
            || check_in.scan == self.scan
            || !snapshot.conflicts.is_empty();
        may_replace.then_some(ticket.id)
    }

    /// Decides the scan.
    pub(crate) fn evaluate(
        &self,
        snapshot: Snapshot,
        now: DateTime<Utc>,
    ) -> Result<ScanAnswer, ScanError> {
        if let Some(id) = self.node {
            let node = snapshot.node.as_ref().ok_or(ScanError::UnknownNode(id))?;
            if node.revoked {
                return Err(ScanError::RevokedNode(id));
            }
        }
        let token = self.token(snapshot.ticket.as_ref())?;
        let only_door = self.is_only_door.then(only_door);
        let gate = only_door.as_ref().or_else(|| snapshot.gate_for(self));
        let performance = snapshot.performance.as_ref();
        let performance = performance.and_then(Performance::entry);
        let performance = performance.map(|entry| self.within_hours(entry));
        let entitlement = snapshot.ticket.as_ref().map(Ticket::entitlement);
        let state = snapshot
            .ticket
            .as_ref()
            .map(|ticket| ticket.admission_state(snapshot.conflicts.clone()));
        let Decided { verdict, effect } = admission::decide(
            &self.request(&token),
            &LockedState {
                scan: snapshot.scan.as_ref().map(|scan| &scan.record),
                ticket: entitlement.as_ref().zip(state.as_ref()),
                gate,
                performance: performance.as_ref(),
                now: snapshot.now,
            },
        )?;
        let is_known = snapshot.scan.as_ref().is_some_and(|scan| {
            scan.record.shown.is_some() || scan.record.own.as_ref() == Some(&verdict)
        });
        let is_recorded = verdict.is_final() && (effect.is_some() || !is_known);
        Ok(ScanAnswer {
            record: is_recorded.then(|| self.record(&token, &verdict, now)),
            at: snapshot.now,
            epoch: snapshot.epoch,
            scanned: token.signed().and_then(|_| snapshot.scanned()),
            foreign_gate: self.node.is_some() && !snapshot.is_nodes_gate(self.gate),
            ticket: match &effect {
                Some(effect) => snapshot.ticket.map(|ticket| ticket.changed_by(effect, now)),
                None => snapshot.ticket,
            },
            verdict,
            effect,
        })
    }

    /// The performance with its own times, or with none if a supervisor answers for them.
    fn within_hours(&self, entry: PerformanceEntry) -> PerformanceEntry {
        if self.out_of_hours.is_none() {
            return entry;
        }
        let admits = AdmissionWindow {
            from: i64::MIN,
            until: i64::MAX,
        };
        PerformanceEntry { admits, ..entry }
    }

    /// The checked token; that of the ticket itself if the caller vouches for it.
    fn token(&self, ticket: Option<&Ticket>) -> Result<TokenCheck, ScanError> {
        match &self.presented {
            Presented::Token { check, .. } => Ok(*check),
            Presented::Ticket(id) => ticket
                .map(|ticket| TokenCheck::Signed(ticket.vouched()))
                .ok_or(ScanError::UnknownTicket(*id)),
            // The ticket may have been issued again before it was locked.
            Presented::Code { code, .. } => Ok(TokenCheck::Code {
                code: *code,
                ticket: ticket
                    .filter(|ticket| ticket.code.is_some_and(|it| it.hash == *code))
                    .map(Ticket::vouched),
            }),
        }
    }

    fn request<'a>(&'a self, token: &'a TokenCheck) -> Request<'a> {
        Request {
            scan: self.scan,
            scanner: self.scanner,
            gate: self.gate,
            node: self.node,
            token,
            deadline: self.deadline,
            replaces: &self.replaces,
        }
    }

    fn record(&self, token: &TokenCheck, verdict: &Verdict, now: DateTime<Utc>) -> StoredScan {
        StoredScan {
            id: self.scan,
            record: ScanRecord {
                scanner: self.scanner,
                gate: self.gate,
                token: token.hash(),
                own: Some(verdict.clone()),
                shown: None,
                ended: None,
            },
            own_at: Some(now),
            ticket: match token {
                TokenCheck::Code { ticket, .. } => ticket.as_ref().map(SignedTicket::ticket),
                TokenCheck::Unreadable { .. }
                | TokenCheck::Forged { .. }
                | TokenCheck::UnknownKey { .. }
                | TokenCheck::Signed(_) => self.ticket(),
            },
            node: self.node,
            device: self.device.clone(),
            person: None,
            decided_by: DecidedBy::Core,
            point: None,
            created_at: now,
        }
    }
}

/// What stands for a gate in a venue that has none: it admits to all that the venue admits to.
fn only_door() -> GateEntry {
    GateEntry {
        name: String::new(),
        performances: Vec::new(),
        categories: Vec::new(),
    }
}

impl Snapshot {
    /// The ticket, if it is one of the venue of the node that asks: no node is told of another's.
    fn scanned(&self) -> Option<ScannedTicket> {
        let (ticket, node) = self.ticket.as_ref().zip(self.node.as_ref())?;
        (ticket.venue_id == node.venue).then(|| ticket.scanned())
    }

    /// The gate, if it belongs to the ticket's venue and to the node that asks, if one does.
    fn gate_for(&self, request: &ScanRequest) -> Option<&GateEntry> {
        let gate = self.gate.as_ref()?;
        let of_ticket = self
            .ticket
            .as_ref()
            .is_none_or(|ticket| ticket.venue_id == gate.venue);
        let of_node = request.node.is_none() || self.is_nodes_gate(request.gate);
        (of_ticket && of_node).then_some(&gate.entry)
    }

    /// Whether the gate is one of the node that asks.
    fn is_nodes_gate(&self, id: GateId) -> bool {
        let (Some(gate), Some(node)) = (&self.gate, &self.node) else {
            return false;
        };
        node.venue == gate.venue && node.gates.contains(&id)
    }
}
