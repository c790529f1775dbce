//! Who may pay back what, and what those learn who may not.

use eventify_protocol::ids::{OrderId, TicketId};
use serde_json::json;

use crate::world::house::{concert, hall, new_venue};
use crate::world::replies::{Event, Performance, Plan, RefundStarted, Ticket};
use crate::world::sale::{Sale, organiser, seat};

/// The organiser was called "another organiser" while the tickets were on their way. Somebody who runs
/// nothing of the order learns nothing of it, whatever they name.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_show_is_told_what_is_wrong_and_a_stranger_nothing() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    let (_, others) = sale.bought(&ada, seat("A-2")).await;
    let (owner, rival) = (
        organiser(&sale.core),
        sale.core.user("rival").role("ORGANIZER"),
    );
    let path = format!("/orders/{}/refunds", checkout.order);
    let named = json!({ "ticketIds": tickets });
    let foreign = json!({ "ticketIds": [tickets[0], others[0]] });
    let refused = owner.post(&path, foreign.clone()).await;
    refused.assert_refused(422, "foreign_ticket");

    // The order has none yet.
    let (other, _) = sale.bought(&ada, seat("A-3")).await;
    hand_over(&sale, tickets[0], other.order).await;
    let refused = owner.post(&path, named.clone()).await;
    refused.assert_refused(409, "tickets_not_issued");
    assert_eq!(refused.header("retry-after"), "1");
    for body in [&named, &foreign] {
        let refused = rival.post(&path, body.clone()).await;
        refused.assert_refused(403, "forbidden");
    }
    hand_over(&sale, tickets[0], checkout.order).await;
    owner.post(&path, named).await.read::<RefundStarted>(202);
    sale.deliver_all().await;
}

/// At order, a ticket stands with this order.
async fn hand_over(sale: &Sale, ticket: TicketId, order: OrderId) {
    let mut conn = sale.core.app().db.read("order").await.unwrap();
    sqlx::query("update order_tickets set order_id = $1 where ticket_id = $2")
        .bind(order)
        .bind(ticket)
        .execute(&mut *conn)
        .await
        .unwrap();
}

/// The show of another organiser had not arrived at order: whoever ran the rest of the order could pay
/// back its guests too.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_pays_back_guests_of_a_show_of_which_nobody_knows_whose_it_is() {
    let sale = Sale::open().await;
    let (owner, rival) = (
        organiser(&sale.core),
        sale.core.user("rival").role("ORGANIZER"),
    );
    let venue = new_venue(&rival).await;
    let plans = format!("/venues/{venue}/seating-plans");
    rival.post(&plans, hall()).await.read::<Plan>(201);
    let event: Event = rival.post("/events", concert("Vega")).await.read(201);
    let event = event.event_id;
    let start = sale.core.clock.now() + chrono::Duration::days(3);
    let path = format!("/events/{event}/performances");
    let show = rival
        .post(&path, json!({ "venueId": venue, "startTime": start }))
        .await;
    let theirs = show.read::<Performance>(201).performance_id;
    let publish = format!("/events/{event}/publish");
    rival.post(&publish, json!({})).await.expect(200);
    sale.core.settle().await;

    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    sale.add(&ada, cart, seat("A-1")).await.expect(201);
    let body = json!({ "performanceId": theirs, "items": seat("A-1") });
    let path = format!("/reservations/{cart}/items");
    sale.post_patiently(&ada, &path, body).await.expect(201);
    let checkout = sale.confirm(&ada, cart).await;
    sale.pay(&checkout).await;
    let order = sale.order(&ada, &checkout).await;
    let both: Vec<_> = order.tickets().iter().map(|it| it.ticket_id).collect();
    let show = async |id| -> Ticket { ada.get(&format!("/tickets/{id}")).await.read(200) };
    let first = show(both[0]).await.performance_id == sale.performance;
    let (own, other) = if first {
        (both[0], both[1])
    } else {
        (both[1], both[0])
    };
    let path = format!("/orders/{}/refunds", checkout.order);
    let of = |tickets: &[_]| json!({ "ticketIds": tickets });
    let refused = owner.post(&path, of(&both)).await;
    refused.assert_refused(403, "forbidden");

    let mut conn = sale.core.app().db.read("order").await.unwrap();
    sqlx::query("delete from performances where performance_id = $1")
        .bind(theirs)
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    let refused = owner.post(&path, of(&both)).await;
    refused.assert_refused(409, "performance_not_known");
    assert_eq!(refused.header("retry-after"), "5");
    let refused = rival.post(&path, of(&[own])).await;
    refused.assert_refused(403, "forbidden");
    // Whether it is too late for a ticket of it is not known either.
    let cancel = format!("/orders/{}/cancel", checkout.order);
    let refused = ada.post(&cancel, json!({})).await;
    refused.assert_refused(409, "performance_not_known");
    owner
        .post(&path, of(&[own]))
        .await
        .read::<RefundStarted>(202);
    sale.deliver_all().await;
    assert_eq!(show(own).await.status, "revoked");
    assert_eq!(show(other).await.status, "valid", "the other show's guest");
}
