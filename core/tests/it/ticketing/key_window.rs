//! C01: nothing is sold that the keys can't vouch for.

use chrono::Duration;
use eventify_kernel::keys::{self, Lifetime};
use eventify_protocol::ids::{PerformanceId, ReservationId};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::house::organiser;
use crate::world::replies::Reservation;
use crate::world::sale::{Sale, seat};
use crate::world::{Answer, product, send};

/// Schedules a performance of the sale's event so many days ahead.
async fn schedule(sale: &Sale, days: i64) -> Answer {
    let organiser = organiser(&sale.core);
    let event = format!("/events/{}", sale.event);
    let shown = organiser.get(&event).await.expect(200);
    let first = &shown["performances"][0];
    let performance = json!({
        "venueId": first["venueId"],
        "startTime": sale.core.clock.now() + Duration::days(days),
    });
    organiser
        .post(&format!("{event}/performances"), performance)
        .await
}

/// C01: a show after the end of the ticket key was scheduled, sold and paid, and each order was
/// refunded ten minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn a_show_that_the_ticket_key_cant_vouch_for_is_not_scheduled() {
    let sale = Sale::open().await;
    let refused = schedule(&sale, 401).await;
    refused.assert_refused(422, "beyond_ticket_keys");
    let last = sale.core.clock.now() + Duration::days(400);
    let (error, day) = (refused.error(), last.format("%Y-%m-").to_string());
    assert!(error.message.contains(&day), "{}", error.message);
    let event = format!("/events/{}", sale.event);
    let shown = organiser(&sale.core).get(&event).await.expect(200);
    assert_eq!(shown["performances"].as_array().map(Vec::len), Some(1));
    schedule(&sale, 390).await.expect(201);
}

/// C01: the same at the last moment before money moves: the key may have changed since.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_not_confirmed_when_the_key_no_longer_reaches() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let scheduled = schedule(&sale, 100).await.expect(201);
    let performance: PerformanceId =
        serde_json::from_value(scheduled["performanceId"].clone()).expect("an id");
    sale.core.settle().await;
    let cart = sale.cart(&ada).await;
    let add = |performance: PerformanceId| {
        let body: Value = json!({ "performanceId": performance, "items": seat("A-1") });
        (format!("/reservations/{cart}/items"), body)
    };
    let (path, body) = add(performance);
    ada.post(&path, body.clone()).await.expect(201);

    let directory = TempDir::new().expect("a scratch directory");
    let clock = &sale.core.clock;
    let lifetime = Lifetime {
        from: clock.now().timestamp(),
        seconds: 30 * 86_400,
    };
    keys::init(directory.path(), lifetime, &mut || clock.random_bytes()).expect("keys");
    let mut settings = sale.stripe.settings();
    settings.push(("process.roles", "[\"serve\"]".to_owned()));
    settings.push(("keys.directory", directory.path().display().to_string()));
    let other = sale.core.beside(settings, product).await;
    let address = other.address.expect("it serves");
    let post = |cart: ReservationId, act: &str, body: &Value| {
        let request = reqwest::Client::new()
            .post(format!("http://{address}/reservations/{cart}/{act}"))
            .bearer_auth(ada.token().expect("a customer"));
        send(request.json(body))
    };
    let refused = post(cart, "confirm", &json!({})).await;
    refused.assert_refused(422, "beyond_ticket_keys");
    let second = sale.cart(&ada).await;
    let refused = post(second, "items", &body).await;
    refused.assert_refused(422, "beyond_ticket_keys");
    other.stop().await;

    let kept: Reservation = ada.get(&format!("/reservations/{cart}")).await.read(200);
    assert_eq!(kept.status, "pending");
    assert_eq!(sale.stripe.intents(), 0);
}

/// C01: somebody is told long before the programme meets the end of the key.
#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_stands_while_the_programme_nears_the_end_of_the_key() {
    let sale = Sale::open().await;
    let due = "ticketing.next_key_due".to_owned();
    sale.core.run_job("ticketing", "watch_keys").await;
    assert!(!sale.alarm_codes().await.contains(&due));

    schedule(&sale, 390).await.expect(201);
    sale.core.settle().await;
    sale.core.run_job("ticketing", "watch_keys").await;
    let alarms = sale.alarms().await;
    let (_, act) = alarms
        .iter()
        .find(|(code, _)| *code == due)
        .expect("it stands");
    assert!(act.contains("eventify-core keys renew"), "{act}");
}
