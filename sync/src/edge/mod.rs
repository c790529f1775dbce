//! The edge node's end, as one machine without IO.
//!
//! ```text
//! Input ──► handle(input, now) ──► poll_output() ──► Output
//!           handle_timeout(now)    poll_timeout() ──► (when, why)
//! ```
//!
//! The machine is the single owner of the node's state; its shell carries out what it says, in
//! order, and reports back. [`Input`], [`Output`] and [`Restored`] are the seam. After each call the shell takes all outputs.
//!
//! | module | holds |
//! |---|---|
//! | [`age`] | what can be proven about time |
//! | [`link`] | whether the core answers; the shared resync attempt |
//! | [`mode`] | the ordered tests over facts |
//! | [`scan`], [`decide`] | scans on their way, and their way |
//! | [`at_core`], [`offline`] | the core's verdict, the verdict of a node alone |
//! | [`overlay`] | own admissions that the replica may not show yet |
//! | [`journal`] | chain, upload, acknowledgement, fork |
//! | [`replica`], [`pull`] | deltas, digests, greeting, snapshots |
//! | [`patience`] | how long an answer is waited for |
//!
//! Deliberately not here: anything that is read or written, a clock, a signature.

mod age;
mod at_core;
mod decide;
mod hear;
mod io;
mod journal;
mod link;
mod mode;
mod offline;
mod outbox;
mod overlay;
mod patience;
mod pull;
mod random;
mod replica;
mod restored;
mod scan;
mod shown;
mod status;
mod succession;

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    ids::{BootId, GateId, NodeId, SnapshotId, VenueId},
    sync::{Ask, DIGEST_ALGORITHM, Epoch, Health, Hello, JournalEntry, SealedRow, Up},
    time::{BootTime, MAX_CACHE_AGE},
    verdict::{DecidedBy, Mode, Verdict},
};

pub use io::{Input, Output, Previous, Received, RequestId, ScanRequest};
pub use journal::MAX_BATCH_BYTES;
pub use link::{ASK_INTERVAL, FAILED_ATTEMPT_HOLDS, RECOVERY_ASK_INTERVAL, RESYNC_BUDGET};
pub use restored::{
    Now, PartialSnapshot, Restored, RestoredJournal, RestoredReplica, RestoredRow, SavedProof,
};
pub use scan::{MAX_PENDING_SCANS, MAX_UNDECIDED};
pub use shown::{Alarm, Answer, GateCounts, Reason, Reply, Status};
pub use succession::carry_over;

use age::Timekeeping;
use journal::Journal;
use link::Link;
use mode::Facts;
use outbox::Outbox;
use overlay::Overlay;
use pull::{Greeting, Pulling};
use replica::{Agreement, Replica};
use scan::{Scans, Stage};

/// How often the core is told how the node is.
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);

/// An edge node's state and all that it decides.
#[derive(Debug)]
pub struct Machine {
    node: NodeId,
    venue: VenueId,
    boot: BootId,
    software: String,
    configured_limit: Duration,
    time: Timekeeping,
    link: Link,
    journal: Journal,
    overlay: Overlay,
    replica: Replica,
    greeting: Greeting,
    pulling: Option<Pulling>,
    partial: Option<PartialSnapshot>,
    /// A snapshot whose report the store still owes, though nobody wants it any more. Until then no
    /// other is begun.
    unwanted: Option<SnapshotId>,
    scans: Scans,
    out: Outbox,
    revoked: bool,
    /// The database whose `Welcome` said what it holds of the journal. Another one may not know
    /// what was acknowledged.
    welcomed_by: Option<Epoch>,
    /// The database that answered last.
    answered_by: Option<Epoch>,
    health_at: BootTime,
    /// When the cache will be too old, if that lies ahead.
    limit_at: Option<BootTime>,
    free_bytes: u64,
    counts: BTreeMap<GateId, status::Counts>,
    counted: bool,
    shown: Option<(Mode, Option<Reason>)>,
}

impl Machine {
    /// A machine that goes on from what was found on disk.
    #[must_use]
    pub fn new(restored: Restored, now: Now) -> Self {
        let replica = Replica::new(restored.replica);
        let on_disk = replica.epoch().map(|epoch| (epoch, replica.applied()));
        let mut machine = Self {
            node: restored.node,
            venue: restored.venue,
            boot: restored.boot,
            software: restored.software,
            configured_limit: restored.configured_limit.min(MAX_CACHE_AGE),
            time: Timekeeping::new(restored.boot, restored.proof, on_disk),
            link: Link::new(now),
            journal: Journal::new(&restored.journal, now),
            overlay: Overlay::default(),
            replica,
            greeting: Greeting::default(),
            pulling: None,
            partial: restored.partial,
            unwanted: None,
            scans: Scans::default(),
            out: Outbox::new(restored.entropy, now.wall),
            revoked: restored.revoked,
            welcomed_by: None,
            answered_by: None,
            health_at: now.boottime,
            limit_at: None,
            free_bytes: 0,
            counts: BTreeMap::new(),
            counted: false,
            shown: None,
        };
        for row in &restored.journal.rows {
            machine.overlay_row(&row.row);
            if let Some((position, (epoch, _))) = row.acknowledged.zip(on_disk) {
                let seq = row.row.row().seq;
                machine.overlay.acknowledged(seq, (epoch, position));
            }
        }
        let acknowledged = restored.journal.acknowledged;
        machine.overlay.acknowledged_elsewhere(acknowledged);
        machine.settle(now);
        machine
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.tick(now);
        self.take(input, now);
        self.settle(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Now) {
        self.tick(now);
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] is to be called at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(BootTime, &'static str)> {
        let connected = self.link.is_connected();
        let upload = self.journal.resends_at().map(|at| (at, "journal"));
        [
            Some(self.link.next_timeout()),
            self.scans.next_timeout(),
            self.greeting.next_timeout().filter(|_| connected),
            self.pulling
                .as_ref()
                .filter(|_| connected)
                .and_then(Pulling::next_timeout),
            upload.filter(|_| connected),
            Some((self.health_at, "health")).filter(|_| connected),
            self.limit_at.map(|at| (at, "cache limit")),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop()
    }

    fn take(&mut self, input: Input, now: Now) {
        match input {
            Input::Connected => {
                self.link.connected(now);
                self.greeting.connected(now);
                self.ask(now);
            }
            Input::Disconnected => {
                self.link.disconnected(now);
                self.greeting.disconnected();
                self.journal.disconnected();
                if let Some(pulling) = &mut self.pulling {
                    pulling.interrupt();
                }
            }
            Input::Message(message) => self.hear(message, now),
            Input::Scan(request) => self.scan(*request, now),
            Input::Found {
                scan,
                generation,
                position,
                ticket,
            } => {
                self.found(scan, (generation, position), ticket.as_ref(), now);
            }
            Input::Persisted {
                incarnation,
                through,
            } => {
                if self.journal.persisted(incarnation, through) {
                    self.written(through, now);
                }
            }
            Input::Rows {
                incarnation,
                from,
                rows,
            } => {
                self.reread(&rows);
                let heard = self
                    .journal
                    .rows((incarnation, from), &rows, now, &mut self.out);
                self.journal_heard(heard, now);
            }
            Input::JournalOpened { head, rows } => self.journal_opened(&rows, head, now),
            Input::Applied { position, digests } => {
                if !self.replica.applied_to(position, digests) {
                    self.drop_replica("the store reported what it was not handed", now);
                }
            }
            Input::SnapshotReady { snapshot, replica } => {
                self.snapshot_ready(snapshot, replica, now);
            }
            Input::SnapshotFailed { snapshot } => self.snapshot_failed(snapshot, now),
            Input::Recomputed { position, digest } => {
                if !self.replica.is_sound(position, digest) {
                    self.out.alarm(Alarm::ReplicaDamaged);
                    self.drop_replica("its rows do not add up to its digest", now);
                }
            }
            Input::ReplicaFailed => {
                self.out.alarm(Alarm::ReplicaDamaged);
                self.drop_replica("its file can't be used", now);
            }
            Input::Disk { free_bytes } => self.free_bytes = free_bytes,
        }
    }

    /// Everything that time alone brings about.
    fn tick(&mut self, now: Now) {
        self.out.wall = now.wall;
        if self.time.observe(now) {
            self.out.alarm(Alarm::ClockNotTrusted);
            if self.link.is_connected() {
                self.ask(now);
            }
        }
        if self.link.tick(now) {
            self.ask(now);
        }
        self.give_up_on_core(now);
        self.give_up_undecided(now);
        if self.link.is_connected() {
            self.tick_connected(now);
        }
    }

    fn tick_connected(&mut self, now: Now) {
        self.journal.tick(now);
        if !self.replica.is_held() && self.pulling.is_none() && self.greeting.is_idle() {
            self.greeting.plan(now.boottime.plus(pull::PAUSE));
        }
        if self
            .pulling
            .as_mut()
            .is_some_and(|pulling| !pulling.tick(now, &mut self.out))
        {
            self.partial = self.pulling.take().map(|pulling| pulling.partial());
            self.greeting.plan(now.boottime);
        }
        if self.greeting.tick(now, self.replica.reached()) {
            self.greet(now);
        }
        if self.health_at <= now.boottime {
            self.health_at = now.boottime.plus(HEALTH_INTERVAL);
            self.send_health(now);
        }
    }

    /// What follows from whatever was taken.
    fn settle(&mut self, now: Now) {
        match self.replica.agree() {
            Agreement::None => {}
            Agreement::Agreed(proof) => {
                if self.time.prove(proof) {
                    self.out.queue_proof(self.time.saved());
                }
            }
            Agreement::Mismatch(position) => {
                self.out.alarm(Alarm::DigestMismatch { position });
                self.drop_replica("its digest is not the core's", now);
            }
        }
        if let Some(epoch) = self.replica.epoch() {
            self.overlay.passed((epoch, self.replica.applied()));
        }
        self.journal.pump_fork(self.moment(now), &mut self.out);
        self.journal.pump(now, &mut self.out);
        self.settle_attempt(now);
        self.limit_at = self
            .time
            .passes(self.limit())
            .filter(|at| *at > now.boottime);
        let ruling = self.facts(now).ruling();
        let shown = Some((self.display(ruling.mode), ruling.reason));
        let counted = std::mem::take(&mut self.counted);
        if shown != self.shown || counted {
            self.shown = shown;
            self.out.push(Output::Changed);
        }
    }

    /// The facts that the tests of `ADMISSION` 2 ask for.
    fn facts(&self, now: Now) -> Facts {
        let oldest = self.overlay.oldest_alone();
        Facts {
            revoked: self.is_revoked(),
            core_answers: self.link.core_answers()
                && self.time.has_answer()
                && self.welcomed_by == self.answered_by,
            settled: self.journal.is_settled(),
            complete: self.replica.is_held() && !self.journal.is_rereading(),
            clock_trusted: self.time.is_trusted(),
            age: self.time.age(now),
            limit: self.limit(),
            oldest_alone: oldest.map(|held| self.since(&held.at, now).unwrap_or(Duration::MAX)),
        }
    }

    /// Told so by the core, or by the feed.
    fn is_revoked(&self) -> bool {
        self.revoked || self.replica.node(self.node).is_some_and(|own| own.revoked)
    }

    /// The lowest of the constant, the configuration and the venue's policy.
    fn limit(&self) -> Duration {
        self.configured_limit.min(self.replica.policy_limit())
    }

    fn ask(&mut self, now: Now) {
        let nonce = self.out.random.nonce();
        self.out.send(Up::Ask(Ask { nonce }));
        self.link.asked(nonce, now);
    }

    fn greet(&mut self, now: Now) {
        let hello = Hello {
            boot: self.boot,
            epoch: self.replica.epoch(),
            head: self.replica.applied(),
            digest: self.replica.digest(),
            algorithms: vec![DIGEST_ALGORITHM],
            journal: self.journal.head(),
            software: self.software.clone(),
        };
        let id = self.out.send(Up::Hello(hello));
        self.greeting.sent(id, now);
    }

    fn send_health(&mut self, now: Now) {
        let ruling = self.facts(now).ruling();
        let age = self.time.age(now);
        self.out.send(Up::Health(Health {
            mode: self.display(ruling.mode),
            cache_age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            head: self.replica.applied(),
            unacknowledged: self.journal.unacknowledged(),
            free_bytes: self.free_bytes,
            software: self.software.clone(),
        }));
    }

    /// Takes an admission, or that it was taken back, from a row of the journal.
    fn overlay_row(&mut self, row: &SealedRow) {
        let (seq, at) = (row.row().seq, row.row().at);
        match &row.row().entry {
            JournalEntry::Decision(decision) if decision.verdict == Verdict::Admit => {
                if let Some(ticket) = decision.ticket {
                    let alone = decision.decided_by == DecidedBy::Edge;
                    self.overlay
                        .admit(ticket, (decision.scan, decision.gate), (seq, at), alone);
                }
            }
            JournalEntry::Voided { scan, .. } => self.overlay.void_scan(*scan),
            JournalEntry::Opened { .. } | JournalEntry::Decision(_) => {}
        }
    }

    /// A snapshot on its way stays: it lies in a file of its own. Only one that is being swapped in
    /// goes with the file whose place it takes.
    fn drop_replica(&mut self, why: &'static str, now: Now) {
        self.replica.drop_held();
        self.time.forget_proof();
        if let Some(swapping) = self.pulling.take_if(|pulling| pulling.is_whole()) {
            self.unwanted = Some(swapping.snapshot());
        }
        self.out.push(Output::DropReplica { why });
        if self.pulling.is_none() {
            let jitter = self.out.random.below(pull::MAX_JITTER.as_millis() as u64);
            self.greeting
                .plan(now.boottime.plus(Duration::from_millis(jitter)));
        }
        self.look_up_again(now);
    }

    /// The replica is another one, or gone: look-ups in the one before are not waited for.
    fn look_up_again(&mut self, now: Now) {
        let looking = |stage: &Stage| matches!(stage, Stage::LookingUp { .. });
        for scan in self.scans.in_stage(looking) {
            self.route(scan, now);
        }
    }
}
