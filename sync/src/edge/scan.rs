//! Scans on their way to a verdict, and what is remembered of those that had theirs (`ADMISSION` 3).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, MessageId, ScanId, ScannerId, TicketId},
    sync::{Decision, Epoch, Moment},
    time::{BootTime, CoreTime},
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{Previous, RequestId, ScanRequest};
use crate::token::{SignedTicket, TokenCheck};

/// Most scans that wait for a verdict at a time.
pub const MAX_PENDING_SCANS: usize = 1_024;
/// Decisions remembered beside the journal, so that a repeat finds them while the shell's look into
/// the journal may have been too early.
const MAX_RECENT: usize = 4_096;
/// Longest time until a scan is decided, the disk's apart: then whoever waits is told to try again.
pub const MAX_UNDECIDED: Duration = Duration::from_secs(5);
/// Scans remembered whose answer from the core was given up.
const MAX_FORGONE: usize = 4_096;

/// A scan without a verdict yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// All who wait for it.
    pub(super) requests: Vec<RequestId>,
    pub(super) scanner: ScannerId,
    pub(super) gate: GateId,
    pub(super) token: String,
    pub(super) checked: TokenCheck,
    pub(super) stage: Stage,
    /// Undecided by then, it is given up.
    gives_up: BootTime,
}

/// How far a scan has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// For the shared attempt, or for the new journal file.
    Waiting,
    /// For the core's verdict, until then.
    AtCore {
        /// The question: verdicts of earlier ones don't count.
        question: MessageId,
        until: BootTime,
        deadline: CoreTime,
        /// Which database was asked: it knew then what this node had decided.
        epoch: Option<Epoch>,
        /// The ticket's admission in the overlay when the scan was sent, if the core knew of it.
        known: Option<ScanId>,
        replaces: Vec<ScanId>,
    },
    /// For the row of this replica.
    LookingUp { generation: u32 },
    /// For the disk: row `seq` says what is to be answered.
    Writing { seq: u64, conclusion: Conclusion },
}

/// What was decided.
#[derive(Clone, Debug)]
pub(super) struct Conclusion {
    pub(super) verdict: Verdict,
    pub(super) mode: Mode,
    pub(super) decided_by: DecidedBy,
    pub(super) replaces: Vec<ScanId>,
}

impl Conclusion {
    pub(super) fn by_edge(verdict: Verdict, mode: Mode) -> Self {
        Self {
            verdict,
            mode,
            decided_by: DecidedBy::Edge,
            replaces: vec![],
        }
    }

    /// The cache decided: its age is read again after the fsync.
    pub(super) fn is_from_cache(&self) -> bool {
        self.decided_by == DecidedBy::Edge && self.mode == Mode::Degraded
    }
}

impl Pending {
    pub(super) fn new(request: ScanRequest, now: BootTime) -> Self {
        Self {
            requests: vec![request.request],
            scanner: request.scanner,
            gate: request.gate,
            token: request.token,
            checked: request.checked,
            stage: Stage::Waiting,
            gives_up: now.plus(MAX_UNDECIDED),
        }
    }

    /// When it ends, if nothing else ends it. What is being written ends with the disk alone.
    fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        match self.stage {
            Stage::AtCore { until, .. } => Some((until, "verdict")),
            Stage::Waiting | Stage::LookingUp { .. } => Some((self.gives_up, "undecided")),
            Stage::Writing { .. } => None,
        }
    }

    pub(super) fn is_same(&self, request: &ScanRequest) -> bool {
        let content = (self.scanner, self.gate, self.checked.hash());
        content == (request.scanner, request.gate, request.checked.hash())
    }

    /// The ticket, or what claims to be one: no answer rests on it but the core's.
    pub(super) fn ticket(&self) -> Option<TicketId> {
        self.checked.claimed().map(SignedTicket::ticket)
    }
}

/// Whether a decision is the request's own earlier one.
pub(super) fn is_of(decision: &Decision, request: &ScanRequest) -> bool {
    let content: (ScannerId, GateId, Hash32) = (decision.scanner, decision.gate, decision.token);
    content == (request.scanner, request.gate, request.checked.hash())
}

/// Whether the core has to know of a decision before it decides again: whatever says something of a
/// ticket and is not simply the core's own final word. A "not admitted" that arrived behind the
/// same scan's next attempt would free a ticket that is being used.
pub(super) fn is_own(decision: &Decision) -> bool {
    let word_of_core = decision.decided_by == DecidedBy::Core && decision.verdict.is_final();
    decision.ticket.is_some() && !word_of_core
}

/// All scans.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pub(super) pending: BTreeMap<ScanId, Pending>,
    /// Rows being written, for the answers that wait for them.
    pub(super) writing: BTreeMap<u64, ScanId>,
    recent: BTreeMap<ScanId, Previous>,
    recent_order: VecDeque<ScanId>,
    forgone: BTreeMap<TicketId, Vec<ScanId>>,
    forgone_order: VecDeque<TicketId>,
}

impl Scans {
    /// The newest decision of a scan, from memory or else from the shell's look into the journal.
    pub(super) fn previous(&self, request: &ScanRequest) -> Option<Previous> {
        self.recent
            .get(&request.scan)
            .cloned()
            .or_else(|| request.previous.clone())
    }

    pub(super) fn remember(&mut self, decision: Decision, at: Moment) {
        let scan = decision.scan;
        if self
            .recent
            .insert(
                scan,
                Previous {
                    decision,
                    at,
                    voided: false,
                },
            )
            .is_none()
        {
            self.recent_order.push_back(scan);
        }
        while self.recent_order.len() > MAX_RECENT {
            let oldest = self.recent_order.pop_front();
            oldest.and_then(|scan| self.recent.remove(&scan));
        }
    }

    pub(super) fn voided(&mut self, scan: ScanId) {
        if let Some(previous) = self.recent.get_mut(&scan) {
            previous.voided = true;
        }
    }

    /// The core was asked and its answer, whatever it is, is no longer waited for.
    pub(super) fn forgo(&mut self, ticket: TicketId, scan: ScanId) {
        let scans = self.forgone.entry(ticket).or_default();
        if scans.is_empty() {
            self.forgone_order.push_back(ticket);
        }
        if !scans.contains(&scan) {
            scans.push(scan);
        }
        while self.forgone_order.len() > MAX_FORGONE {
            let oldest = self.forgone_order.pop_front();
            oldest.and_then(|ticket| self.forgone.remove(&ticket));
        }
    }

    /// `Admit` is shown for the ticket: nothing is to be replaced any more.
    pub(super) fn admitted(&mut self, ticket: TicketId) {
        if self.forgone.remove(&ticket).is_some() {
            self.forgone_order.retain(|held| *held != ticket);
        }
    }

    /// Earlier scans of a ticket for which no `Admit` was shown and, now that another scan takes
    /// their place, never will be: one that is asked again replaces its heir in turn.
    pub(super) fn replaced_by(&self, ticket: TicketId, scan: ScanId) -> Vec<ScanId> {
        let under_way = |scan: &ScanId| self.pending.contains_key(scan);
        let forgone = self.forgone.get(&ticket).map_or(&[][..], Vec::as_slice);
        forgone
            .iter()
            .copied()
            .filter(|held| *held != scan && !under_way(held))
            .collect()
    }

    /// The scans for which `stage` holds, in order of their ids.
    pub(super) fn in_stage(&self, stage: impl Fn(&Stage) -> bool) -> Vec<ScanId> {
        let matching = self
            .pending
            .iter()
            .filter(|(_, pending)| stage(&pending.stage));
        matching.map(|(scan, _)| *scan).collect()
    }

    /// Scans for which time is up, and which wait for nothing that is sure to come.
    pub(super) fn undecided(&self, now: BootTime) -> Vec<ScanId> {
        let waits = |stage: &Stage| matches!(stage, Stage::Waiting | Stage::LookingUp { .. });
        let late = self
            .pending
            .iter()
            .filter(|(_, pending)| waits(&pending.stage) && pending.gives_up <= now);
        late.map(|(scan, _)| *scan).collect()
    }

    /// When the next scan gives up on the core, or is given up.
    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let ends = self.pending.values().filter_map(Pending::next_timeout);
        ends.min()
    }
}
