use serde_json::json;

use super::super::Decline;
use super::*;

fn intent(status: &str, more: &serde_json::Value) -> IntentUpdate {
    let mut object = json!({
        "id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_2",
        "status": status, "amount": 3900, "currency": "eur",
        "metadata": {"payment_id": "0198a000-0000-7000-8000-000000000001"},
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    serde_json::from_value::<PaymentIntent>(object)
        .unwrap()
        .update()
}

#[test]
fn statuses_are_translated() {
    for (status, meaning) in [
        ("requires_payment_method", IntentStatus::AwaitingCustomer),
        ("requires_confirmation", IntentStatus::AwaitingCustomer),
        ("requires_action", IntentStatus::AwaitingCustomer),
        ("processing", IntentStatus::Processing),
        ("requires_capture", IntentStatus::Authorised),
        ("succeeded", IntentStatus::Succeeded),
        ("canceled", IntentStatus::Canceled),
        ("a_new_one", IntentStatus::Processing),
    ] {
        assert_eq!(intent(status, &json!({})).status, meaning, "{status}");
    }
}

#[test]
fn a_decline_counts_only_while_no_card_is_left() {
    let funds = json!({"last_payment_error":
        {"code": "card_declined", "decline_code": "insufficient_funds"}});
    let declined = intent("requires_payment_method", &funds).declined;
    assert_eq!(declined, Some(Decline::InsufficientFunds));
    assert_eq!(
        intent("requires_action", &funds).declined,
        None,
        "a new card is in 3-D Secure"
    );
    let failed_challenge = json!({"last_payment_error":
        {"code": "payment_intent_authentication_failure"}});
    let declined = intent("requires_payment_method", &failed_challenge).declined;
    assert_eq!(declined, Some(Decline::Declined));
    assert_eq!(intent("requires_payment_method", &json!({})).declined, None);
}

#[test]
fn the_captured_amount_is_money() {
    let captured = intent("succeeded", &json!({"amount_received": 3900})).captured;
    assert_eq!(captured.unwrap().to_string(), "39.00 EUR");
    let nothing = intent("requires_capture", &json!({"amount_received": 0})).captured;
    assert_eq!(nothing.unwrap().to_string(), "0.00 EUR");
    for unknown in [
        json!({}),
        json!({"amount_received": -1}),
        json!({"amount_received": 3900, "currency": "kwd"}),
    ] {
        assert_eq!(intent("succeeded", &unknown).captured, None, "{unknown}");
    }
}

/// C02: one account serves several shops.
#[test]
fn other_events_are_ignored_and_malformed_ones_rejected() {
    let body = json!({"id": "evt_1", "type": "customer.created", "data": {"object": {}}});
    let event_1 = event(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        (event_1.id.as_deref(), event_1.subject),
        (Some("evt_1"), Subject::Ignored)
    );
    for object in [
        json!({}),
        json!({"id": "pi_1", "status": "succeeded", "currency": "eur", "metadata": null}),
    ] {
        let body =
            json!({"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": object}});
        let subject = event(body.to_string().as_bytes()).unwrap().subject;
        assert_eq!(subject, Subject::Ignored, "{body}");
    }
    let foreign = intent("succeeded", &json!({"metadata": {"payment_id": 42}}));
    assert_eq!((foreign.payment_id, foreign.origin), (None, None));
    let foreign = json!({"id": "re_1", "amount": 100, "currency": "eur",
        "payment_intent": {"id": "pi_9"}, "metadata": {"refund_id": "R-7"}});
    let foreign = serde_json::from_value::<Refund>(foreign).unwrap().update();
    assert_eq!(
        (foreign.refund_id, foreign.intent.as_deref()),
        (None, Some("pi_9"))
    );
    for no_json in [&b""[..], b"{", b"id=evt_1", b"\xff"] {
        assert_eq!(event(no_json), None);
    }
    for no_event in [
        json!([]),
        json!(7),
        json!(null),
        json!({"id": "\0", "type": "x", "data": {"object": {}}}),
        json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
            "related_object": {"id": "mtr_1"}}),
        json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": null}),
        json!({"id": 7, "type": {}, "data": "x"}),
    ] {
        let read = event(no_event.to_string().as_bytes()).unwrap();
        let (id, subject) = (read.id, read.subject);
        assert_eq!((id, subject), (None, Subject::Ignored), "{no_event}");
    }
    let body = json!({"id": "evt_3", "type": "charge.refunded",
        "data": {"object": {"payment_intent": "pi_1"}}});
    let event_3 = event(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        event_3.subject,
        Subject::RefundsOf {
            intent: "pi_1".to_owned(),
            refunded: None,
        }
    );
}

/// The provider signs nothing of the kind; what does would be an error inside, again and again.
#[test]
fn what_no_row_has_a_place_for_goes_no_further() {
    let dispute = |more: Value| {
        let mut object = json!({"id": "dp_1", "payment_intent": "pi_1", "status": "lost"});
        object
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        read::<Dispute>(object).and_then(Dispute::update)
    };
    for created in [
        i64::MIN,
        -8_000_000_000_000,
        -1,
        8_000_000_000_000,
        i64::MAX,
    ] {
        assert_eq!(
            dispute(json!({ "created": created })).unwrap().made_at,
            None
        );
    }
    assert!(
        dispute(json!({ "created": 1_700_000_000 }))
            .unwrap()
            .made_at
            .is_some()
    );
    let told = dispute(json!({ "reason": "frau\0dulent" })).unwrap();
    assert_eq!(told.reason, "fraudulent");
    for id in [json!("dp_\0"), json!("d".repeat(9_000)), json!("")] {
        assert_eq!(dispute(json!({ "id": id })), None);
        assert_eq!(dispute(json!({ "payment_intent": id })), None);
    }
}

/// C02: what others keep beside it must not hide what is ours.
#[test]
fn a_field_of_another_shape_is_as_absent_and_hides_no_other() {
    let ours = intent(
        "succeeded",
        &json!({"amount_received": "3900", "amount": {}, "last_payment_error": "none", "currency": 7}),
    );
    assert!(ours.payment_id.is_some());
    assert_eq!((ours.amount, ours.captured), (None, None));
    let refund = json!({"id": "re_1", "status": "failed", "amount": 100, "currency": "eur",
        "created": "today", "failure_reason": {}, "payment_intent": ["pi_9"], "metadata": []});
    let refund = serde_json::from_value::<Refund>(refund).unwrap().update();
    assert_eq!(refund.status, RefundStatus::Failed("failed".to_owned()));
    assert_eq!((refund.intent, refund.made_at), (None, None));
    assert_eq!(refund.amount.unwrap().to_string(), "1.00 EUR");
    let guessed = json!({"id": "re_1", "status": 7, "amount": 100, "currency": "eur"});
    assert!(read::<Refund>(guessed).is_none(), "not even by default");
}
