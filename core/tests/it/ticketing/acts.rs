//! What people did at gates, through the real consumers (`ADMISSION` 7.4).

use eventify_contracts::ticketing::{CheckInConflict, TicketState};
use eventify_protocol::ids::{ActId, PersonId, ScanId, TicketId};
use eventify_protocol::lan::{Reason, ReasonCode};
use eventify_protocol::sync::{ActBy, JournalEntry, Left, Overridden, Undone};
use eventify_protocol::verdict::{Mode, Verdict};
use uuid::Uuid;

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::{NodeConnection, TestScan};
use crate::ticketing::world::journal::{Journal, classes, refused_by};

fn by(venue: &Venue, scan: &TestScan) -> ActBy {
    ActBy {
        act: ActId(venue.core.clock.new_id()),
        person: PersonId(Uuid::from_u128(0x51)),
        scanner: scan.scanner,
        gate: scan.gate,
        mode: Mode::Online,
        reason: Some(Reason {
            code: ReasonCode::NotInside,
            note: None,
        }),
    }
}

fn overridden(venue: &Venue, scan: &TestScan, ticket: TicketId) -> JournalEntry {
    JournalEntry::Overridden(Overridden {
        by: by(venue, scan),
        scan: scan.scan,
        ticket,
        performance: venue.performance,
        cache_age_ms: None,
    })
}

fn undone(venue: &Venue, scan: &TestScan, ticket: TicketId) -> JournalEntry {
    JournalEntry::Undone(Undone {
        by: by(venue, scan),
        scan: scan.scan,
        ticket,
        performance: venue.performance,
    })
}

fn left(venue: &Venue, scan: &TestScan, ticket: TicketId, entry: ScanId) -> JournalEntry {
    JournalEntry::Left(Left {
        by: ActBy {
            reason: None,
            ..by(venue, scan)
        },
        ticket,
        performance: venue.performance,
        entry,
    })
}

/// The scan that counts in the feed.
async fn inside(venue: &Venue, ticket: TicketId) -> Option<ScanId> {
    match venue.published_facts(ticket).await.state {
        TicketState::Used { scan_id, .. } => Some(scan_id),
        TicketState::Valid | TicketState::Suspended | TicketState::Revoked => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_supervisor_sent_back_is_let_in_again_and_may_have_the_money() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(0, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let mut journal = Journal::of(&venue, 0);
    journal.confirmed(&s1);
    let now = Some(venue.core.clock.now());
    journal.add(undone(&venue, &s1, ticket), now);
    journal.upload().await;
    assert_eq!(inside(&venue, ticket).await, None, "nobody went in");
    assert!(
        matches!(connection.scan(&s1).await, Verdict::AlreadyUsed { .. }),
        "that scan lets in nobody else"
    );
    assert_eq!(connection.scan(&s2).await, Verdict::Admit);
    assert_eq!(inside(&venue, ticket).await, Some(s2.scan));
    assert_eq!(classes(&venue).await, ["admitted", "undone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whom_a_supervisor_let_in_is_an_entry_and_no_double_one() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let refused = connection.scan(&s2).await;
    assert_eq!(refused_by(&refused), (s1.gate, false));
    let mut second = Journal::of(&venue, 1);
    second.shown(&s2, refused);
    let now = Some(venue.core.clock.now());
    second.add(overridden(&venue, &s2, ticket), now);
    second.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s1.scan));
    assert!(
        venue.published::<CheckInConflict>().await.is_empty(),
        "the supervisor knew"
    );
    second.add(undone(&venue, &s2, ticket), now);
    second.upload().await;
    assert_eq!(
        inside(&venue, ticket).await,
        Some(s1.scan),
        "the first stays"
    );
    assert_eq!(classes(&venue).await, ["refused", "overridden", "undone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_leaves_and_comes_back_and_the_old_entry_counts_no_more() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let mut second = Journal::of(&venue, 1);
    let now = Some(venue.core.clock.now());
    second.add(left(&venue, &s2, ticket, s1.scan), now);
    second.upload().await;
    assert_eq!(inside(&venue, ticket).await, None);
    // The first gate's row comes when its guest has left long ago.
    let mut first = Journal::of(&venue, 0);
    first.confirmed(&s1);
    first.upload().await;
    assert_eq!(inside(&venue, ticket).await, None);
    assert_eq!(connection.scan(&s2).await, Verdict::Admit);
    assert_eq!(inside(&venue, ticket).await, Some(s2.scan));
    // An exit of an entry that is over changes nothing.
    second.add(left(&venue, &s2, ticket, s1.scan), now);
    second.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s2.scan));
}
