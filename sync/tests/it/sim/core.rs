//! The central core over memory, running the decisions of `eventify_sync::core`.
//!
//! Commits, relay, feed writer, watermark and journal consumer are apart, as in the real core, so
//! that rows wait in an outbox between a commit and the feed.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, MessageId, NodeId, PerformanceId, ScanId, SnapshotId, TicketId},
    sync::{
        DigestKey, Epoch, FeedEntry, GateEntry, PerformanceEntry, Position, Scan, ScanVerdict,
        ScannedTicket, Subject, SyncPoint, TicketEntry, Value,
    },
    time::CoreTime,
    verdict::Verdict,
};
use eventify_sync::{
    core::{
        AdmissionState, ConflictKind, Effect, ScanRecord,
        admission::{self, LockedState, Request},
        feed::{self, FeedHead, NewestRow},
        sessions::Session,
        watermark::{self, Watermark},
        welcome::{Known, StoredSnapshot},
    },
    digest,
    rules::Entitlement,
    token::TokenCheck,
};

use super::{
    clock::{MS, Nanos, core_time},
    core_journal::NodeJournal,
    coverage::Coverage,
    model::{self, Mutation},
    rng::Rng,
};

/// Entries in a chunk: few, so that pulls take several.
const CHUNK_ENTRIES: usize = 9;

#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) epoch: Epoch,
    key: DigestKey,
    pub(crate) tickets: BTreeMap<TicketId, Ticket>,
    pub(crate) gates: BTreeMap<GateId, (NodeId, GateEntry)>,
    /// Those that the venue admits to.
    pub(crate) performances: BTreeMap<PerformanceId, PerformanceEntry>,
    pub(crate) scans: BTreeMap<ScanId, ScanRecord>,
    versions: BTreeMap<Subject, u64>,
    outbox: BTreeMap<u64, OutboxRow>,
    next_outbox: u64,
    /// Until then nothing reaches the feed's writer.
    stalled: Nanos,
    /// Position and digest after each entry, and the entry.
    pub(crate) feed: Vec<(FeedHead, FeedEntry)>,
    held: BTreeMap<Subject, NewestRow>,
    oldest: Position,
    /// Stored ones, the newest last: pulls of the others continue.
    snapshots: Vec<Snapshot>,
    watermark: Option<(Nanos, Watermark)>,
    /// Every commit that concerns the venue, and where the feed has it.
    pub(crate) commits: Vec<Commit>,
    pub(crate) journals: BTreeMap<NodeId, NodeJournal>,
    pub(crate) sessions: BTreeMap<NodeId, Vec<Session>>,
    /// How entries of passages that are over stood beside their check-ins.
    pub(crate) past_conflicts: BTreeMap<ScanId, ConflictKind>,
    /// Entries of before a move, beside which there was no other.
    pub(crate) past_entries: BTreeSet<ScanId>,
    pub(crate) mutation: Option<Mutation>,
}

#[derive(Clone)]
pub(crate) struct Ticket {
    pub(crate) entitlement: Entitlement,
    pub(crate) standing: AdmissionState,
    /// The refund that it is under, or was revoked by.
    pub(crate) refund: Option<usize>,
}

impl Ticket {
    fn entry(&self) -> TicketEntry {
        TicketEntry {
            token: self.entitlement.token,
            performance: self.entitlement.performance,
            category: self.entitlement.category,
            state: self.standing.state(),
            place: Some("A-12".to_owned()),
            code: None,
        }
    }
}

#[derive(Clone)]
struct OutboxRow {
    created: CoreTime,
    ready: Nanos,
    entry: FeedEntry,
    commit: usize,
}

#[derive(Clone)]
pub(crate) struct Commit {
    pub(crate) at: CoreTime,
    pub(crate) position: Option<Position>,
}

#[derive(Clone)]
struct Snapshot {
    stored: StoredSnapshot,
    chunks: Vec<Vec<u8>>,
}

impl Core {
    pub(crate) fn new(rng: &mut Rng, mutation: Option<Mutation>) -> Self {
        Self {
            epoch: Epoch {
                system: rng.next(),
                timeline: 1,
            },
            key: DigestKey(rng.hash()),
            tickets: BTreeMap::new(),
            gates: BTreeMap::new(),
            performances: BTreeMap::new(),
            scans: BTreeMap::new(),
            versions: BTreeMap::new(),
            outbox: BTreeMap::new(),
            next_outbox: 0,
            stalled: 0,
            feed: vec![],
            held: BTreeMap::new(),
            oldest: Position(1),
            snapshots: vec![],
            watermark: None,
            commits: vec![],
            journals: BTreeMap::new(),
            sessions: BTreeMap::new(),
            past_conflicts: BTreeMap::new(),
            past_entries: BTreeSet::new(),
            mutation,
        }
    }

    pub(crate) fn head(&self) -> FeedHead {
        let empty = FeedHead {
            position: Position(0),
            digest: digest::EMPTY,
        };
        self.feed.last().map_or(empty, |(head, _)| *head)
    }

    /// Commits a subject's new state; it waits in the outbox until `ready`.
    pub(crate) fn publish(
        &mut self,
        subject: Subject,
        value: Value,
        at: Nanos,
        rng: &mut Rng,
    ) -> u64 {
        let version = self.versions.entry(subject).or_default();
        *version += 1;
        let entry = FeedEntry {
            subject,
            version: *version,
            value: Some(value),
        };
        // The transaction began a little before it commits.
        let created = core_time(at.saturating_sub(rng.between(0, 40 * MS)));
        let ready = self.stalled.max(at) + rng.between(MS, 120 * MS);
        self.next_outbox += 1;
        self.outbox.insert(
            self.next_outbox,
            OutboxRow {
                created,
                ready,
                entry,
                commit: self.commits.len(),
            },
        );
        self.commits.push(Commit {
            at: core_time(at),
            position: None,
        });
        self.next_outbox
    }

    /// Relay and broker stand still until then: the rows that wait, and those to come.
    pub(crate) fn stall(&mut self, until: Nanos) {
        self.stalled = self.stalled.max(until);
        for row in self.outbox.values_mut() {
            row.ready = row.ready.max(until);
        }
    }

    /// Relay and broker work again.
    pub(crate) fn flow(&mut self, at: Nanos) {
        self.stalled = 0;
        for row in self.outbox.values_mut() {
            row.ready = row.ready.min(at);
        }
    }

    /// When the next row can be written.
    pub(crate) fn next_ready(&self) -> Option<Nanos> {
        self.outbox.values().map(|row| row.ready).min()
    }

    pub(crate) fn is_unsettled(&self, row: u64) -> bool {
        self.outbox.contains_key(&row)
    }

    /// States of a ticket that are not in the feed yet.
    pub(crate) fn unsettled(&self, ticket: TicketId) -> Vec<u64> {
        let of_ticket = |row: &OutboxRow| row.entry.subject == Subject::Ticket(ticket);
        let rows = self.outbox.iter().filter(|(_, row)| of_ticket(row));
        rows.map(|(id, _)| *id).collect()
    }

    pub(crate) fn publish_ticket(&mut self, ticket: TicketId, at: Nanos, rng: &mut Rng) -> u64 {
        let entry = self.tickets[&ticket].entry();
        self.publish(Subject::Ticket(ticket), Value::Ticket(entry), at, rng)
    }

    /// A ticket's newest entry.
    pub(crate) fn ticket_in_feed(&self, ticket: TicketId) -> Option<TicketEntry> {
        let row = self.held.get(&Subject::Ticket(ticket))?.row.as_ref()?;
        let entry: FeedEntry = minicbor::decode(row).expect("rows are entries");
        let Some(Value::Ticket(entry)) = entry.value else {
            return None;
        };
        Some(entry)
    }

    /// The elected writer takes what has come, in whatever order it came; the rows are settled
    /// with it. Returns the position before.
    pub(crate) fn write_feed(&mut self, at: Nanos, rng: &mut Rng) -> Position {
        let before = self.head();
        let ready = self
            .outbox
            .iter()
            .filter(|(_, row)| row.ready <= at)
            .map(|(id, _)| *id);
        let mut ids: Vec<u64> = ready.take(feed::MAX_BATCH_ENTRIES).collect();
        for index in (1..ids.len()).rev() {
            ids.swap(index, rng.index(index + 1));
        }
        let rows: Vec<OutboxRow> = ids.iter().filter_map(|id| self.outbox.remove(id)).collect();
        let entries: Vec<FeedEntry> = rows.iter().map(|row| row.entry.clone()).collect();
        let subjects: BTreeSet<Subject> = entries.iter().map(|entry| entry.subject).collect();
        let held = subjects
            .iter()
            .filter_map(|subject| self.held.get(subject).map(|held| (*subject, held.clone())));
        let written = feed::append(before, &self.key, held.collect(), entries);
        for (head, entry) in &written.entries {
            let row = entry.value.is_some().then(|| entry.to_bytes());
            self.held.insert(
                entry.subject,
                NewestRow {
                    version: entry.version,
                    row,
                },
            );
            self.feed.push((*head, entry.clone()));
        }
        for row in rows {
            self.commits[row.commit].position = Some(written.head.position);
        }
        before.position
    }

    /// Answers a question from a watermark that is at most 250 ms old.
    pub(crate) fn answer(
        &mut self,
        at: Nanos,
        ask: (NodeId, eventify_protocol::sync::Nonce),
        rng: &mut Rng,
    ) -> SyncPoint {
        let fresh = self
            .watermark
            .filter(|(read, _)| at - read < 250 * MS && rng.percent(70));
        let watermark = fresh.map_or_else(|| self.read_watermark(at), |(_, watermark)| watermark);
        if fresh.is_none() {
            self.watermark = Some((at, watermark));
        }
        watermark.answer(ask.1, ask.0, model::VENUE)
    }

    fn read_watermark(&self, at: Nanos) -> Watermark {
        let head = self.head();
        let oldest = self.outbox.values().map(|row| row.created).min();
        let honest = self.mutation != Some(Mutation::TruthIgnoresTheOutbox);
        Watermark {
            epoch: self.epoch,
            position: head.position,
            digest: head.digest,
            truth: watermark::truth(core_time(at), [oldest.filter(|_| honest)]),
            core: core_time(at),
        }
    }

    /// What is known when a `Hello` names this position.
    pub(crate) fn known(&self, node: NodeId, at: Position) -> Known {
        let digest = match usize::try_from(at.0).expect("small").checked_sub(1) {
            None => Some(digest::EMPTY),
            Some(index) => self.feed.get(index).map(|(head, _)| head.digest),
        };
        Known {
            epoch: self.epoch,
            head: self.head().position,
            digest_key: self.key,
            digest_at_node: digest.filter(|_| at.next() >= self.oldest),
            oldest: self.oldest,
            snapshot: self.snapshots.last().map(|snapshot| snapshot.stored),
            acknowledged: self
                .journals
                .get(&node)
                .and_then(NodeJournal::ends)
                .map(|ends| ends.acknowledged),
        }
    }

    /// Stores a snapshot of the head, and deletes older entries if `compact`.
    pub(crate) fn make_snapshot(&mut self, compact: bool, rng: &mut Rng) {
        let position = self.head().position;
        let rows: Vec<FeedEntry> = self
            .held
            .values()
            .filter_map(|held| held.row.as_ref())
            .map(|row| minicbor::decode(row).expect("rows are entries"))
            .collect();
        let chunks: Vec<Vec<u8>> = rows
            .chunks(CHUNK_ENTRIES)
            .map(|part| minicbor::to_vec(part).expect("writing to a Vec"))
            .collect();
        let count = u32::try_from(chunks.len()).expect("few chunks");
        let hash = Hash32::of(&chunks.concat());
        let id = SnapshotId(rng.uuid());
        let stored = StoredSnapshot {
            id,
            position,
            chunks: count,
            hash,
        };
        // Now and then an old one is deleted although a node still pulls it.
        let kept = if rng.percent(40) { 0 } else { 2 };
        let swept = self.snapshots.len().saturating_sub(kept);
        self.snapshots.drain(..swept);
        self.snapshots.push(Snapshot { stored, chunks });
        if compact {
            self.oldest = position.next();
        }
    }

    /// A failover loses one that a node still fetches.
    pub(crate) fn delete_snapshot(&mut self, snapshot: SnapshotId) {
        self.snapshots.retain(|held| held.stored.id != snapshot);
    }

    pub(crate) fn has_snapshot(&self, snapshot: SnapshotId) -> bool {
        let mut held = self.snapshots.iter();
        held.any(|held| held.stored.id == snapshot)
    }

    pub(crate) fn chunk(&self, snapshot: SnapshotId, index: u32) -> Option<(Vec<u8>, u32)> {
        let held = self
            .snapshots
            .iter()
            .find(|held| held.stored.id == snapshot)?;
        let bytes = held.chunks.get(usize::try_from(index).ok()?)?;
        Some((bytes.clone(), held.stored.chunks))
    }

    /// Decides a scan in one transaction. None: an error, nothing is answered.
    pub(crate) fn scan(
        &mut self,
        (node, id, scan): (NodeId, MessageId, &Scan),
        at: Nanos,
        rng: &mut Rng,
        coverage: &mut Coverage,
    ) -> Option<ScanVerdict> {
        let now = core_time(at);
        self.read_restarts();
        let token = self.check(&scan.token);
        let signed = token
            .signed()
            .map(eventify_sync::token::SignedTicket::ticket);
        let ticket = signed.and_then(|id| self.tickets.get(&id));
        let scanned = signed.zip(ticket);
        let scanned = scanned.map(|(id, ticket)| ScannedTicket::of(id, &ticket.entry()));
        let gate = self
            .gates
            .get(&scan.gate)
            .filter(|(owner, _)| *owner == node);
        let ignores = self.mutation == Some(Mutation::CoreIgnoresDeadlines);
        let request = Request {
            scan: scan.scan,
            scanner: scan.scanner,
            gate: scan.gate,
            node: Some(node),
            token: &token,
            deadline: Some(scan.deadline).filter(|_| !ignores),
            replaces: &scan.replaces,
        };
        let held = LockedState {
            scan: self.scans.get(&scan.scan),
            ticket: ticket.map(|ticket| (&ticket.entitlement, &ticket.standing)),
            gate: gate.map(|(_, entry)| entry),
            performance: ticket
                .and_then(|ticket| self.performances.get(&ticket.entitlement.performance)),
            now,
        };
        coverage.late_scans += u64::from(now >= scan.deadline);
        let decided = admission::decide(&request, &held).ok()?;
        if let (Some(effect), Some(id)) = (decided.effect, signed) {
            if let Effect::Restart(_) = effect {
                coverage.restarted += 1;
                self.end_entries(id, now);
            }
            self.change(id, &[effect]);
            self.publish_ticket(id, at, rng);
        }
        if decided.verdict.is_final() {
            let record = self.scans.entry(scan.scan).or_insert_with(|| ScanRecord {
                scanner: scan.scanner,
                gate: scan.gate,
                token: token.hash(),
                own: None,
                shown: None,
                ended: None,
            });
            record.own = Some(decided.verdict.clone());
        }
        coverage.online_admits += u64::from(decided.verdict == Verdict::Admit);
        Some(ScanVerdict {
            scan: scan.scan,
            verdict: decided.verdict,
            at: now,
            epoch: self.epoch,
            answers: id,
            ticket: scanned,
        })
    }

    /// A scanned text; a short code with its ticket, if there is one.
    pub(crate) fn check(&self, text: &str) -> TokenCheck {
        let token = model::check(text, model::Reader::Core);
        let named = model::ticket_of_code(text);
        let ticket = named.and_then(|id| Some((id, self.tickets.get(&id)?)));
        match ticket {
            Some((id, ticket)) => token.with_ticket(&ScannedTicket::of(id, &ticket.entry())),
            None => token,
        }
    }

    /// One entry is lost, in a world where that happens.
    pub(crate) fn lose_an_entry(&mut self, rng: &mut Rng) {
        let held = self
            .tickets
            .values_mut()
            .filter(|held| held.standing.check_in.is_some());
        let mut held: Vec<&mut Ticket> = held.collect();
        if !held.is_empty() {
            let index = rng.index(held.len());
            held[index].standing.check_in = None;
        }
    }

    /// Another server takes over: with another timeline and without what had not reached it.
    pub(crate) fn promoted(mut self) -> Self {
        self.epoch.timeline += 1;
        self.watermark = None;
        self
    }
}
