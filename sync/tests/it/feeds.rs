//! Positions, digest and plans of a venue's feed.

use std::collections::BTreeMap;

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, GateId, IncarnationId, MessageId, SnapshotId},
    sync::{
        DIGEST_ALGORITHM, Digest, DigestKey, Epoch, FeedEntry, GateEntry, Hello, JournalHead, Plan,
        Position, Subject, Value,
    },
};
use eventify_sync::{
    core::{
        feed::{FeedHead, NewestRow, append},
        welcome::{Known, NoPlan, StoredSnapshot, answer},
    },
    digest,
};
use proptest::prelude::*;
use uuid::Uuid;

const KEY: DigestKey = DigestKey(Hash32([7; 32]));
const EMPTY: FeedHead = FeedHead {
    position: Position(0),
    digest: digest::EMPTY,
};

fn entry(gate: u8, version: u64, deleted: bool) -> FeedEntry {
    let gate_entry = GateEntry {
        name: format!("{version}"),
        performances: vec![],
        categories: vec![],
    };
    FeedEntry {
        subject: Subject::Gate(GateId(Uuid::from_u128(gate.into()))),
        version,
        value: (!deleted).then_some(Value::Gate(gate_entry)),
    }
}

/// A feed as the core keeps it.
#[derive(Default)]
struct Store {
    rows: BTreeMap<Subject, NewestRow>,
}

impl Store {
    fn write(&mut self, head: FeedHead, entries: Vec<FeedEntry>) -> (FeedHead, usize) {
        let written = append(head, &KEY, self.rows.clone(), entries);
        for (_, entry) in &written.entries {
            let row = entry.value.is_some().then(|| entry.to_bytes());
            self.rows.insert(
                entry.subject,
                NewestRow {
                    version: entry.version,
                    row,
                },
            );
        }
        (written.head, written.dropped)
    }

    fn digest(&self) -> Digest {
        digest::of_rows(
            &KEY,
            self.rows.values().filter_map(|held| held.row.as_deref()),
        )
    }
}

proptest! {
    /// However entries arrive, twice and out of order, the feed ends with the newest of each
    /// subject, without gaps, and with the digest of its rows.
    #[test]
    fn a_feed_is_the_newest_of_everything(
        entries in prop::collection::vec((0u8..4, 1u64..6, any::<bool>()), 0..40),
        size in 1usize..8,
    ) {
        let entries: Vec<_> = entries.into_iter().map(|(g, v, d)| entry(g, v, d && v > 3)).collect();
        let mut store = Store::default();
        let (mut head, mut dropped) = (EMPTY, 0);
        for batch in entries.chunks(size) {
            let (next, stale) = store.write(head, batch.to_vec());
            prop_assert_eq!(next.position.0 - head.position.0, (batch.len() - stale) as u64);
            prop_assert_eq!(next.digest, store.digest());
            (head, dropped) = (next, dropped + stale);
        }
        prop_assert_eq!(head.position.0 as usize + dropped, entries.len());
        for gate in 0..4 {
            let of_gate = |e: &&FeedEntry| e.subject == entry(gate, 1, false).subject;
            let newest = entries.iter().filter(of_gate).map(|e| e.version).max();
            let held = store.rows.get(&entry(gate, 1, false).subject);
            prop_assert_eq!(held.map(|held| held.version), newest);
        }
    }
}

#[test]
fn a_deletion_is_an_entry_and_keeps_its_version() {
    let mut store = Store::default();
    let (head, _) = store.write(EMPTY, vec![entry(1, 1, false), entry(1, 2, true)]);
    assert_eq!((head.position, head.digest), (Position(2), digest::EMPTY));
    let (after, dropped) = store.write(head, vec![entry(1, 1, false)]);
    assert_eq!(
        (after, dropped),
        (head, 1),
        "an old entry does not bring it back"
    );
    let (after, dropped) = store.write(head, vec![entry(1, 2, true), entry(1, 2, false)]);
    assert_eq!((after, dropped), (head, 2), "nor does one as old");
}

fn known() -> Known {
    Known {
        epoch: Epoch {
            system: 1,
            timeline: 1,
        },
        head: Position(100),
        digest_key: KEY,
        digest_at_node: Some(Digest(Hash32([5; 32]))),
        oldest: Position(41),
        snapshot: Some(StoredSnapshot {
            id: SnapshotId(Uuid::from_u128(1)),
            position: Position(80),
            chunks: 3,
            hash: Hash32([6; 32]),
        }),
        acknowledged: None,
    }
}

fn hello(head: u64, digest: Option<[u8; 32]>) -> Hello {
    Hello {
        boot: BootId(Uuid::from_u128(1)),
        epoch: None,
        head: Position(head),
        digest: digest.map(|bytes| Digest(Hash32(bytes))),
        algorithms: vec![DIGEST_ALGORITHM],
        journal: JournalHead::empty(IncarnationId(Uuid::from_u128(2))),
        software: "test".to_owned(),
        session: None,
        sent_after: None,
    }
}

fn plan(hello: &Hello, known: &Known) -> Result<Plan, NoPlan> {
    answer(MessageId(Uuid::from_u128(3)), hello, known).map(|welcome| welcome.plan)
}

fn is_snapshot(plan: &Result<Plan, NoPlan>) -> bool {
    matches!(
        plan,
        Ok(Plan::Snapshot {
            position: Position(80),
            chunks: 3,
            ..
        })
    )
}

#[test]
fn a_node_is_joined_on_only_with_the_digest_that_the_core_knows() {
    assert_eq!(
        plan(&hello(60, Some([5; 32])), &known()),
        Ok(Plan::Delta { from: Position(60) })
    );
    assert_eq!(
        plan(&hello(40, Some([5; 32])), &known()),
        Ok(Plan::Delta { from: Position(40) })
    );
    assert!(
        is_snapshot(&plan(&hello(60, Some([4; 32])), &known())),
        "another digest"
    );
    assert!(
        is_snapshot(&plan(&hello(39, Some([5; 32])), &known())),
        "compacted away"
    );
    assert!(
        is_snapshot(&plan(&hello(101, Some([5; 32])), &known())),
        "ahead of the core"
    );
    assert!(is_snapshot(&plan(&hello(0, None), &known())), "nothing yet");
    let unknown = Known {
        digest_at_node: None,
        ..known()
    };
    assert!(
        is_snapshot(&plan(&hello(60, Some([5; 32])), &unknown)),
        "digest no longer known"
    );
}

#[test]
fn a_snapshot_that_no_entry_joins_on_is_no_plan() {
    let stale = Known {
        oldest: Position(90),
        ..known()
    };
    assert_eq!(plan(&hello(0, None), &stale), Err(NoPlan::MakeSnapshot));
    let none = Known {
        snapshot: None,
        ..known()
    };
    assert_eq!(plan(&hello(0, None), &none), Err(NoPlan::MakeSnapshot));
    let mute = Hello {
        algorithms: vec![200],
        ..hello(60, Some([5; 32]))
    };
    assert_eq!(plan(&mute, &known()), Err(NoPlan::NoAlgorithm));
}
