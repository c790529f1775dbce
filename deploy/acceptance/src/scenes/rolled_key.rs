//! Scene 3, continued: somebody rolls the key of the payment provider while a customer pays.

use anyhow::{Context as _, Result, bail};
use eventify_stack::Card;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Demo, SOON};
use crate::{
    clock,
    story::Story,
    wait,
    world::{
        World,
        customer::{Customer, Outcome, Places, text},
    },
};

pub(super) async fn run(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.part("the payment key is rolled");
    let stripe = &demo.world.scope.stripe;
    let customer = demo
        .world
        .customer_named("customer-of-the-rolled-key")
        .await?;
    let cart = customer
        .hold(&demo.fixture, &Places::Standing(1), None)
        .await?;
    let cart = cart.context("the standing zone is sold out")?;
    stripe.roll_key(true).await?;
    let order = customer.order_from(&cart).await?;
    // Before order has reached payment, there is no answer to judge yet.
    let answer = wait::until("the order's payment", SOON, || async {
        let answer = ask_to_pay(&customer, &order).await?;
        let is_placed = answer.code() != "payment_not_found";
        Ok(is_placed.then_some(answer))
    })
    .await?;
    story.expect("the shop says", "503 unavailable", answer.refusal());
    let words = answer.body["error"]["message"].as_str().unwrap_or_default();
    let honest = words.contains("nothing was charged") && !words.contains("declined");
    story.holds("nobody is told that a card was declined", honest, words);
    let act = alarm(&demo.world).await?;
    story.holds(
        "an alarm says what to do",
        act.contains("payment.stripe.secret_key"),
        act,
    );

    stripe.roll_key(false).await?;
    let secret = wait::until("the payment intent", SOON, || async {
        let answer = ask_to_pay(&customer, &order).await?;
        match answer.status.as_u16() {
            201 => text(&answer.body, "clientSecret").map(Some),
            404 | 503 => Ok(None),
            _ => bail!("POST /payments/intents: {}", answer.refusal()),
        }
    })
    .await?;
    let outcome = customer.pay_order(&order, &secret, Card::Good).await?;
    let Outcome::Tickets(mut tickets) = outcome else {
        bail!("the order ended as {outcome:?}");
    };
    story.expect(
        "with the right key, the order is paid: tickets",
        1,
        tickets.len(),
    );
    demo.unused.append(&mut tickets);
    Ok(())
}

/// Asked once: the customer's page would ask again.
async fn ask_to_pay(customer: &Customer, order: &str) -> Result<crate::api::Reply> {
    let key = clock::new_id().to_string();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let body = json!({ "orderId": order }).to_string();
    let path = "/payments/intents";
    customer
        .api
        .send_raw(Method::POST, path, &headers, body)
        .await
}

/// What the alarm about the key says.
async fn alarm(world: &World) -> Result<String> {
    let admin = world.signed_in("admin-1", &["ADMIN"], &[]).await?;
    wait::until("the alarm", SOON, || async {
        let alarms: Value = admin.get("/fleet/alarms").await?;
        let mut alarms = alarms["items"].as_array().into_iter().flatten();
        let found = alarms.find(|alarm| alarm["code"] == "payment.key_rejected");
        found.map(|alarm| text(alarm, "act")).transpose()
    })
    .await
}
