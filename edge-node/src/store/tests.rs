mod codes;

use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use eventify_protocol::{
    hash::Hash32,
    ids::{BootId, GateId, IncarnationId, PerformanceId, TicketId},
    short_code::CodeHash,
    sync::{Digest, FeedEntry, GateEntry, JournalHead, Subject, TicketEntry, TicketState, Value},
    time::{BootTime, CoreTime, WallTime},
    token::TokenHash,
};
use eventify_sync::{digest, edge::Now};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const EPOCH: Epoch = Epoch {
    system: u64::MAX,
    timeline: 1,
};
const KEY: DigestKey = DigestKey(Hash32([7; 32]));

fn ticket(id: u128, version: u64, state: TicketState) -> FeedEntry {
    FeedEntry {
        subject: Subject::Ticket(TicketId(Uuid::from_u128(id))),
        version,
        value: Some(Value::Ticket(TicketEntry {
            token: TokenHash(Hash32([3; 32])),
            performance: PerformanceId(Uuid::from_u128(5)),
            category: "A".parse().unwrap(),
            state,
            place: Some("A-12".to_owned()),
            code: Some(code_hash(id).tag()),
        })),
    }
}

/// Of the short code of a ticket.
fn code_hash(ticket: u128) -> CodeHash {
    CodeHash(Hash32::of(&ticket.to_be_bytes()))
}

fn gate(id: u128, version: u64, name: &str) -> FeedEntry {
    let entry = GateEntry {
        name: name.to_owned(),
        performances: vec![],
        categories: vec![],
    };
    FeedEntry {
        subject: Subject::Gate(GateId(Uuid::from_u128(id))),
        version,
        value: Some(Value::Gate(entry)),
    }
}

fn digest_of(entries: &[FeedEntry]) -> Digest {
    let rows: Vec<_> = entries.iter().map(FeedEntry::to_bytes).collect();
    digest::of_rows(&KEY, rows.iter().map(Vec::as_slice))
}

/// A snapshot of some entries, two in each chunk.
struct Snapshot {
    plan: SnapshotPlan,
    chunks: Vec<Chunk>,
}

fn snapshot(id: u128, position: u64, entries: &[FeedEntry]) -> Snapshot {
    let snapshot = SnapshotId(Uuid::from_u128(id));
    let parts: Vec<Vec<u8>> = entries
        .chunks(2)
        .map(|part| encode(&part.to_vec()))
        .collect();
    let of = u32::try_from(parts.len()).unwrap();
    let plan = SnapshotPlan {
        snapshot,
        epoch: EPOCH,
        position: Position(position),
        chunks: of,
        hash: Hash32::of(&parts.concat()),
        digest_key: KEY,
    };
    let chunk = |(index, bytes): (u32, Vec<u8>)| Chunk {
        snapshot,
        index,
        of,
        bytes: bytes.into(),
    };
    Snapshot {
        plan,
        chunks: (0..).zip(parts).map(chunk).collect(),
    }
}

struct Fixture {
    folder: TempDir,
    replica: Replica,
    notices: Receiver<Notice>,
    reader: Reader,
    found: Found,
}

fn open(folder: TempDir) -> Fixture {
    let (notify, notices) = channel();
    let (replica, reader, found) =
        Replica::open(folder.path(), move |notice| drop(notify.send(notice))).unwrap();
    Fixture {
        folder,
        replica,
        notices,
        reader,
        found,
    }
}

fn empty() -> Fixture {
    open(tempfile::tempdir().unwrap())
}

impl Fixture {
    fn restart(self) -> Self {
        let Self {
            folder,
            replica,
            notices,
            reader,
            ..
        } = self;
        drop((replica, reader));
        while notices.recv().is_ok() {}
        open(folder)
    }

    fn pull(&self, snapshot: &Snapshot) -> Notice {
        self.replica.begin_snapshot(snapshot.plan);
        for chunk in &snapshot.chunks {
            self.replica.store_chunk(chunk.clone());
        }
        self.replica.finish_snapshot(snapshot.plan.snapshot);
        self.notices.recv().unwrap()
    }

    fn apply(&self, from: u64, entries: Vec<FeedEntry>) -> Notice {
        let to = Position(from + entries.len() as u64);
        self.replica.apply(Delta {
            epoch: EPOCH,
            from: Position(from),
            to,
            entries,
        });
        self.notices.recv().unwrap()
    }
}

fn reader_of(notice: Notice) -> Reader {
    let Notice::SnapshotReady { reader, .. } = notice else {
        panic!("{notice:?}")
    };
    reader
}

#[test]
fn a_snapshot_and_what_follows_it_are_there_after_a_restart() {
    let fixture = empty();
    assert!(fixture.found.replica.is_none());
    let entries = [
        gate(1, 1, "North"),
        ticket(10, 1, TicketState::Valid),
        ticket(11, 1, TicketState::Valid),
    ];
    let notice = fixture.pull(&snapshot(1, 40, &entries));
    let Notice::SnapshotReady {
        replica, tickets, ..
    } = &notice
    else {
        panic!("{notice:?}")
    };
    assert_eq!(
        (replica.position, replica.digest, *tickets),
        (Position(40), digest_of(&entries), 2)
    );
    assert_eq!(replica.small, entries[..1]);

    let revoked = ticket(10, 2, TicketState::Revoked);
    let gone = FeedEntry {
        value: None,
        ..ticket(11, 2, TicketState::Valid)
    };
    let Notice::Applied {
        position,
        digests,
        tickets,
        key_set,
        concerns_staff,
    } = fixture.apply(40, vec![revoked.clone(), gone])
    else {
        panic!("not applied")
    };
    let after = [entries[0].clone(), revoked];
    assert_eq!((position, tickets, key_set), (Position(42), 1, None));
    assert!(!concerns_staff);
    assert_eq!(digests.last(), Some(&digest_of(&after)));

    let restarted = fixture.restart();
    let replica = restarted.found.replica.unwrap();
    assert_eq!(
        (replica.position, replica.digest),
        (Position(42), digest_of(&after))
    );
    let find = |id| restarted.reader.find_ticket(TicketId(Uuid::from_u128(id)));
    let (position, entry) = find(10).unwrap();
    assert_eq!(
        (position, entry.unwrap().state),
        (Position(42), TicketState::Revoked)
    );
    let (_, missing) = find(11).unwrap();
    assert_eq!(missing, None);
}

#[test]
fn an_entry_that_is_not_newer_changes_nothing_but_the_position() {
    let fixture = empty();
    fixture.pull(&snapshot(1, 1, &[ticket(10, 5, TicketState::Revoked)]));
    let notice = fixture.apply(
        1,
        vec![
            ticket(10, 5, TicketState::Valid),
            ticket(10, 4, TicketState::Valid),
        ],
    );
    let Notice::Applied { digests, .. } = notice else {
        panic!("{notice:?}")
    };
    let held = digest_of(&[ticket(10, 5, TicketState::Revoked)]);
    assert_eq!(digests, [held, held]);
}

#[test]
fn a_delta_that_leaves_a_gap_deletes_the_replica() {
    let fixture = empty();
    fixture.pull(&snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)]));
    let notice = fixture.apply(41, vec![ticket(11, 1, TicketState::Valid)]);
    assert!(
        matches!(notice, Notice::Failed(StoreError::NotNext(Position(41)), _)),
        "{notice:?}"
    );
    assert!(fixture.restart().found.replica.is_none());
}

#[test]
fn readers_continue_while_a_new_snapshot_is_swapped_in() {
    let fixture = empty();
    let old = reader_of(fixture.pull(&snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)])));
    let new = reader_of(fixture.pull(&snapshot(2, 90, &[ticket(10, 2, TicketState::Revoked)])));
    let state = |reader: &Reader| {
        let (position, entry) = reader.find_ticket(TicketId(Uuid::from_u128(10))).unwrap();
        (position, entry.unwrap().state)
    };
    assert_eq!(state(&old), (Position(40), TicketState::Valid));
    assert_eq!(state(&new), (Position(90), TicketState::Revoked));
    assert_ne!(old.path(), new.path());
    assert!(!old.path().exists());
}

#[test]
fn a_snapshot_without_its_hash_leaves_nothing() {
    let fixture = empty();
    fixture.pull(&snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)]));
    let mut wrong = snapshot(
        2,
        50,
        &[
            ticket(10, 2, TicketState::Valid),
            ticket(11, 1, TicketState::Valid),
        ],
    );
    wrong.plan.hash = Hash32([0; 32]);
    assert!(matches!(
        fixture.pull(&wrong),
        Notice::SnapshotFailed { .. }
    ));
    let twice = snapshot(
        3,
        60,
        &[
            ticket(10, 1, TicketState::Valid),
            ticket(10, 1, TicketState::Valid),
        ],
    );
    assert!(matches!(
        fixture.pull(&twice),
        Notice::SnapshotFailed { .. }
    ));
    let found = fixture.restart().found;
    assert_eq!(found.replica.unwrap().position, Position(40));
    assert_eq!(found.partial, None);
}

#[test]
fn a_pull_continues_where_a_restart_interrupted_it() {
    let fixture = empty();
    let entries: Vec<_> = (0..6).map(|id| ticket(id, 1, TicketState::Valid)).collect();
    let snapshot = snapshot(1, 40, &entries);
    fixture.replica.begin_snapshot(snapshot.plan);
    fixture.replica.store_chunk(snapshot.chunks[0].clone());
    fixture.replica.store_chunk(snapshot.chunks[1].clone());
    let fixture = fixture.restart();
    assert_eq!(
        fixture.found.partial,
        Some(PartialSnapshot {
            snapshot: snapshot.plan.snapshot,
            next: 2
        })
    );
    // The incomplete end of a write is cut off.
    let path = fixture.folder.path().join("snapshot.pull");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let fixture = fixture.restart();
    assert_eq!(fixture.found.partial.unwrap().next, 1);
    for chunk in &snapshot.chunks[1..] {
        fixture.replica.store_chunk(chunk.clone());
    }
    fixture.replica.finish_snapshot(snapshot.plan.snapshot);
    let reader = reader_of(fixture.notices.recv().unwrap());
    let recomputed = reader.recompute().unwrap().unwrap();
    assert_eq!(
        (recomputed.digest, recomputed.stored),
        (digest_of(&entries), digest_of(&entries))
    );
    assert_eq!(recomputed.tickets, 6);
}

/// What an older release has stored can't be read by this one: the node starts all the same, with
/// nothing, and fetches it anew.
#[test]
fn recomputing_the_digest_shows_a_changed_row() {
    let fixture = empty();
    let entries = [ticket(10, 1, TicketState::Revoked)];
    let reader = reader_of(fixture.pull(&snapshot(1, 40, &entries)));
    let valid = ticket(10, 1, TicketState::Valid).to_bytes();
    let connection = rusqlite::Connection::open(reader.path()).unwrap();
    connection
        .execute("UPDATE tickets SET bytes = ?", [valid])
        .unwrap();
    let recomputed = reader.recompute().unwrap().unwrap();
    assert_ne!(recomputed.digest, recomputed.stored);
    let found = fixture.restart().found;
    assert!(found.replica.is_none(), "nobody decides by it");
}

#[test]
fn a_replica_that_fails_leaves_a_snapshot_alone_and_the_other_way_round() {
    let fixture = empty();
    let held = [ticket(10, 1, TicketState::Valid)];
    fixture.pull(&snapshot(1, 40, &held));
    let entries: Vec<_> = (0..6).map(|id| ticket(id, 1, TicketState::Valid)).collect();
    let next = snapshot(2, 90, &entries);
    fixture.replica.begin_snapshot(next.plan);
    fixture.replica.store_chunk(next.chunks[0].clone());
    fixture.replica.store_chunk(next.chunks[2].clone());
    let notice = fixture.notices.recv().unwrap();
    let refused = next.plan.snapshot;
    assert!(
        matches!(notice, Notice::SnapshotFailed { snapshot } if snapshot == refused),
        "{notice:?}"
    );
    let fixture = fixture.restart();
    assert_eq!(
        fixture.found.replica.as_ref().map(|held| held.position),
        Some(Position(40)),
        "the replica stays as it is"
    );
    fixture.replica.begin_snapshot(next.plan);
    fixture.replica.store_chunk(next.chunks[0].clone());
    fixture.replica.discard();
    for chunk in &next.chunks[1..] {
        fixture.replica.store_chunk(chunk.clone());
    }
    fixture.replica.finish_snapshot(next.plan.snapshot);
    assert!(matches!(
        fixture.notices.recv().unwrap(),
        Notice::Emptied(_)
    ));
    let reader = reader_of(fixture.notices.recv().unwrap());
    assert_eq!(reader.recompute().unwrap().unwrap().tickets, 6);
}

#[test]
fn a_snapshot_that_fails_with_the_replica_is_reported_all_the_same() {
    let fixture = empty();
    let snapshot = snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)]);
    fixture.replica.begin_snapshot(snapshot.plan);
    for chunk in &snapshot.chunks {
        fixture.replica.store_chunk(chunk.clone());
    }
    let fixture = fixture.restart();
    // It is whole, but the file of its chunks can't be deleted.
    let pull = fixture.folder.path().join("snapshot.pull");
    std::fs::remove_file(&pull).unwrap();
    std::fs::create_dir(&pull).unwrap();
    fixture.replica.finish_snapshot(snapshot.plan.snapshot);
    drop(fixture.replica);
    let notices: Vec<_> = fixture.notices.iter().collect();
    let failed = snapshot.plan.snapshot;
    assert!(
        matches!(&notices[..], [Notice::Failed(..), Notice::SnapshotFailed { snapshot }]
            if *snapshot == failed),
        "{notices:?}"
    );
}

#[test]
fn another_digest_key_recomputes_the_digest() {
    let fixture = empty();
    fixture.pull(&snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)]));
    let key = DigestKey(Hash32([8; 32]));
    let epoch = Epoch {
        timeline: 2,
        ..EPOCH
    };
    fixture.replica.adopt(epoch, key);
    let replica = fixture.restart().found.replica.unwrap();
    assert_eq!((replica.epoch, replica.digest_key), (epoch, key));
    let row = ticket(10, 1, TicketState::Valid).to_bytes();
    assert_eq!(replica.digest, digest::of_rows(&key, [row.as_slice()]));
}

#[test]
fn proof_and_revocation_survive_a_restart_and_a_damaged_file_does_not_stop_it() {
    let fixture = empty();
    let proof = SavedProof {
        boot: BootId(Uuid::from_u128(1)),
        asked: Now {
            boottime: BootTime(5),
            wall: WallTime(-6),
        },
        answered: BootTime(7),
        epoch: EPOCH,
        position: Position(40),
        truth: CoreTime(8),
        core: CoreTime(9),
    };
    let end = JournalHead {
        incarnation: IncarnationId(Uuid::from_u128(1)),
        seq: 9,
        hash: Hash32([9; 32]),
    };
    fixture.replica.update_proof(proof, Some(end));
    fixture.replica.update_revoked(true);
    let fixture = fixture.restart();
    assert_eq!(
        (fixture.found.proof, fixture.found.revoked),
        (Some(proof), true)
    );
    fixture.replica.update_revoked(false);
    let fixture = fixture.restart();
    assert!(!fixture.found.revoked);
    std::fs::write(fixture.reader.path(), b"this was a database once").unwrap();
    assert!(fixture.restart().found.replica.is_none());
}

/// C11: the replica was deleted and fetched again; without the core the gate would have been locked.
#[test]
fn a_replica_that_another_program_holds_is_kept_and_goes_on_when_it_is_free() {
    // Longer than SQLite itself waits for a lock.
    const LONG: Duration = Duration::from_secs(7);
    let fixture = empty();
    let reader = reader_of(fixture.pull(&snapshot(1, 40, &[ticket(10, 1, TicketState::Valid)])));
    let backup = rusqlite::Connection::open(reader.path()).unwrap();
    backup.execute_batch("BEGIN IMMEDIATE").unwrap();
    let freed = std::thread::spawn(move || {
        std::thread::park_timeout(LONG);
        backup.execute_batch("ROLLBACK").unwrap();
    });
    let notice = fixture.apply(40, vec![ticket(10, 2, TicketState::Revoked)]);
    assert!(matches!(notice, Notice::Applied { .. }), "{notice:?}");
    freed.join().unwrap();
}
