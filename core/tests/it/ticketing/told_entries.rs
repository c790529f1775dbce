//! `ticket.checked_in` of guests whom gates let in alone: once for each entry, in the journals' order,
//! whenever they come.

use chrono::Duration;
use eventify_contracts::ticketing::TicketCheckedIn;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::verdict::Verdict;

use crate::ticketing::world::Venue;
use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::journal::Journal;

/// Part D 6: whoever counts guests by this event misses none of an outage, and counts none twice.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_gate_lets_in_alone_is_published_once_and_in_order() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let (first, one) = venue.ticket().await;
    let (second, two) = venue.ticket().await;
    let (refused, three) = venue.ticket().await;
    let (s1, s2, s3) = (
        venue.scan(0, &one),
        venue.scan(0, &two),
        venue.scan(0, &three),
    );
    let now = venue.core.clock.now();
    let mut journal = Journal::of(&venue, 0);
    journal.shown_at(&s2, Verdict::Admit, Some(now));
    journal.shown_at(&s1, Verdict::Admit, Some(now + Duration::seconds(1)));
    journal.shown(&s3, Verdict::ResyncRequired);
    journal.upload().await;

    let published = venue.published::<TicketCheckedIn>().await;
    let tickets: Vec<_> = published.iter().map(|it| it.ticket_id).collect();
    assert_eq!(tickets, [second, first], "{refused} was not let in");
    assert!(published.iter().all(|it| it.from_journal));
    assert_eq!(published[0].device_id, s2.scanner.to_string());
    assert_eq!(
        published[0].checked_in_at.timestamp_micros(),
        now.timestamp_micros()
    );
    assert_eq!(published[0].ticket, venue.published_facts(second).await);

    // The node shows the same again to the same guest, in a later batch.
    journal.shown(&s1, Verdict::Admit);
    journal.upload().await;
    assert_eq!(venue.published::<TicketCheckedIn>().await, published);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_core_let_in_itself_is_not_published_again_when_the_journal_confirms_it() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let mut connection = NodeConnection::connect(&venue).await;
    let scan = venue.scan(0, &token);
    assert_eq!(connection.scan(&scan).await, Verdict::Admit);
    let mut journal = Journal::of(&venue, 0);
    journal.confirmed(&scan);
    journal.upload().await;
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published.len(), 1);
    assert_eq!(
        (published[0].ticket_id, published[0].from_journal),
        (ticket, false)
    );
}

/// Another gate's journal comes late and shows that its guest was earlier: both guests went in, and of each it
/// is said once, also when the earlier one turns out to be the only one.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_a_late_journal_puts_before_another_is_published_too_and_none_twice() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let (north, south) = (venue.scan(0, &token), venue.scan(1, &token));
    let now = venue.core.clock.now();
    let mut late = Journal::of(&venue, 1);
    let mut soon = Journal::of(&venue, 0);
    soon.shown_at(&north, Verdict::Admit, Some(now));
    soon.upload().await;
    late.shown_at(&south, Verdict::Admit, Some(now - Duration::minutes(1)));
    late.upload().await;
    let devices = async || {
        let published = venue.published::<TicketCheckedIn>().await;
        assert!(published.iter().all(|it| it.ticket_id == ticket));
        let devices = published.into_iter().map(|it| it.device_id);
        devices.collect::<Vec<_>>()
    };
    let both = vec![north.scanner.to_string(), south.scanner.to_string()];
    assert_eq!(devices().await, both);
    // Nobody saw what the second gate had written: the first entry stands again, and was published.
    late.voided(&south);
    late.upload().await;
    assert_eq!(devices().await, both);
}
