//! A node's shell: it carries out the machine's outputs, in time, on a disk that loses what was not
//! synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId, SnapshotId, TicketId},
    sync::{
        Delta, JournalEntry, JournalHead, JournalRow, Moment, SealedRow, TicketEntry, TicketState,
    },
};
use eventify_sync::edge::{Input, Machine, Now, ReplicaOutput, Restored, RestoredRow, carry_over};

use super::{
    clock::{Clock, MS, Nanos, S},
    disk::{Disk, Store},
    model,
    network::Line,
    rng::Rng,
    watch::Watch,
};

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) gates: Vec<GateId>,
    pub(crate) scanner: ScannerId,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) line: Line,
    pub(crate) machine: Option<Machine>,
    /// Counts processes: what belongs to an earlier one is gone.
    pub(crate) life: u32,
    /// Counts connections: what was sent to an earlier one is gone.
    pub(crate) session: u32,
    pub(crate) connected: bool,
    /// Suspended until then.
    pub(crate) frozen_until: Nanos,
    /// The disk is slow until then.
    pub(crate) slow_until: Nanos,
    /// Another program holds the journal until then.
    pub(crate) held_until: Nanos,
    /// Rows that the running sync covers, and those that wait for the next.
    pub(crate) unsynced: Vec<SealedRow>,
    pub(crate) syncing: usize,
    replica_busy: Nanos,
    pub(crate) armed: Option<Nanos>,
    /// A copy of the disk, to be put back later.
    pub(crate) image: Option<Disk>,
    /// Somebody has put an old image back.
    pub(crate) was_restored: bool,
    pub(crate) was_revoked: bool,
    /// A copy of its disk runs elsewhere, or it is one.
    pub(crate) is_copied: bool,
    /// It was told that it is a duplicate.
    pub(crate) is_stopped: bool,
    /// The next row that is applied is written wrongly.
    pub(crate) misapplies: bool,
    /// Scans that this process has sent to the core.
    pub(crate) asked: BTreeSet<ScanId>,
    /// Scans that an earlier process has sent: this one can't say until when the core was asked.
    pub(crate) asked_before: BTreeSet<ScanId>,
    /// Scans that were decided without the core after it was asked.
    pub(crate) given_up: BTreeSet<ScanId>,
    /// Its next look-ups, or the next work on its replica, find a file that can't be used.
    pub(crate) breaks: u32,
    /// A snapshot on its way was lost with its file.
    pub(crate) lost_a_pull: bool,
    pub(crate) watch: Watch,
    /// Scans that the machine has done something about since the last input.
    pub(crate) moved: BTreeSet<ScanId>,
    /// When a row about a scan was written last.
    pub(crate) decided: BTreeMap<ScanId, Nanos>,
    /// A journal file is being begun: nothing is decided.
    pub(crate) forking: bool,
    /// Journal rows that are being read: what the core named may not be compared before.
    pub(crate) reading_rows: u32,
    /// Somebody waits for a moment to set the wall clock.
    pub(crate) ambush: Option<(super::chaos::Moment, i64)>,
    /// For so long its clocks have stood still.
    pub(crate) paused: Nanos,
    configured_limit: Duration,
    /// The shell loses its overlay at a restart, in a world where it does.
    pub(crate) forgets_overlay: bool,
    /// The shell gives suspended tickets out as valid ones, in a world where it does.
    pub(crate) admits_suspended: bool,
}

impl Node {
    pub(crate) fn new(at: Nanos, gates: Vec<GateId>, rng: &mut Rng) -> Self {
        let id = NodeId(rng.uuid());
        let boot = eventify_protocol::ids::BootId(rng.uuid());
        let ppm = rng.signed(990);
        let wall_error = if rng.percent(20) {
            rng.signed(3_600_000_000)
        } else {
            rng.signed(500_000)
        };
        let clock = Clock::new(boot, at, ppm, wall_error);
        let incarnation = IncarnationId(rng.uuid());
        let now = clock.now(at);
        let opened = SealedRow::seal(JournalRow {
            incarnation,
            seq: 1,
            previous: Hash32::ZERO,
            at: Moment {
                boot,
                boottime: now.boottime,
                wall: now.wall,
                core: None,
            },
            entry: JournalEntry::Opened {
                node: id,
                succeeds: None,
                after_loss: None,
            },
        });
        Self {
            id,
            gates,
            scanner: ScannerId(rng.uuid()),
            clock,
            disk: Disk::new(opened),
            line: Line::new(rng),
            machine: None,
            life: 0,
            session: 0,
            connected: false,
            frozen_until: 0,
            slow_until: 0,
            held_until: 0,
            unsynced: vec![],
            syncing: 0,
            replica_busy: 0,
            armed: None,
            image: None,
            was_restored: false,
            was_revoked: false,
            is_copied: false,
            is_stopped: false,
            misapplies: false,
            asked: BTreeSet::new(),
            asked_before: BTreeSet::new(),
            given_up: BTreeSet::new(),
            breaks: 0,
            lost_a_pull: false,
            watch: Watch::default(),
            moved: BTreeSet::new(),
            decided: BTreeMap::new(),
            forking: false,
            reading_rows: 0,
            ambush: None,
            paused: 0,
            configured_limit: Duration::from_secs([300, 3_600, 40][rng.index(3)]),
            forgets_overlay: false,
            admits_suspended: false,
        }
    }

    pub(crate) fn now(&self, at: Nanos) -> Now {
        self.clock.now(at)
    }

    /// The limit in force.
    pub(crate) fn status_limit(&self, at: Nanos) -> Duration {
        let machine = self.machine.as_ref();
        let status = machine.map(|machine| machine.status(self.now(at)));
        status.map_or(Duration::ZERO, |status| status.limit)
    }

    pub(crate) fn start(&mut self, at: Nanos, rng: &mut Rng) {
        self.life += 1;
        self.asked_before.append(&mut self.asked);
        self.forking = false;
        self.reading_rows = 0;
        self.unsynced.clear();
        self.syncing = 0;
        self.replica_busy = at;
        self.armed = None;
        let Hash32(entropy) = rng.hash();
        let mut journal = self.disk.restored_journal();
        if self.forgets_overlay {
            let is_decision =
                |row: &RestoredRow| matches!(row.row.row().entry, JournalEntry::Decision(_));
            journal.rows.retain(|row| !is_decision(row));
        }
        let proof = self
            .disk
            .proof
            .filter(|proof| proof.boot == self.clock.boot);
        let compared = proof.map(|proof| proof.asked);
        self.watch
            .started(self.disk.rows(), journal.acknowledged, compared);
        let restored = Restored {
            node: self.id,
            venue: model::VENUE,
            boot: self.clock.boot,
            software: "sim".to_owned(),
            configured_limit: self.configured_limit,
            entropy,
            journal,
            replica: self.disk.replica.as_ref().map(Store::restored),
            partial: self.disk.partial(),
            proof: self.disk.proof,
            revoked: self.disk.revoked,
        };
        self.machine = Some(Machine::new(restored, self.now(at)));
    }

    /// The process dies. Some of what was being written may have reached the disk all the same.
    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        self.machine = None;
        self.life += 1;
        self.connected = false;
        self.session += 1;
        let torn = rng.index(self.unsynced.len() + 1);
        let survivors: Vec<SealedRow> = self.unsynced.drain(..).take(torn).collect();
        self.disk.append(survivors);
    }

    /// When the sync that begins now will be done.
    pub(crate) fn sync_done(&self, at: Nanos, rng: &mut Rng) -> Nanos {
        let at = at.max(self.held_until);
        if at < self.slow_until {
            return at + rng.between(500 * MS, 4 * S);
        }
        at + rng.between(MS / 2, 6 * MS)
    }

    /// When the next work on the replica will be done; works are done one after the other.
    pub(crate) fn replica_done(&mut self, at: Nanos, rng: &mut Rng) -> Nanos {
        self.replica_busy = self.replica_busy.max(at) + rng.between(MS / 2, 4 * MS);
        self.replica_busy
    }

    /// The running sync is done. What became durable.
    pub(crate) fn synced(&mut self) -> Input {
        let rows: Vec<SealedRow> = self.unsynced.drain(..self.syncing).collect();
        self.syncing = 0;
        let last = rows.last().map_or(0, |row| row.row().seq);
        self.disk.append(rows);
        Input::RowsWritten {
            incarnation: self.disk.incarnation(),
            through: last,
        }
    }

    pub(crate) fn read_rows(&self, from: u64, through: u64, most: usize) -> Input {
        let wanted = |row: &&SealedRow| (from..=through).contains(&row.row().seq);
        let rows = self
            .disk
            .rows()
            .iter()
            .filter(wanted)
            .take(most)
            .cloned()
            .collect();
        Input::RowsRead {
            incarnation: self.disk.incarnation(),
            from,
            rows,
        }
    }

    /// None: the file can't be read.
    pub(crate) fn read_ticket(
        &self,
        scan: ScanId,
        ticket: TicketId,
        generation: u32,
    ) -> Option<Input> {
        let store = self.disk.replica.as_ref().filter(|_| self.breaks == 0)?;
        let mut ticket: Option<TicketEntry> = store.ticket(ticket);
        if self.admits_suspended
            && let Some(entry) = &mut ticket
            && entry.state == TicketState::Suspended
        {
            entry.state = TicketState::Valid;
        }
        Some(Input::TicketRead {
            scan,
            generation,
            position: store.position,
            ticket,
        })
    }

    pub(crate) fn begin_file(
        &mut self,
        incarnation: IncarnationId,
        succeeds: JournalHead,
        at: Moment,
    ) -> Option<Input> {
        assert!(self.unsynced.is_empty(), "the old file is finished");
        let rows = carry_over(self.id, incarnation, succeeds, at, self.disk.rows());
        self.disk.open(incarnation, rows.clone());
        let head = rows.last().map(SealedRow::head)?;
        Some(Input::JournalOpened { head, rows })
    }

    /// The file can't be used: it is deleted.
    pub(crate) fn replica_failed(&mut self) -> Input {
        self.breaks = self.breaks.saturating_sub(1);
        self.disk.replica = None;
        Input::ReplicaFailed
    }

    /// Does what the machine wants of the replica. What is to be reported of it.
    pub(crate) fn use_replica(&mut self, output: ReplicaOutput) -> Vec<Input> {
        let discards = matches!(output, ReplicaOutput::Discard { .. });
        if self.breaks > 0 && !discards {
            return self.break_at(&output);
        }
        self.perform(output).into_iter().collect()
    }

    /// It fails. A snapshot that can't be stored is lost alone; one that can't be swapped in takes the
    /// replica with it.
    fn break_at(&mut self, output: &ReplicaOutput) -> Vec<Input> {
        let Some(snapshot) = snapshot_of(output) else {
            return vec![self.replica_failed()];
        };
        self.lost_a_pull = true;
        self.disk.lose_partial();
        let lost = Input::SnapshotFailed { snapshot };
        if matches!(output, ReplicaOutput::FinishSnapshot { .. }) {
            return vec![self.replica_failed(), lost];
        }
        self.breaks -= 1;
        vec![lost]
    }

    fn apply(&mut self, mut delta: Delta) -> Input {
        let joins = |store: &&mut Store| store.position == delta.from;
        let Some(store) = self.disk.replica.as_mut().filter(joins) else {
            return self.replica_failed();
        };
        if std::mem::take(&mut self.misapplies) {
            delta
                .entries
                .iter_mut()
                .for_each(|entry| entry.version += 1);
            store.is_damaged = true;
        }
        Input::DeltaApplied {
            position: delta.to,
            digests: store.apply(&delta),
        }
    }

    fn perform(&mut self, output: ReplicaOutput) -> Option<Input> {
        match output {
            ReplicaOutput::Apply(delta) => return Some(self.apply(delta)),
            ReplicaOutput::Adopt { epoch, digest_key } => {
                self.disk.replica.as_mut()?.adopt(epoch, digest_key);
            }
            ReplicaOutput::BeginSnapshot(plan) => self.disk.begin(plan),
            ReplicaOutput::StoreChunk(chunk) => self.disk.store_chunk(chunk),
            ReplicaOutput::FinishSnapshot { snapshot } => {
                return Some(match self.disk.finish(snapshot) {
                    Some(replica) => Input::SnapshotReady { snapshot, replica },
                    None => Input::SnapshotFailed { snapshot },
                });
            }
            ReplicaOutput::Discard { .. } => self.disk.delete_replica(),
            ReplicaOutput::UpdateProof(proof) => self.disk.proof = Some(proof),
            ReplicaOutput::UpdateRevoked(_) | ReplicaOutput::ReadTicket { .. } => {
                panic!("carried out at once")
            }
        }
        None
    }
}

/// The snapshot that an output is about.
fn snapshot_of(output: &ReplicaOutput) -> Option<SnapshotId> {
    if let ReplicaOutput::StoreChunk(chunk) = output {
        Some(chunk.snapshot)
    } else if let ReplicaOutput::BeginSnapshot(plan) = output {
        Some(plan.snapshot)
    } else if let ReplicaOutput::FinishSnapshot { snapshot } = output {
        Some(*snapshot)
    } else {
        None
    }
}
