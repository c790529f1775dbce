//! Shows that move, are cancelled, or are another organiser's: what their tickets are worth at the
//! core.

use chrono::Duration;
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceScheduled};
use eventify_contracts::fleet::PerformanceConfirmed;
use eventify_contracts::ticketing::TicketCheckedIn;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::TicketId;
use eventify_protocol::verdict::Verdict;
use serde_json::json;

use crate::ticketing::world::connection::NodeConnection;
use crate::ticketing::world::{FLEET, SCHEDULED, Venue};

/// A show that began so long ago, with a gate and a ticket. `foreign` is not the venue's organiser's.
async fn sold(began: Duration, foreign: bool) -> (Venue, TicketId, String) {
    let venue = Venue::empty(FaultInjection::default()).await;
    let facts = venue.played(venue.core.clock.now() - began, foreign);
    let scheduled = PerformanceScheduled {
        performance_id: venue.performance,
        facts,
    };
    venue.publish(SCHEDULED, 1, &scheduled).await;
    let (gate, node) = (venue.gates[0], venue.nodes[0]);
    venue.gate(gate, &[], 1).await;
    venue.enrol(node, gate).await;
    venue.core.settle().await;
    let (ticket, token) = venue.ticket().await;
    (venue, ticket, token)
}

/// C08: the storm is over, the show is played a day late. The ticket that was sold for yesterday admits
/// today, by the code in the guest's hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_was_postponed_admits_with_the_codes_that_guests_have() {
    let (venue, ticket, token) = sold(Duration::hours(24), false).await;
    let mut node = NodeConnection::connect(&venue).await;
    let over = node.scan(&venue.scan(0, &token)).await;
    assert!(matches!(over, Verdict::Expired { .. }), "{over:?}");

    let now = venue.core.clock.now();
    let tomorrow = venue.played(now + Duration::hours(24), false);
    venue.reschedule(2, tomorrow).await;
    let early = node.scan(&venue.scan(0, &token)).await;
    assert!(matches!(early, Verdict::NotYet { .. }), "{early:?}");

    let today = venue.played(now + Duration::minutes(30), false);
    let until = today.times.admits_until;
    venue.reschedule(3, today).await;
    assert_eq!(venue.token(ticket).await, token, "nobody got another code");
    assert_eq!(venue.show(ticket).await.valid_until, Some(until));
    assert_eq!(node.scan(&venue.scan(0, &token)).await, Verdict::Admit);
}

/// Messages come in any order: the older times must not come back.
#[tokio::test(flavor = "multi_thread")]
async fn times_that_arrive_late_do_not_replace_newer_ones() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let now = venue.core.clock.now();
    let moved = venue.played(now + Duration::minutes(30), false);
    venue.reschedule(2, moved).await;
    venue
        .schedule(venue.performance, now - Duration::hours(24))
        .await;
    let (gate, node) = (venue.gates[0], venue.nodes[0]);
    venue.gate(gate, &[], 1).await;
    venue.enrol(node, gate).await;
    venue.core.settle().await;
    let (_, token) = venue.ticket().await;
    let mut node = NodeConnection::connect(&venue).await;
    assert_eq!(node.scan(&venue.scan(0, &token)).await, Verdict::Admit);
}

/// C08: before, the answer was 200 with a `validUntil` that had passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_never_issued_again_for_a_show_that_is_over() {
    let (venue, ticket, token) = sold(Duration::hours(24), false).await;
    let ada = venue.core.user("ada").role("CUSTOMER");
    let reissue = format!("/tickets/{ticket}/reissue");
    let refused = ada.post(&reissue, json!({})).await;
    refused.assert_refused(410, "performance_over");

    let now = venue.core.clock.now();
    let moved = venue.played(now + Duration::minutes(30), false);
    venue.reschedule(2, moved).await;
    let answer = ada.post(&reissue, json!({})).await.expect(200);
    let until: chrono::DateTime<chrono::Utc> =
        serde_json::from_value(answer["validUntil"].clone()).unwrap();
    assert!(until > now, "{until}");
    let mut node = NodeConnection::connect(&venue).await;
    assert_eq!(
        node.scan(&venue.scan(0, &token)).await,
        Verdict::Revoked,
        "the older code"
    );
    let newer = venue.token(ticket).await;
    assert_eq!(node.scan(&venue.scan(0, &newer)).await, Verdict::Admit);
}

/// C09 (a): between the cancellation and the last refund nobody gets in.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_show_admits_nobody_before_its_refunds_are_through() {
    let (venue, _, token) = sold(Duration::zero(), false).await;
    let facts = venue.played(venue.core.clock.now(), false);
    let cancelled = PerformanceCancelled {
        performance_id: venue.performance,
        event_id: facts.event_id,
        event_title: facts.event_title,
        owner_id: facts.owner_id,
        org_id: facts.org_id,
        start_time: facts.times.start_time,
        venue_id: facts.venue_id,
        reason: "power failure".to_owned(),
    };
    venue.publish(SCHEDULED, 2, &cancelled).await;
    venue.core.settle().await;
    let mut node = NodeConnection::connect(&venue).await;
    assert_eq!(node.scan(&venue.scan(0, &token)).await, Verdict::Revoked);
}

/// S1: a ticket that somebody sold to himself, for a show of his own in a hall that he shares, opened
/// every gate without a list.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_opens_no_gate_before_the_venue_has_confirmed_it() {
    let (venue, ticket, token) = sold(Duration::zero(), true).await;
    let mut node = NodeConnection::connect(&venue).await;
    let elsewhere = Verdict::NotValidHere {
        gate: venue.gates[0],
        performance: venue.performance,
    };
    assert_eq!(node.scan(&venue.scan(0, &token)).await, elsewhere);
    let admin = venue
        .core
        .user("root")
        .role("ADMIN")
        .scope("ticket:checkin");
    let path = format!("/tickets/{ticket}/check-in");
    let refused = admin.post(&path, json!({ "gateId": venue.gates[0] })).await;
    refused.assert_refused(422, "not_valid_here");

    let confirm = |version| PerformanceConfirmed {
        performance_id: venue.performance,
        venue_id: venue.id,
        version,
        confirmed_at: venue.core.clock.now(),
    };
    venue.publish(FLEET, 1, &confirm(1)).await;
    venue.core.settle().await;
    // Whoever is confirmed for one evening can't take that to another.
    let moved = venue.played(venue.core.clock.now(), true);
    venue.reschedule(2, moved).await;
    assert_eq!(node.scan(&venue.scan(0, &token)).await, elsewhere);
    venue.publish(FLEET, 2, &confirm(2)).await;
    venue.core.settle().await;
    assert_eq!(node.scan(&venue.scan(0, &token)).await, Verdict::Admit);
}

/// C08: the house holds the curtain, and its organiser has not moved the times yet. Somebody who answers
/// for it lets guests in, in words; whatever else is wrong with a ticket still counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_lets_in_outside_of_the_times_with_a_reason() {
    let (venue, ticket, _) = sold(Duration::hours(24), false).await;
    let path = format!("/tickets/{ticket}/check-in");
    let staff = |name: &str, role: &str| venue.core.user(name).role(role).scope("ticket:checkin");
    let olga = venue.core.user("olga").role("ORGANIZER");
    for (name, role) in [("sam", "STEWARD"), ("sue", "SUPERVISOR")] {
        let user = staff(name, role).id().await;
        let assignment = format!("/events/{}/check-in-assignments/{user}", venue.event);
        assert_eq!(olga.put(&assignment, json!({})).await.status, 204);
    }
    let gate = venue.gates[0];
    let body = |reason: &str| json!({ "gateId": gate, "reason": reason });
    let sue = staff("sue", "SUPERVISOR");
    let plain = sue.post(&path, json!({ "gateId": gate })).await;
    plain.assert_refused(410, "ticket_expired");
    let steward = staff("sam", "STEWARD").post(&path, body("late bus")).await;
    assert_eq!((steward.status, steward.code()), (403, "forbidden"));
    let wordless = sue.post(&path, body(" ")).await;
    wordless.assert_refused(400, "validation_error");
    sue.post(&path, body("late bus")).await.expect(200);
    let published = venue.published::<TicketCheckedIn>().await;
    assert_eq!(published[0].reason.as_deref(), Some("late bus"));
    let again = sue.post(&path, body("late bus")).await;
    again.assert_refused(409, "already_used");
}

/// C08: the show moves beyond the end of the codes: an alarm, until everybody has another code.
#[tokio::test(flavor = "multi_thread")]
async fn a_show_beyond_its_codes_is_an_alarm_until_they_are_issued_again() {
    let (venue, ticket, token) = sold(Duration::hours(1), false).await;
    let far = venue.core.clock.now() + Duration::weeks(40);
    venue.reschedule(2, venue.played(far, false)).await;
    let show = venue.performance.to_string();
    let ends = ("ticketing.codes_end_before_show".to_owned(), show);
    assert_eq!(venue.alarms().await, [ends]);
    let ada = venue.core.user("ada").role("CUSTOMER");
    let path = format!("/tickets/{ticket}/reissue");
    ada.post(&path, serde_json::json!({})).await.expect(200);
    assert_ne!(venue.token(ticket).await, token);
    assert!(venue.alarms().await.is_empty());
}
