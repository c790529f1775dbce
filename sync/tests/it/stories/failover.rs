//! Another database takes over, and has lost what had not reached it: until it knows what this node
//! knows, it decides nothing here, and no guest is admitted twice (`ADMISSION` 2, 4.2 and 5.3).

use std::time::Duration;

use eventify_protocol::{
    hash::Hash32,
    ids::SnapshotId,
    sync::{Chunk, JournalHead, Plan, Position, SealedRow, TicketState, Up, UsedBy},
    time::CoreTime,
    verdict::{Mode, Verdict},
};
use eventify_sync::edge::{CoreMessage, Input, Reason, RestoredReplica};
use uuid::Uuid;

use super::{
    is_used,
    venue::{EPOCH, GATE, PROMOTED, Venue, digest_at, scan_id, ticket_id, token},
};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SNAPSHOT: SnapshotId = SnapshotId(Uuid::from_u128(1));

/// The core has let ticket 1 in, has acknowledged that, and the replica shows it.
fn admitted() -> Venue {
    let mut venue = Venue::online();
    venue.scan(scan_id(1), token(1));
    venue.verdict(scan_id(1), Verdict::Admit);
    assert_eq!(venue.answer().verdict, Verdict::Admit);
    venue.acknowledge();
    let used = UsedBy {
        scan: scan_id(1),
        gate: GATE,
        at: CoreTime(5),
        confirmed: true,
    };
    venue.publish(ticket_id(1), TicketState::Used(used));
    venue
}

/// What the promoted core holds of the journal: the first row only.
fn lost(venue: &Venue) -> Option<JournalHead> {
    venue.rows().first().map(SealedRow::head)
}

/// The promoted core answers three questions in a row, each in time.
fn answers(venue: &mut Venue, position: u64) {
    for _ in 0..3 {
        venue.answer_question_of(PROMOTED, position, digest_at(position));
        venue.wait(MS(500));
    }
}

#[test]
fn a_core_that_has_not_named_what_it_holds_decides_nothing() {
    let mut venue = Venue::online();
    venue.wait(MS(500));
    venue.answer_question_of(PROMOTED, 50, digest_at(50));
    assert_ne!(venue.status().mode, Mode::Online, "it may have lost rows");
    let head = venue.rows().last().map(SealedRow::head);
    let from = Position(50);
    venue.welcome_from(PROMOTED, Plan::Delta { from }, head);
    assert_eq!(
        (venue.status().mode, venue.status().reason),
        (Mode::Online, None)
    );
}

#[test]
fn a_core_that_has_lost_its_own_decisions_decides_when_it_has_them_again() {
    let mut venue = admitted();
    venue.step(Input::Disconnected);
    venue.count_sent(|_| true);
    venue.step(Input::Connected);
    let (from, held) = (Position(51), lost(&venue));
    venue.welcome_from(PROMOTED, Plan::Delta { from }, held);
    let again =
        venue.count_sent(|message| matches!(message, Up::Journal(batch) if batch.from == 2));
    assert_eq!(again, 1, "sent from where it stands");
    answers(&mut venue, 51);
    assert_eq!(venue.status().reason, Some(Reason::CatchingUp));
    venue.acknowledge_of(PROMOTED);
    assert_eq!(venue.status().mode, Mode::Online);
}

/// Without the line ever having been cut: the end that the promoted core names has to be read from the
/// disk before anything counts as acknowledged.
#[test]
fn a_core_whose_end_is_not_compared_yet_decides_nothing() {
    let mut venue = admitted();
    let (from, held) = (Position(51), lost(&venue));
    venue.wait(MS(500));
    venue.answer_question_of(PROMOTED, 51, digest_at(51));
    venue.unread_from = 1;
    venue.welcome_from(PROMOTED, Plan::Delta { from }, held);
    assert_ne!(venue.status().mode, Mode::Online, "it may have lost rows");
    venue.scan(scan_id(2), token(1));
    assert!(
        venue.sent_scan().is_none(),
        "it would let the guest in again"
    );
}

#[test]
fn it_knows_its_admissions_though_core_and_replica_have_lost_them() {
    let mut venue = admitted();
    venue.step(Input::Disconnected);
    venue.unread_from = 1;
    venue.step(Input::Connected);
    let plan = Plan::Snapshot {
        id: SNAPSHOT,
        position: Position(60),
        chunks: 1,
        hash: Hash32([3; 32]),
    };
    let held = lost(&venue);
    venue.welcome_from(PROMOTED, plan, held);
    venue.receive(CoreMessage::Chunk(Chunk {
        snapshot: SNAPSHOT,
        index: 0,
        of: 1,
        bytes: vec![1].into(),
    }));
    let replica = RestoredReplica {
        epoch: PROMOTED,
        ..venue.replica_at(60)
    };
    let snapshot = SNAPSHOT;
    venue.step(Input::SnapshotReady { snapshot, replica });
    venue.replace_tickets(60);
    let mut verdict_of_another_scan = |unread_from| {
        venue.unread_from = unread_from;
        venue.step(Input::Disconnected);
        venue.count_sent(|_| true);
        venue.step(Input::Connected);
        let from = Position(60);
        venue.welcome_from(PROMOTED, Plan::Delta { from }, held);
        venue.answer_question_of(PROMOTED, 60, digest_at(60));
        assert!(venue.status().cache_age.is_some(), "the cache is young");
        venue.scan(scan_id(2), token(1));
        venue.answer().verdict
    };
    // Before the journal is read again, the end that the core names and what follows, it can't know.
    assert_eq!(verdict_of_another_scan(1), Verdict::ResyncRequired);
    assert_eq!(verdict_of_another_scan(2), Verdict::ResyncRequired);
    let verdict = verdict_of_another_scan(3);
    assert!(is_used(&verdict, true), "{verdict:?}");
}

/// The promoted core makes the node read its journal again while the row that took an admission back
/// is still on its way to the disk.
#[test]
fn what_was_taken_back_stays_so_when_the_journal_is_read_again() {
    let mut venue = Venue::cut_off();
    venue.wait(MS(19_600));
    venue.slow_disk = true;
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(500));
    // The cache has become too old meanwhile.
    venue.sync();
    assert_eq!(venue.reply(), None, "the void row is not on disk");
    venue.step(Input::Connected);
    venue.welcome();
    let admitted = venue.rows()[1].head();
    venue.acknowledge_end(admitted, EPOCH);

    venue.step(Input::Disconnected);
    venue.count_sent(|_| true);
    venue.step(Input::Connected);
    let (from, held) = (Position(50), lost(&venue));
    venue.welcome_from(PROMOTED, Plan::Delta { from }, held);
    venue.answer_question_of(PROMOTED, 50, digest_at(50));
    venue.sync();
    assert_eq!(venue.answer().verdict, Verdict::ResyncRequired);
    venue.slow_disk = false;
    venue.tickets[0].1 = TicketState::Revoked;
    venue.scan(scan_id(1), token(1));
    venue.wait(MS(300));
    assert_eq!(venue.answer().verdict, Verdict::Revoked);
}
