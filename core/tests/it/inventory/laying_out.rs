//! Performances are laid out in turns.

use crate::world::house::{concert, hall, new_venue, organiser};
use crate::world::replies::Event;
use crate::world::{TestApp, User, until};
use chrono::Duration;
use eventify_protocol::ids::PerformanceId;
use serde_json::json;

/// A venue of this organiser's and an event with so many performances in it.
async fn schedule(core: &TestApp, organiser: &User<'_>, shows: u32) -> Vec<PerformanceId> {
    let venue = new_venue(organiser).await;
    let plans = format!("/venues/{venue}/seating-plans");
    organiser.post(&plans, hall()).await.expect(201);
    let start = core.clock.now() + Duration::hours(8);
    let show = |_| json!({ "venueId": venue, "startTime": start });
    let mut event = concert("Nova");
    event["performances"] = (0..shows).map(show).collect::<Vec<_>>().into();
    let event: Event = organiser.post("/events", event).await.read(201);
    let shows = event.performances.iter();
    shows.map(|show| show.performance_id).collect()
}

/// One request with many performances stands before nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_with_many_performances_has_one_turn_like_any_other() {
    let core = TestApp::start().await;
    let db = &core.app().db;
    let held = db.elect("inventory", "job/lay_out").await.unwrap();
    let many = schedule(&core, &organiser(&core), 20).await;
    let waiting = || async {
        let mut conn = db.read("inventory").await.unwrap();
        let count = "select count(*) from inventory.layouts";
        let count: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        count
    };
    until("twenty wait", async || waiting().await == 20).await;
    let other = core.user("other").role("ORGANIZER");
    let one = schedule(&core, &other, 1).await[0];
    until("the other's waits too", async || waiting().await == 21).await;
    held.resign().await;
    core.settle().await;
    assert_eq!(waiting().await, 0);
    let mut conn = db.read("inventory").await.unwrap();
    let published: Vec<PerformanceId> = sqlx::query_scalar(
        "select aggregate_id from outbox where kind = 'seating.laid_out' order by position",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(published.len(), 21, "each once");
    assert_eq!(published.iter().position(|id| *id == one), Some(1));
    assert!(many.iter().all(|id| published.contains(id)));
}
