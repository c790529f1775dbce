//! Texts that are no tickets: each is answered at once, and counted by gate and scanner. The journal gets
//! one row for all of them in a minute (`ADMISSION` 4.8): anybody can hold any text before a scanner, as
//! often as they like. What is counted and not yet written is lost with the process, which loses no
//! decision about a ticket.

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    ids::{GateId, ScannerId},
    sync::{JournalEntry, Moment},
    time::BootTime,
    verdict::{DecidedBy, Mode, Verdict},
};

use super::super::{Machine, Now, Reply, ScanOutcome, ScanRequest, shown::Shown};
use crate::token::TokenCheck;

/// How long a count may wait for its row.
const WRITE_AFTER: Duration = Duration::from_secs(60);
/// Most counts at once; with more all are written.
const MAX_COUNTS: usize = 1_024;

#[derive(Debug)]
struct Count {
    times: u64,
    first: Moment,
    last: Moment,
}

/// What was counted since the last rows.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    counts: BTreeMap<(GateId, ScannerId), Count>,
    /// In which all of them were shown.
    mode: Option<Mode>,
    write_at: Option<BootTime>,
}

impl Unreadable {
    fn add(&mut self, (gate, scanner): (GateId, ScannerId), mode: Mode, at: Moment) {
        self.mode = Some(mode);
        self.write_at.get_or_insert(at.boottime.plus(WRITE_AFTER));
        let count = self.counts.entry((gate, scanner)).or_insert(Count {
            times: 0,
            first: at,
            last: at,
        });
        count.times += 1;
        count.last = at;
    }

    fn take(&mut self) -> Vec<JournalEntry> {
        self.write_at = None;
        let Some(mode) = self.mode.take() else {
            return vec![];
        };
        let counts = std::mem::take(&mut self.counts).into_iter();
        let entries = counts.map(|((gate, scanner), count)| JournalEntry::Unreadable {
            scanner,
            gate,
            mode,
            times: count.times,
            first: count.first,
            last: count.last,
        });
        entries.collect()
    }
}

impl Machine {
    /// Answers and counts a text that is no ticket: no key and no answer of the core could make one of it,
    /// so that the mode does not matter. It binds no scan id.
    pub(super) fn refuse_unreadable(&mut self, request: &ScanRequest, now: Now) {
        debug_assert!(matches!(request.checked, TokenCheck::Unreadable { .. }));
        let mode = self.node_state(now).ruling().mode;
        let of = (request.gate, request.scanner);
        let is_full = self.scans.unreadable.counts.len() >= MAX_COUNTS
            && !self.scans.unreadable.counts.contains_key(&of);
        if is_full || self.scans.unreadable.mode.is_some_and(|it| it != mode) {
            self.write_unreadable(now);
        }
        let at = self.moment(now);
        self.scans.unreadable.add(of, mode, at);
        self.count_unreadable(request.gate);
        let outcome = ScanOutcome {
            scan: request.scan,
            verdict: Verdict::Unreadable,
            shown: Shown::default(),
            mode,
            cache_age: self.time.age(now),
            limit: self.limit_for(DecidedBy::Edge),
            decided_by: DecidedBy::Edge,
            repeated: false,
        };
        self.reply(request.request, Reply::Verdict(Box::new(outcome)));
    }

    /// Rows for what was counted, unless the journal is about to be another file.
    pub(crate) fn write_unreadable(&mut self, now: Now) {
        if self.journal.is_forking() {
            return;
        }
        let at = self.moment(now);
        for entry in self.scans.unreadable.take() {
            self.journal.append(entry, at, &mut self.outputs);
        }
    }

    /// Writes counts that have waited for long, and those of a mode that is over, so that they stand with
    /// the outage in which they were made.
    pub(crate) fn write_unreadable_if_due(&mut self, mode: Mode, now: Now) {
        let unreadable = &self.scans.unreadable;
        let is_over = unreadable.mode.is_some_and(|it| it != mode);
        if is_over || unreadable.write_at.is_some_and(|at| at <= now.boottime) {
            self.write_unreadable(now);
        }
    }

    /// When the next rows are due.
    pub(crate) fn unreadable_due(&self) -> Option<BootTime> {
        let due = self.scans.unreadable.write_at;
        due.filter(|_| !self.journal.is_forking())
    }
}
