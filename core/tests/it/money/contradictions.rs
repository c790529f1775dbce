//! The provider says something else than we do.

use serde_json::json;

use crate::world::replies::Ticket;
use crate::world::sale::{FLOOR, SEATS, Sale, euro, organiser, seat};

/// C06: the office refunds in the dashboard. The order shows it, an alarm names it, and our own refund
/// afterwards neither fails unexplained nor pays twice.
#[tokio::test(flavor = "multi_thread")]
async fn money_refunded_in_the_dashboard_is_not_refunded_twice() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 3900);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(
        order.status, "paid",
        "the organiser decides about the ticket"
    );
    assert_eq!(order.refunded_elsewhere, Some(euro("39.00")));
    let item = sale.open_item().await;
    assert_eq!(
        (item.kind.as_str(), item.amount),
        ("refunded_elsewhere", euro("39.00"))
    );
    assert_eq!(
        (&item.ticket_ids, item.order_id),
        (&tickets, checkout.order)
    );
    assert_eq!(sale.alarm_codes().await, ["payment.refunded_elsewhere"]);

    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "refunded");
    let refund = &order.refunds()[0];
    assert_eq!(refund.status, "succeeded");
    assert_eq!(refund.settled_by.as_deref(), Some("elsewhere"));
    assert_eq!(sale.stripe.sent_back(), (3900, 1));
    assert!(sale.open_items(&sale.admin()).await.is_empty());
    assert!(sale.alarm_codes().await.is_empty());
}

/// C06: the webhook about it never came, so the provider refuses our refund. That is explained, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_made_in_the_dashboard_unseen_ends_ours_well() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 3900);
    sale.stripe.take_events();
    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "refunded", "{order:?}");
    assert_eq!(sale.stripe.sent_back(), (3900, 1));
}

/// C06: of two tickets one was refunded in the dashboard; the organiser says which.
#[tokio::test(flavor = "multi_thread")]
async fn the_organiser_says_which_tickets_the_dashboards_refund_was_for() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 2500);
    sale.deliver_all().await;
    let unnamed = sale.decide("revoke", json!({})).await;
    unnamed.assert_refused(400, "validation_error");
    let foreign = json!({ "ticketIds": [sale.core.clock.new_id()] });
    sale.decide("revoke", foreign)
        .await
        .assert_refused(422, "foreign_ticket");
    let one = json!({ "ticketIds": [tickets[0]] });
    sale.decide("revoke", one).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "partially_refunded");
    assert_eq!(sale.free().await.1, FLOOR - 1);
    // The other one's money is still there.
    sale.refund(&checkout, &tickets[1..]).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.sent_back(), (5000, 2));
}

/// C07, S20: days later the guest's bank sends the refund back.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_came_back_is_known_and_sent_again() {
    for status in ["failed", "canceled"] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
        sale.cancel(&ada, &checkout).await;
        sale.deliver_all().await;
        assert_eq!(sale.status(&ada, &checkout).await, "refunded");
        sale.stripe.send_back(status);
        sale.deliver_all().await;
        let payment = sale.payment(&ada, &checkout).await;
        assert_eq!(payment.status, "captured", "{status}");
        assert_eq!(payment.sums.unwrap().refunded, euro("0.00"), "{status}");
        let order = sale.order(&ada, &checkout).await;
        let refund = &order.refunds()[0];
        assert_eq!(refund.status, "returned", "{status}");
        assert_eq!(refund.failure_reason.as_deref(), Some(status));
        assert_eq!(sale.alarm_codes().await, ["payment.refund_returned"]);
        let ticket = ada.get(&format!("/tickets/{}", tickets[0])).await;
        assert_eq!(ticket.read::<Ticket>(200).status, "revoked");

        sale.decide("retry", json!({})).await.expect(200);
        sale.deliver_all().await;
        let payment = sale.payment(&ada, &checkout).await;
        assert_eq!(payment.status, "refunded", "{status}");
        assert_eq!(
            sale.order(&ada, &checkout).await.refunds()[0].status,
            "succeeded"
        );
        assert!(sale.alarm_codes().await.is_empty(), "{status}");
        assert_eq!(sale.free().await.0, SEATS, "the seat came back once");
    }
}

/// C07: the guest's bank needs something of the guest, and then the money arrives after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_for_the_guest_is_known_until_it_arrives() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.cancel(&ada, &checkout).await;
    sale.deliver_all().await;
    let refund = async || sale.order(&ada, &checkout).await.refunds()[0].clone();
    sale.stripe.send_back("requires_action");
    let early = sale.stripe.take_events();
    sale.deliver(&early[0]).await.expect(200);
    sale.core.settle().await;
    assert_eq!(refund().await.status, "returned");
    assert_eq!(sale.alarm_codes().await, ["payment.refund_returned"]);
    sale.stripe.send_back("succeeded");
    sale.deliver_all().await;
    assert_eq!(refund().await.status, "succeeded");
    let payment = sale.payment(&ada, &checkout).await;
    assert_eq!(payment.sums.unwrap().refunded, euro("39.00"));
    assert!(sale.alarm_codes().await.is_empty());
    // The first webhook again, late, under another id: the provider is asked what is so now.
    let mut late = early[0].clone();
    late["id"] = json!("evt_late");
    sale.deliver(&late).await.expect(200);
    sale.core.settle().await;
    assert_eq!(refund().await.status, "succeeded");
}

/// C18: the money that came is not what the order costs.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_ticket_for_another_amount() {
    for (minor, currency) in [
        (Some(100), "eur"),
        (Some(0), "eur"),
        (None, "eur"),
        (Some(5000), "eur"),
        (Some(3900), "usd"),
        (Some(3900), "kwd"),
    ] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let checkout = sale.check_out(&ada, seat("A-1")).await;
        sale.stripe
            .capture_in_dashboard(&checkout.secret, minor, currency);
        sale.deliver_all().await;
        let at = format!("{minor:?} {currency}");
        let order = sale.order(&ada, &checkout).await;
        assert_eq!(
            (order.status.as_str(), order.tickets().len()),
            ("pending", 0),
            "{at}"
        );
        assert_eq!(
            sale.payment(&ada, &checkout).await.status,
            "amount_differs",
            "{at}"
        );
        assert_eq!(sale.open_item().await.kind, "amount_differs", "{at}");
        assert_eq!(sale.alarm_codes().await, ["payment.amount_differs"], "{at}");
        // With the order it ends, and what came goes back.
        ada.post(&format!("/orders/{}/cancel", checkout.order), json!({}))
            .await
            .expect(200);
        sale.deliver_all().await;
        let came = minor.filter(|_| currency != "kwd").unwrap_or(0);
        assert_eq!(sale.stripe.sent_back().0, came, "{at}");
        if came == 0 {
            // What nobody told can't go back by itself, and is not forgotten.
            let by_hand = json!({ "reference": "asked the provider" });
            sale.decide("pay-otherwise", by_hand).await.expect(200);
        }
        assert!(sale.alarm_codes().await.is_empty(), "{at}");
        assert_eq!(sale.free().await.0, SEATS, "{at}");
    }
}

/// C18: of another amount the office has sent a part back by hand, before the order ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_ended_order_pays_back_what_the_office_has_not() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe
        .capture_in_dashboard(&checkout.secret, Some(5000), "eur");
    sale.deliver_all().await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 1100);
    sale.deliver_all().await;
    let cancel = format!("/orders/{}/cancel", checkout.order);
    ada.post(&cancel, json!({})).await.expect(200);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    let refund = &order.refunds()[0];
    assert_eq!(
        (refund.status.as_str(), refund.amount),
        ("succeeded", euro("39.00"))
    );
    assert_eq!(sale.stripe.sent_back(), (5000, 2), "all of it, once");
}

/// C20: disputed in the currency of the card's bank. What that is worth here, people decide.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_in_another_currency_holds_the_refund() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    let mut event = sale.stripe.take_events().remove(0);
    event["data"]["object"]["currency"] = json!("usd");
    event["data"]["object"]["amount"] = json!(4200);
    sale.deliver(&event).await.expect(200);
    sale.core.settle().await;
    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    let reason = order.refunds()[0].failure_reason.clone();
    assert_eq!(reason.as_deref(), Some("other_currency"));
    assert_eq!(sale.stripe.sent_back(), (0, 0), "not a second time");
}

/// C18: the organiser had agreed on half of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_organiser_may_take_another_amount_for_the_price() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe
        .capture_in_dashboard(&checkout.secret, Some(1950), "eur");
    sale.deliver_all().await;
    sale.decide("accept", json!({})).await.expect(200);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!((order.status.as_str(), order.tickets().len()), ("paid", 1));
    assert!(sale.alarm_codes().await.is_empty());
    let ledger = sale.payment(&sale.admin(), &checkout).await.ledger.unwrap();
    assert_eq!(
        (ledger[0].kind.as_str(), ledger[0].amount),
        ("captured", euro("19.50"))
    );
}

/// C20: the card was stolen.
#[tokio::test(flavor = "multi_thread")]
async fn the_organiser_hears_of_a_dispute_and_revokes_for_fraud() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    sale.deliver_all().await;
    let item = sale.open_item().await;
    assert_eq!(
        (item.kind.as_str(), item.reason.as_str()),
        ("disputed", "fraudulent")
    );
    assert_eq!(
        (&item.ticket_ids, item.order_id),
        (&tickets, checkout.order)
    );
    assert_eq!(item.acts, ["revoke", "accept"]);
    assert_eq!(sale.alarm_codes().await, ["payment.disputed"]);
    sale.decide("revoke", json!({})).await.expect(200);
    sale.deliver_all().await;
    let ticket = ada.get(&format!("/tickets/{}", tickets[0])).await;
    let ticket: Ticket = ticket.read(200);
    assert_eq!(ticket.status, "revoked");
    assert_eq!(ticket.revoked_reason.as_deref(), Some("fraud"));
    assert_eq!(sale.free().await.0, SEATS - 1, "the seat is not sold again");
    sale.stripe.close_dispute("lost");
    sale.deliver_all().await;
    let payment = sale.payment(&sale.admin(), &checkout).await;
    assert_eq!(payment.sums.unwrap().disputed, euro("39.00"), "it is gone");
    let kinds: Vec<_> = payment
        .ledger
        .unwrap()
        .into_iter()
        .map(|it| it.kind)
        .collect();
    assert_eq!(kinds, ["captured", "disputed", "dispute_lost"]);
    assert_eq!(
        sale.stripe.sent_back(),
        (0, 0),
        "nothing goes back a second time"
    );
}

/// C20: a dispute that is won leaves everything as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_is_won_is_over() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    sale.deliver_all().await;
    let rival = sale.core.user("rival").role("ORGANIZER");
    assert!(
        sale.open_items(&rival).await.is_empty(),
        "another organiser's"
    );
    let path = format!(
        "/payments/open-items/{}/revoke",
        sale.open_item().await.item_id
    );
    assert_eq!(rival.post(&path, json!({})).await.status, 403);
    sale.stripe.close_dispute("won");
    sale.deliver_all().await;
    assert!(sale.open_items(&organiser(&sale.core)).await.is_empty());
    assert!(sale.alarm_codes().await.is_empty());
    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
}
