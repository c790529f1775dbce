//! The single owner of the node's state: inputs to the machine, its outputs to the world
//! (`ADMISSION` 3.10).
//!
//! It has a thread of its own, so that its reads of SQLite block nobody. Inputs (scans, the link, the
//! two writers, time) are given to the machine one by one, and its outputs are carried out in order.
//! Rows of one round go to the journal together; replies leave when the machine says so, which is
//! after the journal has them.
//!
//! The owner decides only one thing, which the machine can't know: while the journal can't be written,
//! because no space is left or another program holds the file, a new scan that needs a row is answered
//! `NodeFault` without the machine. Which scans that wait for a held file get the same, the machine says.
//!
//! | file | what |
//! |---|---|
//! | `acts` | acts, with what journal and replica have of them |
//! | `handle` | how the LAN API and the tools reach the owner |
//! | `guest_keys` | the keys of guests' names, in memory |
//! | `insight` | what readers beside the owner need |
//! | `inputs`, `outputs` | others' events as inputs; the machine's outputs carried out |
//! | `scanner_line`, `staff_line` | reports and orders about scanners, and sign-ins of staff, handed on |
//! | `journal`, `replica`, `status` | the owner's side of journal, replica, status and streams |
//! | `venue_clocks` | the venue's time zone, for people alone |
//! | `venue_staff` | who works here, for the LAN API |
//! | `start` | from files to a running owner |

mod acts;
mod guest_keys;
mod handle;
mod inputs;
mod insight;
mod journal;
mod outputs;
mod replica;
mod scanner_line;
mod staff_line;
mod start;
mod status;
mod venue_clocks;
mod venue_staff;

use std::{collections::HashMap, sync::Arc, time::Duration};

use eventify_protocol::{
    ids::NodeId,
    keys::{KeySet, RootPublicKey},
    lan::NodeStatus,
    sync::Up,
};
use eventify_sync::edge::{Input, Machine, Now, RequestId, Status};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, Interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock, config::JournalConfig, journal::JournalError, link::Link, store::StoreError,
};

pub use acts::{Act, NoAct, What};
pub use handle::{Handle, NoVerdict, Scan};
pub use insight::Insight;
pub(crate) use scanner_line::{LineEvent, ScannerLine, scanner_line};
pub(crate) use staff_line::staff_line;
pub use start::StartError;
pub(crate) use start::{Parts, start};
pub(crate) use venue_clocks::venue_zone;
pub(crate) use venue_staff::VenueStaff;

use acts::WaitingAct;
use guest_keys::GuestKeys;
use handle::{Waiter, WaitingScan, WaitingSearch};
use journal::JournalFile;
use replica::ReplicaFiles;
use scanner_line::OwnersLine;
use staff_line::OwnersStaffLine;
use status::StatusBoard;

/// Scans taken in one round: they share a commit.
const MAX_ROUND: usize = 64;
/// How often streams get the countdown.
const TICK: Duration = Duration::from_secs(1);
/// How often the replica's digest is recomputed (`ADMISSION` 5.5).
const RECOMPUTE_EVERY: Duration = Duration::from_secs(300);
/// How often old rows are removed, a few hundred at a time.
const RETIRE_EVERY: Duration = Duration::from_secs(60);
/// Rows stay 30 days after the performance (`ADMISSION` 4.2), which is the day of the decision or
/// the one after.
const KEEP_ROWS: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Why a node can't continue. The process must end, and no verdict of the rows at hand leaves it.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The journal can't be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The core holds rows that the journal lacks.
    #[error(transparent)]
    Behind(JournalError),
    /// A copy of this node lives, and is the elder one.
    #[error(
        "another node with the identity {0} is running: was this disk copied? Only one may. If this is \
         the right one, stop the other and start this one again. If not, save what this one has \
         decided with `eventify-edge export-journal --out FILE`, import it at the core (POST \
         /fleet/nodes/{0}/journal/import), and enrol this machine as an instance of its own in an empty folder"
    )]
    Duplicate(NodeId),
    /// Not even an empty replica can be made.
    #[error(transparent)]
    Replica(StoreError),
    /// A thread or task that runs as long as the node has stopped.
    #[error("the {0} has stopped unexpectedly")]
    Gone(&'static str),
}

struct Owner {
    machine: Machine,
    clock: Clock,
    node: NodeId,
    root: RootPublicKey,
    keys: watch::Sender<Arc<KeySet>>,
    limits: JournalConfig,
    journal: JournalFile,
    replica: ReplicaFiles,
    link: Link,
    scans: mpsc::Receiver<WaitingScan>,
    searches: mpsc::Receiver<WaitingSearch>,
    guest_keys: GuestKeys,
    insight_requests: mpsc::Receiver<oneshot::Sender<Insight>>,
    acts: mpsc::Receiver<WaitingAct>,
    status_requests: mpsc::Receiver<oneshot::Sender<NodeStatus>>,
    scanner_line: OwnersLine,
    staff_line: OwnersStaffLine,
    staff: watch::Sender<Arc<VenueStaff>>,
    status: StatusBoard,
    waiting: HashMap<RequestId, Waiter>,
    next_request: u64,
    tick: Interval,
    recompute_at: Instant,
    retire_at: Instant,
}

impl Owner {
    async fn run(mut self, stop: CancellationToken) -> Result<(), Fatal> {
        let ended = match self.serve(&stop).await {
            // When the node stops, the others may be gone before the owner notices it.
            Err(Fatal::Gone(_)) if stop.is_cancelled() => Ok(()),
            ended => ended,
        };
        if ended.is_ok() {
            self.journal.keep_last_row();
        }
        ended
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), Fatal> {
        let mut scans = Vec::with_capacity(MAX_ROUND);
        loop {
            self.carry_out()?;
            let wake = self.wake_at();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                notice = self.journal.notices.recv() => {
                    self.on_journal_notice(notice.ok_or(Fatal::Gone("journal's writer"))?)?;
                }
                notice = self.replica.notices.recv() => {
                    self.on_replica_notice(notice.ok_or(Fatal::Gone("replica's writer"))?)?;
                }
                event = self.link.events.recv(), if self.replica.keeps_up() => {
                    self.on_link_event(event.ok_or(Fatal::Gone("link to the core"))?);
                }
                taken = self.scans.recv_many(&mut scans, MAX_ROUND) => {
                    if taken == 0 {
                        return Err(Fatal::Gone("LAN API"));
                    }
                    for scan in scans.drain(..) {
                        self.accept(scan)?;
                    }
                }
                Some(request) = self.status_requests.recv() => self.reply_status(request),
                Some(report) = self.scanner_line.reports.recv() => self.send_up(Up::Scanners(report)),
                Some(ask) = self.staff_line.asks.recv() => self.send_up(Up::Staff(ask)),
                Some(search) = self.searches.recv() => self.accept_search(search),
                Some(request) = self.insight_requests.recv() => self.reply_insight(request),
                Some(act) = self.acts.recv() => self.accept_act(act)?,
                Some(done) = self.replica.recomputations.recv() => self.on_recomputed(done),
                _ = self.tick.tick() => self.on_tick(),
                () = sleep_until(wake) => self.on_wake(),
            }
        }
    }

    /// Gives an input to the machine.
    fn step(&mut self, input: Input) {
        let now = self.now();
        self.machine.handle(input, now);
    }

    fn now(&self) -> Now {
        Now {
            boottime: self.clock.boottime(),
            wall: self.clock.wall(),
        }
    }

    /// When to wake up if nothing happens: for the machine's next timer or the next publication.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let timer = self.machine.poll_timeout();
        let timer = timer.map_or(now + TICK, |(at, _)| now + at.since(self.clock.boottime()));
        self.status.due().map_or(timer, |due| due.min(timer))
    }

    fn on_wake(&mut self) {
        let now = self.now();
        let timer = self.machine.poll_timeout();
        if timer.is_some_and(|(at, _)| at <= now.boottime) {
            self.machine.handle_timeout(now);
        }
        if self.status.due().is_some_and(|due| due <= Instant::now()) {
            let status = self.machine.status(now);
            self.publish(status);
        }
    }

    fn publish(&mut self, status: Status) {
        let fault = self.journal.fault(&self.limits);
        self.status.publish(status, (self.replica.tickets, fault));
    }

    /// What the journal can take, for the core.
    fn tell_room(&mut self) {
        let free_bytes = self.journal.space;
        let fault = self.journal.fault(&self.limits);
        self.step(Input::Room { free_bytes, fault });
    }

    fn on_tick(&mut self) {
        self.journal.keep_last_row();
        self.journal.writer.tend_log();
        self.journal.space = self.journal.reader.space(&self.limits);
        self.tell_room();
        let status = self.machine.status(self.now());
        let core_time = status.core_time;
        self.wipe_guest_keys(core_time.as_ref());
        self.publish(status);
        let now = Instant::now();
        if now >= self.recompute_at {
            self.recompute_at = now + RECOMPUTE_EVERY;
            self.replica.begin_recompute();
        }
        if now >= self.retire_at {
            self.retire_at = now + RETIRE_EVERY;
            if let Some(core) = core_time {
                let before = core.earliest.minus(KEEP_ROWS);
                self.journal.writer.retire(before);
            }
        }
    }
}
