//! False webhooks of the payment provider.

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use eventify_stack::Card;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Refusals;
use crate::{
    api::Reply,
    clock,
    scenes::Demo,
    story::Story,
    world::customer::{Outcome, Places, text},
};

/// Places that this part sells.
pub(super) const SOLD: u64 = 1;

pub(super) async fn refuses(
    story: &mut Story,
    demo: &mut Demo,
    refusals: &mut Refusals,
) -> Result<()> {
    story.part("at the payment webhook");
    let customer = demo.world.customer(401).await?;
    let cart = customer
        .hold(&demo.fixture, &Places::Standing(1), None)
        .await?;
    let cart = cart.context("a place in the standing zone")?;
    let (order, secret) = customer.check_out(&cart).await?;
    let declined = declined(&secret);
    let (key, now) = (demo.world.scope.stripe.webhook_secret.clone(), clock::now());

    let reply = send_webhook(demo, &declined, None).await?;
    refusals.by_core(
        story,
        "a webhook without a signature",
        "400 invalid_webhook",
        &reply,
    );
    let forged = signature("whsec_somebody_elses", &declined, now);
    let reply = send_webhook(demo, &declined, Some(&forged)).await?;
    refusals.by_core(
        story,
        "a webhook with a forged signature",
        "400 invalid_webhook",
        &reply,
    );
    let old = signature(&key, &declined, now - TimeDelta::minutes(10));
    let reply = send_webhook(demo, &declined, Some(&old)).await?;
    refusals.by_core(
        story,
        "a webhook from ten minutes ago",
        "400 invalid_webhook",
        &reply,
    );
    let foreign = b"{\"id\": 7}".to_vec();
    let signed = signature(&key, &foreign, now);
    let reply = send_webhook(demo, &foreign, Some(&signed)).await?;
    story.expect(
        "a signed webhook that is not ours",
        200,
        reply.status.as_u16(),
    );
    let nonsense = b"{\"id\": 7".to_vec();
    let signed = signature(&key, &nonsense, now);
    let reply = send_webhook(demo, &nonsense, Some(&signed)).await?;
    refusals.by_core(
        story,
        "a signed webhook that is no JSON",
        "400 invalid_webhook",
        &reply,
    );

    let bought = customer.pay_order(&order, &secret, Card::Good).await?;
    let Outcome::Tickets(tickets) = bought else {
        anyhow::bail!("no ticket: {bought:?}");
    };
    story.expect("the order is still paid: tickets", 1, tickets.len());
    for what in ["a late \"declined\" webhook", "the same webhook again"] {
        let signed = signature(&key, &declined, clock::now());
        let reply = send_webhook(demo, &declined, Some(&signed)).await?;
        story.expect(what, 200, reply.status.as_u16());
    }
    let seen: Value = customer.api.get(&format!("/orders/{order}")).await?;
    story.expect(
        "the order's state does not change",
        "paid",
        text(&seen, "status")?,
    );
    demo.unused.extend(tickets);
    Ok(())
}

async fn send_webhook(demo: &Demo, event: &[u8], signature: Option<&str>) -> Result<Reply> {
    let signature = signature.map(|signature| ("stripe-signature", signature));
    let headers: Vec<_> = signature.into_iter().collect();
    let core = &demo.world.core.api;
    core.send_raw(Method::POST, "/webhooks/psp", &headers, event.to_vec())
        .await
}

/// A "card declined" event.
fn declined(client_secret: &str) -> Vec<u8> {
    let intent = client_secret.split("_secret").next().unwrap_or_default();
    let object = json!({
        "id": intent, "object": "payment_intent", "status": "requires_payment_method",
        "amount": 2900, "currency": "eur", "client_secret": client_secret, "metadata": {},
        "last_payment_error": { "code": "card_declined" },
    });
    let event = json!({
        "id": format!("evt_{}", clock::new_id().simple()), "object": "event",
        "type": "payment_intent.payment_failed", "data": { "object": object },
    });
    event.to_string().into_bytes()
}

/// `Stripe-Signature`, as the provider makes it.
fn signature(secret: &str, body: &[u8], at: DateTime<Utc>) -> String {
    let time = at.timestamp().to_string();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}
