//! What customers see of events, seats and zones, and that it follows what happened.

use crate::world::TestApp;
use crate::world::house::{House, concert, organiser};
use chrono::Duration;
use eventify_contracts::inventory::{SeatsReleased, SeatsReserved};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::HoldId;
use serde_json::{Value, json};

async fn availability(house: &House<'_>) -> Value {
    let path = format!("/catalog/performances/{}/availability", house.performance);
    house.core.anybody().get(&path).await.expect(200)
}

/// The state of a seat of row A.
fn state(availability: &Value, seat: usize) -> &str {
    availability["sections"][0]["rows"][0]["seats"][seat - 1]["state"]
        .as_str()
        .expect("a state")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seat_map_follows_holds_and_releases() {
    let core = TestApp::with_faults(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    let before = availability(&house).await;
    assert_eq!(
        (&before["available"], &before["remaining"]),
        (&json!(true), &json!(120))
    );
    assert_eq!(before["sections"][0]["rows"].as_array().unwrap().len(), 2);
    assert_eq!(before["sections"][0]["rows"][0]["seats"][0]["label"], "A-1");
    assert_eq!(
        before["categories"][0]["price"],
        json!({ "currency": "EUR", "amount": "39.00" })
    );
    let held = house.held(&["A-1"], 30).await;
    core.settle().await;
    core.run_job("inventory", "publish_availability").await;
    let during = availability(&house).await;
    assert_eq!(
        (state(&during, 1), state(&during, 2)),
        ("taken", "available")
    );
    assert_eq!(
        (&during["zones"][0]["remaining"], &during["remaining"]),
        (&json!(70), &json!(89))
    );
    house.release(&[held.hold]).await;
    core.settle().await;
    core.run_job("inventory", "publish_availability").await;
    let mut after = availability(&house).await;
    assert_ne!(after["version"], before["version"]);
    after["version"] = before["version"].clone();
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_is_sold_what_is_left_is_published_once_a_run() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    core.run_job("inventory", "publish_availability").await;
    for number in 1..=10 {
        house
            .held(&[&format!("A-{number}"), &format!("B-{number}")], 2)
            .await;
    }
    core.run_job("inventory", "publish_availability").await;
    core.run_job("inventory", "publish_availability").await;
    let mut conn = core.app().db.read("inventory").await.unwrap();
    let published: i64 =
        sqlx::query_scalar("select count(*) from outbox where kind = 'availability.updated'")
            .fetch_one(&mut *conn)
            .await
            .unwrap();
    assert_eq!(published, 2, "one for the layout, one for ten holds");
    let left = availability(&house).await;
    assert_eq!(
        (&left["remaining"], &left["zones"][0]["remaining"]),
        (&json!(80), &json!(80))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_arrives_before_its_hold_leaves_the_seat_free() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let seen = house.held(&["A-1"], 0).await;
    house.release(&[seen.hold]).await;
    core.settle().await;
    let (hold_id, seats) = (HoldId(core.clock.new_id()), vec!["A-1".to_owned()]);
    let (performance_id, seat_ids) = (house.performance, vec![seen.seats[0].seat]);
    let released = SeatsReleased {
        performance_id,
        hold_id,
        seats: seats.clone(),
        seat_ids: seat_ids.clone(),
        buckets: vec![],
    };
    let expires_at = core.clock.now();
    let reserved = SeatsReserved {
        performance_id,
        hold_id,
        seats,
        seat_ids,
        buckets: vec![],
        expires_at,
    };
    let app = core.app();
    let mut tx = app.db.begin("inventory", &house.cause()).await.unwrap();
    tx.publish(app.clock.new_id(), 2, &released);
    tx.commit().await.unwrap();
    core.settle().await;
    let mut tx = app.db.begin("inventory", &house.cause()).await.unwrap();
    tx.publish(app.clock.new_id(), 1, &reserved);
    tx.commit().await.unwrap();
    core.settle().await;
    assert_eq!(state(&availability(&house).await, 1), "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_not_shown_and_published_events_are_found() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    let anybody = core.anybody();
    let (event, list) = (
        format!("/catalog/events/{}", house.event),
        "/catalog/events",
    );
    let map = format!("/catalog/performances/{}/availability", house.performance);
    assert_eq!(anybody.get(list).await.expect(200)["total"], 0);
    assert_eq!(
        (
            anybody.get(&event).await.status,
            anybody.get(&map).await.status
        ),
        (404, 404)
    );
    let publish = format!("/events/{}/publish", house.event);
    organiser(&core).post(&publish, json!({})).await.expect(200);
    core.settle().await;
    let shown = anybody.get(&event).await.expect(200);
    assert_eq!(
        (&shown["title"], &shown["performances"][0]["venueName"]),
        (&json!("Nova"), &json!("Hall"))
    );
    let tomorrow = (core.clock.now() + Duration::days(1)).timestamp();
    let tomorrow = chrono::DateTime::from_timestamp(tomorrow, 0)
        .unwrap()
        .format("%FT%TZ");
    for (filter, found) in [
        (String::new(), 1),
        ("?query=nov".to_owned(), 1),
        ("?query=n_v".to_owned(), 0),
        ("?city=lyon&tag=rock".to_owned(), 1),
        ("?city=Paris".to_owned(), 0),
        ("?tag=jazz".to_owned(), 0),
        (format!("?from={tomorrow}"), 0),
        (format!("?to={tomorrow}"), 1),
        ("?page=2".to_owned(), 1),
    ] {
        let page = anybody.get(&format!("{list}{filter}")).await.expect(200);
        assert_eq!(page["total"], found, "{filter}");
    }
    for filter in ["?size=101", "?page=0", "?from=soon"] {
        assert_eq!(
            anybody.get(&format!("{list}{filter}")).await.status,
            400,
            "{filter}"
        );
    }
    core.advance(Duration::hours(9));
    assert_eq!(
        anybody.get(list).await.expect(200)["total"],
        0,
        "what has begun is not listed"
    );
    assert_eq!(availability(&house).await["onSale"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_shown_and_an_archived_event_is_not() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let path = format!("/events/{}", house.event);
    let organiser = organiser(&core);
    let tag = organiser.get(&path).await.header("etag").to_owned();
    let mut body = concert("Supernova");
    body.as_object_mut().unwrap().remove("pricing");
    let request = organiser
        .request(reqwest::Method::PUT, &path)
        .header("If-Match", tag);
    crate::world::send(request.json(&body)).await.expect(200);
    core.settle().await;
    let catalogue = format!("/catalog{path}");
    let anybody = core.anybody();
    assert_eq!(
        anybody.get(&catalogue).await.expect(200)["title"],
        "Supernova"
    );
    // Eight hours ahead, and its end is not planned: six hours later nobody is admitted any more.
    core.advance(Duration::hours(15));
    organiser
        .post(&format!("{path}/archive"), json!({}))
        .await
        .expect(200);
    core.settle().await;
    assert_eq!(anybody.get(&catalogue).await.status, 404);
}

/// What RFC 3339 doesn't know as a year, the database doesn't either: it was an error inside.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_no_year_is_refused() {
    let core = TestApp::start().await;
    for time in ["-262143-01-01T00:00:00Z", "%2B262142-12-31T23:59:59Z"] {
        for name in ["from", "to"] {
            let path = format!("/catalog/events?{name}={time}");
            let refused = core.anybody().get(&path).await;
            assert_eq!((refused.status, refused.code()), (400, "validation_error"));
            let words = refused.error().message;
            let wanted = format!("'{name}': must be in the years 2000 to 2200");
            assert_eq!(words, wanted);
        }
    }
}
