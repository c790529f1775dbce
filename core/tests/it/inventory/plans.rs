//! Venues and seating plans over HTTP.

use crate::world::house::{hall, new_venue, organiser};
use crate::world::replies::{Page, Plan, Venue};
use crate::world::{TestApp, send};
use chrono::Duration;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_hall_of_500_seats_and_a_zone_of_1000_take_one_request() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let rows: Vec<_> = ('A'..='T')
        .map(|row| json!({ "row": row, "seats": 25 }))
        .collect();
    let plan = json!({
        "name": "Hall",
        "sections": [{ "section": "Stalls", "rows": rows, "categories": ["STALLS"] }],
        "zones": [{ "zone": "Floor", "capacity": 1000, "categories": ["FLOOR"] }],
    });
    let path = format!("/venues/{}/seating-plans", new_venue(&organiser).await);
    let answer = organiser.post(&path, plan.clone()).await;
    let location = answer.header("location").to_owned();
    let defined: Plan = answer.read(201);
    assert_eq!(defined.seats, 500);
    let read = organiser.get(&location).await.expect(200);
    let seats = read["seats"].as_array().unwrap();
    assert_eq!(
        (seats.len(), &seats[0]["label"], &seats[499]["label"]),
        (500, &json!("A-1"), &json!("T-25"))
    );
    assert_eq!(
        read["zones"][0]["bucketId"],
        json!(defined.zones[0].bucket_id)
    );
    assert_eq!(read["zones"][0]["capacity"], 1000);

    let heads = organiser.get(&path).await.expect(200);
    assert_eq!(
        (&heads["total"], &heads["items"][0]["zoneCapacity"]),
        (&json!(1), &json!(1000))
    );
    let again = organiser.post(&path, plan).await;
    again.assert_refused(409, "plan_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_too_large_or_senseless_names_its_field() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let path = format!("/venues/{}/seating-plans", new_venue(&organiser).await);
    let row = |row: Value| json!({ "name": "P", "sections": [{ "section": "S", "rows": [row] }] });
    for (plan, field) in [
        (
            row(json!({ "row": "A", "seats": 501 })),
            "sections[0].rows[0].seats",
        ),
        (row(json!({ "row": "A", "seats": ["1", "1"] })), "sections"),
        (
            json!({ "name": "P", "zones": [{ "zone": "Z", "capacity": 100_001 }] }),
            "zones[0].capacity",
        ),
        (json!({ "name": "P" }), "sections"),
        (json!({ "name": "P", "rows": [] }), "rows"),
    ] {
        let answer = organiser.post(&path, plan).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "validation_error"),
            "{field}"
        );
        assert_eq!(answer.error().details[0].field, field);
    }
    let unknown = format!("/venues/{}/seating-plans", core.clock.new_id());
    let answer = organiser.post(&unknown, hall()).await;
    answer.assert_refused(404, "venue_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_is_its_owners_its_organisations_or_everybodys() {
    let core = TestApp::start().await;
    let opera = |name| {
        core.user(name)
            .role("ORGANIZER")
            .claim("org_id", json!("opera"))
    };
    let (owner, colleague) = (opera("owner"), opera("colleague"));
    let rival = core
        .user("rival")
        .role("ORGANIZER")
        .claim("org_id", json!("circus"));
    let admin = core.user("admin").role("ADMIN");
    let own = new_venue(&owner).await;
    let shared = new_venue(&admin).await;
    for (user, venue, reads, defines) in [
        (&owner, own, 200, 201),
        (&colleague, own, 200, 409),
        (&admin, own, 200, 409),
        (&rival, own, 403, 403),
        (&rival, shared, 200, 403),
        (&admin, shared, 200, 201),
    ] {
        let path = format!("/venues/{venue}");
        assert_eq!(
            user.get(&path).await.status,
            reads,
            "{user:?} reads {venue}"
        );
        let defined = user.post(&format!("{path}/seating-plans"), hall()).await;
        assert_eq!(
            defined.status, defines,
            "{user:?} defines a plan of {venue}"
        );
    }
    let customer = core.user("customer").role("CUSTOMER");
    assert_eq!(
        customer
            .post(
                "/venues",
                json!({ "name": "Mine", "timeZone": "Europe/Paris" })
            )
            .await
            .status,
        403
    );
    assert_eq!(core.anybody().get("/venues").await.status, 401);
    let seen: Page<Venue> = rival.get("/venues").await.read(200);
    assert_eq!((seen.total, seen.items[0].venue_id), (1, shared));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_overwrites_a_venue_that_they_have_not_seen() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let path = format!("/venues/{}", new_venue(&organiser).await);
    let seen = organiser.get(&path).await.header("etag").to_owned();
    let body = json!({ "name": "Great Hall", "city": "Lyon", "timeZone": "Europe/Paris" });
    let put = |tag: Option<String>| {
        let request = organiser.request(Method::PUT, &path).json(&body);
        send(match tag {
            Some(tag) => request.header("If-Match", tag),
            None => request,
        })
    };
    assert_eq!(put(None).await.status, 428);
    let edited = put(Some(seen.clone())).await;
    let tag = edited.header("etag").to_owned();
    assert_eq!(edited.read::<Venue>(200).city.as_deref(), Some("Lyon"));
    assert_eq!(put(Some(seen)).await.status, 412);
    assert_eq!(organiser.get(&path).await.header("etag"), tag);
}

/// S17: a plan of a few lines is many rows, beside which customers' holds are written.
#[tokio::test(flavor = "multi_thread")]
async fn plans_are_counted_a_venue_and_the_seats_of_an_owner_an_hour() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let path = format!("/venues/{}/seating-plans", new_venue(&organiser).await);
    let elsewhere = format!("/venues/{}/seating-plans", new_venue(&organiser).await);
    let small = |name: usize| json!({ "name": name.to_string(), "zones": [{ "zone": "Z", "capacity": 1 }] });
    for name in 0..50 {
        organiser.post(&path, small(name)).await.expect(201);
    }
    let refused = organiser.post(&path, small(50)).await;
    refused.assert_refused(422, "too_many_plans");

    let rows: Vec<_> = (0..100)
        .map(|row| json!({ "row": row.to_string(), "seats": 500 }))
        .collect();
    let large = |name: u32| json!({ "name": format!("L{name}"), "sections": [{ "section": "S", "rows": rows }] });
    for name in 0..3 {
        organiser.post(&elsewhere, large(name)).await.expect(201);
    }
    let refused = organiser.post(&elsewhere, large(3)).await;
    refused.assert_refused(429, "too_much_planned");
    organiser.post(&elsewhere, small(4)).await.expect(201);
    core.advance(Duration::minutes(61));
    organiser.post(&elsewhere, large(3)).await.expect(201);
}

/// A stadium's plan is 8 MB: it is made once, and whoever has it is not sent it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_made_once_and_not_sent_to_who_has_it() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let path = format!("/venues/{}/seating-plans", new_venue(&organiser).await);
    let defined = organiser.post(&path, hall()).await;
    let path = defined.header("location").to_owned();
    let first = organiser.get(&path).await;
    let tag = first.header("etag").to_owned();
    let first = first.expect(200);
    // Nothing changes a plan: what its rows are now shows that they are not read again.
    let mut conn = core.app().db.read("inventory").await.unwrap();
    sqlx::query("update inventory.seats set label = 'Z-' || position")
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    assert_eq!(organiser.get(&path).await.expect(200), first);
    let again = organiser.request(Method::GET, &path);
    let again = send(again.header("If-None-Match", &tag)).await;
    assert_eq!((again.status, again.header("etag")), (304, tag.as_str()));
    let stranger = core.user("stranger").role("ORGANIZER");
    let foreign = stranger.request(Method::GET, &path);
    let foreign = send(foreign.header("If-None-Match", &tag)).await;
    foreign.assert_refused(403, "forbidden");
    let unknown = organiser
        .get("/seating-plans/00000000-0000-7000-8000-000000000000")
        .await;
    unknown.assert_refused(404, "seating_plan_not_found");
}
