//! What the machine does with the reports of its two files.

use std::time::Duration;

use eventify_protocol::{
    ids::{IncarnationId, SnapshotId},
    sync::{Digest, JournalEntry, JournalHead, Position, SealedRow},
    verdict::Verdict,
};

use super::{
    Alarm, JournalOutput, Machine, Now, Output, ReplicaOutput, RestoredReplica, Stop,
    hello::{MAX_JITTER, PAUSE},
    journal::{CoreEnd, EndComparison},
    overlay::Admission,
    pull::Pulling,
};

impl Machine {
    /// The core has named the end of this journal that it holds.
    pub(super) fn compare_journal(&mut self, end: CoreEnd, now: Now) {
        let comparison = self.journal.compare(end, now, &mut self.outputs);
        self.apply_comparison(comparison, now);
    }

    fn apply_comparison(&mut self, comparison: EndComparison, now: Now) {
        match comparison {
            EndComparison::Nothing => {}
            EndComparison::Acknowledged(ack) => {
                self.overlay
                    .mark_acknowledged(ack.seq, (ack.epoch, ack.position));
                self.outputs.push(JournalOutput::MarkAcknowledged(ack));
            }
            EndComparison::Rewound(ack) => {
                self.overlay.rewind(ack.seq, (ack.epoch, ack.position));
                self.outputs.push(JournalOutput::MarkAcknowledged(ack));
            }
            EndComparison::AnotherFile => self.greeting.plan_if_idle(now),
            EndComparison::Fork { core, own } => {
                self.outputs.alarm(Alarm::JournalFork { core, own });
                if !self.journal.is_compared() {
                    let behind = Stop::JournalBehind { core, own };
                    return self.outputs.push(Output::Stop(behind));
                }
                self.journal.begin_fork(core);
            }
            EndComparison::Retired { core, own } => {
                self.outputs.alarm(Alarm::JournalFork { core, own });
                self.journal.begin_fork(core);
            }
        }
    }

    pub(super) fn on_rows_read(
        &mut self,
        from: (IncarnationId, u64),
        rows: &[SealedRow],
        now: Now,
    ) {
        // Rows that a failover has lost are read again: with them the overlay is complete.
        if self.journal.is_rereading() {
            let lacking = |row: &&SealedRow| self.journal.may_be_lacking(row.row().seq);
            let rows: Vec<&SealedRow> = rows.iter().filter(lacking).collect();
            self.replay(rows);
        }
        let comparison = self
            .journal
            .on_rows_read(from, rows, now, &mut self.outputs);
        self.apply_comparison(comparison, now);
    }

    pub(super) fn on_journal_opened(&mut self, rows: &[SealedRow], head: JournalHead, now: Now) {
        self.overlay.renumber();
        self.journal.opened(head, rows);
        self.replay(rows);
        self.greeting.plan(now.boottime);
        self.reroute_waiting(now);
    }

    /// Brings the overlay up to date with rows of the journal. It may have newer ones already.
    pub(super) fn replay<'r>(&mut self, rows: impl IntoIterator<Item = &'r SealedRow>) {
        for row in rows {
            let (seq, at) = (row.row().seq, row.row().at);
            match &row.row().entry {
                JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                    if let Some(ticket) = decision.ticket {
                        self.overlay
                            .replay(ticket, Admission::of(decision, seq, at));
                    }
                }
                JournalEntry::Overridden(act) => {
                    let admission = Admission::by_override(act, seq, at);
                    self.overlay.replay(act.ticket, admission);
                }
                JournalEntry::Undone(act) => self.overlay.undo(act.ticket, act.scan, seq),
                JournalEntry::Left(act) => self.overlay.leave(act.ticket, act.entry, seq),
                JournalEntry::Voided { scan, .. } => self.overlay.delete_before(seq, *scan),
                JournalEntry::Opened {
                    after_loss: Some(_),
                    ..
                } => self.overlay.begin_after_loss(),
                JournalEntry::Opened { .. }
                | JournalEntry::Decision(_)
                | JournalEntry::RefusedAgain { .. }
                | JournalEntry::Unreadable { .. }
                | JournalEntry::Searched(_)
                | JournalEntry::GateChanged(_) => {}
            }
        }
    }

    pub(super) fn on_delta_applied(&mut self, position: Position, digests: Vec<Digest>, now: Now) {
        if !self.replica.mark_applied(position, digests) {
            self.discard_replica("the store reported entries that it was not given", now);
        }
    }

    pub(super) fn on_snapshot_ready(
        &mut self,
        snapshot: SnapshotId,
        replica: RestoredReplica,
        now: Now,
    ) {
        self.abandoned.take_if(|abandoned| *abandoned == snapshot);
        // One that was given up is discarded by an output behind the one that finished it.
        let is_awaited =
            |pulling: &mut Pulling| pulling.snapshot() == snapshot && pulling.is_whole();
        if self.pulling.take_if(is_awaited).is_none() {
            return;
        }
        self.replica.install(replica);
        // What was proven was proven of another replica.
        self.time.delete_proof();
        self.greeting.plan(now.boottime);
        self.reroute_reading(now);
    }

    pub(super) fn on_snapshot_failed(&mut self, snapshot: SnapshotId, now: Now) {
        self.outputs.alarm(Alarm::SnapshotRefused);
        self.abandoned.take_if(|abandoned| *abandoned == snapshot);
        self.pulling
            .take_if(|pulling| pulling.snapshot() == snapshot);
        self.greeting.plan(now.boottime.plus(PAUSE));
    }

    pub(super) fn on_digest_recomputed(&mut self, position: Position, digest: Digest, now: Now) {
        if !self.replica.has_digest(position, digest) {
            self.outputs.alarm(Alarm::ReplicaDamaged);
            self.discard_replica("its rows do not add up to its digest", now);
        }
    }

    pub(super) fn on_replica_failed(&mut self, now: Now) {
        self.outputs.alarm(Alarm::ReplicaDamaged);
        self.discard_replica("its file can't be read or written", now);
    }

    /// A snapshot under way stays: it has a file of its own. Only one that is being swapped in goes
    /// with the file whose place it takes.
    pub(super) fn discard_replica(&mut self, reason: &'static str, now: Now) {
        self.replica.clear();
        self.time.delete_proof();
        if let Some(swapping) = self.pulling.take_if(|pulling| pulling.is_whole()) {
            self.abandoned = Some(swapping.snapshot());
        }
        self.outputs.push(ReplicaOutput::Discard { reason });
        if self.pulling.is_none() {
            let jitter = self.outputs.random.below(MAX_JITTER.as_millis() as u64);
            let jitter = Duration::from_millis(jitter);
            self.greeting.plan(now.boottime.plus(jitter));
        }
        self.reroute_reading(now);
    }
}
