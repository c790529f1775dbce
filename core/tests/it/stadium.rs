//! A large hall's seat map: made once, compressed, asked for as changes (DECISIONS 46).

use chrono::Duration;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::world::house::{House, organiser, plan};
use crate::world::{Answer, TestApp, send};

const ROWS: u32 = 20;
const SEATS_PER_ROW: u32 = 500;

fn seating() -> Value {
    let row = |number| json!({ "row": format!("R{number}"), "seats": SEATS_PER_ROW });
    let rows: Vec<_> = (1..=ROWS).map(row).collect();
    json!({
        "name": "Stadium",
        "sections": [{ "section": "North", "categories": ["FULL"], "rows": rows }],
        "zones": [{ "zone": "Pitch", "capacity": 10, "categories": ["FLOOR"] }],
    })
}

async fn stadium(core: &TestApp) -> House<'_> {
    let house = plan(core, seating(), Duration::hours(8)).await;
    let publish = format!("/events/{}/publish", house.event);
    organiser(core).post(&publish, json!({})).await.expect(200);
    core.settle().await;
    house
}

async fn map(
    house: &House<'_>,
    query: &str,
    headers: &[(reqwest::header::HeaderName, &str)],
) -> Answer {
    let performance = house.performance;
    let path = format!("/catalog/performances/{performance}/availability{query}");
    let request = house.core.anybody().request(Method::GET, &path);
    send(headers.iter().fold(request, |request, (name, value)| {
        request.header(name, *value)
    }))
    .await
}

/// C35, S5: each reader had the map of a stadium made anew, ten megabytes, on a connection of the
/// database that was kept until the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stadiums_map_is_made_once_and_not_sent_to_who_has_it() {
    let core = TestApp::start().await;
    let house = stadium(&core).await;
    let first = map(&house, "", &[]).await;
    assert_eq!(first.body["remaining"], ROWS * SEATS_PER_ROW + 10);
    let tag = first.header("etag").to_owned();

    // Whoever made it again would wait here.
    let url = core.scope.database.url();
    let mut superuser = PgConnection::connect(url).await.expect("a connection");
    sqlx::raw_sql(
        "begin; lock table catalogue.seating, catalogue.seat_claims in access exclusive mode",
    )
    .execute(&mut superuser)
    .await
    .expect("the lock");
    let again = map(&house, "", &[]).await;
    assert_eq!((again.status, again.body), (200, first.body.clone()));
    let packed = map(&house, "", &[(ACCEPT_ENCODING, "gzip")]).await;
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(length(&packed) * 4 < first.body.to_string().len());
    let had = map(&house, "", &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!((had.status, had.header("etag")), (304, tag.as_str()));
    assert_eq!(had.body, Value::Null);
}

/// C35: whoever had the map got all of it again for one seat.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_version_is_sent_what_has_changed_since() {
    let core = TestApp::start().await;
    let house = House::open(&core).await;
    let before = map(&house, "", &[]).await.expect(200);
    let version = before["version"].as_i64().expect("a version");
    let kept = house.held(&["A-2"], 0).await;
    let held = house.held(&["A-1"], 3).await;
    core.settle().await;
    core.run_job("inventory", "publish_availability").await;
    let since = |version: i64| format!("?since={version}");
    let changes = map(&house, &since(version), &[]).await.expect(200);
    let mut taken = [&held, &kept].map(|it| it.seats[0].seat);
    taken.sort_unstable();
    let shown = |state: &str| taken.map(|seat| json!({ "seatId": seat, "state": state }));
    assert_eq!(changes["since"], version);
    assert_eq!(changes["seats"], json!(shown("taken")));
    assert_eq!(changes["zones"][0]["remaining"], 97);

    let version = changes["version"].as_i64().expect("a version");
    let nothing = map(&house, &since(version), &[]).await.expect(200);
    assert_eq!(nothing["seats"], json!([]));
    house.release(&[held.hold]).await;
    core.settle().await;
    let freed = map(&house, &since(version), &[]).await.expect(200);
    let seat = held.seats[0].seat;
    assert_eq!(
        freed["seats"],
        json!([{ "seatId": seat, "state": "available" }])
    );

    // What is not known any more, or never was, is answered with the whole map.
    core.advance(Duration::days(31));
    core.run_job("catalogue", "delete_ended_claims").await;
    for unknown in [version, version + 1_000] {
        let whole = map(&house, &since(unknown), &[]).await.expect(200);
        assert_eq!(whole["since"], Value::Null);
        assert!(whole["sections"].is_array());
    }
    let junk = map(&house, "?since=yesterday", &[]).await;
    junk.assert_refused(400, "validation_error");
}
