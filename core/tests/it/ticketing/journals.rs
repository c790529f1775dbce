//! The table of `ADMISSION` section 7, through the real consumers: scans by the uplink, journal rows
//! as fleet hands them on.

use eventify_contracts::ticketing::{CheckInConflict, JournalApplied, TicketState};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::PersonId;
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use uuid::Uuid;

use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::journal::{Journal, classes, entries, refused_by};
use crate::ticketing::world::{FLEET, Venue};

#[tokio::test(flavor = "multi_thread")]
async fn the_lost_answer_and_the_nodes_own_admission_are_one_check_in() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let s1 = venue.scan(0, &token);
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, false)), vec![])
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    assert_eq!(classes(&venue).await, ["admitted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_on_shift_stands_at_the_scan_and_no_later_question_takes_it_away() {
    let venue = Venue::open().await;
    let (_, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(0, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let mut journal = Journal::of(&venue, 0);
    let sam = PersonId(Uuid::from_u128(0x51));
    journal.on_shift = Some(sam);
    journal.shown(&s1, Verdict::Admit);
    journal.on_shift = None;
    journal.shown(&s2, Verdict::TryAgain);
    journal.upload().await;
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    for (scan, expected) in [(&s1, Some(sam)), (&s2, None)] {
        let stored: Option<PersonId> =
            sqlx::query_scalar("select person_id from ticketing.scans where scan_id = $1")
                .bind(scan.scan)
                .fetch_one(&mut *conn)
                .await
                .unwrap();
        assert_eq!(stored, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_scan_after_its_journal_row_has_no_effect() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let s1 = venue.scan(0, &token);
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    let version = venue.published_facts(ticket).await.version;
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    assert_eq!(venue.published_facts(ticket).await.version, version);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_gate_is_refused_and_the_first_entry_stands() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        refused_by(&connection.scan(&s2).await),
        (venue.gates[0], false)
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    let s3 = venue.scan(1, &token);
    assert_eq!(
        refused_by(&connection.scan(&s3).await),
        (venue.gates[0], true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_against_the_cores_unheard_refusal_is_a_double_entry() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s2).await, Verdict::Admit);
    assert_eq!(
        refused_by(&connection.scan(&s1).await),
        (venue.gates[1], false)
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    let double = vec![(s1.scan, "double_entry".to_owned())];
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s2.scan, false)), double)
    );
    let published = venue.published::<CheckInConflict>().await;
    assert_eq!(published.len(), 1);
    let (first, second) = (&published[0].first, &published[0].second);
    assert_eq!(
        (first.gate_id, first.scanner_id),
        (venue.gates[1], Some(s2.scanner))
    );
    assert_eq!(
        (second.gate_id, second.node_id),
        (venue.gates[0], Some(venue.nodes[0]))
    );
    assert_eq!(
        (second.sync_position, second.decided_by.as_str()),
        (Some(42), "edge")
    );
    assert_eq!(classes(&venue).await, ["double_entry"]);
    let applied = venue.published::<JournalApplied>().await;
    let conflict = applied[0].outcomes[0].conflict_id;
    assert_eq!(conflict, Some(published[0].conflict_id));
    // The feed has to have it as used before the node forgets whom it let in.
    let stated = &applied[0].tickets[0];
    assert_eq!(stated.ticket_id, ticket);
    assert_eq!(stated.version, 2, "as it was before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_arrival_that_was_first_takes_the_check_ins_place() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    assert_eq!(connection.scan(&s2).await, Verdict::Admit);
    journal.upload().await;
    let double = vec![(s2.scan, "double_entry".to_owned())];
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), double)
    );
    let TicketState::Used { gate_id, .. } = venue.published_facts(ticket).await.state else {
        panic!()
    };
    assert_eq!(gate_id, venue.gates[0], "the feed names the first entry");

    // Gate 2 says that it never showed its admission: there was no double entry.
    let mut other = Journal::of(&venue, 1);
    other.shown(&s2, Verdict::TryAgain);
    other.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    let published = venue.published::<CheckInConflict>().await;
    let dissolved: Vec<_> = published.iter().map(|it| it.dissolved).collect();
    assert_eq!(dissolved, [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_shown_nothing_is_admitted_once_at_the_same_gate() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let s1 = venue.scan(0, &token);
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let again = venue.scan(0, &token).replacing(&s1);
    assert_eq!(connection.scan(&again).await, Verdict::Admit);
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((again.scan, false)), vec![])
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::TryAgain);
    journal.shown(&again, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((again.scan, true)), vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_executed_after_the_edge_gave_up_has_no_effect() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let mut s1 = venue.scan(0, &token);
    s1.deadline = CoreTime::from(venue.core.clock.now());
    assert_eq!(connection.scan(&s1).await, Verdict::TryAgain);
    assert_eq!(entries(&venue, ticket).await, (None, vec![]));
    assert_eq!(venue.published_facts(ticket).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_nobody_confirmed_is_said_to_be_so_and_ends_with_its_journal_row() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    assert_eq!(
        refused_by(&connection.scan(&s2).await),
        (venue.gates[0], false)
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::ResyncRequired);
    journal.upload().await;
    assert_eq!(entries(&venue, ticket).await, (None, vec![]));
    assert_eq!(venue.show(ticket).await.status, "valid");
    let s3 = venue.scan(1, &token);
    assert_eq!(connection.scan(&s3).await, Verdict::Admit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_admission_never_happened() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let s1 = venue.scan(0, &token);
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    journal.voided(&s1);
    journal.upload().await;
    assert_eq!(entries(&venue, ticket).await, (None, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_applied_in_the_order_of_their_rows_however_they_come() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(0, &token));
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    let first = journal.batch();
    journal.shown_at(&s2, Verdict::Admit, None);
    let second = journal.batch();
    venue.publish(FLEET, 1, &second).await;
    venue.core.settle().await;
    assert!(venue.published::<JournalApplied>().await.is_empty());
    venue.publish(FLEET, 1, &first).await;
    venue.core.settle().await;
    venue.publish(FLEET, 1, &first).await; // fleet sends it once more
    venue.core.settle().await;
    let double = vec![(s2.scan, "double_entry".to_owned())];
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), double)
    );
    assert_eq!(classes(&venue).await, ["admitted", "double_entry"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_reports_on_tickets_of_its_own_venue_only() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let s1 = venue.scan(0, &token);
    let mut journal = Journal::of(&venue, 0);
    journal.shown(&s1, Verdict::Admit);
    let mut batch = journal.batch();
    batch.venue_id = venue.core.clock.new_id().into();
    venue.publish(FLEET, 1, &batch).await;
    venue.core.settle().await;
    assert_eq!(entries(&venue, ticket).await, (None, vec![]));
    assert_eq!(classes(&venue).await, ["unknown_ticket"]);
    let applied = venue.published::<JournalApplied>().await;
    assert!(applied[0].tickets.is_empty());
}
