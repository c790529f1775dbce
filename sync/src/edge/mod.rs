//! The edge node's end of the sync protocol, as one machine without IO.
//!
//! ```text
//! Input ──► handle(input, now) ──► poll_output() ──► Output
//!           handle_timeout(now)    poll_timeout() ──► (when, why)
//! ```
//!
//! The machine is the single owner of the node's state; its shell carries out its outputs, in order,
//! and reports back. [`Input`], [`Output`] and [`Restored`] are the interface. After each call the
//! shell takes all outputs.
//!
//! | module | holds |
//! |---|---|
//! | [`scan`] | a scan's way, from its arrival to its reply |
//! | [`acts`] | what people do beside scanning |
//! | [`age`] | what can be proven about time |
//! | [`connectivity`] | whether the core answers; the shared attempt to reach it |
//! | [`mode`] | the ordered tests that choose the mode |
//! | [`messages`], [`storage`] | what follows from the core's messages, from the files' reports |
//! | [`overlay`], [`freed`] | own admissions that the replica may not show yet; entries that are over |
//! | [`journal`], [`upload`] | the chain and its forks; its way to the core |
//! | [`replica`], [`hello`], [`pull`] | deltas and digests; greeting the core; snapshots |
//! | [`held`] | a journal that another program holds |
//! | [`searches`] | guests that staff have looked for |
//! | [`report`] | replies, status, alarms |
//!
//! Deliberately not here: IO, a clock, a signature.

mod acts;
mod age;
mod connectivity;
mod freed;
mod held;
mod hello;
mod io;
mod journal;
mod messages;
mod mode;
mod outputs;
mod overlay;
mod pull;
mod random;
mod replica;
mod report;
mod restored;
mod retry_timer;
mod scan;
mod searches;
mod shown;
mod staff;
mod storage;
mod succession;
mod upload;

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    ids::{BootId, GateId, NodeId, SessionId, SnapshotId, VenueId},
    lan::JournalFault,
    sync::{Epoch, Moment},
    time::{BootTime, MAX_CACHE_AGE, at_most},
    verdict::Mode,
};

pub use acts::{
    ActKind, ActOutcome, ActRefusal, ActRequest, ActScan, ActTicket, DoneAct, MAX_RECENT_ACTS,
};
pub use connectivity::{ASK_INTERVAL, FAILED_ATTEMPT_HOLDS, RECOVERY_ASK_INTERVAL, RESYNC_BUDGET};
pub use io::{
    CoreMessage, Input, JournalOutput, Output, Previous, ReplicaOutput, RequestId, ScanRequest,
    Stop,
};
pub use pull::SnapshotPlan;
pub use report::{Alarm, GateCounts, Reason, Reply, ScanOutcome, Status};
pub use restored::{
    Now, PartialSnapshot, Restored, RestoredJournal, RestoredReplica, RestoredRow, SavedProof,
};
pub use scan::{MAX_PENDING_SCANS, MAX_UNDECIDED};
pub use searches::{NoSearch, SearchRecord, SearchRecorded};
pub use shown::{READ_AGAIN, Shown};
pub use succession::{begin_after_loss, carry_over};
pub use upload::MAX_BATCH_BYTES;

use acts::Acts;
use age::Timekeeping;
use connectivity::Connectivity;
use hello::Greeting;
use journal::Journal;
use mode::NodeState;
use outputs::Outputs;
use overlay::Overlay;
use pull::Pulling;
use replica::{Comparison, Replica};
use scan::Scans;
use searches::Searches;

/// An edge node's state and everything that it decides.
#[derive(Debug)]
pub struct Machine {
    node: NodeId,
    venue: VenueId,
    boot: BootId,
    session: SessionId,
    software: String,
    configured_limit: Duration,
    time: Timekeeping,
    connectivity: Connectivity,
    journal: Journal,
    overlay: Overlay,
    replica: Replica,
    greeting: Greeting,
    pulling: Option<Pulling>,
    partial: Option<PartialSnapshot>,
    /// A snapshot that was given up and that the store has yet to report. Until then no other is
    /// begun.
    abandoned: Option<SnapshotId>,
    scans: Scans,
    searches: Searches,
    acts: Acts,
    outputs: Outputs,
    revoked: bool,
    /// The database whose `Welcome` named what it holds of the journal. Another one may not know
    /// what was acknowledged.
    welcomed_by: Option<Epoch>,
    /// The database that answered last.
    answered_by: Option<Epoch>,
    health_at: BootTime,
    /// When the cache will be too old, if that lies ahead.
    limit_at: Option<BootTime>,
    free_bytes: u64,
    journal_fault: Option<JournalFault>,
    counts: BTreeMap<GateId, report::Counts>,
    counts_changed: bool,
    reported: Option<(Mode, Option<Reason>)>,
    /// Begins anywhere, so that a restart shows in it as well.
    mode_number: u32,
}

impl Machine {
    /// A machine that continues from what was found on disk.
    #[must_use]
    pub fn new(restored: Restored, now: Now) -> Self {
        let replica = Replica::new(restored.replica);
        let on_disk = replica.epoch().map(|epoch| (epoch, replica.applied()));
        let mut outputs = Outputs::new(restored.entropy, now.wall);
        let mode_number = outputs.random.number();
        let mut machine = Self {
            node: restored.node,
            venue: restored.venue,
            boot: restored.boot,
            session: outputs.random.session(),
            software: restored.software,
            configured_limit: restored.configured_limit.min(MAX_CACHE_AGE),
            time: Timekeeping::new(restored.boot, restored.proof, on_disk),
            connectivity: Connectivity::new(now),
            journal: Journal::new(&restored.journal, now),
            overlay: Overlay::default(),
            replica,
            greeting: Greeting::default(),
            pulling: None,
            partial: restored.partial,
            abandoned: None,
            scans: Scans::default(),
            searches: Searches::default(),
            acts: Acts::default(),
            outputs,
            revoked: restored.revoked,
            welcomed_by: None,
            answered_by: None,
            health_at: now.boottime,
            limit_at: None,
            free_bytes: 0,
            journal_fault: None,
            counts: BTreeMap::new(),
            counts_changed: false,
            reported: None,
            mode_number,
        };
        for row in &restored.journal.rows {
            machine.replay([&row.row]);
            if let Some((position, (epoch, _))) = row.acknowledged.zip(on_disk) {
                let seq = row.row.row().seq;
                machine.overlay.mark_acknowledged(seq, (epoch, position));
            }
        }
        let acknowledged = restored.journal.acknowledged;
        machine.overlay.mark_acknowledged_elsewhere(acknowledged);
        machine.derive(now);
        machine
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.expire_timers(now);
        match input {
            Input::Connected => self.on_connected(now),
            Input::Disconnected => self.on_disconnected(now),
            Input::Message(message) => self.receive(message, now),
            Input::Scan(request) => self.arrive(*request, now),
            Input::Search { request, record } => self.on_search(request, *record, now),
            Input::Act(request) => self.on_act(*request, now),
            Input::TicketRead {
                scan,
                generation,
                position,
                ticket,
            } => self.on_ticket_read(scan, (generation, position), ticket.as_ref(), now),
            Input::RowsWritten {
                incarnation,
                through,
            } => {
                if self.journal.mark_persisted(incarnation, through) {
                    self.release(through, now);
                    self.release_searches(through, now);
                    self.release_acts(through, now);
                }
            }
            Input::RowsRead {
                incarnation,
                from,
                rows,
            } => self.on_rows_read((incarnation, from), &rows, now),
            Input::JournalOpened { head, rows } => self.on_journal_opened(&rows, head, now),
            Input::DeltaApplied { position, digests } => {
                self.on_delta_applied(position, digests, now);
            }
            Input::SnapshotReady { snapshot, replica } => {
                self.on_snapshot_ready(snapshot, replica, now);
            }
            Input::SnapshotFailed { snapshot } => self.on_snapshot_failed(snapshot, now),
            Input::DigestRecomputed { position, digest } => {
                self.on_digest_recomputed(position, digest, now);
            }
            Input::ReplicaFailed => self.on_replica_failed(now),
            Input::Room { free_bytes, fault } => self.on_room(free_bytes, fault, now),
        }
        self.derive(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire_timers(now);
        self.derive(now);
    }

    /// When [`Self::handle_timeout`] is due at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(BootTime, &'static str)> {
        let while_connected = [
            self.greeting.next_timeout(),
            self.pulling.as_ref().and_then(Pulling::next_timeout),
            self.journal.resends_at().map(|at| (at, "journal")),
            Some((self.health_at, "health")),
        ];
        let is_connected = self.connectivity.is_connected();
        let always = [
            Some(self.connectivity.next_timeout()),
            self.scans.next_timeout(),
            self.limit_at.map(|at| (at, "cache limit")),
            self.unreadable_due().map(|at| (at, "unreadable texts")),
        ];
        let timers = while_connected.into_iter().filter(|_| is_connected);
        timers.chain(always).flatten().min()
    }

    /// The next effect to carry out.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    fn on_connected(&mut self, now: Now) {
        self.connectivity.connected(now);
        self.greeting.connected(now);
        self.ask(now);
    }

    fn on_disconnected(&mut self, now: Now) {
        self.connectivity.disconnected(now);
        self.greeting.disconnected();
        self.journal.disconnected();
        if let Some(pulling) = &mut self.pulling {
            pulling.interrupt();
        }
    }

    /// Everything that time alone brings about.
    fn expire_timers(&mut self, now: Now) {
        self.outputs.wall = now.wall;
        if self.time.check_clocks(now) {
            self.outputs.alarm(Alarm::ClockNotTrusted);
            if self.connectivity.is_connected() {
                self.ask(now);
            }
        }
        if self.connectivity.poll_question(now) {
            self.ask(now);
        }
        self.expire_questions(now);
        self.expire_undecided(now);
        if self.connectivity.is_connected() {
            self.expire_connected_timers(now);
        }
    }

    fn expire_connected_timers(&mut self, now: Now) {
        self.journal.resend_if_due(now);
        if !self.replica.is_present() && self.pulling.is_none() && self.greeting.is_idle() {
            self.greeting.plan(now.boottime.plus(hello::PAUSE));
        }
        if self
            .pulling
            .as_mut()
            .is_some_and(|pulling| !pulling.retry_if_due(now, &mut self.outputs))
        {
            self.partial = self.pulling.take().map(|pulling| pulling.partial());
            self.greeting.plan(now.boottime);
        }
        if self.greeting.poll_hello(now, self.replica.requested()) {
            self.greet(now);
        }
        if self.health_at <= now.boottime {
            self.send_health(now);
        }
    }

    /// Everything that follows from the present state, whatever has changed it.
    fn derive(&mut self, now: Now) {
        match self.replica.compare_points() {
            Comparison::Nothing => {}
            Comparison::Match(proof) => {
                if let Some(saved) = self.time.insert_proof(proof) {
                    self.outputs.push(ReplicaOutput::UpdateProof(saved));
                }
            }
            Comparison::Mismatch(position) => {
                self.outputs.alarm(Alarm::DigestMismatch { position });
                self.discard_replica("its digest is not the core's", now);
            }
        }
        if let Some(epoch) = self.replica.epoch() {
            self.overlay.delete_passed((epoch, self.replica.applied()));
        }
        self.journal
            .advance_fork(self.moment(now), &mut self.outputs);
        self.journal.send_next(now, &mut self.outputs);
        self.finish_attempt(now);
        self.limit_at = self
            .time
            .expires_at(self.limit())
            .filter(|at| *at > now.boottime);
        let ruling = self.node_state(now).ruling();
        if ruling.mode == Mode::Online {
            self.write_all_refused_again(now);
        }
        self.write_unreadable_if_due(ruling.mode, now);
        let reported = Some((self.display(ruling.mode), ruling.reason));
        let counts_changed = std::mem::take(&mut self.counts_changed);
        if reported != self.reported || counts_changed {
            let before = self.reported.map(|(mode, _)| mode);
            if before != reported.map(|(mode, _)| mode) {
                // An outage ends for the core when it hears of it.
                self.mode_number = self.mode_number.wrapping_add(1);
                self.health_at = now.boottime;
            }
            self.reported = reported;
            self.outputs.push(Output::StatusChanged);
        }
    }

    /// The state that the tests of `ADMISSION` 2 depend on.
    fn node_state(&self, now: Now) -> NodeState {
        let oldest = self.overlay.oldest_alone();
        NodeState {
            revoked: self.is_revoked(),
            core_answers: self.connectivity.core_answers()
                && self.time.has_answer()
                && self.welcomed_by == self.answered_by,
            acknowledged: self.journal.is_acknowledged(),
            complete: self.has_complete_replica() && !self.journal.is_rereading(),
            whole: self.overlay.is_complete(),
            clock_trusted: self.time.is_trusted(),
            age: self.time.age(now),
            limit: self.limit(),
            oldest_alone: oldest.map(|own| self.since(&own.at, now).unwrap_or(Duration::MAX)),
        }
    }

    /// One that was fetched anew has to show everybody whom the overlay has deleted.
    fn has_complete_replica(&self) -> bool {
        let epoch = self.replica.epoch();
        let applied = epoch.map(|epoch| (epoch, self.replica.applied()));
        applied.is_some_and(|applied| self.overlay.is_continued_by(applied))
    }

    /// By a message of the core, or by the feed.
    fn is_revoked(&self) -> bool {
        self.revoked || self.replica.node(self.node).is_some_and(|own| own.revoked)
    }

    /// The lowest of the constant, the configuration and the venue's policy.
    fn limit(&self) -> Duration {
        self.configured_limit.min(self.replica.policy_limit())
    }

    /// The time since a moment of this journal, at most; none if it can't be bounded.
    fn since(&self, moment: &Moment, now: Now) -> Option<Duration> {
        if moment.boot == self.boot && moment.boottime <= now.boottime {
            return Some(at_most(now.boottime.since(moment.boottime)));
        }
        let bounds = self.time.bounds(now)?;
        Some(bounds.latest.since(moment.core?.earliest))
    }

    fn moment(&self, now: Now) -> Moment {
        Moment {
            boot: self.boot,
            boottime: now.boottime,
            wall: now.wall,
            core: self.time.bounds(now),
        }
    }
}
