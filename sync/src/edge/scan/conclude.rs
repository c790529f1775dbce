//! A decided scan: its journal row first, then the reply, or the decision is taken back (`ADMISSION`
//! 3.5 and 3.9).

use std::time::Duration;

use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::{Decision, JournalEntry},
    time::MAX_CACHE_AGE,
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{
    super::{Alarm, Machine, Now, Output, Reply, RequestId, ScanOutcome, overlay::Admission},
    Conclusion, Pending, Progress,
};
use crate::token::SignedTicket;

impl Machine {
    /// Writes a decision to the journal; the reply waits for the disk. A refusal that the disk has
    /// already is counted and leaves at once.
    pub(super) fn conclude(&mut self, scan: ScanId, conclusion: Conclusion, now: Now) {
        let at = self.moment(now);
        if conclusion.may_repeat() && self.scans.refusals.count(scan, &conclusion.verdict, at) {
            if let Some(pending) = self.scans.pending.remove(&scan) {
                self.report_verdict(scan, &pending, &conclusion, now);
            }
            return;
        }
        if self.is_journal_held() {
            return self.refuse_unwritten(scan, now);
        }
        self.write_refused_again(scan, now);
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        // A token under a key that this node does not have is named by its claims all the same: the
        // core may have admitted that ticket for this very scan.
        let is_forged = conclusion.verdict == Verdict::Forged;
        let named = pending.checked.claimed().filter(|_| !is_forged);
        let age = self.time.age(now);
        let decision = Decision {
            scan,
            scanner: pending.scanner,
            gate: pending.gate,
            token: pending.checked.hash(),
            ticket: named.map(SignedTicket::ticket),
            performance: named.map(SignedTicket::performance),
            verdict: conclusion.verdict.clone(),
            mode: conclusion.mode,
            decided_by: conclusion.decided_by,
            cache_age_ms: age.map(millis_rounded_up),
            point: self.time.proven_point(),
            replaces: conclusion.replaces.clone(),
            asked_until: pending
                .asked_until
                .filter(|_| conclusion.verdict != Verdict::Admit),
            person: pending.person,
        };
        let entry = JournalEntry::Decision(decision.clone());
        let seq = self.journal.append(entry, at, &mut self.outputs);
        pending.progress = Progress::Writing { seq, conclusion };
        self.scans.writing.insert(seq, scan);
        if let (Verdict::Admit, Some(ticket)) = (&decision.verdict, decision.ticket) {
            self.overlay
                .insert(ticket, Admission::of(&decision, seq, at));
            let replaced = self.scans.delete_unshown(ticket);
            if let Some(pending) = self.scans.pending.get_mut(&scan) {
                pending.replaced = replaced;
            }
        }
        self.scans.insert_decision(decision, at);
    }

    /// Rows are on disk: their replies may leave, if the cache may still decide.
    pub(crate) fn release(&mut self, through: u64, now: Now) {
        let later = self.scans.writing.split_off(&(through + 1));
        let written = std::mem::replace(&mut self.scans.writing, later);
        for (row, scan) in written {
            let Some(pending) = self.scans.pending.remove(&scan) else {
                continue;
            };
            let Progress::Writing { seq, conclusion } = &pending.progress else {
                continue;
            };
            debug_assert_eq!(*seq, row);
            if conclusion.is_from_cache() && self.node_state(now).cache_may_decide().is_err() {
                self.take_back(scan, row, pending, now);
                continue;
            }
            self.report_verdict(scan, &pending, conclusion, now);
            if conclusion.may_repeat() {
                let verdict = conclusion.verdict.clone();
                self.scans.refusals.insert(scan, verdict);
            }
        }
    }

    /// What was counted of a scan, before something else is written about it.
    pub(super) fn write_refused_again(&mut self, scan: ScanId, now: Now) {
        if let Some(entry) = self.scans.refusals.take(scan) {
            let at = self.moment(now);
            self.journal.append(entry, at, &mut self.outputs);
        }
    }

    /// The core decides again: what was counted during the outage is written behind it.
    pub(crate) fn write_all_refused_again(&mut self, now: Now) {
        let at = self.moment(now);
        for entry in self.scans.refusals.take_all() {
            self.journal.append(entry, at, &mut self.outputs);
        }
    }

    /// Takes a decision back that was never shown.
    fn take_back(&mut self, scan: ScanId, row: u64, mut pending: Pending, now: Now) {
        let seq = self.void(scan, row, &pending, now);
        let conclusion = Conclusion::by_edge(Verdict::ResyncRequired, Mode::Locked);
        pending.progress = Progress::Writing { seq, conclusion };
        self.scans.pending.insert(scan, pending);
        self.scans.writing.insert(seq, scan);
        self.outputs.alarm(Alarm::Voided(scan));
    }

    /// Writes that a decision, of this row, was never shown and never will be.
    fn void(&mut self, scan: ScanId, row: u64, pending: &Pending, now: Now) -> u64 {
        let at = self.moment(now);
        let decided_at = self.scans.decided_at(scan);
        let entry = JournalEntry::Voided {
            row,
            scan,
            decided_at,
        };
        let seq = self.journal.append(entry, at, &mut self.outputs);
        if let Some(ticket) = pending.ticket() {
            self.overlay.delete(ticket, scan);
            // What the core may have decided about it was not shown either.
            let asked = pending.asked_until.map(|until| (scan, until));
            for (scan, until) in pending.replaced.iter().copied().chain(asked) {
                self.scans.insert_unshown(ticket, scan, until);
            }
        }
        self.scans.void_decision(scan);
        seq
    }

    /// The journal is held: scans that wait for their rows, or for nothing that is sure to come, get no
    /// verdict. Decisions on their way to the disk are taken back behind them.
    pub(crate) fn give_up_on_scans(&mut self, now: Now) {
        let is_at_core = |pending: &Pending| matches!(pending.progress, Progress::AtCore(_));
        for scan in self.scans.list(|pending| !is_at_core(pending)) {
            let Some(pending) = self.scans.pending.remove(&scan) else {
                continue;
            };
            if let Progress::Writing { seq, .. } = &pending.progress {
                self.scans.writing.remove(seq);
                // Else the row takes a decision back itself.
                if self.scans.stands(scan) {
                    self.void(scan, *seq, &pending, now);
                }
            }
            self.reply_node_fault(scan, pending.requests, now);
        }
    }

    /// A decision that can't be written. If the core has made it, that is not shown.
    fn refuse_unwritten(&mut self, scan: ScanId, now: Now) {
        let Some(pending) = self.scans.pending.remove(&scan) else {
            return;
        };
        if let Some((ticket, until)) = pending.ticket().zip(pending.asked_until) {
            self.scans.insert_unshown(ticket, scan, until);
        }
        self.reply_node_fault(scan, pending.requests, now);
    }

    fn report_verdict(
        &mut self,
        scan: ScanId,
        pending: &Pending,
        conclusion: &Conclusion,
        now: Now,
    ) {
        self.count(pending.gate, conclusion.verdict == Verdict::Admit);
        if conclusion.verdict == Verdict::Admit {
            let let_in = (scan, pending.ticket());
            self.register_admission(pending.scanner, let_in, now.boottime);
        }
        let cache_age = match conclusion.decided_by {
            DecidedBy::Core => Some(Duration::ZERO),
            DecidedBy::Edge => self.time.age(now),
        };
        let outcome = ScanOutcome {
            scan,
            verdict: conclusion.verdict.clone(),
            shown: self.shown(
                (&pending.checked, pending.found.as_ref()),
                (pending.scanner, &conclusion.verdict),
                now,
            ),
            mode: conclusion.mode,
            cache_age,
            limit: self.limit_for(conclusion.decided_by),
            decided_by: conclusion.decided_by,
            repeated: false,
        };
        for request in &pending.requests {
            self.reply(*request, Reply::Verdict(Box::new(outcome.clone())));
        }
    }

    /// What the core decided was decided from the core's own rows: no limit of the venue lowers it,
    /// but an old answer is an old answer.
    pub(super) fn limit_for(&self, decided_by: DecidedBy) -> Duration {
        match decided_by {
            DecidedBy::Core => MAX_CACHE_AGE,
            DecidedBy::Edge => self.limit(),
        }
    }

    pub(crate) fn reply(&mut self, request: RequestId, reply: Reply) {
        self.outputs.push(Output::Reply { request, reply });
    }

    pub(super) fn count_unreadable(&mut self, gate: GateId) {
        self.count(gate, false);
        self.counts.entry(gate).or_default().unreadable += 1;
    }

    fn count(&mut self, gate: GateId, admitted: bool) {
        let counts = self.counts.entry(gate).or_default();
        if admitted {
            counts.admitted += 1;
        } else {
            counts.refused += 1;
        }
        self.counts_changed = true;
    }
}

fn millis_rounded_up(age: Duration) -> u64 {
    u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
