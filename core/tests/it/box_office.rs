//! A box office sells in a customer's name: with the cart that it opened, until the order is paid.

use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{ReservationId, UserId};
use serde_json::{Value, json};

use crate::world::User;
use crate::world::replies::{Page, Payment, Reservation, Ticket};
use crate::world::sale::{Sale, seat};

async fn cart_for(desk: &User<'_>, customer: &User<'_>) -> ReservationId {
    let body = json!({ "customerId": customer.id().await });
    let opened: Reservation = desk.post("/reservations", body).await.read(201);
    assert_eq!(opened.customer_id, UserId(customer.id().await));
    assert_eq!(opened.seller_id, Some(UserId(desk.id().await)));
    opened.reservation_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_office_sells_with_the_cart_that_it_opened_for_a_customer() {
    let sale = Sale::open().await;
    let (ada, desk) = (sale.buyer("ada"), sale.desk("desk").await);
    let cart = cart_for(&desk, &ada).await;
    sale.add(&desk, cart, seat("A-1")).await.expect(201);
    let checkout = sale.confirm(&desk, cart).await;
    let order = sale.order(&desk, &checkout).await;
    assert_eq!(order.customer_id, UserId(ada.id().await));
    assert_eq!(order.seller_id, Some(UserId(desk.id().await)));
    let hers: Payment = sale.payment(&ada, &checkout).await;
    assert_eq!(
        hers.client_secret,
        Some(checkout.secret.clone()),
        "she may pay too"
    );
    sale.pay(&checkout).await;

    // The tickets are hers, and what becomes of them is her decision.
    let of_order = format!("/tickets?orderId={}", checkout.order);
    let tickets: Page<Ticket> = ada.get(&of_order).await.read(200);
    assert_eq!(tickets.total, 1);
    let token = format!("/tickets/{}/token", tickets.items[0].ticket_id);
    ada.get(&token).await.expect(200);
    assert_eq!(desk.get(&token).await.status, 403);
    let path = format!("/orders/{}", checkout.order);
    let guest = format!("{path}/guest");
    let named = desk.put(&guest, json!({ "name": "Eve" })).await;
    assert_eq!(named.status, 403);
    let cancel = desk.post(&format!("{path}/cancel"), json!({})).await;
    cancel.assert_refused(403, "forbidden");
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_office_cancels_the_unpaid_order_that_it_sold() {
    let sale = Sale::open().await;
    let (ada, desk) = (sale.buyer("ada"), sale.desk("desk").await);
    let cart = cart_for(&desk, &ada).await;
    sale.add(&desk, cart, seat("A-1")).await.expect(201);
    let checkout = sale.confirm(&desk, cart).await;
    let path = format!("/orders/{}/cancel", checkout.order);
    desk.post(&path, json!({})).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_box_office_opens_for_a_customer_leaves_them_their_own_carts_and_places() {
    let limits = vec![
        ("reservation.max_open_per_customer", "1".to_owned()),
        ("reservation.max_places_per_customer", "1".to_owned()),
    ];
    let sale = Sale::with(FaultInjection::default(), limits).await;
    let (ada, desk) = (sale.buyer("ada"), sale.desk("desk").await);
    for number in 1..=3 {
        let cart = cart_for(&desk, &ada).await;
        let place = seat(&format!("B-{number}"));
        sale.add(&desk, cart, place).await.expect(201);
    }
    let own = sale.cart(&ada).await;
    sale.add(&ada, own, seat("A-1")).await.expect(201);
    let second = ada.post("/reservations", json!({})).await;
    second.assert_refused(409, "too_many_reservations");

    // In the cart that was opened for her, her own limits hold.
    let cart = cart_for(&desk, &ada).await;
    let beyond = sale.add(&ada, cart, seat("A-2")).await;
    beyond.assert_refused(409, "too_many_places_held");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_acts_on_a_cart_that_a_box_office_opened() {
    let sale = Sale::open().await;
    let (ada, desk) = (sale.buyer("ada"), sale.desk("desk").await);
    let cart = cart_for(&desk, &ada).await;
    sale.add(&desk, cart, seat("A-1")).await.expect(201);
    // Another desk, and this account once it is no box office any more.
    let others = [sale.desk("other").await, sale.buyer("desk")];
    let (path, acts) = (format!("/reservations/{cart}"), ["items", "confirm"]);
    for other in others {
        assert_eq!(other.get(&path).await.status, 403);
        assert_eq!(other.delete(&path).await.status, 403);
        for act in acts {
            let body = match act {
                "items" => json!({ "performanceId": sale.performance, "items": seat("A-2") }),
                _ => Value::Object(serde_json::Map::new()),
            };
            let refused = other.post(&format!("{path}/{act}"), body).await;
            refused.assert_refused(403, "forbidden");
        }
    }
    // She herself may, whoever opened it.
    ada.delete(&path).await.expect(204);
    sale.core.settle().await;
}

/// An account of no venue took all 500 places of somebody's hall in a second, for 15 minutes, and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_box_office_sells_where_it_is_assigned_and_is_a_customer_elsewhere() {
    let limits = vec![("reservation.max_places_per_customer", "1".to_owned())];
    let sale = Sale::with(FaultInjection::default(), limits).await;
    let ada = sale.buyer("ada");
    let stranger = sale.buyer("stranger").role("BOX_OFFICE");
    let cart = cart_for(&stranger, &ada).await;
    let refused = sale.add(&stranger, cart, seat("A-1")).await;
    refused.assert_refused(403, "forbidden");
    let said = &refused.error().message;
    assert!(said.contains("check-in-assignments"), "{said}");

    let own = sale.cart(&stranger).await;
    sale.add(&stranger, own, seat("A-1")).await.expect(201);
    let second = sale.add(&stranger, own, seat("A-2")).await;
    second.assert_refused(409, "too_many_places_held");

    let desk = sale.desk("stranger").await;
    sale.add(&desk, cart, seat("A-2")).await.expect(201);
    sale.add(&desk, own, seat("A-3")).await.expect(201);
}
