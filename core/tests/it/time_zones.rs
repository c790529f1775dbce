//! A venue has a time zone, and what people read of its shows is in it.

use chrono::{DateTime, Utc};
use eventify_protocol::zone::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::house::{House, organiser};
use crate::world::{Answer, TestApp, send};

fn zone(name: &str) -> TimeZone {
    name.parse().unwrap()
}

async fn replace_venue(house: &House<'_>, body: &Value) -> Answer {
    let user = organiser(house.core);
    let path = format!("/venues/{}", house.venue);
    let seen = user.get(&path).await.header("etag").to_owned();
    let request = user.request(Method::PUT, &path).json(body);
    send(request.header("If-Match", seen)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_venue_without_a_known_time_zone_is_refused_in_words() {
    let core = TestApp::start().await;
    let organiser = organiser(&core);
    let allowed = "a time zone by its name in the tz database, such as Europe/Paris";
    for (given, issue) in [
        (None, format!("field 'timeZone' is required: {allowed}")),
        (
            Some(json!("Paris")),
            format!("'timeZone': must be {allowed}; given: 'Paris'"),
        ),
        (
            Some(json!("+02:00")),
            format!("'timeZone': must be {allowed}; given: '+02:00'"),
        ),
        (
            Some(json!(null)),
            format!("'timeZone': must be {allowed}; given: null"),
        ),
    ] {
        let mut body = json!({ "name": "Hall" });
        if let Some(given) = given {
            body["timeZone"] = given;
        }
        let refused = organiser.post("/venues", body).await;
        refused.assert_refused(400, "validation_error");
        let error = refused.error();
        assert_eq!(error.message, issue);
        assert_eq!(error.details[0].field, "timeZone");
    }
    let venue = json!({ "name": "Hall", "timeZone": "America/New_York" });
    let created = organiser.post("/venues", venue).await.expect(201);
    assert_eq!(created["timeZone"], "America/New_York");
}

/// The hall is booked by people who are in it, and shown to people who will be.
#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_shows_the_venues_own_time_and_follows_its_zone() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let path = format!("/catalog/events/{}", house.event);
    let shows = |name: &'static str| {
        let (core, path, path_of_list) = (&core, &path, "/catalog/events");
        async move {
            let event = core.anybody().get(path).await.expect(200);
            let show = &event["performances"][0];
            let listed = core.anybody().get(path_of_list).await.expect(200);
            let next = &listed["items"][0];
            assert_eq!(show["timeZone"], name);
            assert_eq!(next["timeZone"], name);
            for (of, field) in [
                (show, "startTime"),
                (show, "doorsAt"),
                (next, "nextPerformance"),
            ] {
                let instant: DateTime<Utc> = serde_json::from_value(of[field].clone()).unwrap();
                let local = &of[format!("{field}Local")];
                assert_eq!(*local, json!(zone(name).local(instant)), "{field}");
            }
            assert_eq!(show["endsAtLocal"], Value::Null);
            show["venueName"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(shows("Europe/Paris").await, "Hall");
    let moved = json!({ "name": "Great Hall", "timeZone": "Asia/Kathmandu" });
    replace_venue(&house, &moved).await.expect(200);
    core.settle().await;
    assert_eq!(shows("Asia/Kathmandu").await, "Great Hall");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlap_is_told_in_the_venues_own_time() {
    let core = TestApp::start().await;
    let house = House::planned(&core).await;
    let event = format!("/events/{}", house.event);
    let first = organiser(&core).get(&event).await.expect(200);
    let start = &first["performances"][0]["startTime"];
    let instant: DateTime<Utc> = serde_json::from_value(start.clone()).unwrap();
    for name in ["Europe/Paris", "Asia/Tokyo"] {
        let venue = json!({ "name": "Hall", "timeZone": name });
        replace_venue(&house, &venue).await.expect(200);
        core.settle().await;
        let again = json!({ "venueId": house.venue, "startTime": start });
        let path = format!("{event}/performances");
        let answer = organiser(&core).post(&path, again).await.expect(201);
        let said = answer["warnings"][0]["message"].as_str().unwrap();
        assert!(said.ends_with(&zone(name).minute(instant)), "{said}");
    }
}
