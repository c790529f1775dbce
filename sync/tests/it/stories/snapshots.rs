//! Snapshots on a line that is slower than their timers, or that is interrupted (`ADMISSION` 5.4).

use std::time::Duration;

use super::{
    is_used,
    venue::{EPOCH, GATE, PROMOTED, Venue, digest_at, scan_id, ticket_id, token},
};
use eventify_protocol::{
    hash::Hash32,
    ids::SnapshotId,
    sync::{Chunk, Plan, Position, SealedRow, SnapshotGone, TicketState, Up, UsedBy},
    time::CoreTime,
    verdict::Verdict,
};
use eventify_sync::edge::{
    CoreMessage, Input, Output, PartialSnapshot, ReplicaOutput, RestoredReplica,
};
use uuid::Uuid;

const S: fn(u64) -> Duration = Duration::from_secs;

fn snapshot(number: u128) -> SnapshotId {
    SnapshotId(Uuid::from_u128(number))
}

pub(super) fn plan(number: u128, chunks: u32) -> Plan {
    Plan::Snapshot {
        id: snapshot(number),
        position: Position(60),
        chunks,
        hash: Hash32([3; 32]),
    }
}

fn chunk(number: u128, index: u32, of: u32) -> CoreMessage {
    CoreMessage::Chunk(Chunk {
        snapshot: snapshot(number),
        index,
        of,
        bytes: vec![index.to_be_bytes()[3]].into(),
    })
}

fn is_pull(message: &Up) -> bool {
    matches!(message, Up::Pull(_))
}

/// Which snapshot is asked for, and from which chunk on.
fn pull_of(message: &Up) -> Option<(SnapshotId, u32)> {
    if let Up::Pull(pull) = message {
        Some((pull.snapshot, pull.from))
    } else {
        None
    }
}

fn snapshots_begun(venue: &Venue) -> usize {
    let begins =
        |output: &&Output| matches!(output, Output::Replica(ReplicaOutput::BeginSnapshot(_)));
    venue.outputs.iter().filter(begins).count()
}

fn finishes_snapshot(output: &Output) -> bool {
    matches!(
        output,
        Output::Replica(ReplicaOutput::FinishSnapshot { .. })
    )
}

/// A node whose core has failed over and makes it start again; its old replica is still there.
fn pulling(chunks: u32) -> Venue {
    let mut venue = Venue::closed();
    venue.step(Input::Connected);
    venue.welcome_from(PROMOTED, plan(1, chunks), None);
    venue
}

#[test]
fn chunks_slower_than_the_timer_are_not_asked_for_again_and_again() {
    let mut venue = pulling(12);
    for index in 0..12 {
        venue.wait(S(4));
        venue.receive(chunk(1, index, 12));
    }
    assert!(venue.outputs.iter().any(finishes_snapshot));
    let asked = venue.count_sent(is_pull);
    assert!(asked <= 12, "{asked} times for 12 chunks");
}

/// The chunks that the store was given, by index.
fn stored(venue: &Venue) -> Vec<u32> {
    let chunks = venue.outputs.iter().filter_map(|output| {
        if let Output::Replica(ReplicaOutput::StoreChunk(chunk)) = output {
            Some(chunk.index)
        } else {
            None
        }
    });
    chunks.collect()
}

#[test]
fn chunks_in_any_order_are_stored_in_theirs_and_asked_for_once() {
    // The core answers two questions at once, and so their chunks come mixed.
    let mut venue = pulling(12);
    for index in [4, 0, 5, 1, 6, 2, 7, 3, 3, 0, 9, 8, 11, 10] {
        venue.receive(chunk(1, index, 12));
    }
    assert_eq!(stored(&venue), (0..12).collect::<Vec<_>>());
    let mut asked = Vec::new();
    while let Some(pull) = venue.sent(|_, message| {
        if let Up::Pull(pull) = message {
            Some(pull)
        } else {
            None
        }
    }) {
        asked.extend(pull.from..pull.from + pull.count);
    }
    assert_eq!(asked, (0..12).collect::<Vec<_>>());
}

#[test]
fn a_lost_chunk_is_asked_for_again_without_those_that_came_after_it() {
    let mut venue = pulling(4);
    venue.receive(chunk(1, 0, 4));
    venue.receive(chunk(1, 3, 4));
    venue.count_sent(is_pull);
    venue.wait(S(2));
    let again = venue.sent(|_, message| {
        if let Up::Pull(pull) = message {
            Some((pull.from, pull.count))
        } else {
            None
        }
    });
    assert_eq!(again, Some((1, 2)));
    venue.receive(chunk(1, 1, 4));
    venue.receive(chunk(1, 2, 4));
    assert_eq!(stored(&venue), [0, 1, 2, 3]);
}

#[test]
fn a_pull_continues_after_the_line_was_cut_and_though_a_newer_snapshot_is_named() {
    let mut venue = pulling(4);
    venue.receive(chunk(1, 0, 4));
    venue.receive(chunk(1, 1, 4));
    venue.step(Input::Disconnected);
    venue.count_sent(is_pull);
    venue.wait(S(60));
    venue.step(Input::Connected);
    venue.welcome_from(PROMOTED, plan(2, 9), None);
    let next = venue.sent(|_, message| pull_of(&message));
    assert_eq!(next, Some((snapshot(1), 2)), "from where it was broken off");
    assert_eq!(snapshots_begun(&venue), 1);
}

fn gone(number: u128) -> CoreMessage {
    CoreMessage::SnapshotGone(SnapshotGone {
        snapshot: snapshot(number),
    })
}

#[test]
fn a_snapshot_that_is_gone_gives_way_to_the_next_at_once() {
    let mut venue = pulling(4);
    venue.receive(chunk(1, 0, 4));
    venue.receive(gone(1));
    venue.welcome_from(PROMOTED, plan(2, 2), None);
    let asked = venue.sent(|_, message| pull_of(&message).filter(|(of, _)| *of == snapshot(2)));
    assert_eq!(asked, Some((snapshot(2), 0)));
    venue.receive(gone(1));
    venue.receive(chunk(2, 0, 2));
    venue.receive(chunk(2, 1, 2));
    assert!(
        venue.outputs.iter().any(finishes_snapshot),
        "what is said of another one late stops nothing"
    );
}

#[test]
fn a_snapshot_that_is_here_whole_is_taken_though_it_is_gone_at_the_core() {
    let mut venue = pulling(1);
    venue.receive(chunk(1, 0, 1));
    venue.receive(gone(1));
    let replica = RestoredReplica {
        epoch: PROMOTED,
        ..venue.replica_at(60)
    };
    let snapshot = snapshot(1);
    venue.step(Input::SnapshotReady { snapshot, replica });
    assert_eq!(venue.status().position, Position(60));
}

#[test]
fn a_replica_that_fails_leaves_the_pull_of_the_next_one_alone() {
    let mut venue = pulling(3);
    venue.receive(chunk(1, 0, 3));
    venue.step(Input::ReplicaFailed);
    venue.receive(chunk(1, 1, 3));
    venue.receive(chunk(1, 2, 3));
    let replica = RestoredReplica {
        epoch: PROMOTED,
        ..venue.replica_at(60)
    };
    let snapshot = snapshot(1);
    venue.step(Input::SnapshotReady { snapshot, replica });
    assert_eq!(venue.status().position, Position(60));
}

#[test]
fn the_report_of_a_snapshot_that_was_discarded_is_not_taken_for_the_next_ones() {
    let mut venue = pulling(1);
    venue.receive(chunk(1, 0, 1));
    // While it is swapped in, the replica is found to be damaged: both go.
    let (position, digest) = (
        Position(50),
        eventify_protocol::sync::Digest(Hash32([9; 32])),
    );
    venue.step(Input::DigestRecomputed { position, digest });
    venue.wait(S(3));
    venue.welcome_from(PROMOTED, plan(1, 1), None);
    venue.receive(chunk(1, 0, 1));
    let replica = RestoredReplica {
        epoch: PROMOTED,
        ..venue.replica_at(60)
    };
    let snapshot = snapshot(1);
    venue.step(Input::SnapshotReady { snapshot, replica });
    assert_eq!(venue.status().position, Position(0), "that file is gone");
    venue.wait(S(3));
    venue.welcome_from(PROMOTED, plan(1, 1), None);
    assert_eq!(snapshots_begun(&venue), 2);
}

#[test]
fn a_snapshot_that_fails_with_the_replica_is_begun_again() {
    let mut venue = pulling(1);
    venue.receive(chunk(1, 0, 1));
    venue.step(Input::ReplicaFailed);
    let snapshot = snapshot(1);
    venue.step(Input::SnapshotFailed { snapshot });
    venue.wait(S(3));
    venue.welcome_from(PROMOTED, plan(1, 1), None);
    assert_eq!(snapshots_begun(&venue), 2);
}

#[test]
fn a_pull_continues_after_a_restart_if_the_same_snapshot_is_named() {
    // What the disk has; what is named, in how many chunks; what is asked for then.
    for (held, named, chunks, next) in [
        ((1, 2), 1, 4, Some(2)),
        ((1, 2), 2, 4, Some(0)),
        ((1, 4), 1, 4, None),
        ((1, 5), 1, 4, Some(0)),
    ] {
        let mut venue = Venue::closed();
        venue.partial = Some(PartialSnapshot {
            snapshot: snapshot(held.0),
            next: held.1,
        });
        venue.restart(10);
        venue.step(Input::Connected);
        venue.welcome_from(PROMOTED, plan(named, chunks), None);
        let asked = venue.sent(|_, message| pull_of(&message));
        assert_eq!(asked, next.map(|next| (snapshot(named), next)));
        let begun = snapshots_begun(&venue);
        assert_eq!(begun, usize::from(next == Some(0)), "{held:?}");
        let finishes = venue.outputs.iter().any(finishes_snapshot);
        assert_eq!(finishes, next.is_none(), "{held:?}");
    }
}

/// The feed has shown the guest's admission, and the node has stopped remembering it itself. Its next
/// replica begins with a snapshot of before, and an answer that was held up proves that one's age.
#[test]
fn a_replica_that_is_fetched_anew_admits_nobody_a_second_time() {
    let mut venue = Venue::online();
    venue.wait(Duration::from_millis(500));
    let held_up = venue.take_question();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.acknowledge();
    let used = TicketState::Used(UsedBy {
        scan: scan_id(1),
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    });
    venue.publish(ticket_id(1), used);

    venue.step(Input::ReplicaFailed);
    venue.wait(S(3));
    let plan = Plan::Snapshot {
        id: snapshot(1),
        position: Position(50),
        chunks: 1,
        hash: Hash32([3; 32]),
    };
    let journal = venue.rows().last().map(SealedRow::head);
    venue.welcome_from(EPOCH, plan, journal);
    venue.receive(chunk(1, 0, 1));
    let replica = venue.replica_at(50);
    let snapshot = snapshot(1);
    venue.step(Input::SnapshotReady { snapshot, replica });
    venue.replace_tickets(50);
    venue.answer_ask(&held_up, (EPOCH, 50, digest_at(50)));
    assert!(venue.status().cache_age.is_some(), "the cache is young");
    venue.scan(scan_id(2), token(1));
    venue.wait(Duration::from_millis(300));
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);

    venue.publish(ticket_id(1), used);
    venue.scan(scan_id(2), token(1));
    let verdict = venue.answer().verdict;
    assert!(is_used(&verdict, true), "{verdict:?}");
}
