//! Pulling a snapshot chunk by chunk (`ADMISSION` 5.4).

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::SnapshotId,
    sync::{Chunk, DigestKey, Epoch, Position, Pull, Up},
    time::BootTime,
};
use minicbor::{Decode, Encode};

use super::{Now, PartialSnapshot, ReplicaOutput, outputs::Outputs, retry_timer::RetryTimer};

/// Most chunks asked for and not here.
const WINDOW: u32 = 8;
/// Timeouts without any chunk before the core is asked for another plan.
const MAX_STALLS: u8 = 3;

/// A snapshot as `Welcome` named it; the shell stores it beside the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SnapshotPlan {
    #[n(0)]
    pub snapshot: SnapshotId,
    #[n(1)]
    pub epoch: Epoch,
    #[n(2)]
    pub position: Position,
    /// Number of chunks.
    #[n(3)]
    pub chunks: u32,
    /// Over all chunks' bytes.
    #[n(4)]
    pub hash: Hash32,
    #[n(5)]
    pub digest_key: DigestKey,
}

/// A snapshot under way.
#[derive(Debug)]
pub(super) struct Pulling {
    plan: SnapshotPlan,
    next: u32,
    /// Chunks that came before their turn: the core answers two questions at the same time.
    early: BTreeMap<u32, Chunk>,
    /// All chunks below are asked for.
    asked: u32,
    /// How many may be asked for and not here: fewer where they come slowly.
    window: u32,
    /// When the last chunk came, and when the wait for the next one began.
    progress: BootTime,
    waiting: BootTime,
    retry: RetryTimer,
    stalls: u8,
    /// The connection was lost: what was asked for will not come, and the core has to name what it
    /// has first.
    interrupted: bool,
}

impl Pulling {
    /// Begins a snapshot, or continues the same one where it was interrupted.
    pub(super) fn begin(
        plan: SnapshotPlan,
        earlier: Option<PartialSnapshot>,
        now: Now,
        outputs: &mut Outputs,
    ) -> Self {
        let resumed = earlier
            .filter(|earlier| earlier.snapshot == plan.snapshot && earlier.next <= plan.chunks);
        if resumed.is_none() {
            outputs.push(ReplicaOutput::BeginSnapshot(plan));
        }
        let next = resumed.map_or(0, |earlier| earlier.next);
        let mut pulling = Self {
            plan,
            next,
            early: BTreeMap::new(),
            asked: next,
            window: WINDOW,
            progress: now.boottime,
            waiting: now.boottime,
            retry: RetryTimer::default(),
            stalls: 0,
            interrupted: false,
        };
        pulling.ask(outputs);
        pulling
    }

    pub(super) fn partial(&self) -> PartialSnapshot {
        PartialSnapshot {
            snapshot: self.plan.snapshot,
            next: self.next,
        }
    }

    pub(super) fn snapshot(&self) -> SnapshotId {
        self.plan.snapshot
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.plan.epoch
    }

    pub(super) fn is_whole(&self) -> bool {
        self.next == self.plan.chunks
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The core has named a snapshot again: this one continues, if it was interrupted.
    pub(super) fn resume(&mut self, now: Now, outputs: &mut Outputs) {
        if self.is_whole() || !std::mem::take(&mut self.interrupted) {
            return;
        }
        (self.progress, self.waiting) = (now.boottime, now.boottime);
        (self.retry, self.stalls, self.window) = (RetryTimer::default(), 0, WINDOW);
        self.asked = self.next;
        self.ask(outputs);
    }

    /// Takes a chunk that was asked for and is not here.
    pub(super) fn insert_chunk(&mut self, chunk: Chunk, now: Now, outputs: &mut Outputs) {
        let is_this = chunk.snapshot == self.plan.snapshot && chunk.of == self.plan.chunks;
        // Also chunks that were asked for before a pause, but never more than were ever under way.
        let awaited = self.next..self.plan.chunks.min(self.next + WINDOW);
        if !is_this || !awaited.contains(&chunk.index) || self.early.contains_key(&chunk.index) {
            return;
        }
        self.window = (self.window + 1).min(WINDOW);
        self.retry.answered_after(now.boottime.since(self.progress));
        (self.progress, self.waiting) = (now.boottime, now.boottime);
        self.stalls = 0;
        self.early.insert(chunk.index, chunk);
        while let Some(chunk) = self.early.remove(&self.next) {
            self.next += 1;
            outputs.push(ReplicaOutput::StoreChunk(chunk));
        }
        self.asked = self.asked.max(self.next);
        if self.is_whole() || self.asked - self.next <= self.window / 2 {
            self.ask(outputs);
        }
    }

    /// Asks for as many chunks as the window allows; finishes when all are here.
    fn ask(&mut self, outputs: &mut Outputs) {
        if self.is_whole() {
            outputs.push(ReplicaOutput::FinishSnapshot {
                snapshot: self.plan.snapshot,
            });
            return;
        }
        let end = self.plan.chunks.min(self.next + self.window);
        // Chunks that came early are not asked for again.
        let early = self.early.range(self.asked..).next();
        let end = early.map_or(end, |(index, _)| end.min(*index));
        if end > self.asked && !self.interrupted {
            let (snapshot, from) = (self.plan.snapshot, self.asked);
            outputs.send(Up::Pull(Pull {
                snapshot,
                from,
                count: end - from,
            }));
            self.asked = end;
        }
    }

    /// Asks again for chunks that do not come. False when another plan is needed.
    pub(super) fn retry_if_due(&mut self, now: Now, outputs: &mut Outputs) -> bool {
        if self
            .next_timeout()
            .is_some_and(|(due, _)| due <= now.boottime)
        {
            self.stalls += 1;
            self.waiting = now.boottime;
            self.retry.timed_out();
            self.window = (self.window / 2).max(1);
            self.asked = self.next;
            self.ask(outputs);
        }
        self.stalls <= MAX_STALLS
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let is_waiting = !self.is_whole() && !self.interrupted;
        is_waiting.then(|| (self.waiting.plus(self.retry.delay()), "chunk"))
    }
}
