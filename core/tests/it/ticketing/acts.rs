//! What people did at gates, through the real consumers (`ADMISSION` 7.4).

use chrono::Duration;
use eventify_contracts::order::{OrderRefundOpened, RefundReason};
use eventify_contracts::ticketing::{CheckInConflict, TicketState, TicketsSuspended};
use eventify_protocol::ids::{ActId, PersonId, ScanId, TicketId};
use eventify_protocol::lan::{Reason, ReasonCode};
use eventify_protocol::sync::{ActBy, JournalEntry, Left, Overridden, Undone};
use eventify_protocol::verdict::{Mode, Verdict};
use uuid::Uuid;

use crate::ticketing::world::connection::{NodeConnection, TestScan};
use crate::ticketing::world::journal::{Journal, classes, refused_by};
use crate::ticketing::world::{ORDER, Venue};

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

/// C08: the guests of the evening that broke off come again, once.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_inside_when_the_show_broke_off_is_let_in_at_its_new_date() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let now = venue.core.clock.now();
    let (s1, s2, s3) = (
        venue.scan(0, &token),
        venue.scan(0, &token),
        venue.scan(1, &token),
    );
    let mut journal = Journal::of(&venue, 0);
    journal.shown_at(&s1, Verdict::Admit, Some(now - Duration::hours(20)));
    journal.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s1.scan));
    let mut again = venue.played(now + Duration::minutes(30), false);
    again.times.restarts_at = Some(now - Duration::hours(19));
    venue.reschedule(2, again).await;
    let mut connection = NodeConnection::connect(&venue).await;
    assert_eq!(connection.scan(&s2).await, Verdict::Admit);
    assert_eq!(inside(&venue, ticket).await, Some(s2.scan));
    let refused = connection.scan(&s3).await;
    assert_eq!(refused_by(&refused).0, s2.gate, "once");
    // A gate that was cut off since the first evening tells of it now.
    let late = venue.scan(1, &token);
    let mut second = Journal::of(&venue, 1);
    second.shown_at(&late, Verdict::Admit, Some(now - Duration::hours(21)));
    second.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s2.scan));
}

/// DECISIONS 52 to 54: what was not used can be given back, what was used can't.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_was_sent_back_gets_the_money_and_one_who_has_left_does_not() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![venue.standing(2)]).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    let [sent_back, has_left] = tickets[..] else {
        panic!("two")
    };
    let mut journal = Journal::of(&venue, 0);
    let now = Some(venue.core.clock.now());
    let s1 = venue.scan(0, &venue.token(sent_back).await);
    let s2 = venue.scan(0, &venue.token(has_left).await);
    journal.shown(&s1, Verdict::Admit);
    journal.shown(&s2, Verdict::Admit);
    journal.add(undone(&venue, &s1, sent_back), now);
    journal.add(left(&venue, &s2, has_left, s2.scan), now);
    journal.upload().await;
    for (ticket, goes_back) in [(sent_back, true), (has_left, false)] {
        assert_eq!(inside(&venue, ticket).await, None);
        let opened = OrderRefundOpened {
            order_id: order.order_id,
            refund_id: venue.core.clock.new_id().into(),
            ticket_ids: vec![ticket],
            reason: RefundReason::UserRequest,
        };
        venue.publish(ORDER, 2, &opened).await;
        venue.core.settle().await;
        let answered = venue.published::<TicketsSuspended>().await;
        assert!(!answered.is_empty(), "it is answered");
        let state = venue.published_facts(ticket).await.state;
        assert_eq!(state == TicketState::Suspended, goes_back, "{state:?}");
    }
}

/// Rows of two nodes come in any order: the record is the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_before_the_exit_belongs_to_the_passage_that_is_over() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let now = venue.core.clock.now();
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    let mut first = Journal::of(&venue, 0);
    first.shown_at(&s1, Verdict::Admit, Some(now - Duration::minutes(30)));
    let exit = left(&venue, &s1, ticket, s1.scan);
    first.add(exit, Some(now - Duration::minutes(10)));
    first.upload().await;
    assert_eq!(inside(&venue, ticket).await, None);
    let mut second = Journal::of(&venue, 1);
    second.shown_at(&s2, Verdict::Admit, Some(now - Duration::minutes(20)));
    second.upload().await;
    assert_eq!(
        inside(&venue, ticket).await,
        None,
        "that guest is none of now"
    );
    let conflicts = venue.published::<CheckInConflict>().await;
    let conflict = conflicts.last().expect("it is named");
    assert_eq!(
        (conflict.first.scan_id, conflict.second.scan_id),
        (s1.scan, s2.scan)
    );
    assert_eq!(classes(&venue).await, ["admitted", "left", "double_entry"]);
}

/// A node that somebody else runs by now knows the scans of the others from the feed.
#[tokio::test(flavor = "multi_thread")]
async fn no_node_ends_or_overrides_a_scan_of_another() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let s1 = venue.scan(0, &token);
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let now = Some(venue.core.clock.now());
    let mut taken_over = Journal::of(&venue, 1);
    let foreign = TestScan {
        gate: venue.gates[1],
        ..s1.clone()
    };
    taken_over.add(undone(&venue, &foreign, ticket), now);
    taken_over.upload().await;
    assert_eq!(
        connection.scan(&s1).await,
        Verdict::Admit,
        "its answer was lost, and it is asked again"
    );
    taken_over.add(overridden(&venue, &foreign, ticket), now);
    taken_over.add(undone(&venue, &foreign, ticket), now);
    taken_over.upload().await;
    let mut first = Journal::of(&venue, 0);
    first.confirmed(&s1);
    first.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s1.scan));
    taken_over.shown(&s1, Verdict::TryAgain);
    taken_over.add(undone(&venue, &s1, ticket), now);
    taken_over.upload().await;
    assert_eq!(inside(&venue, ticket).await, Some(s1.scan));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
}
