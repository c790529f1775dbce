//! The whole core: organisers move and cancel shows, and what becomes of those who have bought.

use chrono::Duration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::house::{concert, hall, new_venue, organiser};
use crate::world::replies::{CancelledEvent, Event, Page, Performance, Ticket};
use crate::world::sale::{Sale, euro, seat};
use crate::world::{Answer, TestApp, User, send};

fn path(sale: &Sale) -> String {
    format!("/events/{}/performances/{}", sale.event, sale.performance)
}

async fn put(user: &User<'_>, path: &str, tag: &str, body: &Value) -> Answer {
    let request = user.request(Method::PUT, path).header("If-Match", tag);
    send(request.json(body)).await
}

/// What is in the QR code.
async fn code_of(buyer: &User<'_>, ticket: &Ticket) -> String {
    let path = format!("/tickets/{}/token", ticket.ticket_id);
    let response = buyer.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

async fn tickets(buyer: &User<'_>) -> Vec<Ticket> {
    buyer.get("/tickets").await.read::<Page<Ticket>>(200).items
}

/// C08: from the preview to everybody who has to know.
#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_moves_a_show_and_everybody_goes_by_the_new_times() {
    let sale = Sale::open().await;
    let (core, organiser) = (&sale.core, organiser(&sale.core));
    let ada = sale.buyer("ada");
    sale.bought(&ada, seat("A-1")).await;
    let before = organiser.get(&path(&sale)).await;
    let tag = before.header("etag").to_owned();
    let before: Performance = before.read(200);
    let held = tickets(&ada).await;
    let code = code_of(&ada, &held[0]).await;

    let start = before.start_time + Duration::days(1);
    let times = json!({ "startTime": start });
    let preview = format!("{}?dryRun=true", path(&sale));
    let seen = put(&organiser, &preview, &tag, &times).await.expect(200);
    assert_eq!(seen["affected"]["orders"], json!(1));
    assert_eq!(seen["affected"]["tickets"], json!(1));
    assert_eq!(seen["affected"]["sum"], json!("39.00 EUR"));
    let unchanged: Performance = organiser.get(&path(&sale)).await.read(200);
    assert_eq!(unchanged, before, "a preview changes nothing");

    assert_eq!(organiser.put(&path(&sale), times.clone()).await.status, 428);
    let rival = core.user("rival").role("ORGANIZER");
    assert_eq!(put(&rival, &path(&sale), &tag, &times).await.status, 403);
    let moved = put(&organiser, &path(&sale), &tag, &times).await;
    assert_eq!(moved.header("etag"), "\"2\"");
    assert_eq!(moved.expect(200)["warnings"], json!([]));
    assert_eq!(
        put(&organiser, &path(&sale), &tag, &times).await.status,
        412
    );
    core.settle().await;

    let event = format!("/catalog/events/{}", sale.event);
    let shown = core.anybody().get(&event).await.expect(200);
    assert_eq!(shown["performances"][0]["startTime"], json!(start));
    let after = tickets(&ada).await;
    assert_eq!(after[0].valid_until, Some(start + Duration::hours(6)));
    assert_eq!(code_of(&ada, &after[0]).await, code, "the same code");

    // Three days were left, now four: a customer may still cancel when the old show would have begun.
    core.advance(Duration::hours(70));
    let (late, _) = sale.bought(&ada, seat("A-2")).await;
    sale.cancel(&ada, &late).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &late).await, "refunded");
}

/// The queue at the door is sold to until nobody is let in any more; online the sale ends with the
/// beginning, as before.
#[tokio::test(flavor = "multi_thread")]
async fn the_box_office_sells_until_the_end() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let desk = sale.desk("desk").await;
    sale.core.advance(Duration::days(3) + Duration::hours(1));
    let online = sale.cart(&ada).await;
    let refused = sale.add(&ada, online, seat("A-1")).await;
    refused.assert_refused(422, "sales_closed");
    let at_the_door = sale.cart(&desk).await;
    sale.add(&desk, at_the_door, seat("A-1")).await.expect(201);
    sale.core.advance(Duration::hours(5));
    let over = sale.cart(&desk).await;
    let refused = sale.add(&desk, over, seat("A-2")).await;
    refused.assert_refused(422, "sales_closed");
    sale.core.settle().await;
}

/// C09 (a): power fails in act one. Before, the event was cancelled and its guests were not.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_cancelled_whole_and_everybody_gets_the_money_back() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.core.advance(Duration::days(3) + Duration::minutes(20));
    let cancel = format!("/events/{}/cancel", sale.event);
    let power = json!({ "reason": "power failure" });
    let done: CancelledEvent = organiser(&sale.core).post(&cancel, power).await.read(200);
    let part = &done.performances[0];
    assert_eq!((part.outcome.as_str(), part.sold.orders), ("cancelled", 1));
    assert_eq!(part.sold.sum, "39.00 EUR");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(tickets(&ada).await[0].status, "revoked");
}

/// C09 (b), S21: somebody cancels last year's row in the list.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_paid_back_only_after_a_second_word() {
    let sale = Sale::open().await;
    let (ada, organiser) = (sale.buyer("ada"), organiser(&sale.core));
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.core.advance(Duration::days(3) + Duration::hours(7));
    let event = format!("/events/{}/cancel", sale.event);
    let performance = format!("{}/cancel", path(&sale));
    for cancel in [&event, &performance] {
        let slip = organiser.post(cancel, json!({ "reason": "slip" })).await;
        slip.assert_refused(409, "confirmation_required");
        let details = slip.error().details;
        let named: Vec<_> = details
            .iter()
            .map(|it| (it.field.as_str(), it.issue.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("confirm.orders", "1"),
                ("confirm.sum", "39.00 EUR"),
                ("tickets", "1")
            ]
        );
        let wrong = json!({ "reason": "slip", "confirm": { "orders": 2, "sum": "39.00 EUR" } });
        let refused = organiser.post(cancel, wrong).await;
        refused.assert_refused(409, "confirmation_required");
    }
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    let meant = json!({ "reason": "fraud", "confirm": { "orders": 1, "sum": "39.00 EUR" } });
    let done: CancelledEvent = organiser.post(&event, meant).await.read(200);
    assert_eq!(done.performances[0].outcome, "cancelled");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
}

/// C09: of a run of evenings, those that were played stay paid, and the answer says so.
#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_run_leaves_the_evenings_out_that_were_played() {
    let sale = Sale::open().await;
    let (ada, organiser) = (sale.buyer("ada"), organiser(&sale.core));
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let venue = organiser.get(&path(&sale)).await.read::<Performance>(200);
    let second = json!({
        "venueId": venue.venue_id, "startTime": venue.start_time + Duration::days(1),
    });
    let performances = format!("/events/{}/performances", sale.event);
    organiser.post(&performances, second).await.expect(201);
    sale.core.settle().await;
    sale.core.advance(Duration::days(3) + Duration::hours(7));
    let cancel = format!("/events/{}/cancel", sale.event);
    let ill = json!({ "reason": "ill" });
    let done: CancelledEvent = organiser.post(&cancel, ill).await.read(200);
    let outcomes: Vec<_> = done
        .performances
        .iter()
        .map(|it| (it.outcome.as_str(), it.sold.orders))
        .collect();
    assert_eq!(outcomes, [("left_out", 1), ("cancelled", 0)]);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

/// S1: the shared hall. Whoever plans there as a guest is told that the venue has to agree; two shows
/// at once are told too, and never refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_a_shared_hall_is_told_that_the_venue_has_to_agree() {
    let core = TestApp::start().await;
    let admin = core.user("root").role("ADMIN");
    let venue = new_venue(&admin).await;
    let plans = format!("/venues/{venue}/seating-plans");
    admin.post(&plans, hall()).await.expect(201);
    let start = core.clock.now() + Duration::days(1);
    let plan = json!({ "venueId": venue, "startTime": start });
    let schedule = async |who: &User<'_>| {
        let event: Event = who.post("/events", concert("Nova")).await.read(201);
        let performances = format!("/events/{}/performances", event.event_id);
        let answer = who.post(&performances, plan.clone()).await;
        answer.read::<Performance>(201)
    };
    let tonight = schedule(&admin).await;
    assert!(!tonight.awaits_venue);
    assert_eq!(tonight.warnings, []);
    let guest = organiser(&core);
    let foreign = schedule(&guest).await;
    assert!(foreign.awaits_venue);
    let codes: Vec<_> = foreign.warnings.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["awaits_venue", "overlaps"]);
    let other = foreign.warnings[1].performance_id;
    assert_eq!(other, Some(tonight.performance_id));
    core.settle().await;

    let events: Value = guest.get("/events").await.expect(200);
    let event = format!(
        "/events/{}",
        events["items"][0]["eventId"].as_str().unwrap()
    );
    let shows = format!(
        "/fleet/venues/{venue}/performances/{}",
        foreign.performance_id
    );
    let said = async |word: &str| {
        let path = format!("{shows}/{word}");
        assert_eq!(guest.post(&path, json!({})).await.status, 403);
        let seen = admin
            .request(Method::POST, &path)
            .header("If-Match", "\"1\"");
        send(seen.json(&json!({}))).await.expect(200);
        core.settle().await;
        let mut read: Event = guest.get(&event).await.read(200);
        read.performances.remove(0)
    };
    let declined = said("decline").await;
    assert!(declined.awaits_venue && declined.declined_by_venue);
    let confirmed = said("confirm").await;
    assert!(!confirmed.awaits_venue, "the venue has agreed after all");
    assert!(!confirmed.declined_by_venue);
}

/// What the release before has published lacks the times at which it admits: it is published again.
#[tokio::test(flavor = "multi_thread")]
async fn a_show_of_the_release_before_is_published_again_with_its_window() {
    let sale = Sale::open().await;
    let core = &sale.core;
    let mut conn = core.app().db.read("event_management").await.unwrap();
    let old = "update event_management.performances
               set published_window = false, first_admits_until = null";
    sqlx::query(old).execute(&mut *conn).await.unwrap();
    drop(conn);
    let mut conn = core.app().db.read("ticketing").await.unwrap();
    let old = "update ticketing.performances set admits_from = null, admits_until = null";
    sqlx::query(old).execute(&mut *conn).await.unwrap();
    drop(conn);
    for _ in 0..2 {
        core.run_job("event_management", "publish_windows").await;
        core.settle().await;
    }
    let mut conn = core.app().db.read("ticketing").await.unwrap();
    let known: Vec<(i32, bool)> = sqlx::query_as(
        "select version, admits_until = start_time + interval '6 hours'
         from ticketing.performances",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(known, [(2, true)], "once");
    drop(conn);
    let ada = sale.buyer("ada");
    let zone = json!([{ "bucketId": sale.floor, "qty": 1, "priceCategory": "FLOOR",
                        "unitPrice": euro("25.00") }]);
    sale.bought(&ada, zone).await;
}
