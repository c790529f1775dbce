//! Who was first (ADMISSION 7.2).

use eventify_contracts::ticketing::CheckInConflict;
use eventify_protocol::ids::TicketId;
use eventify_protocol::verdict::Verdict;

use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::journal::{Journal, classes, entries, refused_by};
use crate::ticketing::world::{FLEET, Venue};

/// `order_unknown` as it stands on the check-in, and on each admission of the newest event.
async fn doubts(venue: &Venue, ticket: TicketId) -> (bool, bool, bool) {
    let published = venue.published::<CheckInConflict>().await;
    let newest = published.last().unwrap();
    let (first, second) = (newest.first.order_unknown, newest.second.order_unknown);
    assert_eq!(newest.order_unknown, second);
    (venue.show(ticket).await.order_unknown, first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_order_stands_on_both_entries_until_it_is_known() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    let start = venue.core.clock.now();
    let at = |seconds| start + chrono::Duration::seconds(seconds);
    let mut north = Journal::of(&venue, 0);
    north.shown_between(&s1, at(0), at(10));
    north.upload().await;
    assert!(!venue.show(ticket).await.order_unknown);
    let mut south = Journal::of(&venue, 1);
    south.shown_between(&s2, at(5), at(15));
    south.upload().await;
    let unknown = vec![(s2.scan, "order_unknown".to_owned())];
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), unknown)
    );
    assert_eq!(doubts(&venue, ticket).await, (true, true, true));
    assert_eq!(classes(&venue).await, ["admitted", "order_unknown"]);

    // The south gate takes its admission back: nobody else was let in.
    south.voided(&s2);
    south.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s1.scan, true)), vec![])
    );
    assert!(!venue.show(ticket).await.order_unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_before_both_takes_the_place_and_ends_the_doubt() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let (s1, s2, s0) = (
        venue.scan(0, &token),
        venue.scan(1, &token),
        venue.scan(1, &token),
    );
    let start = venue.core.clock.now();
    let at = |seconds| start + chrono::Duration::seconds(seconds);
    let (mut north, mut south) = (Journal::of(&venue, 0), Journal::of(&venue, 1));
    north.shown_between(&s1, at(10), at(20));
    south.shown_between(&s0, at(0), at(5));
    let first = south.batch();
    south.shown_between(&s2, at(15), at(25));
    venue.publish(FLEET, 1, &south.batch()).await;
    north.upload().await;
    venue.publish(FLEET, 1, &first).await;
    venue.core.settle().await;
    let double = |scan| (scan, "double_entry".to_owned());
    let (check_in, mut others) = entries(&venue, ticket).await;
    others.sort();
    let mut expected = vec![double(s1.scan), double(s2.scan)];
    expected.sort();
    assert_eq!((check_in, others), (Some((s0.scan, true)), expected));
    assert_eq!(doubts(&venue, ticket).await, (false, false, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_let_in_since_is_not_forgotten_for_one_who_tries_again() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let (s1, s2) = (venue.scan(0, &token), venue.scan(1, &token));
    assert_eq!(connection.scan(&s1).await, Verdict::Admit);
    let mut south = Journal::of(&venue, 1);
    south.shown(&s2, Verdict::Admit);
    south.upload().await;
    let again = venue.scan(0, &token).replacing(&s1);
    assert_eq!(
        refused_by(&connection.scan(&again).await),
        (venue.gates[1], true)
    );
    let mut north = Journal::of(&venue, 0);
    north.shown(&s1, Verdict::TryAgain);
    north.upload().await;
    assert_eq!(
        entries(&venue, ticket).await,
        (Some((s2.scan, true)), vec![])
    );
}
