//! Carts: places are held at once, at the core's prices, for as long as the cart lives.

use chrono::Duration;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_kernel::jobs;
use serde_json::json;
use sqlx::Connection;

use crate::world::replies::{Reservation, Ticket};
use crate::world::sale::{FLOOR, SEATS, Sale, euro, seat};
use crate::world::{TableGate, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_place_in_a_cart_is_held_and_given_back() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let cart = sale.cart(&ada).await;
    let items = json!([
        { "seatId": "A-1", "priceCategory": "FULL", "unitPrice": euro("39.00") },
        { "bucketId": sale.floor, "qty": 3, "unitPrice": euro("25.00") },
    ]);
    let filled: Reservation = sale.add(&ada, cart, items).await.read(201);
    assert_eq!(filled.total, Some(euro("114.00")));
    assert_eq!(sale.free().await, (SEATS - 1, FLOOR - 3));

    let other = sale.cart(&bob).await;
    let refused = sale.add(&bob, other, seat("A-1")).await;
    refused.assert_refused(409, "out_of_stock");
    let empty = bob.get(&format!("/reservations/{other}")).await;
    assert_eq!(empty.read::<Reservation>(200).status, "pending");

    let first = filled.items[0].item_id;
    ada.delete(&format!("/reservations/{cart}/items/{first}"))
        .await
        .expect(204);
    sale.core.settle().await;
    assert_eq!(
        sale.free().await,
        (SEATS, FLOOR - 3),
        "the seat alone is given back"
    );

    ada.delete(&format!("/reservations/{cart}"))
        .await
        .expect(204);
    ada.delete(&format!("/reservations/{cart}"))
        .await
        .expect(204);
    sale.core.settle().await;
    assert_eq!(sale.free().await, (SEATS, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_items_of_a_request_are_held_or_none() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let taken = sale.cart(&bob).await;
    sale.add(&bob, taken, seat("A-2")).await.expect(201);
    let cart = sale.cart(&ada).await;
    let both = json!([
        { "seatId": "A-1", "priceCategory": "FULL", "unitPrice": euro("39.00") },
        { "seatId": "A-2", "priceCategory": "FULL", "unitPrice": euro("39.00") },
    ]);
    assert_eq!(sale.add(&ada, cart, both).await.code(), "out_of_stock");
    assert_eq!(sale.free().await, (SEATS - 1, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_are_the_cores() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let cheap = json!([{ "seatId": "A-1", "priceCategory": "FULL", "unitPrice": euro("1.00") }]);
    let refused = sale.add(&ada, cart, cheap).await;
    refused.assert_refused(422, "price_mismatch");

    // Without a category the price can be judged only when the place is held; then it is released.
    let cheap = json!([{ "bucketId": sale.floor, "unitPrice": euro("1.00") }]);
    let refused = sale.add(&ada, cart, cheap).await;
    refused.assert_refused(422, "price_mismatch");
    let undecided = json!([{ "seatId": "A-1" }]);
    assert_eq!(
        sale.add(&ada, cart, undecided).await.code(),
        "price_category_required"
    );
    let foreign = json!([{ "seatId": "A-1", "priceCategory": "FLOOR" }]);
    assert_eq!(
        sale.add(&ada, cart, foreign).await.code(),
        "unknown_price_category"
    );
    sale.core.settle().await;
    assert_eq!(sale.free().await, (SEATS, FLOOR));

    let child = json!([{ "seatId": "A-1", "priceCategory": "CHILD" }]);
    let filled: Reservation = sale.add(&ada, cart, child).await.read(201);
    assert_eq!(filled.total, Some(euro("12.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_holds_twenty_places() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let twenty = json!([{ "bucketId": sale.floor, "qty": 20 }]);
    sale.add(&ada, cart, twenty).await.expect(201);
    assert_eq!(
        sale.add(&ada, cart, seat("A-1")).await.code(),
        "too_many_items"
    );
    assert_eq!(sale.free().await, (SEATS, FLOOR - 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_keeps_so_many_places_from_others_and_no_more() {
    let limits = vec![("reservation.max_places_per_customer", "3".to_owned())];
    let sale = Sale::with(FaultInjection::default(), limits).await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let (one, other) = (sale.cart(&ada).await, sale.cart(&ada).await);
    let standing = |qty: u32| json!([{ "bucketId": sale.floor, "qty": qty }]);
    sale.add(&ada, one, standing(2)).await.expect(201);
    let refused = sale.add(&ada, other, standing(2)).await;
    refused.assert_refused(409, "too_many_places_held");
    assert_eq!(sale.free().await.1, FLOOR - 2);
    sale.add(&ada, one, seat("A-1")).await.expect(201);
    assert_eq!(
        sale.add(&ada, one, seat("A-2")).await.code(),
        "too_many_places_held"
    );
    let bobs = sale.cart(&bob).await;
    sale.add(&bob, bobs, seat("A-2")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_no_longer_counts_and_a_confirmed_cart_does() {
    let limits = vec![("reservation.max_places_per_customer", "1".to_owned())];
    let sale = Sale::with(FaultInjection::default(), limits).await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let next = sale.cart(&ada).await;
    assert_eq!(
        sale.add(&ada, next, seat("A-2")).await.code(),
        "too_many_places_held"
    );
    sale.pay(&checkout).await;
    sale.add(&ada, next, seat("A-2")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_so_many_open_carts_and_a_box_office_as_many_as_it_needs() {
    let limits = vec![("reservation.max_open_per_customer", "2".to_owned())];
    let sale = Sale::with(FaultInjection::default(), limits).await;
    let ada = sale.buyer("ada");
    let open = || ada.post("/reservations", json!({}));
    // Nobody gets further than to the row of their own until all have come that far.
    let gate = TableGate::close(&sale.core, "reservation", "reservations").await;
    let all = futures_util::future::join_all((0..4).map(|_| open()));
    let (all, ()) = tokio::join!(all, gate.open_when_waiting(4));
    let opened = all.iter().filter(|answer| answer.status == 201);
    assert_eq!(opened.count(), 2);
    let refused = open().await;
    refused.assert_refused(409, "too_many_reservations");
    sale.core.advance(Duration::minutes(11));
    open().await.expect(201);

    let desk = sale.buyer("desk").role("BOX_OFFICE");
    for _ in 0..3 {
        sale.cart(&desk).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_cart_is_gone_and_its_places_are_free() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let started = ada
        .post("/reservations", json!({ "expiresInSeconds": 60 }))
        .await;
    let cart = started.read::<Reservation>(201).reservation_id;
    sale.add(&ada, cart, seat("A-1")).await.expect(201);
    sale.core.advance(Duration::seconds(61));
    let confirm = format!("/reservations/{cart}/confirm");
    let late = ada.post(&confirm, json!({})).await;
    late.assert_refused(410, "reservation_expired");
    assert_eq!(sale.add(&ada, cart, seat("A-2")).await.status, 410);
    sale.tick().await;
    assert_eq!(sale.free().await, (SEATS, FLOOR));
    let gone = ada.get(&format!("/reservations/{cart}")).await;
    assert_eq!(gone.read::<Reservation>(200).status, "expired");
    assert_eq!(ada.post(&confirm, json!({})).await.status, 410);
    let too_long = ada
        .post("/reservations", json!({ "expiresInSeconds": 601 }))
        .await;
    too_long.assert_refused(400, "validation_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_twice_answers_the_same_and_binds_the_places() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let confirm = format!("/reservations/{cart}/confirm");
    assert_eq!(
        ada.post(&confirm, json!({})).await.code(),
        "reservation_empty"
    );
    sale.add(&ada, cart, seat("A-1")).await.expect(201);
    let first: Reservation = ada.post(&confirm, json!({})).await.read(200);
    sale.core.advance(Duration::minutes(11));
    let again: Reservation = ada.post(&confirm, json!({})).await.read(200);
    assert_eq!(first, again);
    sale.tick().await;
    assert_eq!(
        sale.free().await.0,
        SEATS - 1,
        "past the cart's time the order's time runs"
    );
    assert_eq!(
        sale.add(&ada, cart, seat("A-2")).await.code(),
        "reservation_confirmed"
    );
    let given_up = ada.delete(&format!("/reservations/{cart}")).await;
    assert_eq!(given_up.code(), "reservation_confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_belong_to_their_customers() {
    let sale = Sale::open().await;
    let (ada, eve) = (sale.buyer("ada"), sale.buyer("eve"));
    let cart = sale.cart(&ada).await;
    let path = format!("/reservations/{cart}");
    assert_eq!(eve.get(&path).await.status, 403);
    assert_eq!(sale.add(&eve, cart, seat("A-1")).await.status, 403);
    assert_eq!(eve.delete(&path).await.status, 403);
    let for_ada = json!({ "customerId": ada.id().await });
    assert_eq!(eve.post("/reservations", for_ada.clone()).await.status, 403);
    ada.post("/reservations", for_ada).await.expect(201);
    let nowhere = format!("/reservations/{}", sale.core.clock.new_id());
    assert_eq!(ada.get(&nowhere).await.code(), "reservation_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_performance_ends_open_carts() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    sale.add(&ada, cart, seat("A-1")).await.expect(201);
    sale.cancel_performance().await;
    sale.core.settle().await;
    let ended = ada.get(&format!("/reservations/{cart}")).await;
    assert_eq!(ended.read::<Reservation>(200).status, "cancelled");
    let other = sale.cart(&ada).await;
    let refused = sale.add(&ada, other, seat("A-2")).await;
    refused.assert_refused(422, "not_on_sale");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_somebody_else_chose_too_gives_nobody_their_places() {
    let sale = Sale::open().await;
    let (ada, eve) = (sale.buyer("ada"), sale.buyer("eve"));
    let (hers, eves) = (sale.cart(&ada).await, sale.cart(&eve).await);
    let items = |cart| format!("/reservations/{cart}/items");
    let body = json!({ "performanceId": sale.performance, "items": seat("A-1") });
    let first = ada.post_with_key(&items(hers), "1", body.clone()).await;
    first.expect(201);
    let refused = eve.post_with_key(&items(eves), "1", body.clone()).await;
    refused.assert_refused(409, "out_of_stock");
    let second = sale.cart(&ada).await;
    let refused = ada.post_with_key(&items(second), "1", body.clone()).await;
    assert_eq!(refused.code(), "idempotency_key_reused", "another cart");
    let again = ada.post_with_key(&items(hers), "1", body).await;
    assert_eq!(again.read::<Reservation>(201).items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_no_database_takes_is_refused_and_stops_nobody_else() {
    let sale = Sale::open().await;
    let eve = sale.buyer("eve");
    let cart = sale.cart(&eve).await;
    let path = format!("/reservations/{cart}/items");
    let body = json!({ "performanceId": sale.performance, "items": seat("A-1\u{0}") });
    for _ in 0..20 {
        let refused = eve.post(&path, body.clone()).await;
        refused.assert_refused(400, "validation_error");
    }
    let query = eve.get("/catalog/events?city=a%00b").await;
    query.assert_refused(400, "validation_error");
    let ada = sale.buyer("ada");
    let hers = sale.cart(&ada).await;
    sale.add(&ada, hers, seat("A-1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_are_in_the_order_in_which_the_seats_were_chosen() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let chosen = ["A-3", "A-1", "A-4", "A-2"];
    let item = |label: &&str| seat(label)[0].clone();
    let items = chosen.iter().map(item).collect();
    let (checkout, tickets) = sale.bought(&ada, items).await;
    let order = sale.order(&ada, &checkout).await;
    let ordered: Vec<_> = order
        .items
        .iter()
        .map(|it| it.seat_label.as_deref())
        .collect();
    assert_eq!(ordered, chosen.map(Some));
    for (ticket, label) in tickets.iter().zip(chosen) {
        let path = format!("/tickets/{ticket}");
        let ticket: Ticket = ada.get(&path).await.read(200);
        assert_eq!(ticket.seat_label.as_deref(), Some(label));
    }
}

/// Kind 9: places that can't be given back stop nobody from buying others.
#[tokio::test(flavor = "multi_thread")]
async fn releases_that_fail_close_no_shop() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let cart = sale.cart(&ada).await;
    let of_seat = |number| json!({ "seatId": format!("A-{number}"), "priceCategory": "FULL", "unitPrice": euro("39.00") });
    let seats: Vec<_> = (1..=10).map(of_seat).collect();
    let filled: Reservation = sale.add(&ada, cart, json!(seats)).await.read(201);
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let gone = sqlx::raw_sql("alter table inventory.returned_parts rename to elsewhere");
    gone.execute(&mut conn).await.unwrap();
    for item in &filled.items {
        let path = format!("/reservations/{cart}/items/{}", item.item_id);
        ada.delete(&path).await.expect(204);
    }
    sale.core.settle().await;
    assert_eq!(sale.free().await.0, SEATS - 10, "all of them have failed");
    let release = sale.core.app();
    sale.core.advance(Duration::seconds(1));
    // Three attempts each: far more failures than a breaker looks at.
    let tried = jobs::run_now(release, "reservation", "release_holds").await;
    assert!(tried.is_ok(), "a task that fails is tried again: {tried:?}");
    let other = sale.cart(&bob).await;
    let body = json!({ "performanceId": sale.performance, "items": seat("B-1") });
    let path = format!("/reservations/{other}/items");
    bob.post(&path, body).await.expect(201);
    sale.core.leave_unsettled();
}

/// Kind 5: customers saw 503 for each place while `/health/sales` said that all is well.
#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_that_answers_nobody_is_an_alarm_until_it_answers() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let path = format!("/reservations/{cart}/items");
    let wanted = |label| json!({ "performanceId": sale.performance, "items": seat(label) });
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let mut alter = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
    };
    let said = async || {
        sale.core.advance(Duration::seconds(2));
        let sales = sale.core.anybody().get("/health/sales").await;
        (sales.status != 200).then(|| sales.error().message.clone())
    };
    let ask = async |label| ada.post(&path, wanted(label)).await;
    alter("alter table inventory.holds rename to elsewhere").await;
    ask("A-1").await.assert_refused(503, "unavailable");
    assert_eq!(said().await, None, "it may pass");
    sale.core.advance(Duration::seconds(15));
    ask("A-1").await.assert_refused(503, "unavailable");
    let told = said().await.expect("it is told");
    assert!(told.contains("reservation.inventory_unavailable"), "{told}");

    // The first one who has a place again ends it.
    alter("alter table inventory.elsewhere rename to holds").await;
    ask("A-1").await.expect(201);
    assert_eq!(said().await, None);

    // Nobody asks any more.
    alter("alter table inventory.holds rename to elsewhere").await;
    for _ in 0..2 {
        ask("A-2").await.assert_refused(503, "unavailable");
        sale.core.advance(Duration::seconds(16));
    }
    assert!(said().await.is_some());
    sale.core.run_job("reservation", "watch_inventory").await;
    assert!(said().await.is_some(), "a moment ago it was so");
    sale.core.advance(Duration::minutes(1));
    sale.core.run_job("reservation", "watch_inventory").await;
    assert_eq!(said().await, None);
    alter("alter table inventory.elsewhere rename to holds").await;
    sale.core.settle().await;
}

/// C17's kind: on a busy evening the cart ends while the request for a place is on its way. Nobody is told of
/// a field that they have not sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_ends_while_a_place_is_asked_for_has_expired() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let connect = || sqlx::PgConnection::connect(sale.core.scope.database.url());
    let (mut busy, mut test) = (connect().await.unwrap(), connect().await.unwrap());
    let lock = "begin; lock table reservation.performances in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut busy).await.unwrap();
    let the_cart_ends = async {
        let waiting = "select exists (select from pg_locks
             where not granted and relation = 'reservation.performances'::regclass)";
        until("the request waits", async || {
            let waits = sqlx::query_scalar(waiting).fetch_one(&mut test).await;
            waits.unwrap()
        })
        .await;
        sale.core.advance(Duration::minutes(10));
        sqlx::raw_sql("commit").execute(&mut busy).await.unwrap();
    };
    let (added, ()) = tokio::join!(sale.add(&ada, cart, seat("A-1")), the_cart_ends);
    added.assert_refused(410, "reservation_expired");
    assert_eq!(sale.free().await.0, SEATS);
}
