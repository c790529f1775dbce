//! The single owner of the node's state: facts in, machine, acts out (`ADMISSION` 3.10).
//!
//! A thread of its own, so that its reads of SQLite hold nobody up. Whatever comes in (scans, the
//! link, the two writers, time) is given to the machine one by one; what the machine wants done is
//! carried out in order. Rows of one round go to the journal together, and answers leave when the
//! machine says so, which is after the journal has them.
//!
//! The owner decides nothing but one thing that the machine can't know: with no room left for the
//! journal, a scan is answered `NodeFault` and not looked at.
//!
//! | file | what |
//! |---|---|
//! | `handle` | what the LAN and the tools ask it by |
//! | `hearing`, `outputs` | others' words as inputs, the machine's outputs as acts |
//! | `log`, `cache`, `screens` | its side of journal, replica and streams |

mod cache;
mod handle;
mod hearing;
mod log;
mod outputs;
mod screens;
mod start;
mod view;

use std::{collections::HashMap, sync::Arc, time::Duration};

use eventify_protocol::{
    ids::{NodeId, VenueId},
    keys::{KeySet, RootPublicKey},
    lan::NodeStatus,
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::edge::{Answer, Input, Machine, Now, Reply, RequestId, ScanRequest};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, Interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock, config::JournalConfig, journal::JournalError, link::Link, store::StoreError,
};

pub use handle::{Handle, NoVerdict, Scan};
pub use start::StartError;
pub(crate) use start::{Parts, start};

use cache::Cache;
use handle::{Waiter, WaitingScan};
use log::Log;
use screens::Screens;
use view::Facts;

/// Scans taken in one round: they share a commit.
const MAX_ROUND: usize = 64;
/// How often the screens get the countdown.
const TICK: Duration = Duration::from_secs(1);
/// How often the replica's digest is counted anew (`ADMISSION` 5.5).
const RECOMPUTE_EVERY: Duration = Duration::from_secs(300);
/// How often old rows are looked for; each time a few hundred go.
const RETIRE_EVERY: Duration = Duration::from_secs(60);
/// Rows stay 30 days after the performance (`ADMISSION` 4.2), which is the day of the decision or
/// the one after.
const KEEP_ROWS: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Why a node can't go on. The process must end, and no verdict of the rows at hand leaves it.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The journal can't be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Not even an empty replica can be made.
    #[error(transparent)]
    Replica(StoreError),
    /// A thread has ended that never ends.
    #[error("the {0} has ended")]
    Gone(&'static str),
}

/// See the module.
struct Owner {
    machine: Machine,
    clock: Clock,
    names: (NodeId, VenueId),
    root: RootPublicKey,
    keys: watch::Sender<Arc<KeySet>>,
    limits: JournalConfig,
    log: Log,
    cache: Cache,
    link: Link,
    scans: mpsc::Receiver<WaitingScan>,
    questions: mpsc::Receiver<oneshot::Sender<NodeStatus>>,
    screens: Screens,
    waiting: HashMap<RequestId, Waiter>,
    next_request: u64,
    tick: Interval,
    recompute_at: Instant,
    retire_at: Instant,
}

impl Owner {
    async fn run(mut self, stop: CancellationToken) -> Result<(), Fatal> {
        match self.work(&stop).await {
            // Told to stop, the others may be gone before this one has heard of it.
            Err(Fatal::Gone(_)) if stop.is_cancelled() => Ok(()),
            ended => ended,
        }
    }

    async fn work(&mut self, stop: &CancellationToken) -> Result<(), Fatal> {
        let mut scans = Vec::with_capacity(MAX_ROUND);
        loop {
            self.carry_out()?;
            let wake = self.wake_at();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                notice = self.log.notices.recv() => {
                    self.journal_says(notice.ok_or(Fatal::Gone("journal's writer"))?)?;
                }
                notice = self.cache.notices.recv() => {
                    self.replica_says(notice.ok_or(Fatal::Gone("replica's writer"))?)?;
                }
                event = self.link.events.recv(), if self.cache.keeps_up() => {
                    self.link_says(event.ok_or(Fatal::Gone("link"))?);
                }
                taken = self.scans.recv_many(&mut scans, MAX_ROUND) => {
                    if taken == 0 {
                        return Err(Fatal::Gone("LAN"));
                    }
                    for scan in scans.drain(..) {
                        self.take_scan(scan)?;
                    }
                }
                Some(question) = self.questions.recv() => self.answer_question(question),
                Some(counted) = self.cache.counted.recv() => self.count_is_done(counted),
                _ = self.tick.tick() => self.second(),
                () = sleep_until(wake) => self.time_has_come(),
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            boottime: self.clock.boottime(),
            wall: self.clock.wall(),
        }
    }

    fn facts(&self) -> Facts {
        let (node, venue) = self.names;
        Facts {
            node,
            venue,
            tickets: self.cache.tickets,
        }
    }

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.machine.handle(input, now);
    }

    /// When to wake up if nothing happens: the machine's deadline, or what is to be shown.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let deadline = self.machine.poll_timeout();
        let machine = deadline.map_or(now + TICK, |(at, _)| now + at.since(self.clock.boottime()));
        self.screens.due().map_or(machine, |due| due.min(machine))
    }

    fn time_has_come(&mut self) {
        let now = self.now();
        if self
            .machine
            .poll_timeout()
            .is_some_and(|(at, _)| at <= now.boottime)
        {
            self.machine.handle_timeout(now);
        }
        if self.screens.due().is_some_and(|due| due <= Instant::now()) {
            self.screens.show(self.machine.status(now), &self.facts());
        }
    }

    fn take_scan(&mut self, waiting: WaitingScan) -> Result<(), Fatal> {
        let WaitingScan {
            scan,
            checked,
            waiter,
        } = waiting;
        if self.log.room < self.limits.reserve_bytes {
            waiter.answer(Reply::Verdict(self.node_fault(&scan)));
            return Ok(());
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, waiter);
        let previous = self.log.reader.previous(scan.scan)?;
        self.feed(Input::Scan(Box::new(ScanRequest {
            request,
            scan: scan.scan,
            scanner: scan.scanner,
            gate: scan.gate,
            token: scan.token,
            checked,
            previous,
        })));
        Ok(())
    }

    fn node_fault(&self, scan: &Scan) -> Answer {
        let status = self.machine.status(self.now());
        Answer {
            scan: scan.scan,
            verdict: Verdict::NodeFault,
            first_gate_name: None,
            mode: status.mode,
            cache_age: status.cache_age,
            limit: status.limit,
            decided_by: DecidedBy::Edge,
            repeated: false,
        }
    }

    fn answer_question(&self, question: oneshot::Sender<NodeStatus>) {
        let status = view::node_status(&self.machine.status(self.now()), &self.facts());
        // Whoever asked may have gone.
        drop(question.send(status));
    }

    fn second(&mut self) {
        self.log.room = self.log.reader.room(&self.limits);
        let free_bytes = self.log.reader.free_bytes();
        self.feed(Input::Disk { free_bytes });
        let status = self.machine.status(self.now());
        let core_time = status.core_time;
        self.screens.show(status, &self.facts());
        let now = Instant::now();
        if now >= self.recompute_at {
            self.recompute_at = now + RECOMPUTE_EVERY;
            self.cache.begin_count();
        }
        if now >= self.retire_at {
            self.retire_at = now + RETIRE_EVERY;
            if let Some(core) = core_time {
                self.log.journal.retire(core.earliest.minus(KEEP_ROWS));
            }
        }
    }
}

impl Waiter {
    fn answer(self, reply: Reply) {
        // A scanner that hung up asks again with the same scan id.
        drop(self.reply.send(reply));
    }
}
