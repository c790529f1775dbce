//! A second opinion on a node's link, from outside: which of its questions were answered in time,
//! and which of its lonely admissions the core has acknowledged (`ADMISSION` 1.7 and 2).

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    ids::{IncarnationId, ScanId, TicketId},
    sync::{JournalAck, JournalEntry, Nonce, SealedRow},
    time::BootTime,
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::edge::{FAILED_ATTEMPT_HOLDS, Now, RESYNC_BUDGET};

use super::clock::{Nanos, S};

/// Answered in a row, after a failure.
const NEEDED: u32 = 3;

/// Questions that an answer can still come to.
const MAX_OPEN: usize = 64;

#[derive(Default)]
pub(crate) struct Watch {
    /// Questions on their way, by the node's own clock.
    asked: BTreeMap<BootTime, Nonce>,
    /// When the core was asked about a scan and has not answered.
    scans: BTreeMap<ScanId, BootTime>,
    /// Answered in time since the last failure.
    row: u32,
    /// When the core failed last, if it did.
    failed: Option<BootTime>,
    file: Option<IncarnationId>,
    acknowledged: u64,
    /// A row that takes something back, and one that the core had acknowledged and has lost: the last
    /// of both.
    owed: u64,
    /// Admissions without the core, by row: their scan and when they were made.
    lonely: BTreeMap<u64, (ScanId, Nanos)>,
    /// Whose tickets they were for.
    tickets: BTreeMap<ScanId, TicketId>,
    made: BTreeMap<ScanId, Nanos>,
    /// Both clocks at each question of this connection that an answer can still come to.
    open: Vec<(Nonce, Now)>,
    /// Both clocks at the question that was answered last.
    compared: Option<Now>,
}

impl Watch {
    /// Another process: it begins without a failure.
    pub(crate) fn started(&mut self, rows: &[SealedRow], acknowledged: u64, compared: Option<Now>) {
        let made = std::mem::take(&mut self.made);
        *self = Self {
            made,
            compared,
            ..Self::default()
        };
        self.opened(rows);
        self.acknowledged = acknowledged;
    }

    /// Another file, or this one after a restart.
    pub(crate) fn opened(&mut self, rows: &[SealedRow]) {
        self.lonely.clear();
        (self.acknowledged, self.owed) = (0, 0);
        for row in rows {
            self.written(row, 0);
        }
    }

    pub(crate) fn written(&mut self, row: &SealedRow, at: Nanos) {
        self.file = Some(row.row().incarnation);
        match &row.row().entry {
            JournalEntry::Decision(decision)
                if decision.verdict == Verdict::Admit && decision.decided_by == DecidedBy::Edge =>
            {
                let made = *self.made.entry(decision.scan).or_insert(at);
                self.lonely.insert(row.row().seq, (decision.scan, made));
                self.tickets
                    .extend(decision.ticket.map(|ticket| (decision.scan, ticket)));
            }
            JournalEntry::Overridden(act) => {
                let made = *self.made.entry(act.scan).or_insert(at);
                self.lonely.insert(row.row().seq, (act.scan, made));
                self.tickets.insert(act.scan, act.ticket);
            }
            // Their rows are still owed, but nobody is inside by them any more.
            JournalEntry::Undone(act) => self.is_over(|scan, _| scan == act.scan),
            JournalEntry::Left(act) => self.is_over(|_, ticket| ticket == Some(&act.ticket)),
            JournalEntry::Voided { scan, .. } => {
                self.owed = self.owed.max(row.row().seq);
                self.lonely.retain(|_, (held, _)| held != scan);
                self.made.remove(scan);
            }
            JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::GateChanged(_) => {}
        }
    }

    fn is_over(&mut self, over: impl Fn(ScanId, Option<&TicketId>) -> bool) {
        for (scan, made) in self.lonely.values_mut() {
            if over(*scan, self.tickets.get(scan)) {
                *made = 0;
                self.made.remove(scan);
            }
        }
    }

    pub(crate) fn acknowledged(&mut self, ack: &JournalAck) {
        if Some(ack.incarnation) == self.file {
            if ack.seq < self.acknowledged {
                self.owed = self.owed.max(self.acknowledged);
            }
            self.acknowledged = ack.seq;
        }
    }

    /// Whether an admission made alone has gone unacknowledged for too long.
    pub(crate) fn is_overdue(&self, at: Nanos, paused: Nanos) -> bool {
        let mut open = self.lonely.range(self.acknowledged + 1..);
        // The node's clock may be slower by the drift bound, and may have stood still.
        open.next()
            .is_some_and(|(_, (_, made))| *made > 0 && at - made > 301 * S + paused)
    }

    /// Whether the core lacks anything that it has to have before it decides at this gate again
    /// (`ADMISSION` 2): refusals are nothing of that.
    pub(crate) fn owes(&self) -> bool {
        let mut open = self.lonely.range(self.acknowledged + 1..);
        self.owed > self.acknowledged || open.next().is_some()
    }

    pub(crate) fn asks(&mut self, nonce: Nonce, now: Now) {
        self.pass(now.boottime);
        self.asked.insert(now.boottime, nonce);
        self.open.push((nonce, now));
        let forgotten = self.open.len().saturating_sub(MAX_OPEN);
        self.open.drain(..forgotten);
    }

    pub(crate) fn scans(&mut self, scan: ScanId, now: BootTime) {
        self.pass(now);
        self.scans.insert(scan, now);
    }

    pub(crate) fn receives_point(&mut self, nonce: Nonce, now: BootTime) {
        self.pass(now);
        let before = self.asked.len();
        self.asked.retain(|_, held| *held != nonce);
        self.row += u32::from(self.asked.len() < before);
        if let Some(index) = self.open.iter().position(|(held, _)| *held == nonce) {
            self.compared = Some(self.open.remove(index).1);
        }
    }

    /// How far the two clocks have gone apart since the question that was answered last; none if
    /// none was.
    pub(crate) fn clocks_apart(&self, now: Now) -> Option<Duration> {
        let then = self.compared?;
        let boottime = now.boottime.since(then.boottime);
        let wall = i128::from(now.wall.0) - i128::from(then.wall.0);
        let apart = wall.abs_diff(i128::try_from(boottime.as_micros()).expect("a short run"));
        Some(Duration::from_micros(
            u64::try_from(apart).expect("a short run"),
        ))
    }

    pub(crate) fn receives_verdict(&mut self, scan: ScanId, now: BootTime) {
        self.pass(now);
        self.scans.remove(&scan);
    }

    pub(crate) fn loses_the_pipe(&mut self, now: BootTime) {
        self.open.clear();
        self.fail(now);
    }

    /// The core has failed so recently that no scan may wait for it now.
    pub(crate) fn holds(&mut self, now: BootTime) -> bool {
        self.pass(now);
        self.row < NEEDED
            && self
                .failed
                .is_some_and(|failed| now < failed.plus(FAILED_ATTEMPT_HOLDS))
    }

    /// Whether the core may be asked to decide now.
    pub(crate) fn may_be_online(&mut self, now: BootTime) -> bool {
        self.pass(now);
        self.row >= if self.failed.is_some() { NEEDED } else { 1 }
    }

    /// What was not answered by now has failed, when it was due.
    fn pass(&mut self, now: BootTime) {
        let open = self.asked.keys().chain(self.scans.values());
        let due = open.map(|at| at.plus(RESYNC_BUDGET));
        if let Some(last) = due.filter(|due| now >= *due).max() {
            self.scans.retain(|_, at| now < at.plus(RESYNC_BUDGET));
            self.fail(last);
        }
    }

    /// Questions asked before a failure prove nothing about the time after it.
    fn fail(&mut self, at: BootTime) {
        self.asked.clear();
        (self.row, self.failed) = (0, Some(at));
    }
}
