//! The journal's way to the core: which rows are under way, and when they are sent again
//! (`ADMISSION` 4.2 and 6.1).

use std::collections::{BTreeMap, VecDeque};

use eventify_protocol::{
    hash::Hash32,
    sync::{JournalBatch, SealedRow, Up},
    time::BootTime,
};

use super::{Now, outputs::Outputs, retry_timer::RetryTimer};

/// Most bytes of rows in one batch.
pub const MAX_BATCH_BYTES: usize = 32 * 1024;
/// Most batches sent and not acknowledged.
const MAX_OPEN_BATCHES: usize = 2;

#[derive(Debug)]
pub(super) struct Upload {
    /// The core has named the end that it holds, in this connection.
    pub(super) welcomed: bool,
    /// The first row that was not sent.
    next: u64,
    reading: bool,
    /// Last rows of the batches under way.
    open: VecDeque<u64>,
    /// Hashes of the last rows of batches sent, for acknowledgements to come.
    ends: BTreeMap<u64, Hash32>,
    /// When the core acknowledged last, and when everything after that was sent last.
    progress: BootTime,
    sent: BootTime,
    /// Sent more than once since: the time of an answer counts from the first time.
    resent: bool,
    retry: RetryTimer,
    /// The core has refused a batch that came before the one in front of it: any of several core
    /// processes may have taken the second one first. When the first is acknowledged, the second
    /// is sent again.
    overtaken: bool,
}

impl Upload {
    pub(super) fn new(acknowledged: u64, now: Now) -> Self {
        Self {
            welcomed: false,
            next: acknowledged + 1,
            reading: false,
            open: VecDeque::new(),
            ends: BTreeMap::new(),
            progress: now.boottime,
            sent: now.boottime,
            resent: false,
            retry: RetryTimer::default(),
            overtaken: false,
        }
    }

    pub(super) fn disconnected(&mut self, acknowledged: u64) {
        self.welcomed = false;
        self.retry = RetryTimer::default();
        self.resent = false;
        self.restart(acknowledged);
    }

    /// Everything after the acknowledged end is to be sent.
    pub(super) fn restart(&mut self, acknowledged: u64) {
        self.next = acknowledged + 1;
        self.reading = false;
        self.open.clear();
        self.overtaken = false;
    }

    /// Another file is uploaded from now on.
    pub(super) fn restart_file(&mut self) {
        self.ends.clear();
        self.restart(0);
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn end_hash(&self, seq: u64) -> Option<Hash32> {
        self.ends.get(&seq).copied()
    }

    /// The core holds all rows through `seq`; `is_new` if it did not say so before.
    pub(super) fn acknowledged(&mut self, seq: u64, is_new: bool, now: Now) {
        if is_new {
            self.retry.answered_after(now.boottime.since(self.progress));
            self.resent = false;
            (self.progress, self.sent) = (now.boottime, now.boottime);
            if std::mem::take(&mut self.overtaken) {
                self.restart(seq);
            }
        } else {
            self.overtaken |= !self.open.is_empty();
        }
        self.open.retain(|last| *last > seq);
        self.ends = self.ends.split_off(&seq);
        if self.next <= seq {
            self.next = seq + 1;
            self.reading = false;
        }
    }

    /// The first row to read and send now, if the window allows one.
    pub(super) fn begin_read(&mut self, persisted: u64, now: Now) -> Option<u64> {
        let is_allowed = self.welcomed && !self.reading && self.open.len() < MAX_OPEN_BATCHES;
        if !is_allowed || self.next > persisted {
            return None;
        }
        if self.open.is_empty() && !self.resent {
            (self.progress, self.sent) = (now.boottime, now.boottime);
        }
        self.reading = true;
        Some(self.next)
    }

    /// Whether rows from `from` on are wanted from the disk.
    pub(super) fn is_reading(&self, from: u64) -> bool {
        self.reading && from == self.next
    }

    pub(super) fn send(&mut self, rows: &[SealedRow], last: &SealedRow, outputs: &mut Outputs) {
        self.reading = false;
        outputs.send(Up::Journal(JournalBatch {
            incarnation: last.row().incarnation,
            from: self.next,
            rows: rows.iter().map(|row| row.bytes().to_vec().into()).collect(),
        }));
        let end = last.row().seq;
        self.ends.insert(end, last.hash());
        self.open.push_back(end);
        self.next = end + 1;
    }

    /// Without progress for so long, everything after the acknowledged end is sent again.
    pub(super) fn resends_at(&self) -> Option<BootTime> {
        let under_way = self.reading || !self.open.is_empty();
        (self.welcomed && under_way).then(|| self.sent.plus(self.retry.delay()))
    }

    pub(super) fn resend_if_due(&mut self, acknowledged: u64, now: Now) {
        if self.resends_at().is_some_and(|at| at <= now.boottime) {
            self.restart(acknowledged);
            self.retry.timed_out();
            self.sent = now.boottime;
            self.resent = true;
        }
    }
}
