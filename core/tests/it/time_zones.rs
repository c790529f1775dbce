//! A venue has a time zone, and what people read of its shows is in it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::VenueId;
use eventify_protocol::zone::TimeZone;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::house::{House, organiser};
use crate::world::sale::{Sale, seat};
use crate::world::{Answer, TestApp, send};

fn zone(name: &str) -> TimeZone {
    name.parse().unwrap()
}

/// Each `…Local` is the instant beside it as the clocks of a zone show it. Returns their names, each once.
pub fn local_times(of: &Value, zone: TimeZone) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    match of {
        Value::Array(items) => names.extend(items.iter().flat_map(|it| local_times(it, zone))),
        Value::Object(fields) => {
            for (name, value) in fields {
                names.extend(local_times(value, zone));
                let Some(instant) = name.strip_suffix("Local") else {
                    continue;
                };
                let known = fields
                    .get(instant)
                    .cloned()
                    .unwrap_or_else(|| panic!("no {instant}: {of}"));
                let known: Option<DateTime<Utc>> = serde_json::from_value(known).unwrap();
                let local = known.map(|at| zone.local(at));
                assert_eq!(*value, json!(local), "{name} of {of}");
                names.extend(local.map(|_| instant.to_owned()));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    names
}

async fn replace_venue(core: &TestApp, venue: VenueId, body: &Value) -> Answer {
    let user = organiser(core);
    let path = format!("/venues/{venue}");
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
    replace_venue(&core, house.venue, &moved).await.expect(200);
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
        replace_venue(&core, house.venue, &venue).await.expect(200);
        core.settle().await;
        let again = json!({ "venueId": house.venue, "startTime": start });
        let path = format!("{event}/performances");
        let answer = organiser(&core).post(&path, again).await.expect(201);
        let said = answer["warnings"][0]["message"].as_str().unwrap();
        assert!(said.ends_with(&zone(name).minute(instant)), "{said}");
    }
}

/// Whoever plans, admits or goes there: no client needs a tz database.
#[tokio::test(flavor = "multi_thread")]
async fn organiser_venue_and_guest_read_the_venues_own_time() {
    const PLANNED: [&str; 4] = ["admitsFrom", "admitsUntil", "doorsAt", "startTime"];
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (boss, root) = (organiser(&sale.core), sale.admin());
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    let (event, show, ticket) = (sale.event, sale.performance, tickets[0]);
    for name in ["Europe/Paris", "Asia/Kathmandu"] {
        let moved = json!({ "name": "Hall", "timeZone": name });
        replace_venue(&sale.core, sale.venue, &moved)
            .await
            .expect(200);
        sale.core.settle().await;
        let admits = vec!["validFrom", "validUntil"];
        for (user, path, times) in [
            (&boss, format!("/events/{event}"), PLANNED.to_vec()),
            (
                &boss,
                format!("/events/{event}/performances/{show}"),
                PLANNED.to_vec(),
            ),
            (
                &root,
                format!("/fleet/venues/{}/performances", sale.venue),
                PLANNED.to_vec(),
            ),
            (&ada, "/tickets".to_owned(), admits.clone()),
            (&ada, format!("/tickets/{ticket}"), admits.clone()),
            (
                &boss,
                format!("/performances/{show}/tickets"),
                admits.clone(),
            ),
        ] {
            let answer = user.get(&path).await.expect(200);
            let found = local_times(&answer, zone(name));
            assert!(found.iter().eq(times.iter()), "{path}: {answer}");
            assert!(
                answer
                    .to_string()
                    .contains(&format!(r#""timeZone":"{name}""#)),
                "{answer}"
            );
        }
    }
    let back = json!({ "ticketIds": tickets });
    let path = format!("/orders/{}/cancel", checkout.order);
    ada.post(&path, back.clone()).await.expect(202);
    sale.deliver_all().await;
    let again = ada.post(&path, back).await;
    again.assert_refused(409, "already_refunded");
    let told = again.error().message;
    assert!(told.contains(" Asia/Kathmandu ("), "{told}");
}
