//! The whole core: a guest sits there, the money went back, and the shop sells the seat again only when
//! somebody has looked.

use chrono::Duration;
use serde_json::json;

use crate::world::house::{kept_back, release_kept};
use crate::world::replies::{KeptPlace, Ticket};
use crate::world::sale::{FLOOR, SEATS, Sale, seat};

/// C05: a gate that was cut off may have let the guest in before the show was postponed. The guest gets
/// the money; the seat waits until that evening is over.
#[tokio::test(flavor = "multi_thread")]
async fn postponing_a_show_does_not_sell_the_seat_of_a_guest_who_may_be_inside() {
    let sale = Sale::open().await;
    let (ada, eve, bob) = (sale.buyer("ada"), sale.buyer("eve"), sale.buyer("bob"));
    let (first, _) = sale.bought(&ada, seat("A-1")).await;
    let (second, _) = sale.bought(&eve, seat("A-2")).await;
    sale.core.advance(Duration::days(3) - Duration::minutes(10));
    sale.reschedule(Duration::days(7)).await;
    sale.core.settle().await;
    sale.cancel(&ada, &first).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &first).await, "refunded");
    assert_eq!(sale.free().await.0, SEATS - 2, "somebody may sit there");
    let cart = sale.cart(&bob).await;
    let refused = sale.add(&bob, cart, seat("A-1")).await;
    refused.assert_refused(409, "out_of_stock");
    let listed = kept_back(&sale.core, sale.performance).await;
    assert_eq!(listed[0].reason, "gates_admit");

    sale.core.advance(Duration::hours(12));
    sale.cancel(&eve, &second).await;
    sale.deliver_all().await;
    assert_eq!(sale.free().await.0, SEATS - 1, "everybody has gone home");
}

/// C05: the organiser pays one guest back who is inside and one who has not come, while the gates
/// admit. Nobody gets their seats before somebody has looked; then both are sold like any other.
#[tokio::test(flavor = "multi_thread")]
async fn the_seat_of_a_refunded_guest_is_sold_when_the_organiser_has_looked() {
    let sale = Sale::open().await;
    let (ada, eve, bob) = (sale.buyer("ada"), sale.buyer("eve"), sale.buyer("bob"));
    let (early, _) = sale.bought(&ada, seat("A-3")).await;
    sale.cancel(&ada, &early).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &early).await, "refunded");
    assert_eq!(sale.free().await, (SEATS, FLOOR), "long before the gates");

    let (inside, of_ada) = sale.bought(&ada, seat("A-1")).await;
    let (absent, of_eve) = sale.bought(&eve, seat("A-2")).await;
    sale.core.advance(Duration::days(3) - Duration::minutes(10));
    sale.check_in(of_ada[0]).await.expect(200);
    for (checkout, tickets) in [(&inside, &of_ada), (&absent, &of_eve)] {
        sale.refund(checkout, tickets).await;
        sale.deliver_all().await;
    }
    assert_eq!(sale.status(&ada, &inside).await, "refunded");
    assert_eq!(sale.free().await, (SEATS - 2, FLOOR));
    for label in ["A-1", "A-2"] {
        let cart = sale.cart(&bob).await;
        let refused = sale.add(&bob, cart, seat(label)).await;
        refused.assert_refused(409, "out_of_stock");
    }
    let listed = kept_back(&sale.core, sale.performance).await;
    let listed: Vec<_> = listed
        .iter()
        .map(|it| (it.seat_label.as_deref(), it.reason.as_str()))
        .collect();
    let (first, second) = (Some("A-1"), Some("A-2"));
    assert_eq!(listed, [(first, "used"), (second, "gates_admit")]);
    let listed = kept_back(&sale.core, sale.performance).await;
    assert!(
        listed[0]
            .guest
            .as_ref()
            .is_some_and(|it| it.gate_name.is_some()),
        "{listed:?}"
    );
    let blind = release_kept(&sale.core, sale.performance, of_ada[0], json!({}));
    blind.await.assert_refused(409, "guest_inside");

    for (label, ticket) in [("A-1", of_ada[0]), ("A-2", of_eve[0])] {
        let words = json!({ "note": "nobody sits there", "guestMayBeInside": true });
        let released = release_kept(&sale.core, sale.performance, ticket, words).await;
        assert!(released.read::<KeptPlace>(200).released_at.is_some());
        sale.core.settle().await;
        let (_, tickets) = sale.bought(&bob, seat(label)).await;
        let path = format!("/tickets/{}", tickets[0]);
        let ticket: Ticket = bob.get(&path).await.read(200);
        assert_eq!(ticket.status, "valid");
        assert_eq!(ticket.seat_label.as_deref(), Some(label));
    }
    assert_eq!(sale.free().await, (SEATS - 2, FLOOR));
    assert_eq!(kept_back(&sale.core, sale.performance).await, []);
}
