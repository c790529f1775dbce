//! The replica as the machine knows it: how far it is, which deltas continue it, the history of its
//! digest, and the entries that the machine itself needs (`ADMISSION` 5).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    ids::{GateId, NodeId, PerformanceId, PersonId},
    sync::{
        DEFAULT_ACTS_PER_HOUR, Delta, Digest, DigestKey, Epoch, FeedEntry, GateEntry,
        MAX_ACTS_PER_HOUR, NodeEntry, PerformanceEntry, PersonEntry, PolicyEntry, Position,
        Subject, SyncPoint, Value,
    },
};

use super::{
    RestoredReplica,
    age::{Proof, TimeSample},
    staff,
};

/// Positions whose digest is kept (`ADMISSION` 5.5).
const MAX_HISTORY: usize = 10_000;
/// Sync points that the replica has not reached yet.
const MAX_POINTS: usize = 16;
/// Deltas given to the store and not yet reported as applied.
const MAX_APPLYING: usize = 64;

#[derive(Debug)]
pub(super) struct Replica {
    contents: Option<Contents>,
    /// Counts the replicas that this machine has had: rows read from another one don't count.
    generation: u32,
    points: VecDeque<Point>,
    /// The feed's head as last received.
    head: Position,
}

#[derive(Debug)]
struct Contents {
    epoch: Epoch,
    key: DigestKey,
    /// Durable.
    applied: Position,
    /// Given to the store.
    requested: Position,
    /// Of consecutive positions, the last is `applied`.
    history: VecDeque<Digest>,
    small: BTreeMap<Subject, FeedEntry>,
    /// Entries that become `small` when their delta is durable.
    applying: VecDeque<(Position, Vec<FeedEntry>)>,
}

#[derive(Debug)]
struct Point {
    sample: TimeSample,
    epoch: Epoch,
    position: Position,
    digest: Digest,
}

/// How a delta fits the replica.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DeltaCheck {
    /// Its new part continues the replica.
    Apply(Delta),
    /// It has nothing new, or there is no replica to continue.
    NothingNew,
    /// Entries before it are missing.
    Gap,
    /// It is of another database, or contradicts itself.
    Foreign,
}

/// The replica's digests compared with those of the sync points.
#[derive(Debug)]
pub(super) enum Comparison {
    Nothing,
    /// They are the same, at the newest point that the replica has reached.
    Match(Proof),
    Mismatch(Position),
}

impl Replica {
    pub(super) fn new(restored: Option<RestoredReplica>) -> Self {
        let mut replica = Self {
            contents: None,
            generation: 0,
            points: VecDeque::new(),
            head: Position(0),
        };
        if let Some(restored) = restored {
            replica.install(restored);
        }
        replica
    }

    /// Another replica takes this one's place.
    pub(super) fn install(&mut self, restored: RestoredReplica) {
        self.generation += 1;
        self.contents = Some(Contents {
            epoch: restored.epoch,
            key: restored.digest_key,
            applied: restored.position,
            requested: restored.position,
            history: VecDeque::from([restored.digest]),
            small: restored
                .small
                .into_iter()
                .map(|entry| (entry.subject, entry))
                .collect(),
            applying: VecDeque::new(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.generation += 1;
        self.contents = None;
        self.points.clear();
    }

    pub(super) fn is_present(&self) -> bool {
        self.contents.is_some()
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.contents.as_ref().map(|contents| contents.epoch)
    }

    /// The durable position; 0 without a replica.
    pub(super) fn applied(&self) -> Position {
        self.contents
            .as_ref()
            .map_or(Position(0), |contents| contents.applied)
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        let contents = self.contents.as_ref()?;
        contents.history.back().copied()
    }

    pub(super) fn head(&self) -> Position {
        self.head
    }

    pub(super) fn update_head(&mut self, head: Position) {
        self.head = head;
    }

    /// Everything up to here is applied or being applied; 0 without a replica.
    pub(super) fn requested(&self) -> Position {
        self.contents
            .as_ref()
            .map_or(Position(0), |contents| contents.requested)
    }

    /// The same rows continue in another epoch. False if the store was given more than the core has
    /// compared.
    pub(super) fn adopt(&mut self, epoch: Epoch, key: DigestKey, from: Position) -> bool {
        match &mut self.contents {
            Some(contents) if contents.applied == from && contents.requested == from => {
                contents.epoch = epoch;
                contents.key = key;
                // Of the positions before, this epoch may have other digests: the same entries can
                // have come in another order. Where it was joined they are the same.
                let before = contents.history.len().saturating_sub(1);
                contents.history.drain(..before);
                true
            }
            Some(_) | None => false,
        }
    }

    /// The new part of a delta, if it continues the replica; it counts as given to the store.
    pub(super) fn check_delta(&mut self, mut delta: Delta) -> DeltaCheck {
        let Some(contents) = &mut self.contents else {
            return DeltaCheck::NothingNew;
        };
        let is_whole = delta.to.0.checked_sub(delta.from.0) == Some(delta.entries.len() as u64);
        if delta.epoch != contents.epoch || !is_whole {
            return DeltaCheck::Foreign;
        }
        if delta.from > contents.requested {
            return DeltaCheck::Gap;
        }
        // One too many comes again: the sync points will show that it is missing.
        if delta.to <= contents.requested || contents.applying.len() >= MAX_APPLYING {
            return DeltaCheck::NothingNew;
        }
        let known = usize::try_from(contents.requested.0 - delta.from.0).unwrap_or(usize::MAX);
        delta.entries.drain(..known.min(delta.entries.len()));
        delta.from = contents.requested;
        contents.requested = delta.to;
        self.head = self.head.max(delta.to);
        let small = delta.entries.iter().filter(|entry| is_small(entry));
        let small = small.cloned().collect();
        contents.applying.push_back((delta.to, small));
        DeltaCheck::Apply(delta)
    }

    /// The store has applied a delta. False if it reports something else than it was given.
    pub(super) fn mark_applied(&mut self, position: Position, digests: Vec<Digest>) -> bool {
        let Some(contents) = &mut self.contents else {
            return true;
        };
        let is_expected = contents.applying.front().map(|(to, _)| *to) == Some(position)
            && position.0 - contents.applied.0 == digests.len() as u64;
        if !is_expected {
            return false;
        }
        let applied = contents.applying.pop_front();
        for entry in applied.into_iter().flat_map(|(_, small)| small) {
            contents.update(entry);
        }
        contents.applied = position;
        contents.history.extend(digests);
        let surplus = contents.history.len().saturating_sub(MAX_HISTORY);
        contents.history.drain(..surplus);
        true
    }

    /// Whether the replica had this digest at a position; true where that is no longer kept.
    pub(super) fn has_digest(&self, position: Position, digest: Digest) -> bool {
        let contents = self.contents.as_ref();
        let counted = contents.and_then(|contents| contents.digest_at(position));
        counted.is_none_or(|counted| counted == digest)
    }

    pub(super) fn insert_point(&mut self, point: &SyncPoint, sample: TimeSample) {
        self.head = point.position;
        self.points.push_back(Point {
            sample,
            epoch: point.epoch,
            position: point.position,
            digest: point.digest,
        });
        while self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
    }

    /// Compares the sync points that the replica has reached.
    pub(super) fn compare_points(&mut self) -> Comparison {
        let Some(contents) = &self.contents else {
            return Comparison::Nothing;
        };
        let mut newest = Comparison::Nothing;
        let mut waiting = VecDeque::new();
        for point in self.points.drain(..) {
            if point.epoch != contents.epoch || point.position > contents.applied {
                waiting.push_back(point);
                continue;
            }
            match contents.digest_at(point.position) {
                Some(digest) if digest == point.digest => {
                    newest = Comparison::Match(Proof {
                        sample: point.sample,
                        epoch: point.epoch,
                        position: point.position,
                    });
                }
                Some(_) => return Comparison::Mismatch(point.position),
                // Older than the history: it proves nothing.
                None => {}
            }
        }
        self.points = waiting;
        newest
    }

    /// None if this node may not decide for the gate.
    pub(super) fn gate_of(&self, node: NodeId, gate: GateId) -> Option<&GateEntry> {
        self.node(node)
            .filter(|entry| entry.gates.contains(&gate))
            .and_then(|_| self.gate(gate))
    }

    pub(super) fn gate(&self, gate: GateId) -> Option<&GateEntry> {
        let Value::Gate(entry) = self.small(Subject::Gate(gate))? else {
            return None;
        };
        Some(entry)
    }

    pub(super) fn node(&self, node: NodeId) -> Option<&NodeEntry> {
        let Value::Node(entry) = self.small(Subject::Node(node))? else {
            return None;
        };
        Some(entry)
    }

    pub(super) fn performance(&self, performance: PerformanceId) -> Option<&PerformanceEntry> {
        let Value::Performance(entry) = self.small(Subject::Performance(performance))? else {
            return None;
        };
        Some(entry)
    }

    /// All gates of the venue.
    pub(super) fn gates(&self) -> impl Iterator<Item = (GateId, &GateEntry)> {
        let all = self.contents.iter().flat_map(|contents| &contents.small);
        all.filter_map(|(subject, entry)| match (subject, &entry.value) {
            (Subject::Gate(id), Some(Value::Gate(gate))) => Some((*id, gate)),
            _ => None,
        })
    }

    /// All performances that the venue admits to.
    pub(super) fn performances(&self) -> impl Iterator<Item = (PerformanceId, &PerformanceEntry)> {
        let all = self.contents.iter().flat_map(|contents| &contents.small);
        all.filter_map(|(subject, entry)| match (subject, &entry.value) {
            (Subject::Performance(id), Some(Value::Performance(entry))) => Some((*id, entry)),
            _ => None,
        })
    }

    /// Everybody who works at the venue.
    pub(super) fn people(&self) -> impl Iterator<Item = (PersonId, &PersonEntry)> {
        let all = self.contents.iter().flat_map(|contents| &contents.small);
        all.filter_map(|(subject, entry)| staff::person(subject, entry.value.as_ref()))
    }

    pub(super) fn policy(&self) -> Option<&PolicyEntry> {
        let Value::Policy(policy) = self.small(Subject::Policy)? else {
            return None;
        };
        Some(policy)
    }

    /// The venue's limit; zero, which is off, where it has set none.
    pub(super) fn policy_limit(&self) -> Duration {
        let limit = self.policy().map_or(0, |policy| policy.max_cache_age_ms);
        Duration::from_millis(limit.into())
    }

    /// What the venue wants staff to do while nobody decides; empty where it has said nothing.
    pub(super) fn procedure(&self) -> &[String] {
        let policy = self.policy();
        policy
            .and_then(|policy| policy.procedure.as_deref())
            .unwrap_or_default()
    }

    /// Whether the venue lets its staff look for guests; none without a policy.
    pub(super) fn allows_search(&self) -> Option<bool> {
        self.policy().map(|policy| policy.search == Some(true))
    }

    /// How many acts that need a reason a person may do within an hour.
    pub(super) fn acts_per_hour(&self) -> u32 {
        let most = self.policy().and_then(|policy| policy.acts_per_hour);
        most.unwrap_or(DEFAULT_ACTS_PER_HOUR).min(MAX_ACTS_PER_HOUR)
    }

    fn small(&self, subject: Subject) -> Option<&Value> {
        self.contents.as_ref()?.small.get(&subject)?.value.as_ref()
    }
}

impl Contents {
    fn digest_at(&self, position: Position) -> Option<Digest> {
        let back = usize::try_from(self.applied.0.checked_sub(position.0)?).ok()?;
        let index = self.history.len().checked_sub(back + 1)?;
        self.history.get(index).copied()
    }

    fn update(&mut self, entry: FeedEntry) {
        let present = self.small.get(&entry.subject);
        if entry.version > present.map_or(0, |present| present.version) {
            self.small.insert(entry.subject, entry);
        }
    }
}

fn is_small(entry: &FeedEntry) -> bool {
    !matches!(entry.subject, Subject::Ticket(_) | Subject::Holder(_))
}
