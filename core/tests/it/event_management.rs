//! Organisers plan, price, publish, edit, cancel and archive.

use crate::world::house::{House, concert, hall, new_venue, organiser};
use crate::world::replies::{CancelledEvent, Event, EventHead, Performance};
use crate::world::{Answer, TestApp, User, send};
use chrono::Duration;
use eventify_contracts::inventory::{VenueFacts, VenueUpdated};
use reqwest::Method;
use serde_json::{Value, json};

async fn put(user: &User<'_>, path: &str, tag: &str, body: &Value) -> Answer {
    send(
        user.request(Method::PUT, path)
            .header("If-Match", tag)
            .json(body),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_from_draft_to_archive() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let answer = organiser.post("/events", concert("Nova")).await;
    let path = answer.header("location").to_owned();
    let event: Event = answer.read(201);
    assert_eq!(
        (event.status.as_str(), event.tags),
        ("draft", vec!["rock".to_owned()])
    );
    let categories = event.pricing[0].categories.iter();
    let codes: Vec<_> = categories.map(|it| it.code.to_string()).collect();
    assert_eq!(codes, ["FULL", "CHILD", "FLOOR"]);

    let early = organiser.post(&format!("{path}/publish"), json!({})).await;
    early.assert_refused(422, "nothing_to_sell");
    let venue = new_venue(&organiser).await;
    organiser
        .post(&format!("/venues/{venue}/seating-plans"), hall())
        .await
        .expect(201);
    let start = core.clock.now() + Duration::hours(1);
    let doors = start - Duration::hours(1);
    let performance = json!({ "venueId": venue, "startTime": start });
    let performances = format!("{path}/performances");
    let performance: Performance = organiser.post(&performances, performance).await.read(201);
    assert_eq!(performance.doors_at, doors);

    for _ in 0..2 {
        let published = organiser.post(&format!("{path}/publish"), json!({})).await;
        let published: EventHead = published.read(200);
        assert_eq!(
            (published.status.as_str(), published.version),
            ("published", 2)
        );
    }
    let ahead = organiser.post(&format!("{path}/archive"), json!({})).await;
    ahead.assert_refused(422, "performances_ahead");
    core.advance(Duration::hours(2));
    let running = organiser.post(&format!("{path}/archive"), json!({})).await;
    running.assert_refused(422, "performances_ahead");
    core.advance(Duration::hours(6));
    let archived = organiser.post(&format!("{path}/archive"), json!({})).await;
    assert_eq!(archived.read::<EventHead>(200).status, "archived");
    let closed = organiser
        .post(&format!("{path}/cancel"), json!({ "reason": "rain" }))
        .await;
    closed.assert_refused(409, "event_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_needs_the_version_that_was_read() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let created = organiser.post("/events", concert("Nova")).await;
    let (path, tag) = (
        created.header("location").to_owned(),
        created.header("etag").to_owned(),
    );
    let body = json!({ "title": "Supernova", "tags": [] });
    assert_eq!(organiser.put(&path, body.clone()).await.status, 428);
    let edited = put(&organiser, &path, &tag, &body).await;
    let edited_tag = edited.header("etag").to_owned();
    assert_eq!(edited.read::<Event>(200).title, "Supernova");
    assert_eq!(put(&organiser, &path, &tag, &body).await.status, 412);
    let invalid = json!({ "title": " " });
    let refused = put(&organiser, &path, &edited_tag, &invalid).await;
    refused.assert_refused(400, "validation_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_managed_by_its_owner_its_organisation_and_administrators() {
    let core = TestApp::start().await;
    let opera = |name| {
        core.user(name)
            .role("ORGANIZER")
            .claim("org_id", json!("opera"))
    };
    let created = opera("owner").post("/events", concert("Tosca")).await;
    let path = created.header("location").to_owned();
    let rival = core
        .user("rival")
        .role("ORGANIZER")
        .claim("org_id", json!("circus"));
    for (user, status, listed) in [
        (opera("owner"), 200, 1),
        (opera("colleague"), 200, 1),
        (core.user("admin").role("ADMIN"), 200, 1),
        (rival, 403, 0),
    ] {
        assert_eq!(user.get(&path).await.status, status, "{user:?}");
        let act = user
            .post(&format!("{path}/pricing"), concert("x")["pricing"].clone())
            .await;
        assert_eq!(act.status == 201, status == 200, "{user:?}");
        assert_eq!(user.get("/events").await.expect(200)["total"], listed);
    }
    let customer = core.user("customer").role("CUSTOMER");
    assert_eq!(customer.post("/events", concert("Mine")).await.status, 403);
    assert_eq!(core.anybody().get(&path).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_performance_needs_a_future_time_and_a_venue_that_its_organiser_may_use() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    let path = format!("/events/{}/performances", house.event);
    let at = |hours| core.clock.now() + Duration::hours(hours);
    let unknown = core.clock.new_id();
    let foreign = core.user("rival").role("ORGANIZER");
    let elsewhere = new_venue(&foreign).await;
    foreign
        .post(&format!("/venues/{elsewhere}/seating-plans"), hall())
        .await
        .expect(201);
    core.settle().await;
    let venue = house.venue;
    for (body, status, code) in [
        (
            json!({ "venueId": venue, "startTime": at(-1) }),
            400,
            "validation_error",
        ),
        (
            json!({ "venueId": unknown, "startTime": at(1) }),
            422,
            "unknown_venue",
        ),
        (
            json!({ "venueId": elsewhere, "startTime": at(1) }),
            403,
            "forbidden",
        ),
        (
            json!({ "venueId": venue, "startTime": at(1), "seatingPlanId": unknown }),
            422,
            "unknown_seating_plan",
        ),
        (
            json!({ "venueId": venue, "startTime": at(1), "pricingId": unknown }),
            422,
            "unknown_pricing",
        ),
    ] {
        let answer = organiser(&core).post(&path, body).await;
        answer.assert_refused(status, code);
    }
    let other = json!({ "name": "Other hall", "zones": [{ "zone": "All", "capacity": 5 }] });
    organiser(&core)
        .post(&format!("/venues/{venue}/seating-plans"), other)
        .await
        .expect(201);
    core.settle().await;
    let unnamed = json!({ "venueId": venue, "startTime": at(1) });
    let answer = organiser(&core).post(&path, unnamed).await;
    answer.assert_refused(422, "seating_plan_not_named");
}

/// S17: what one organiser schedules is laid out in front of what others' customers have paid for.
#[tokio::test(flavor = "multi_thread")]
async fn performances_are_counted_before_anything_is_done_for_them() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    let start = core.clock.now() + Duration::hours(1);
    let of = |performances: Vec<Value>| {
        let mut event = concert("Nova");
        event["performances"] = performances.into();
        event
    };
    let shows = |count: u32| {
        let show = |_| json!({ "venueId": house.venue, "startTime": start });
        (0..count).map(show).collect()
    };
    let many = organiser(&core).post("/events", of(shows(501))).await;
    many.assert_refused(422, "too_many_performances");
    let anywhere = |_| json!({ "venueId": core.clock.new_id(), "startTime": start });
    let venues = of((0..51).map(anywhere).collect());
    let venues = organiser(&core).post("/events", venues).await;
    venues.assert_refused(422, "too_many_venues");

    // A stadium of 150,000 seats: laying one out takes a test too long. One show is planned already.
    let mut conn = core.app().db.read("event_management").await.unwrap();
    let stadium = "update event_management.known_plans set seats = 150000";
    sqlx::query(stadium).execute(&mut *conn).await.unwrap();
    let two = organiser(&core).post("/events", of(shows(2))).await;
    two.expect(201);
    let path = format!("/events/{}/performances", house.event);
    let third = shows(1).remove(0);
    let refused = organiser(&core).post(&path, third.clone()).await;
    refused.assert_refused(429, "too_much_scheduled");
    assert_eq!(refused.header("retry-after"), "600");
    let refused = organiser(&core).post("/events", of(shows(1))).await;
    refused.assert_refused(429, "too_much_scheduled");
    core.advance(Duration::minutes(61));
    let later =
        |hours| json!({ "venueId": third["venueId"], "startTime": start + Duration::hours(hours) });
    organiser(&core).post(&path, later(9)).await.expect(201);
    // Zones are work too, and so is each show.
    let zones = "update event_management.known_plans set seats = 0, zones = 100";
    sqlx::query(zones).execute(&mut *conn).await.unwrap();
    let mut many = of((10..310).map(later).collect());
    let refused = organiser(&core).post("/events", many.clone()).await;
    refused.assert_refused(429, "too_much_scheduled");
    many["performances"] = (10..110).map(later).collect::<Vec<_>>().into();
    organiser(&core).post("/events", many).await.expect(201);
}

/// Whoever schedules for an organiser counts as that organiser.
#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_does_not_double_what_an_organiser_may_schedule() {
    let core = TestApp::start().await;
    let opera = |name| {
        core.user(name)
            .role("ORGANIZER")
            .claim("org_id", json!("opera"))
    };
    let venue = new_venue(&opera("owner")).await;
    let plans = format!("/venues/{venue}/seating-plans");
    opera("owner").post(&plans, hall()).await.expect(201);
    core.settle().await;
    let mut conn = core.app().db.read("event_management").await.unwrap();
    let stadium = "update event_management.known_plans set seats = 300000";
    sqlx::query(stadium).execute(&mut *conn).await.unwrap();
    let show = json!({ "venueId": venue, "startTime": core.clock.now() + Duration::hours(1) });
    let created = opera("owner").post("/events", concert("Tosca")).await;
    let path = format!("{}/performances", created.header("location"));
    opera("owner").post(&path, show.clone()).await.expect(201);
    let refused = opera("colleague").post(&path, show.clone()).await;
    refused.assert_refused(429, "too_much_scheduled");
    let mut own = concert("Aida");
    own["performances"] = json!([show]);
    let refused = opera("colleague").post("/events", own.clone()).await;
    refused.assert_refused(429, "too_much_scheduled");
    let admin = core.user("admin").role("ADMIN");
    admin.post(&path, show).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_an_event_cancels_its_future_performances_once() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let path = format!("/events/{}", house.event);
    for _ in 0..2 {
        let cancel = format!("{path}/cancel");
        let answer = organiser(&core)
            .post(&cancel, json!({ "reason": "rain" }))
            .await;
        assert_eq!(answer.read::<CancelledEvent>(200).status, "cancelled");
    }
    core.settle().await;
    let event: Event = organiser(&core).get(&path).await.read(200);
    assert_eq!(event.performances[0].status, "cancelled");
    let shown = core
        .anybody()
        .get(&format!("/catalog{path}"))
        .await
        .expect(200);
    assert_eq!(
        (&shown["status"], &shown["performances"][0]["cancelled"]),
        (&json!("cancelled"), &json!(true))
    );
    let mut conn = core.app().db.read("event_management").await.unwrap();
    let published: Vec<(String, i64)> = sqlx::query_as(
        "select kind, count(*) from outbox where kind like '%.cancelled' group by kind order by kind",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let once = |kind: &str| (kind.to_owned(), 1);
    assert_eq!(
        published,
        [once("event.cancelled"), once("performance.cancelled")]
    );
}

/// Inventory's messages come in any order.
#[tokio::test(flavor = "multi_thread")]
async fn a_performance_gets_the_newest_name_of_its_venue() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    for (version, name) in [(3, "Arena"), (2, "Old arena")] {
        let facts = VenueFacts {
            name: name.to_owned(),
            city: None,
            time_zone: "Europe/Paris".parse().unwrap(),
            owner_id: organiser(&core).id().await,
            org_id: None,
            shared: false,
        };
        let updated = VenueUpdated {
            venue_id: house.venue,
            facts,
        };
        let begun = core.app().db.begin("inventory", &house.cause()).await;
        let mut tx = begun.unwrap();
        tx.publish(core.clock.new_id(), version, &updated);
        tx.commit().await.unwrap();
        core.settle().await;
    }
    let start = core.clock.now() + Duration::hours(9);
    let performance = json!({ "venueId": house.venue, "startTime": start });
    let event = format!("/events/{}", house.event);
    for (act, body) in [("performances", performance), ("publish", json!({}))] {
        let answer = organiser(&core).post(&format!("{event}/{act}"), body).await;
        assert!(answer.status < 300, "{}", answer.body);
    }
    core.settle().await;
    let shown = core
        .anybody()
        .get(&format!("/catalog{event}"))
        .await
        .expect(200);
    let names = shown["performances"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|it| &it["venueName"]).collect();
    assert_eq!(names, ["Arena", "Arena"]);
}
