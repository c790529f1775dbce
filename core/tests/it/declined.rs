//! A venue declines another organiser's show: nothing more is sold for it, and its organiser knows (DECISIONS 48).

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::house::{concert, hall_of};
use crate::world::replies::{Event, Performance, Plan, Venue};
use crate::world::sale::{FLOOR, Sale, organiser, seat};
use crate::world::{Answer, User, send};

/// Of the alarm.
const KIND: &str = "event_management.declined_with_sales";

/// A show on sale in a hall that is not its organiser's.
struct Guest {
    sale: Sale,
    venue: VenueId,
    event: EventId,
    performance: PerformanceId,
}

impl Guest {
    async fn open() -> Self {
        let sale = Sale::open().await;
        let (owner, guest) = (sale.admin(), organiser(&sale.core));
        // An administrator's venue is shared.
        let venue = json!({ "name": "Town hall", "timeZone": "Europe/Paris" });
        let venue: Venue = owner.post("/venues", venue).await.read(201);
        let venue = venue.venue_id;
        let plans = format!("/venues/{venue}/seating-plans");
        let plan = owner.post(&plans, hall_of(20, FLOOR)).await;
        let plan: Plan = plan.read(201);
        let event: Event = guest.post("/events", concert("Guests")).await.read(201);
        let event = event.event_id;
        let start = sale.core.clock.now() + Duration::days(3);
        let show = json!({ "venueId": venue, "startTime": start });
        let shows = format!("/events/{event}/performances");
        let show: Performance = guest.post(&shows, show).await.read(201);
        let publish = format!("/events/{event}/publish");
        guest.post(&publish, json!({})).await.expect(200);
        sale.core.settle().await;
        let (performance, floor) = (show.performance_id, plan.zones[0].bucket_id);
        let sale = Sale {
            venue,
            event,
            performance,
            floor,
            ..sale
        };
        Self {
            sale,
            venue,
            event,
            performance,
        }
    }

    /// The venue's word about the show as it is planned now.
    async fn venue_says(&self, word: &str) {
        let owner = self.sale.admin();
        let path = format!("/fleet/venues/{}/performances", self.venue);
        let listed = owner.get(&path).await.expect(200);
        let version = listed["items"][0]["version"].as_i64().unwrap();
        let path = format!("{path}/{}/{word}", self.performance);
        let request = owner.request(Method::POST, &path).json(&json!({}));
        let key = self.sale.core.clock.new_id().to_string();
        let request = request.header("Idempotency-Key", key);
        let request = request.header("If-Match", format!("\"{version}\""));
        send(request).await.expect(200);
        self.settle().await;
    }

    async fn settle(&self) {
        self.sale.core.settle().await;
        self.sale
            .core
            .run_job("event_management", "watch_declined")
            .await;
    }

    async fn add(&self, buyer: &User<'_>, label: &str) -> Answer {
        let cart = self.sale.cart(buyer).await;
        self.sale.add(buyer, cart, seat(label)).await
    }

    /// What the catalogue says: how many events it lists, whether this one can be bought, and whether its sale stands
    /// still.
    async fn offered(&self) -> (bool, Value, Value) {
        let anybody = self.sale.core.anybody();
        let listed = anybody.get("/catalog/events?query=Guests").await;
        let listed = listed.expect(200)["total"] == 1;
        let map = format!("/catalog/performances/{}/availability", self.performance);
        let map = anybody.get(&map).await.expect(200);
        let event = format!("/catalog/events/{}", self.event);
        let event = anybody.get(&event).await.expect(200);
        let stopped = event["performances"][0]["saleStopped"].clone();
        (listed, map["onSale"].clone(), stopped)
    }

    /// The organiser's standing alarms about it.
    async fn told(&self) -> Vec<Value> {
        let alarms = organiser(&self.sale.core)
            .get("/fleet/alarms?state=standing")
            .await
            .expect(200);
        let alarms = alarms["items"].as_array().unwrap().iter();
        alarms.filter(|it| it["code"] == KIND).cloned().collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_venue_has_declined_is_not_sold_until_it_confirms_it() {
    let guest = Guest::open().await;
    let sale = &guest.sale;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let (_, tickets) = sale.bought(&ada, seat("A-1")).await;
    assert_eq!(tickets.len(), 1, "what waits for the venue is sold");
    let cart = sale.cart(&bob).await;
    sale.add(&bob, cart, seat("A-2")).await.expect(201);
    assert_eq!(guest.offered().await, (true, json!(true), json!(false)));

    guest.venue_says("decline").await;
    let refused = guest.add(&bob, "A-3").await;
    refused.assert_refused(422, "declined_by_venue");
    assert!(
        refused
            .error()
            .message
            .contains("until the venue confirms it")
    );
    let confirm = format!("/reservations/{cart}/confirm");
    let unpaid = sale.post_patiently(&bob, &confirm, json!({})).await;
    unpaid.assert_refused(422, "declined_by_venue");
    let till = sale.core.user("pos").scope("inventory:hold");
    let hold = json!({
        "performanceId": guest.performance, "seats": [{ "seatId": "A-4" }], "ttlSeconds": 600,
    });
    let refused = till.post("/inventory/holds", hold).await;
    refused.assert_refused(422, "declined_by_venue");
    assert_eq!(guest.offered().await, (false, json!(false), json!(true)));
    let [alarm] = &guest.told().await[..] else {
        panic!("one alarm: {:?}", guest.told().await);
    };
    assert_eq!(alarm["details"]["tickets"], 1, "{alarm}");
    assert_eq!(alarm["details"]["sum"], "39.00 EUR", "{alarm}");

    guest.venue_says("confirm").await;
    assert_eq!(guest.offered().await, (true, json!(true), json!(false)));
    assert_eq!(guest.told().await, [] as [Value; 0]);
    sale.post_patiently(&bob, &confirm, json!({}))
        .await
        .expect(200);
    guest.add(&ada, "A-3").await.expect(201);
}

/// The venue's word is about a plan: another one is asked about anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_declined_show_that_moves_is_sold_again_and_waits_for_the_venue() {
    let guest = Guest::open().await;
    let sale = &guest.sale;
    let ada = sale.buyer("ada");
    guest.venue_says("decline").await;
    assert_eq!(guest.told().await, [] as [Value; 0], "nobody has bought it");
    let path = format!("/events/{}/performances/{}", guest.event, guest.performance);
    let seen = organiser(&sale.core).get(&path).await;
    let etag = seen.header("etag").to_owned();
    let start = seen.expect(200)["startTime"].clone();
    let start: DateTime<Utc> = serde_json::from_value(start).unwrap();
    let user = organiser(&sale.core);
    let times = json!({ "startTime": start + Duration::days(1) });
    let request = user.request(Method::PUT, &path).json(&times);
    send(request.header("If-Match", etag)).await.expect(200);
    guest.settle().await;
    assert_eq!(guest.offered().await, (true, json!(true), json!(false)));
    guest.add(&ada, "A-1").await.expect(201);
    guest.venue_says("decline").await;
    guest
        .add(&ada, "A-2")
        .await
        .assert_refused(422, "declined_by_venue");
}
