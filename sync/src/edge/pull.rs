//! Greeting the core, and pulling a snapshot chunk by chunk (`ADMISSION` 5.3, 5.4).

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    hash::Hash32,
    ids::{MessageId, SnapshotId},
    sync::{Chunk, DigestKey, Epoch, Position, Pull, Up},
    time::BootTime,
};

use super::{Now, Output, PartialSnapshot, outbox::Outbox, patience::Patience};

/// How long a node waits before it greets again a core that has just said what did not help.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Greatest delay before a replica that was thrown away is fetched anew, so that many nodes with the
/// same trouble don't all come at once.
pub(super) const MAX_JITTER: Duration = Duration::from_secs(2);
/// Most chunks asked for and not here.
const WINDOW: u32 = 8;
/// Pulls without any chunk before the core is asked for another plan.
const MAX_STALLS: u8 = 3;

/// When to say `Hello`.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    at: Option<BootTime>,
    open: Option<Open>,
    behind: Option<Behind>,
    /// For a `Welcome`, and for the next delta of those that are under way.
    welcome: Patience,
    delta: Patience,
    /// How far deltas had come when they were last waited for in vain.
    stuck: Position,
}

/// A `Hello` that waits for its `Welcome`.
#[derive(Clone, Copy, Debug)]
struct Open {
    hello: MessageId,
    sent: BootTime,
}

/// The core is ahead: the deltas up to there should come.
#[derive(Clone, Copy, Debug)]
struct Behind {
    to: Position,
    /// How far they had come, and when.
    seen: Position,
    since: BootTime,
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

    /// Greets now, unless a `Welcome` is on its way that may say all that is needed.
    pub(super) fn plan_if_idle(&mut self, now: Now) {
        if self.open.is_none() {
            self.plan(now.boottime);
        }
    }

    /// A delta does not join on. While others are under way, what is missing may be among them: a
    /// new `Hello` would only have all of them sent again.
    pub(super) fn gap(&mut self, now: Now) {
        if self.behind.is_none() {
            self.plan_if_idle(now);
        }
    }

    pub(super) fn sent(&mut self, hello: MessageId, now: Now) {
        self.open = Some(Open {
            hello,
            sent: now.boottime,
        });
        self.at = None;
        self.behind = None;
    }

    /// Whether this is the `Welcome` that is awaited.
    pub(super) fn answered(&mut self, id: MessageId, now: Now) -> bool {
        let open = self.open.take_if(|open| open.hello == id);
        if let Some(open) = open {
            self.welcome.rewarded(now.boottime.since(open.sent));
        }
        open.is_some()
    }

    /// The core is ahead; deltas are handed to the store up to `reached`.
    pub(super) fn expect(&mut self, to: Position, reached: Position, now: Now) {
        self.behind.get_or_insert(Behind {
            to,
            seen: reached,
            since: now.boottime,
        });
    }

    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none() && self.open.is_none()
    }

    /// Whether it is time for a `Hello`; deltas are handed to the store up to `reached`.
    pub(super) fn tick(&mut self, now: Now, reached: Position) -> bool {
        self.tick_behind(now, reached);
        if self.welcome_due().is_some_and(|due| due <= now.boottime) {
            self.open = None;
            self.welcome.in_vain();
            self.plan(now.boottime);
        }
        self.open.is_none() && self.at.is_some_and(|at| at <= now.boottime)
    }

    /// Deltas that come at all are waited for, however slowly they come.
    fn tick_behind(&mut self, now: Now, reached: Position) {
        let Some(behind) = &mut self.behind else {
            return;
        };
        if reached > behind.seen {
            self.delta.rewarded(now.boottime.since(behind.since));
            (behind.seen, behind.since) = (reached, now.boottime);
        }
        if reached >= behind.to {
            self.behind = None;
        } else if self.delta_due().is_some_and(|due| due <= now.boottime) {
            self.behind = None;
            if reached > self.stuck {
                self.delta = Patience::default();
            } else {
                self.delta.in_vain();
            }
            self.stuck = reached;
            self.plan(now.boottime);
        }
    }

    fn welcome_due(&self) -> Option<BootTime> {
        self.open.map(|open| open.sent.plus(self.welcome.wait()))
    }

    fn delta_due(&self) -> Option<BootTime> {
        self.behind
            .map(|behind| behind.since.plus(self.delta.wait()))
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let open = self.welcome_due().map(|due| (due, "welcome"));
        let at = self
            .at
            .filter(|_| self.open.is_none())
            .map(|at| (at, "hello"));
        let behind = self.delta_due().map(|due| (due, "delta"));
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
    next: u32,
    /// Chunks that came before their turn: the core answers two questions at the same time.
    early: BTreeMap<u32, Chunk>,
    /// All chunks below are asked for.
    asked: u32,
    /// How many may be asked for and not here: fewer where they come slowly.
    window: u32,
    /// When the last chunk came, and since when the next one is waited for.
    progress: BootTime,
    waiting: BootTime,
    patience: Patience,
    stalls: u8,
    /// The pipe was gone: what was asked for will not come, and the core says first what it has.
    interrupted: bool,
}

impl Pulling {
    /// Begins a snapshot, or goes on with the same one where it was broken off.
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
            early: BTreeMap::new(),
            asked: next,
            window: WINDOW,
            progress: now.boottime,
            waiting: now.boottime,
            patience: Patience::default(),
            stalls: 0,
            interrupted: false,
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

    pub(super) fn epoch(&self) -> Epoch {
        self.target.epoch
    }

    pub(super) fn is_whole(&self) -> bool {
        self.next == self.target.chunks
    }

    /// The pipe is gone.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// The core has named a snapshot again: this one goes on, if it was interrupted.
    pub(super) fn resume(&mut self, now: Now, out: &mut Outbox) {
        if self.is_whole() || !std::mem::take(&mut self.interrupted) {
            return;
        }
        (self.progress, self.waiting) = (now.boottime, now.boottime);
        (self.patience, self.stalls, self.window) = (Patience::default(), 0, WINDOW);
        self.asked = self.next;
        self.ask(out);
    }

    /// Takes a chunk that was asked for and is not here.
    pub(super) fn chunk(&mut self, chunk: Chunk, now: Now, out: &mut Outbox) {
        let ours = chunk.snapshot == self.target.snapshot && chunk.of == self.target.chunks;
        // Of those that were asked for before a pause, too, but never more than were ever on their way.
        let awaited = self.next..self.target.chunks.min(self.next + WINDOW);
        if !ours || !awaited.contains(&chunk.index) || self.early.contains_key(&chunk.index) {
            return;
        }
        self.window = (self.window + 1).min(WINDOW);
        self.patience.rewarded(now.boottime.since(self.progress));
        (self.progress, self.waiting) = (now.boottime, now.boottime);
        self.stalls = 0;
        self.early.insert(chunk.index, chunk);
        while let Some(chunk) = self.early.remove(&self.next) {
            self.next += 1;
            out.push(Output::StoreChunk(chunk));
        }
        self.asked = self.asked.max(self.next);
        if self.is_whole() || self.asked - self.next <= self.window / 2 {
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
        let end = self.target.chunks.min(self.next + self.window);
        // What came early is not asked for again.
        let early = self.early.range(self.asked..).next();
        let end = early.map_or(end, |(index, _)| end.min(*index));
        if end > self.asked && !self.interrupted {
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
            self.waiting = now.boottime;
            self.patience.in_vain();
            self.window = (self.window / 2).max(1);
            self.asked = self.next;
            self.ask(out);
        }
        self.stalls <= MAX_STALLS
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let waits = !self.is_whole() && !self.interrupted;
        waits.then(|| (self.waiting.plus(self.patience.wait()), "chunk"))
    }
}
