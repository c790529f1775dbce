//! A decline ends an attempt, the clock ends the order.

use chrono::Duration;
use serde_json::json;

use crate::world::replies::Reservation;
use crate::world::sale::stripe::Card;
use crate::world::sale::{FLOOR, SEATS, Sale, seat};

/// C17: one typing error costs nobody the seats.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_declined_card_another_one_may_be_tried() {
    for (card, reason) in [
        (Card::Declined, "declined"),
        (Card::InsufficientFunds, "insufficient_funds"),
    ] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let checkout = sale.check_out(&ada, seat("A-1")).await;
        let before = sale.order(&ada, &checkout).await.pay_until;
        sale.core.advance(Duration::minutes(10));
        sale.stripe.pay(&checkout.secret, card);
        sale.deliver_all().await;
        let order = sale.order(&ada, &checkout).await;
        assert_eq!(order.status, "pending");
        assert_eq!(order.pay_until, before, "a decline makes nothing longer");
        let payment = sale.payment(&ada, &checkout).await;
        assert_eq!(payment.status, "requires_action");
        assert_eq!(payment.last_decline.as_deref(), Some(reason));
        assert_eq!(payment.client_secret.as_ref(), Some(&checkout.secret));
        assert_eq!(sale.free().await.0, SEATS - 1, "the seat is kept");

        sale.stripe.pay(&checkout.secret, Card::Good);
        sale.deliver_all().await;
        assert_eq!(sale.status(&ada, &checkout).await, "paid");
        assert_eq!(sale.payment(&ada, &checkout).await.last_decline, None);
    }
}

/// C17: at the deadline the intent is ended first, so that no card pays for seats that are free again.
#[tokio::test(flavor = "multi_thread")]
async fn no_card_can_pay_for_seats_that_are_free_again() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.pay(&checkout.secret, Card::Declined);
    sale.deliver_all().await;
    sale.core.advance(Duration::minutes(16));
    // Not even payment's own job runs: the order's does it.
    sale.core.run_job("order", "cancel_unpaid").await;
    assert_eq!(sale.stripe.count("canceled"), 1);
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.cancelled_reason.as_deref(), Some("payment_timeout"));
    sale.deliver_all().await;
    let path = format!("/reservations/{}", checkout.reservation);
    let cart: Reservation = ada.get(&path).await.read(200);
    assert_eq!(cart.status, "cancelled");
    assert_eq!(sale.free().await, (SEATS, FLOOR));
}

/// C17: a card that was charged in the last moment counts, though nobody has told us yet.
#[tokio::test(flavor = "multi_thread")]
async fn who_paid_in_the_last_moment_has_paid() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe
        .capture_in_dashboard(&checkout.secret, Some(3900), "eur");
    sale.stripe.take_events();
    sale.core.advance(Duration::minutes(16));
    sale.core.run_job("order", "cancel_unpaid").await;
    sale.core.run_job("order", "cancel_unpaid").await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    assert_eq!(sale.order(&ada, &checkout).await.tickets().len(), 1);
}

/// What is cancelled at the provider ends the order: there is nothing left to pay with.
#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_is_cancelled_at_the_provider_ends_the_order() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.cancel(&checkout.secret);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.cancelled_reason.as_deref(), Some("payment_failed"));
    let path = format!("/payments/{}/capture", checkout.payment);
    let payment = ada.post(&path, json!({})).await.expect(200);
    assert_eq!(payment["failureReason"], "timeout");
    assert_eq!(sale.free().await, (SEATS, FLOOR));
}
