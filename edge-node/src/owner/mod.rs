//! The single owner of the node's state: facts in, machine, acts out (`ADMISSION` 3.10).
//!
//! A thread of its own, so that its reads of SQLite hold nobody up. Whatever comes in (scans, the
//! link, the two writers, time) is given to the machine one by one; what the machine wants done is
//! carried out in order. Rows of one round go to the journal together, and answers leave when the
//! machine says so, which is after the journal has them.
//!
//! The owner decides nothing but one thing that the machine can't know: with no room left for the
//! journal, a scan is answered `NodeFault` and not looked at.

mod handle;
mod outputs;
mod start;
mod view;

use std::{collections::HashMap, sync::Arc, time::Duration};

use eventify_protocol::{
    keys::{KeySet, RootPublicKey, SignedKeySet},
    sync::{JournalHead, SealedRow},
    time::CoreTime,
    verdict::{DecidedBy, Verdict},
};
use eventify_sync::edge::{
    Answer, Input, Machine, Now, Received, Reply, RequestId, ScanRequest, Status,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::JournalConfig,
    journal::{self, Journal, JournalError},
    link::{Link, LinkEvent},
    store::{self, Recomputed, Replica, StoreError},
};

pub use handle::{Handle, NoVerdict, Scan};
pub use start::StartError;
pub(crate) use start::{Parts, start};

use handle::{Inbox, Waiter, WaitingScan};

/// Scans taken in one round: they share a commit.
const MAX_ROUND: usize = 64;
/// Acts on the replica under way; then the link is read no further.
const MAX_REPLICA_BACKLOG: usize = 32;
/// How often the screens get the countdown.
const TICK: Duration = Duration::from_secs(1);
/// Changes within this time reach the screens together.
const PUBLISH_DELAY: Duration = Duration::from_millis(50);
/// How often the replica's digest is counted anew (`ADMISSION` 5.5).
const RECOMPUTE_EVERY: Duration = Duration::from_secs(300);
/// How often old rows are looked for.
const RETIRE_EVERY: Duration = Duration::from_secs(3_600);
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
    facts: view::Facts,
    root: RootPublicKey,
    limits: JournalConfig,
    link: Link,
    inbox: Inbox,
    journal: Journal,
    journal_reader: journal::Reader,
    journal_notices: mpsc::UnboundedReceiver<journal::Notice>,
    replica: Replica,
    replica_reader: store::Reader,
    replica_notices: mpsc::UnboundedReceiver<store::Notice>,
    /// Notices that the replica's writer still owes.
    replica_backlog: usize,
    recomputed: mpsc::Receiver<Result<Option<Recomputed>, StoreError>>,
    recompute_to: mpsc::Sender<Result<Option<Recomputed>, StoreError>>,
    waiting: HashMap<RequestId, Waiter>,
    next_request: u64,
    /// Rows of this round.
    rows: Vec<SealedRow>,
    /// The end of what was given to the journal, and of what it has on disk.
    appended: JournalHead,
    persisted: JournalHead,
    /// A new chain that waits until the old one is on disk to its end.
    chain_wanted: Option<outputs::NewChain>,
    /// A new chain on its way to the disk.
    opening: Option<(JournalHead, Vec<SealedRow>)>,
    /// How much more the journal can take.
    room: u64,
    publish_at: Option<Instant>,
    shown: Option<Status>,
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
        self.tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut scans = Vec::with_capacity(MAX_ROUND);
        loop {
            self.carry_out()?;
            let wake = self.wake_at();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                notice = self.journal_notices.recv() => {
                    self.journal_says(notice.ok_or(Fatal::Gone("journal's writer"))?)?;
                }
                notice = self.replica_notices.recv() => {
                    self.replica_says(notice.ok_or(Fatal::Gone("replica's writer"))?)?;
                }
                event = self.link.events.recv(), if self.replica_backlog < MAX_REPLICA_BACKLOG => {
                    self.link_says(event.ok_or(Fatal::Gone("link"))?);
                }
                taken = self.inbox.scans.recv_many(&mut scans, MAX_ROUND) => {
                    if taken == 0 {
                        return Err(Fatal::Gone("LAN"));
                    }
                    for scan in scans.drain(..) {
                        self.take_scan(scan)?;
                    }
                }
                Some(question) = self.inbox.questions.recv() => self.answer_question(question),
                Some(counted) = self.recomputed.recv() => self.count_is_done(counted),
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

    fn feed(&mut self, input: Input) {
        let now = self.now();
        self.machine.handle(input, now);
    }

    /// When to wake up if nothing happens: the machine's deadline, or what is to be shown.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let machine = self
            .machine
            .poll_timeout()
            .map_or(now + TICK, |(at, _reason)| {
                now + at.since(self.clock.boottime())
            });
        self.publish_at.map_or(machine, |at| at.min(machine))
    }

    fn time_has_come(&mut self) {
        let now = self.now();
        if self
            .machine
            .poll_timeout()
            .is_some_and(|(at, _reason)| at <= now.boottime)
        {
            self.machine.handle_timeout(now);
        }
        if self.publish_at.is_some_and(|at| at <= Instant::now()) {
            self.publish();
        }
    }

    fn take_scan(&mut self, waiting: WaitingScan) -> Result<(), Fatal> {
        let WaitingScan {
            scan,
            checked,
            waiter,
        } = waiting;
        if self.room < self.limits.reserve_bytes {
            let reply = Reply::Verdict(self.node_fault(&scan));
            waiter.answer(reply);
            return Ok(());
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, waiter);
        let previous = self.journal_reader.previous(scan.scan)?;
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

    fn link_says(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                tracing::info!(code = "link_up", "connected to the core's broker");
                self.feed(Input::Connected);
            }
            LinkEvent::Disconnected => self.feed(Input::Disconnected),
            LinkEvent::Message(envelope) => {
                let keys = Arc::clone(&self.inbox.keys.borrow());
                match Received::check(envelope.body, &keys) {
                    Ok(received) => self.feed(Input::Message(received)),
                    Err(error) => {
                        tracing::error!(code = "sync_point_refused", %error, "not believed");
                    }
                }
            }
        }
    }

    fn journal_says(&mut self, notice: journal::Notice) -> Result<(), Fatal> {
        match notice {
            journal::Notice::Failed(error) => Err(Fatal::Journal(error)),
            journal::Notice::Persisted { head, room } => {
                self.room = room;
                self.persisted = head;
                match self
                    .opening
                    .take_if(|(opened, _)| opened.incarnation == head.incarnation)
                {
                    Some((head, rows)) => self.feed(Input::JournalOpened { head, rows }),
                    None => self.feed(Input::Persisted {
                        incarnation: head.incarnation,
                        through: head.seq,
                    }),
                }
                self.begin_wanted_chain()
            }
        }
    }

    fn replica_says(&mut self, notice: store::Notice) -> Result<(), Fatal> {
        self.replica_backlog = self.replica_backlog.saturating_sub(1);
        match notice {
            store::Notice::Applied {
                position,
                digests,
                tickets,
                key_set,
            } => {
                self.facts.tickets = tickets;
                if let Some(bytes) = key_set {
                    self.take_key_set(bytes);
                }
                self.feed(Input::Applied { position, digests });
            }
            store::Notice::SnapshotReady {
                snapshot,
                replica,
                tickets,
                reader,
            } => {
                self.facts.tickets = tickets;
                self.replica_reader = reader;
                if let Some(bytes) = replica.small.iter().find_map(store::key_set_of) {
                    self.take_key_set(bytes);
                }
                self.feed(Input::SnapshotReady { snapshot, replica });
            }
            store::Notice::SnapshotFailed { snapshot } => {
                self.feed(Input::SnapshotFailed { snapshot });
            }
            store::Notice::Emptied(reader) => {
                self.facts.tickets = 0;
                self.replica_reader = reader;
            }
            store::Notice::Failed(error, reader) => {
                tracing::error!(code = "replica_failed", %error, "thrown away, fetched anew");
                self.facts.tickets = 0;
                self.replica_reader = reader;
                self.feed(Input::ReplicaFailed);
            }
            store::Notice::Lost(error) => return Err(Fatal::Replica(error)),
        }
        Ok(())
    }

    /// A newer key set, if the root has signed it.
    fn take_key_set(&mut self, bytes: Vec<u8>) {
        match SignedKeySet::from_bytes(bytes).verify(&self.root) {
            Ok(keys) if keys.supersedes(Some(&**self.inbox.keys.borrow())) => {
                tracing::info!(version = keys.version(), "key set taken");
                self.inbox.keys.send_replace(Arc::<KeySet>::new(keys));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(code = "key_set_refused", %error, "the feed's key set is not the root's");
            }
        }
    }

    fn answer_question(&self, question: oneshot::Sender<eventify_protocol::lan::NodeStatus>) {
        let status = view::node_status(&self.machine.status(self.now()), &self.facts);
        // Whoever asked may have gone.
        drop(question.send(status));
    }

    fn second(&mut self) {
        self.room = self.journal_reader.room(&self.limits);
        let free_bytes = self.journal_reader.free_bytes();
        self.feed(Input::Disk { free_bytes });
        self.publish();
        let now = Instant::now();
        if now >= self.recompute_at {
            self.recompute_at = now + RECOMPUTE_EVERY;
            self.begin_count();
        }
        if now >= self.retire_at {
            self.retire_at = now + RETIRE_EVERY;
            if let Some(core) = self.machine.status(self.now()).core_time {
                let before: CoreTime = core.earliest.minus(KEEP_ROWS);
                self.journal.retire(before);
            }
        }
    }

    /// Counts the replica's digest on a thread of its own.
    fn begin_count(&self) {
        let path = self.replica_reader.path().to_owned();
        let done = self.recompute_to.clone();
        spawn_blocking(move || {
            let counted = store::Reader::open(&path).and_then(|reader| reader.recompute());
            // A count that nobody waits for any more is of a node that has stopped.
            drop(done.blocking_send(counted));
        });
    }

    fn count_is_done(&mut self, counted: Result<Option<Recomputed>, StoreError>) {
        match counted {
            Ok(Some(Recomputed {
                position, digest, ..
            })) => {
                self.feed(Input::Recomputed { position, digest });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(code = "replica_count_failed", %error, "tried again in 5 minutes");
            }
        }
    }

    /// Shows what has changed: the countdown always, counts when they are other ones.
    fn publish(&mut self) {
        self.publish_at = None;
        let status = self.machine.status(self.now());
        self.inbox
            .latest
            .send_replace(Arc::new(view::node_status(&status, &self.facts)));
        if self.inbox.stream.receiver_count() > 0 {
            // Nobody listening is no error.
            drop(self.inbox.stream.send(view::mode_event(&status)));
            if self
                .shown
                .as_ref()
                .is_none_or(|shown| shown.gates != status.gates)
            {
                drop(self.inbox.stream.send(view::counts_event(&status.gates)));
            }
        }
        if self
            .shown
            .as_ref()
            .is_none_or(|shown| (shown.mode, shown.reason) != (status.mode, status.reason))
        {
            let reason = status.reason.map_or("", eventify_sync::edge::Reason::code);
            tracing::info!(mode = ?status.mode, reason, "mode");
        }
        self.shown = Some(status);
    }
}

impl Waiter {
    fn answer(self, reply: Reply) {
        // A scanner that hung up asks again with the same scan id.
        drop(self.reply.send(reply));
    }
}

/// The owner's first tick comes at once: the screens need not wait for a second.
fn ticks() -> Interval {
    interval(TICK)
}
