//! Greeting the core, and pulling a snapshot chunk by chunk (`ADMISSION` 5.3, 5.4).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    ids::{MessageId, SnapshotId},
    sync::{Chunk, DigestKey, Epoch, Position, Pull, Up},
    time::BootTime,
};

use super::{Now, Output, PartialSnapshot, outbox::Outbox};

/// How long a `Hello` waits for its `Welcome`, and how long a replica may lag behind a sync point
/// before the core is greeted again.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Greatest delay before a replica that was thrown away is fetched anew, so that many nodes with the
/// same trouble don't all come at once.
pub(super) const MAX_JITTER: Duration = Duration::from_secs(2);
/// Chunks asked for and not here.
const WINDOW: u32 = 8;
/// Pulls without any chunk before the core is asked for another plan.
const MAX_STALLS: u8 = 5;

/// When to say `Hello`.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    at: Option<BootTime>,
    open: Option<(MessageId, BootTime)>,
    /// The replica has to reach this position by then.
    behind: Option<(Position, BootTime)>,
}

impl Greeting {
    pub(super) fn connected(&mut self, now: Now) {
        *self = Self {
            at: Some(now.boottime),
            ..Self::default()
        };
    }

    pub(super) fn disconnected(&mut self) {
        *self = Self::default();
    }

    /// Greets at a time, or earlier if that was planned; not while a `Welcome` is awaited.
    pub(super) fn plan(&mut self, at: BootTime) {
        self.at = Some(self.at.map_or(at, |planned| planned.min(at)));
    }

    pub(super) fn sent(&mut self, id: MessageId, now: Now) {
        *self = Self {
            open: Some((id, now.boottime.plus(PATIENCE))),
            ..Self::default()
        };
    }

    /// Whether this is the `Welcome` that is awaited.
    pub(super) fn answered(&mut self, id: MessageId) -> bool {
        self.open.take_if(|(open, _)| *open == id).is_some()
    }

    /// The core is ahead: the deltas up to there should come.
    pub(super) fn expect(&mut self, position: Position, now: Now) {
        self.behind
            .get_or_insert((position, now.boottime.plus(PATIENCE)));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none() && self.open.is_none()
    }

    /// Whether it is time for a `Hello`. `reached` says how far the replica has come.
    pub(super) fn tick(&mut self, now: Now, reached: impl Fn(Position) -> bool) -> bool {
        let is_past = |time: BootTime| time <= now.boottime;
        if self.behind.is_some_and(|(position, _)| reached(position)) {
            self.behind = None;
        }
        if self.open.take_if(|(_, due)| is_past(*due)).is_some()
            || self.behind.take_if(|(_, due)| is_past(*due)).is_some()
        {
            self.plan(now.boottime);
        }
        self.open.is_none() && self.at.is_some_and(is_past)
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let open = self.open.map(|(_, due)| (due, "welcome"));
        let at = self
            .at
            .filter(|_| self.open.is_none())
            .map(|at| (at, "hello"));
        let behind = self.behind.map(|(_, due)| (due, "delta"));
        [open, at, behind].into_iter().flatten().min()
    }
}

/// A snapshot as `Welcome` named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) snapshot: SnapshotId,
    pub(super) epoch: Epoch,
    pub(super) position: Position,
    pub(super) chunks: u32,
    pub(super) hash: Hash32,
    pub(super) digest_key: DigestKey,
}

/// A snapshot on its way.
#[derive(Debug)]
pub(super) struct Pulling {
    target: Target,
    /// The first chunk that is not here.
    next: u32,
    /// The first chunk that was not asked for.
    asked: u32,
    progress: BootTime,
    stalls: u8,
}

impl Pulling {
    /// Goes on where an earlier pull of the same snapshot was broken off, or begins.
    pub(super) fn begin(
        target: Target,
        earlier: Option<PartialSnapshot>,
        now: Now,
        out: &mut Outbox,
    ) -> Self {
        let resumed = earlier
            .filter(|earlier| earlier.snapshot == target.snapshot && earlier.next <= target.chunks);
        if resumed.is_none() {
            out.push(Output::BeginSnapshot {
                snapshot: target.snapshot,
                epoch: target.epoch,
                position: target.position,
                chunks: target.chunks,
                hash: target.hash,
                digest_key: target.digest_key,
            });
        }
        let next = resumed.map_or(0, |earlier| earlier.next);
        let mut pulling = Self {
            target,
            next,
            asked: next,
            progress: now.boottime,
            stalls: 0,
        };
        pulling.ask(out);
        pulling
    }

    pub(super) fn partial(&self) -> PartialSnapshot {
        PartialSnapshot {
            snapshot: self.target.snapshot,
            next: self.next,
        }
    }

    pub(super) fn snapshot(&self) -> SnapshotId {
        self.target.snapshot
    }

    pub(super) fn is_whole(&self) -> bool {
        self.next == self.target.chunks
    }

    /// Takes a chunk if it is the next one.
    pub(super) fn chunk(&mut self, chunk: Chunk, now: Now, out: &mut Outbox) {
        let ours = chunk.snapshot == self.target.snapshot && chunk.of == self.target.chunks;
        if !ours || chunk.index != self.next || self.is_whole() {
            return;
        }
        self.next += 1;
        self.asked = self.asked.max(self.next);
        self.progress = now.boottime;
        self.stalls = 0;
        out.push(Output::StoreChunk(chunk));
        if self.is_whole() || self.asked - self.next <= WINDOW / 2 {
            self.ask(out);
        }
    }

    /// Asks for as many chunks as the window allows; finishes when all are here.
    fn ask(&mut self, out: &mut Outbox) {
        if self.is_whole() {
            out.push(Output::FinishSnapshot {
                snapshot: self.target.snapshot,
            });
            return;
        }
        let end = self.target.chunks.min(self.next + WINDOW);
        if end > self.asked {
            let (snapshot, from) = (self.target.snapshot, self.asked);
            out.send(Up::Pull(Pull {
                snapshot,
                from,
                count: end - from,
            }));
            self.asked = end;
        }
    }

    /// Asks again for what does not come. False when it is time for another plan.
    pub(super) fn tick(&mut self, now: Now, out: &mut Outbox) -> bool {
        if self
            .next_timeout()
            .is_some_and(|(due, _)| due <= now.boottime)
        {
            self.stalls += 1;
            self.progress = now.boottime;
            self.asked = self.next;
            self.ask(out);
        }
        self.stalls <= MAX_STALLS
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        (!self.is_whole()).then(|| (self.progress.plus(PATIENCE), "chunk"))
    }
}
