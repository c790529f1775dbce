//! The replica's way to the feed's head: deltas that join, snapshots by chunk, the digest's history,
//! and the entries that the machine itself needs (`ADMISSION` 5).

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    ids::{GateId, NodeId},
    sync::{
        Delta, Digest, DigestKey, Epoch, FeedEntry, GateEntry, NodeEntry, Position, Subject,
        SyncPoint, Value,
    },
};

use super::{
    RestoredReplica,
    age::{Answered, Proof},
};

/// Positions whose digest is remembered (`ADMISSION` 5.5).
const MAX_HISTORY: usize = 10_000;
/// Sync points that the replica has not caught up with yet.
const MAX_POINTS: usize = 16;
/// Deltas handed to the store and not reported back.
const MAX_APPLYING: usize = 64;

#[derive(Debug)]
pub(super) struct Replica {
    held: Option<Held>,
    /// Counts the replicas that this machine has had: lookups in another one don't count.
    generation: u32,
    points: VecDeque<Point>,
    /// The feed's head, as last heard.
    head: Position,
}

#[derive(Debug)]
struct Held {
    epoch: Epoch,
    key: DigestKey,
    /// Durable.
    applied: Position,
    /// Handed to the store.
    requested: Position,
    /// Of consecutive positions, the last is `applied`.
    history: VecDeque<Digest>,
    small: BTreeMap<Subject, FeedEntry>,
    /// Entries that become `small` when their delta is durable.
    applying: VecDeque<(Position, Vec<FeedEntry>)>,
}

#[derive(Debug)]
struct Point {
    answered: Answered,
    epoch: Epoch,
    position: Position,
    digest: Digest,
}

/// How a delta stands to the replica.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It goes on from here.
    Apply(Delta),
    /// Nothing new in it, or no replica to join it on.
    Nothing,
    /// Entries before it are missing.
    Gap,
    /// It is of another database, or not what it says.
    Foreign,
}

/// What the sync points say of the replica.
#[derive(Debug)]
pub(super) enum Agreement {
    /// Nothing new.
    None,
    /// The newest one that the replica has caught up with agrees.
    Agreed(Proof),
    /// At this position it does not.
    Mismatch(Position),
}

impl Replica {
    pub(super) fn new(restored: Option<RestoredReplica>) -> Self {
        let mut replica = Self {
            held: None,
            generation: 0,
            points: VecDeque::new(),
            head: Position(0),
        };
        if let Some(restored) = restored {
            replica.install(restored);
        }
        replica
    }

    /// Another replica takes the place of the one held.
    pub(super) fn install(&mut self, restored: RestoredReplica) {
        self.generation += 1;
        self.held = Some(Held {
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

    pub(super) fn drop_held(&mut self) {
        self.generation += 1;
        self.held = None;
        self.points.clear();
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.held.as_ref().map(|held| held.epoch)
    }

    /// The durable position; 0 without a replica.
    pub(super) fn applied(&self) -> Position {
        self.held.as_ref().map_or(Position(0), |held| held.applied)
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        self.held
            .as_ref()
            .and_then(|held| held.history.back().copied())
    }

    pub(super) fn head(&self) -> Position {
        self.head
    }

    pub(super) fn heard_head(&mut self, head: Position) {
        self.head = head;
    }

    /// The position up to which everything is applied or being applied; 0 without a replica.
    pub(super) fn reached(&self) -> Position {
        self.held
            .as_ref()
            .map_or(Position(0), |held| held.requested)
    }

    /// Goes on in another epoch as it stands. False if more was handed to the store than the core
    /// has compared.
    pub(super) fn adopt(&mut self, epoch: Epoch, key: DigestKey, from: Position) -> bool {
        match &mut self.held {
            Some(held) if held.applied == from && held.requested == from => {
                held.epoch = epoch;
                held.key = key;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes the part of a delta that is new, if it joins.
    pub(super) fn join(&mut self, mut delta: Delta) -> Joined {
        let Some(held) = &mut self.held else {
            return Joined::Nothing;
        };
        let whole = delta.to.0.checked_sub(delta.from.0) == Some(delta.entries.len() as u64);
        if delta.epoch != held.epoch || !whole {
            return Joined::Foreign;
        }
        if delta.from > held.requested {
            return Joined::Gap;
        }
        if delta.to <= held.requested {
            return Joined::Nothing;
        }
        if held.applying.len() >= MAX_APPLYING {
            // It comes again: the sync points will show that it is missing.
            return Joined::Nothing;
        }
        let known = usize::try_from(held.requested.0 - delta.from.0).unwrap_or(usize::MAX);
        delta.entries.drain(..known.min(delta.entries.len()));
        delta.from = held.requested;
        held.requested = delta.to;
        self.head = self.head.max(delta.to);
        let small = delta
            .entries
            .iter()
            .filter(|entry| is_small(entry))
            .cloned()
            .collect();
        held.applying.push_back((delta.to, small));
        Joined::Apply(delta)
    }

    /// The store has applied a delta. False if its report is not of what it was handed.
    pub(super) fn applied_to(&mut self, position: Position, digests: Vec<Digest>) -> bool {
        let Some(held) = &mut self.held else {
            return true;
        };
        let expected = held.applying.front().map(|(to, _)| *to) == Some(position)
            && position.0 - held.applied.0 == digests.len() as u64;
        if !expected {
            return false;
        }
        for entry in held
            .applying
            .pop_front()
            .into_iter()
            .flat_map(|(_, small)| small)
        {
            held.put(entry);
        }
        held.applied = position;
        held.history.extend(digests);
        let surplus = held.history.len().saturating_sub(MAX_HISTORY);
        held.history.drain(..surplus);
        true
    }

    /// Whether a recomputed digest is the one that was counted; true where that is not known.
    pub(super) fn is_sound(&self, position: Position, digest: Digest) -> bool {
        let counted = self.held.as_ref().and_then(|held| held.digest_at(position));
        counted.is_none_or(|counted| counted == digest)
    }

    /// An answer to a question came.
    pub(super) fn note_point(&mut self, point: &SyncPoint, answered: Answered) {
        self.head = point.position;
        self.points.push_back(Point {
            answered,
            epoch: point.epoch,
            position: point.position,
            digest: point.digest,
        });
        while self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
    }

    /// Compares the sync points that the replica has caught up with.
    pub(super) fn agree(&mut self) -> Agreement {
        let Some(held) = &self.held else {
            return Agreement::None;
        };
        let mut newest = Agreement::None;
        let mut waiting = VecDeque::new();
        for point in self.points.drain(..) {
            if point.epoch != held.epoch || point.position > held.applied {
                waiting.push_back(point);
                continue;
            }
            match held.digest_at(point.position) {
                Some(digest) if digest == point.digest => {
                    newest = Agreement::Agreed(Proof {
                        answered: point.answered,
                        epoch: point.epoch,
                        position: point.position,
                    });
                }
                Some(_) => return Agreement::Mismatch(point.position),
                // Older than all that is remembered: it proves nothing.
                None => {}
            }
        }
        self.points = waiting;
        newest
    }

    /// The gate, if this node may decide for it.
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

    /// The venue's limit; zero, which is off, where it has said nothing.
    pub(super) fn policy_limit(&self) -> Duration {
        let Some(Value::Policy(policy)) = self.small(Subject::Policy) else {
            return Duration::ZERO;
        };
        Duration::from_millis(policy.max_cache_age_ms.into())
    }

    fn small(&self, subject: Subject) -> Option<&Value> {
        self.held.as_ref()?.small.get(&subject)?.value.as_ref()
    }
}

impl Held {
    fn digest_at(&self, position: Position) -> Option<Digest> {
        let back = usize::try_from(self.applied.0.checked_sub(position.0)?).ok()?;
        let index = self.history.len().checked_sub(back + 1)?;
        self.history.get(index).copied()
    }

    fn put(&mut self, entry: FeedEntry) {
        let held = self
            .small
            .get(&entry.subject)
            .map_or(0, |held| held.version);
        if entry.version > held {
            self.small.insert(entry.subject, entry);
        }
    }
}

fn is_small(entry: &FeedEntry) -> bool {
    !matches!(entry.subject, Subject::Ticket(_))
}
