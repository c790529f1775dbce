//! A scan's way through the machine (`ADMISSION` 3).
//!
//! Between a request on the venue's LAN and the decision stand at most twelve functions ("rooms"):
//!
//! | | room | in | does |
//! |---|---|---|---|
//! | 1 | route `POST /v1/scans` | `edge-node/src/lan` | parses the signed request, checks the scanner's gates |
//! | 2 | `Handle::submit` | `edge-node/src/owner/handle.rs` | checks the token's signature, queues, waits for the reply |
//! | 3 | `Owner::accept` | `edge-node/src/owner/inputs.rs` | checks the disk's space, finds the ticket and the scan's earlier decision |
//! | 4 | `Owner::step` | `edge-node/src/owner/mod.rs` | reads the clocks |
//! | 5 | `Machine::handle` | `edge/mod.rs` | expires timers, dispatches the input |
//! | 6 | `Machine::arrive` | `scan/arrive.rs` | binds the id to its content, repeats a final verdict |
//! | 7 | `Machine::route` | `scan/arrive.rs` | chooses who decides |
//!
//! | | the core decides | this node decides |
//! |---|---|---|
//! | 8 | `Machine::ask_core` in `scan/online.rs` | `Machine::decide_alone` in `scan/offline.rs` |
//! | 9 | `Owner::carry_out` in `edge-node/src/owner/outputs.rs` | the same |
//! | 10 | `Link::send` in `edge-node/src/link` | `ReplicaFiles::perform` in `edge-node/src/owner/replica.rs` |
//! | 11 | the core | `Machine::on_ticket_read` in `scan/offline.rs` |
//! | 12 | `Machine::on_verdict` in `scan/online.rs` | `OfflineCase::verdict` in `scan/offline.rs` |
//!
//! Either way `Machine::conclude` then writes the decision to the journal, and `Machine::release`
//! replies when the row is on disk (`scan/conclude.rs`).

mod arrive;
mod conclude;
mod offline;
mod online;
mod refusals;
mod unreadable;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, MessageId, PersonId, ScanId, ScannerId, TicketId},
    sync::{Decision, Epoch, Moment, ScannedTicket},
    time::{BootTime, CoreInterval, CoreTime},
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{ActScan, Previous, RequestId, ScanRequest};
use crate::token::{SignedTicket, TokenCheck};
use refusals::Refusals;
use unreadable::Unreadable;

/// Most scans that wait for a verdict at a time.
pub const MAX_PENDING_SCANS: usize = 1_024;
/// Decisions kept beside the journal: a repeat finds them although the shell may have read the
/// journal before they were written.
const MAX_RECENT: usize = 4_096;
/// Longest time until a scan is decided, apart from the disk; then the scanner is to try again.
pub const MAX_UNDECIDED: Duration = Duration::from_secs(5);
/// Tickets with scans whose answer from the core was given up.
const MAX_UNSHOWN: usize = 4_096;

/// A scan without a verdict yet.
#[derive(Debug)]
struct Pending {
    /// All requests that wait for it.
    requests: Vec<RequestId>,
    scanner: ScannerId,
    gate: GateId,
    person: Option<PersonId>,
    token: String,
    checked: TokenCheck,
    /// The ticket as the replica had it when the scan arrived, or as the core has it.
    found: Option<ScannedTicket>,
    progress: Progress,
    /// Deadline of the last question to the core about it.
    asked_until: Option<CoreTime>,
    /// Undecided by then, it is given up.
    expires: BootTime,
    /// It waits until then for the core to learn that its ticket is free again.
    held_until: Option<BootTime>,
    /// Scans of the ticket whose place its admission takes, as they were [`Scans::unshown`] before.
    replaced: Vec<(ScanId, CoreTime)>,
}

/// What a scan waits for.
#[derive(Debug)]
enum Progress {
    /// The shared attempt, or the new journal file.
    Waiting,
    /// The core's verdict.
    AtCore(Question),
    /// The ticket's row in this replica.
    ReadingTicket { generation: u32 },
    /// The disk: row `seq` holds the decision.
    Writing { seq: u64, conclusion: Conclusion },
}

impl Progress {
    /// It waits for nothing that is sure to come.
    fn is_undecided(&self) -> bool {
        matches!(self, Self::Waiting | Self::ReadingTicket { .. })
    }
}

/// A `Scan` sent to the core.
#[derive(Debug)]
struct Question {
    /// Verdicts that answer earlier questions don't count.
    id: MessageId,
    /// Waited for until then.
    until: BootTime,
    deadline: CoreTime,
    /// The database that was asked: it had this node's decisions then.
    epoch: Option<Epoch>,
    /// The ticket's admissions in the overlay when the scan was sent, as far as the core had them.
    known: Vec<ScanId>,
    /// The last row by which this node had freed the ticket.
    freed: Option<u64>,
    replaces: Vec<ScanId>,
}

/// A decision on its way to the journal.
#[derive(Clone, Debug)]
struct Conclusion {
    verdict: Verdict,
    mode: Mode,
    decided_by: DecidedBy,
    replaces: Vec<ScanId>,
}

impl Conclusion {
    fn by_edge(verdict: Verdict, mode: Mode) -> Self {
        Self {
            verdict,
            mode,
            decided_by: DecidedBy::Edge,
            replaces: vec![],
        }
    }

    /// A refusal that is decided anew at each request of its scan, and may be the same each time.
    fn may_repeat(&self) -> bool {
        self.decided_by == DecidedBy::Edge && !self.verdict.is_final()
    }

    /// The cache decided: its age is checked again after the fsync.
    fn is_from_cache(&self) -> bool {
        self.decided_by == DecidedBy::Edge && self.mode == Mode::Degraded
    }
}

impl ScanRequest {
    /// What a scan id is bound to.
    fn content(&self) -> (ScannerId, GateId, Hash32) {
        (self.scanner, self.gate, self.checked.hash())
    }
}

impl Pending {
    fn new(request: ScanRequest, now: BootTime) -> Self {
        Self {
            requests: vec![request.request],
            scanner: request.scanner,
            gate: request.gate,
            person: request.person,
            token: request.token,
            checked: request.checked,
            found: request.found,
            progress: Progress::Waiting,
            asked_until: None,
            expires: now.plus(MAX_UNDECIDED),
            held_until: None,
            replaced: vec![],
        }
    }

    fn content(&self) -> (ScannerId, GateId, Hash32) {
        (self.scanner, self.gate, self.checked.hash())
    }

    /// Whether the core can say more of it than this node: of a short code too that the replica does not
    /// have yet.
    fn may_be_ticket(&self) -> bool {
        self.ticket().is_some() || self.checked.code().is_some()
    }

    /// The ticket that the token names, also under an unknown key: then only the core can admit it.
    fn ticket(&self) -> Option<TicketId> {
        self.checked.claimed().map(SignedTicket::ticket)
    }

    /// When it ends, if nothing else ends it. What is being written ends with the disk alone.
    fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        match &self.progress {
            Progress::AtCore(question) => Some((question.until, "verdict")),
            Progress::Waiting if self.held_until.is_some_and(|until| until < self.expires) => {
                self.held_until.map(|until| (until, "freed ticket"))
            }
            Progress::Waiting | Progress::ReadingTicket { .. } => Some((self.expires, "undecided")),
            Progress::Writing { .. } => None,
        }
    }
}

/// All scans.
#[derive(Debug, Default)]
pub(super) struct Scans {
    pending: BTreeMap<ScanId, Pending>,
    /// Rows that are being written, for the replies that wait for them.
    writing: BTreeMap<u64, ScanId>,
    recent: BTreeMap<ScanId, Previous>,
    recent_order: VecDeque<ScanId>,
    refusals: Refusals,
    unreadable: Unreadable,
    /// Earlier scans of a ticket for which the core was asked, until a deadline, and nothing was
    /// shown.
    unshown: BTreeMap<TicketId, Vec<(ScanId, CoreTime)>>,
    unshown_order: VecDeque<TicketId>,
}

impl Scans {
    /// The newest decision of a scan, from memory or as the shell found it in the journal.
    fn find_decision(&self, request: &ScanRequest) -> Option<Previous> {
        let recent = self.recent.get(&request.scan);
        recent.or(request.previous.as_ref()).cloned()
    }

    fn insert_decision(&mut self, decision: Decision, at: Moment) {
        self.keep(Previous {
            decision,
            at,
            voided: false,
            overridden: None,
            undone: false,
        });
    }

    fn keep(&mut self, decided: Previous) {
        let scan = decided.decision.scan;
        if self.recent.insert(scan, decided).is_none() {
            self.recent_order.push_back(scan);
        }
        while self.recent_order.len() > MAX_RECENT {
            let oldest = self.recent_order.pop_front();
            oldest.and_then(|scan| self.recent.remove(&scan));
        }
    }

    /// The newest decision of a scan, from memory alone.
    pub(super) fn recent(&self, scan: ScanId) -> Option<&Previous> {
        self.recent.get(&scan)
    }

    /// Marks a decision. One that only the journal had is kept from now on: the shell may read it there
    /// before the mark is written.
    pub(super) fn mark(&mut self, about: &ActScan, change: impl FnOnce(&mut Previous)) {
        let scan = about.scan;
        let on_disk = about.previous.clone();
        if let Some(on_disk) = on_disk.filter(|_| !self.recent.contains_key(&scan)) {
            self.keep(on_disk);
        }
        if let Some(previous) = self.recent.get_mut(&scan) {
            change(previous);
        }
    }

    /// When the last decision about a scan was made, as far as that could be proven.
    fn decided_at(&self, scan: ScanId) -> Option<CoreInterval> {
        self.recent.get(&scan)?.at.core
    }

    /// Whether the newest decision about a scan was not taken back.
    fn stands(&self, scan: ScanId) -> bool {
        self.recent.get(&scan).is_none_or(|it| !it.voided)
    }

    fn void_decision(&mut self, scan: ScanId) {
        if let Some(previous) = self.recent.get_mut(&scan) {
            previous.voided = true;
        }
    }

    /// The core was asked until a deadline, and its answer will not be shown.
    fn insert_unshown(&mut self, ticket: TicketId, scan: ScanId, until: CoreTime) {
        let scans = self.unshown.entry(ticket).or_default();
        if scans.is_empty() {
            self.unshown_order.push_back(ticket);
        }
        match scans.iter_mut().find(|(earlier, _)| *earlier == scan) {
            Some((_, deadline)) => *deadline = until,
            None => scans.push((scan, until)),
        }
        while self.unshown_order.len() > MAX_UNSHOWN {
            let oldest = self.unshown_order.pop_front();
            oldest.and_then(|ticket| self.unshown.remove(&ticket));
        }
    }

    /// `Admit` is about to be shown for the ticket: nothing is left to replace. What was.
    fn delete_unshown(&mut self, ticket: TicketId) -> Vec<(ScanId, CoreTime)> {
        let Some(scans) = self.unshown.remove(&ticket) else {
            return vec![];
        };
        self.unshown_order.retain(|other| *other != ticket);
        scans
    }

    /// The deadline of the last question about a scan whose answer was not shown.
    fn asked_until(&self, ticket: TicketId, scan: ScanId) -> Option<CoreTime> {
        let mut unshown = self.unshown.get(&ticket).into_iter().flatten();
        let question = unshown.find(|(earlier, _)| *earlier == scan);
        question.map(|(_, until)| *until)
    }

    /// Earlier scans of a ticket for which no `Admit` was shown and, now that `scan` takes their
    /// place, never will be: one that is asked again replaces its successor in turn.
    fn list_replaced(&self, ticket: TicketId, scan: ScanId) -> Vec<ScanId> {
        let unshown = self.unshown.get(&ticket).into_iter().flatten();
        unshown
            .map(|(earlier, _)| *earlier)
            .filter(|earlier| *earlier != scan && !self.pending.contains_key(earlier))
            .collect()
    }

    /// In order of their ids.
    fn list(&self, wanted: impl Fn(&Pending) -> bool) -> Vec<ScanId> {
        let matching = self.pending.iter().filter(|(_, pending)| wanted(pending));
        matching.map(|(scan, _)| *scan).collect()
    }

    /// When the next scan gives up on the core, or is given up.
    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        self.pending
            .values()
            .filter_map(Pending::next_timeout)
            .min()
    }
}
