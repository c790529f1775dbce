//! The chain: what is on disk, what the core holds of it, and where it forks (`ADMISSION` 4).

use std::collections::BTreeSet;

use eventify_protocol::{
    hash::Hash32,
    ids::IncarnationId,
    sync::{Decision, JournalAck, JournalEntry, JournalHead, JournalRow, Moment, SealedRow},
    time::BootTime,
    verdict::{DecidedBy, Verdict},
};

use super::{
    JournalOutput, Now, RestoredJournal,
    outputs::Outputs,
    upload::{MAX_BATCH_BYTES, Upload},
};

#[derive(Debug)]
pub(super) struct Journal {
    head: JournalHead,
    /// Rows up to here are on disk; only those are sent.
    persisted: u64,
    acknowledged: u64,
    /// The end that the core named last, of any file.
    core: JournalHead,
    /// The last row that the core has to have before it decides again.
    last_own: u64,
    /// The file before this one, while the core may still hold that.
    predecessor: Option<IncarnationId>,
    upload: Upload,
    /// An end that the core named, whose hash has to be read first.
    verifying: Option<CoreEnd>,
    /// A failover has lost rows up to here: they are read again, for the core and for the overlay.
    reread_until: u64,
    /// Rows of this file whose decision was taken back, each because its sync took too long.
    voided: BTreeSet<u64>,
    fork: Fork,
    /// Since the start the core has named an end that is in this chain.
    compared: bool,
}

#[derive(Clone, Copy, Debug)]
enum Fork {
    None,
    /// Rows of the old file are still being written.
    Draining(JournalHead),
    /// The shell makes the new file.
    Opening,
}

/// The end that the core says it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreEnd {
    pub(super) ack: JournalAck,
    /// Named in `Welcome`: the core holds no more than that. An acknowledgement may just be late.
    pub(super) whole: bool,
}

/// How the core's end compares with this chain.
#[derive(Clone, Copy, Debug)]
pub(super) enum EndComparison {
    /// Nothing new, or a hash has to be read first.
    Nothing,
    /// Everything up to there is acknowledged.
    Acknowledged(JournalAck),
    /// Less is held than was acknowledged: a failover has lost the rest.
    Rewound(JournalAck),
    /// The core's end is not in this chain.
    Fork { core: JournalHead, own: JournalHead },
    /// The core's end was in this chain, and was removed from it after its time.
    Retired { core: JournalHead, own: JournalHead },
    /// An acknowledgement of another file: an old one, or the core holds another one than this. Its
    /// `Welcome` will show which.
    AnotherFile,
}

impl CoreEnd {
    fn head(&self) -> JournalHead {
        JournalHead {
            incarnation: self.ack.incarnation,
            seq: self.ack.seq,
            hash: self.ack.hash,
        }
    }
}

/// Whether the core has to have a decision before it decides again: only who was let in without it.
/// Refusals are uploaded behind and hold no door closed; each says up to which question it takes an
/// answer of the core back (`ADMISSION` 2 and 3.4).
fn is_own(decision: &Decision) -> bool {
    decision.decided_by == DecidedBy::Edge && decision.verdict == Verdict::Admit
}

impl Journal {
    pub(super) fn new(restored: &RestoredJournal, now: Now) -> Self {
        let mut journal = Self {
            head: restored.head,
            persisted: restored.head.seq,
            acknowledged: restored.acknowledged,
            core: JournalHead::empty(restored.head.incarnation),
            last_own: 0,
            predecessor: None,
            upload: Upload::new(restored.acknowledged, now),
            verifying: None,
            reread_until: 0,
            voided: BTreeSet::new(),
            fork: Fork::None,
            compared: false,
        };
        for row in &restored.rows {
            journal.register(row.row.row());
        }
        journal
    }

    fn register(&mut self, row: &JournalRow) {
        match &row.entry {
            JournalEntry::Opened { succeeds, .. } => {
                self.predecessor = succeeds.map(|head| head.incarnation);
            }
            // Undos and exits hold no door closed: a ticket that they freed waits for itself (3.14).
            JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_)
            | JournalEntry::Searched(_) => {}
            JournalEntry::Overridden(_) => self.last_own = self.last_own.max(row.seq),
            JournalEntry::Decision(decision) if !is_own(decision) => {}
            JournalEntry::Decision(_) => self.last_own = self.last_own.max(row.seq),
            JournalEntry::Voided { row: voided, .. } => {
                self.voided.insert(*voided);
                self.last_own = self.last_own.max(row.seq);
            }
        }
    }

    pub(super) fn head(&self) -> JournalHead {
        self.head
    }

    pub(super) fn unacknowledged(&self) -> u64 {
        self.head.seq - self.acknowledged
    }

    /// The core has acknowledged everybody whom this node let in itself, and what took that back. Until
    /// the end that a `Welcome` names was compared it may have lost any of that.
    pub(super) fn is_acknowledged(&self) -> bool {
        let is_comparing = self.verifying.is_some_and(|end| end.whole);
        self.last_own <= self.acknowledged && !self.is_forking() && !is_comparing
    }

    /// The core has named an end that this disk has. A fork after that is no old disk.
    pub(super) fn is_compared(&self) -> bool {
        self.compared
    }

    /// Nothing can be appended now.
    pub(super) fn is_forking(&self) -> bool {
        !matches!(self.fork, Fork::None)
    }

    /// The overlay lacks rows that a failover has lost, or may have, and that were not read again
    /// yet.
    pub(super) fn is_rereading(&self) -> bool {
        let is_behind = |end: CoreEnd| end.ack.seq < self.acknowledged;
        self.upload.next() <= self.reread_until || self.verifying.is_some_and(is_behind)
    }

    /// Whether the overlay may lack what this row says. It has all later rows; and what was taken back
    /// by one that is not on disk yet must not come back.
    pub(super) fn may_be_lacking(&self, seq: u64) -> bool {
        seq <= self.reread_until && !self.voided.contains(&seq)
    }

    pub(super) fn append(&mut self, entry: JournalEntry, at: Moment, outputs: &mut Outputs) -> u64 {
        let seq = self.head.seq + 1;
        let sealed = SealedRow::seal(JournalRow {
            incarnation: self.head.incarnation,
            seq,
            previous: self.head.hash,
            at,
            entry,
        });
        self.register(sealed.row());
        self.head = sealed.head();
        outputs.push(JournalOutput::Append(Box::new(sealed)));
        seq
    }

    /// False if the rows are of another file.
    pub(super) fn mark_persisted(&mut self, incarnation: IncarnationId, through: u64) -> bool {
        let is_this = incarnation == self.head.incarnation;
        if is_this {
            self.persisted = self.persisted.max(through.min(self.head.seq));
        }
        is_this
    }

    pub(super) fn disconnected(&mut self) {
        self.verifying = None;
        self.upload.disconnected(self.acknowledged);
    }

    /// Compares the end that the core has named with this chain.
    pub(super) fn compare(
        &mut self,
        end: CoreEnd,
        now: Now,
        outputs: &mut Outputs,
    ) -> EndComparison {
        if self.is_forking() {
            return EndComparison::Nothing;
        }
        self.upload.welcomed |= end.whole;
        self.core = end.head();
        if end.ack.incarnation != self.head.incarnation {
            return self.compare_another_file(end, now);
        }
        let seq = end.ack.seq;
        if seq > self.persisted {
            return self.fork_at(&end);
        }
        match self.hash_at(seq) {
            Some(hash) if hash == end.ack.hash => self.acknowledge(&end, now),
            Some(_) => self.fork_at(&end),
            None if seq <= self.acknowledged && !end.whole => EndComparison::Nothing,
            None => {
                self.verifying = Some(end);
                self.read(seq, seq, outputs);
                EndComparison::Nothing
            }
        }
    }

    fn compare_another_file(&mut self, end: CoreEnd, now: Now) -> EndComparison {
        if !end.whole {
            return EndComparison::AnotherFile;
        }
        if Some(end.ack.incarnation) != self.predecessor {
            return self.fork_at(&end);
        }
        let nothing = JournalHead::empty(self.head.incarnation);
        let ack = JournalAck {
            incarnation: nothing.incarnation,
            seq: nothing.seq,
            hash: nothing.hash,
            ..end.ack
        };
        self.acknowledge(&CoreEnd { ack, ..end }, now)
    }

    fn fork_at(&self, end: &CoreEnd) -> EndComparison {
        EndComparison::Fork {
            core: end.head(),
            own: self.head,
        }
    }

    fn hash_at(&self, seq: u64) -> Option<Hash32> {
        match seq {
            0 => Some(Hash32::ZERO),
            _ if seq == self.head.seq => Some(self.head.hash),
            _ => self.upload.end_hash(seq),
        }
    }

    /// The core's end is in this chain.
    fn acknowledge(&mut self, end: &CoreEnd, now: Now) -> EndComparison {
        let seq = end.ack.seq;
        self.compared = true;
        if seq >= self.acknowledged {
            let is_new = seq > self.acknowledged;
            self.acknowledged = seq;
            self.upload.acknowledged(seq, is_new, now);
            return EndComparison::Acknowledged(end.ack);
        }
        if !end.whole {
            return EndComparison::Nothing;
        }
        // Also decisions that the core made itself: it has to have them again.
        self.last_own = self.last_own.max(self.acknowledged);
        self.reread_until = self.reread_until.max(self.acknowledged);
        self.acknowledged = seq;
        self.upload.restart(seq);
        EndComparison::Rewound(end.ack)
    }

    /// Reads the next rows to send, if there are any and the window allows.
    pub(super) fn send_next(&mut self, now: Now, outputs: &mut Outputs) {
        if self.is_forking() || self.verifying.is_some() {
            return;
        }
        if let Some(from) = self.upload.begin_read(self.persisted, now) {
            self.read(from, self.persisted, outputs);
        }
    }

    fn read(&self, from: u64, through: u64, outputs: &mut Outputs) {
        outputs.push(JournalOutput::ReadRows {
            incarnation: self.head.incarnation,
            from,
            through,
            max_bytes: MAX_BATCH_BYTES,
        });
    }

    /// Rows came from the disk: to check what the core said, or to send. Rows that are missing were
    /// removed after their time; a core that has lost them can't continue with this file.
    pub(super) fn on_rows_read(
        &mut self,
        (incarnation, from): (IncarnationId, u64),
        rows: &[SealedRow],
        now: Now,
        outputs: &mut Outputs,
    ) -> EndComparison {
        if incarnation != self.head.incarnation || self.is_forking() {
            return EndComparison::Nothing;
        }
        let first = rows.first().filter(|row| row.row().seq == from);
        if let Some(end) = self.verifying.take_if(|end| end.ack.seq == from) {
            return match first {
                Some(row) if row.hash() == end.ack.hash => self.acknowledge(&end, now),
                Some(_) => self.fork_at(&end),
                None => EndComparison::Retired {
                    core: end.head(),
                    own: self.head,
                },
            };
        }
        if !self.upload.is_reading(from) {
            return EndComparison::Nothing;
        }
        match (first, rows.last()) {
            (Some(_), Some(last)) => {
                self.upload.send(rows, last, outputs);
                EndComparison::Nothing
            }
            (None, Some(_)) => EndComparison::Retired {
                core: self.core,
                own: self.head,
            },
            // Not there yet: read again after a while.
            (_, None) => EndComparison::Nothing,
        }
    }

    pub(super) fn resend_if_due(&mut self, now: Now) {
        self.upload.resend_if_due(self.acknowledged, now);
    }

    pub(super) fn resends_at(&self) -> Option<BootTime> {
        self.upload.resends_at()
    }

    /// The core's end is not in this chain: from now on only rows that take back what is being
    /// written are appended.
    pub(super) fn begin_fork(&mut self, core: JournalHead) {
        self.fork = Fork::Draining(core);
    }

    /// When all rows of the old file are on disk, a new one is begun.
    pub(super) fn advance_fork(&mut self, at: Moment, outputs: &mut Outputs) {
        let Fork::Draining(succeeds) = self.fork else {
            return;
        };
        if self.persisted == self.head.seq {
            self.fork = Fork::Opening;
            let incarnation = outputs.random.incarnation();
            outputs.push(JournalOutput::BeginFile {
                incarnation,
                succeeds,
                at,
            });
        }
    }

    pub(super) fn opened(&mut self, head: JournalHead, rows: &[SealedRow]) {
        self.head = head;
        self.persisted = head.seq;
        self.acknowledged = 0;
        self.last_own = 0;
        self.reread_until = 0;
        self.voided.clear();
        self.verifying = None;
        self.fork = Fork::None;
        self.upload.restart_file();
        for row in rows {
            self.register(row.row());
        }
    }
}
