//! What is played in a venue, as its gates learn it.

use chrono::Duration;
use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceFacts, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_contracts::fleet::PerformanceConfirmed;
use eventify_protocol::ids::PerformanceId;
use eventify_protocol::sync::{FeedEntry, PerformanceEntry, PerformanceState, Subject, Value};
use serde_json::json;

use crate::fleet::feed::{replica_of, welcome};
use crate::fleet::world::{Node, Venue, performance};

/// The entry of the venue's performance in the next delta.
async fn next_entry(node: &mut Node, id: PerformanceId) -> Option<PerformanceEntry> {
    let delta = node.delta().await;
    let of_it = |entry: &&FeedEntry| entry.subject == Subject::Performance(id);
    let entry = delta.entries.iter().find(of_it).expect("its entry").clone();
    entry.value.map(performance_of)
}

fn performance_of(value: Value) -> PerformanceEntry {
    let Value::Performance(entry) = value else {
        panic!("{value:?}");
    };
    entry
}

fn moved(scheduled: &PerformanceScheduled, by: Duration) -> PerformanceRescheduled {
    let mut facts: PerformanceFacts = scheduled.facts.clone();
    let previous_start_time = facts.times.start_time;
    for time in [
        &mut facts.times.start_time,
        &mut facts.times.doors_at,
        &mut facts.times.admits_from,
        &mut facts.times.admits_until,
    ] {
        *time += by;
    }
    PerformanceRescheduled {
        performance_id: scheduled.performance_id,
        facts,
        previous_start_time,
    }
}

/// C08: the organiser moves the show; the gates know with the next delta. Cancelled, it stays in the
/// feed as what it is: its tickets are refused as revoked, not as unknown.
#[tokio::test(flavor = "multi_thread")]
async fn gates_learn_that_a_show_has_moved_and_that_it_was_cancelled() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let scheduled = performance(venue.id, start);
    let id = scheduled.performance_id;
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    let first = replica.rows[&Subject::Performance(id)].value.clone();
    let first = performance_of(first.unwrap());
    assert_eq!(first.title, "Evening concert");
    assert_eq!(first.starts_at, start.timestamp());

    let later = moved(&scheduled, Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    let entry = next_entry(&mut node, id).await.unwrap();
    assert_eq!(entry.admits.from, first.admits.from + 86_400);
    assert_eq!(entry.admits.until, first.admits.until + 86_400);
    assert_eq!(entry.state, PerformanceState::Scheduled);

    let facts = later.facts;
    let cancelled = PerformanceCancelled {
        performance_id: id,
        event_id: facts.event_id,
        event_title: facts.event_title,
        owner_id: facts.owner_id,
        org_id: facts.org_id,
        start_time: facts.times.start_time,
        venue_id: venue.id,
        reason: "storm".to_owned(),
    };
    venue.publish("event_management", 3, &cancelled).await;
    venue.core.settle().await;
    let entry = next_entry(&mut node, id).await.unwrap();
    assert_eq!(entry.state, PerformanceState::Cancelled);
    assert_eq!(venue.unprojected("event_management").await, 0);
}

/// S1: what a foreign organiser plans in a shared hall is the venue's to admit.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_enters_the_feed_when_the_venue_confirms_it() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let mut foreign = performance(venue.id, start);
    foreign.facts.awaits_venue = true;
    let id = foreign.performance_id;
    venue.publish("event_management", 1, &foreign).await;
    venue.core.settle().await;
    assert_eq!(venue.unprojected("event_management").await, 0);
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    let answer = welcome(&mut node, None).await;
    let replica = replica_of(&mut node, &answer).await;
    assert!(!replica.rows.contains_key(&Subject::Performance(id)));
    assert_eq!(venue.alarms().await, ["performance_awaits_confirmation"]);

    let list = format!("/fleet/venues/{}/performances", venue.id);
    let waiting = venue.owner().get(&format!("{list}?waiting=true")).await;
    let waiting = waiting.expect(200);
    assert_eq!(waiting["items"][0]["performanceId"], json!(id));
    assert_eq!(waiting["items"][0]["awaitsVenue"], json!(true));
    let confirm = format!("{list}/{id}/confirm");
    let stranger = venue.core.user("mallory").role("VENUE_IT");
    assert_eq!(stranger.post(&confirm, json!({})).await.status, 403);
    assert_eq!(stranger.get(&list).await.status, 403);
    let unknown = format!("{list}/{}/confirm", venue.new_id());
    let unknown = venue.owner().post(&unknown, json!({})).await;
    unknown.assert_refused(404, "performance_not_found");
    for _ in 0..2 {
        let confirmed = venue.owner().post(&confirm, json!({})).await.expect(200);
        assert_eq!(confirmed["awaitsVenue"], json!(false));
    }
    venue.core.settle().await;
    assert!(next_entry(&mut node, id).await.is_some());
    let published = venue.published::<PerformanceConfirmed>().await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].version, 1);

    // Moved into another evening, it waits again, and the gates forget it.
    let later = moved(&foreign, Duration::days(1));
    venue.publish("event_management", 2, &later).await;
    venue.core.settle().await;
    assert_eq!(next_entry(&mut node, id).await, None);
    let waiting = venue.owner().get(&format!("{list}?waiting=true")).await;
    assert_eq!(waiting.expect(200)["total"], json!(1));
}
