//! A title that changes reaches the gates, the venue's lists and its alarms.

use chrono::Duration;
use eventify_contracts::event_management::{EventFacts, EventUpdated, PerformanceScheduled};
use eventify_protocol::ids::PerformanceId;
use eventify_protocol::sync::{FeedEntry, Subject, Value};
use serde_json::json;

use crate::fleet::feed::{replica_of, welcome};
use crate::fleet::world::{Node, Venue, alarms_of, performance};

async fn rename(venue: &Venue, scheduled: &PerformanceScheduled, version: i32, title: &str) {
    let facts = &scheduled.facts;
    let updated = EventUpdated {
        event_id: facts.event_id,
        facts: EventFacts {
            title: title.to_owned(),
            description: String::new(),
            city: None,
            tags: Vec::new(),
            owner_id: facts.owner_id,
            org_id: None,
            published_at: None,
        },
        published: true,
    };
    venue.publish("event_management", version, &updated).await;
    venue.core.settle().await;
}

fn title_of(value: Option<Value>) -> String {
    match value {
        Some(Value::Performance(entry)) => entry.title,
        other => panic!("{other:?}"),
    }
}

async fn next_title(node: &mut Node, id: PerformanceId) -> String {
    let delta = node.delta().await;
    let of_it = |entry: &&FeedEntry| entry.subject == Subject::Performance(id);
    title_of(
        delta
            .entries
            .iter()
            .find(of_it)
            .expect("its entry")
            .value
            .clone(),
    )
}

/// Part D 10: what stands on the scanner is what stands on the poster.
#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_changes_reaches_the_gates_and_an_older_one_changes_nothing() {
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
    assert_eq!(title_of(first), "Evening concert");

    rename(&venue, &scheduled, 4, "Late concert").await;
    assert_eq!(next_title(&mut node, id).await, "Late concert");
    let list = format!("/fleet/venues/{}/performances", venue.id);
    let listed = venue.owner().get(&list).await.expect(200);
    assert_eq!(listed["items"][0]["title"], json!("Late concert"));
    rename(&venue, &scheduled, 3, "Matinee").await;
    let listed = venue.owner().get(&list).await.expect(200);
    assert_eq!(listed["items"][0]["title"], json!("Late concert"));
    // A comparison finds nothing to repair: rows and feed have the same.
    assert!(venue.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_comes_before_the_performance_is_the_performances() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let scheduled = performance(venue.id, start);
    rename(&venue, &scheduled, 2, "Late concert").await;
    venue.publish("event_management", 1, &scheduled).await;
    venue.core.settle().await;
    let list = format!("/fleet/venues/{}/performances", venue.id);
    let listed = venue.owner().get(&list).await.expect(200);
    assert_eq!(listed["items"][0]["title"], json!("Late concert"));
}

/// A new title is no new show: the venue's word stands, and before it is given the venue reads the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_show_with_a_new_title_stays_confirmed() {
    let venue = Venue::open().await;
    let start = venue.core.clock.now() + Duration::hours(2);
    let mut foreign = performance(venue.id, start);
    foreign.facts.awaits_venue = true;
    venue.publish("event_management", 1, &foreign).await;
    venue.core.settle().await;
    rename(&venue, &foreign, 2, "Late concert").await;
    venue.core.run_job("fleet", "watch_gates").await;
    let alarms = alarms_of(&venue.owner()).await;
    assert_eq!(alarms[0].details["firstTitle"], json!("Late concert"));

    let list = format!("/fleet/venues/{}/performances", venue.id);
    let confirm = format!("{list}/{}/confirm", foreign.performance_id);
    let owner = venue.owner();
    let request = owner.request(reqwest::Method::POST, &confirm);
    let request = request.header("If-Match", "\"1\"").json(&json!({}));
    crate::world::send(request).await.expect(200);
    rename(&venue, &foreign, 3, "Night concert").await;
    let listed = owner.get(&list).await.expect(200);
    assert_eq!(listed["items"][0]["title"], json!("Night concert"));
    assert_eq!(listed["items"][0]["awaitsVenue"], json!(false));
}
