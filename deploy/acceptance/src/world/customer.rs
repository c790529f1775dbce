//! A customer who buys online.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::{
    keys::{PrivateKey, Window},
    token::{Parsed, TicketSigner},
};
use eventify_stack::{Card, Oidc, Stripe, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::Fixture;
use crate::{
    api::{Api, Refused, refusal},
    wait,
};

/// The longest time that a saga takes, on a machine that is busy with other things.
const SAGA_LIMIT: Duration = Duration::from_secs(120);
/// No cart that is to expire soon needs longer than this to be filled.
const LONGEST_BRIEF_HOLD: u32 = 60;

/// What a customer wants to buy.
#[derive(Clone, Debug)]
pub enum Places {
    /// These seats, by label.
    Seats(Vec<String>),
    /// This number of places in the standing zone.
    Standing(u32),
}

/// How a purchase ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With tickets.
    Tickets(Vec<Ticket>),
    /// Another customer has the places.
    OutOfStock,
    /// The card was declined, and the customer gave the order up.
    Declined,
    /// The cart expired.
    Expired,
}

/// A customer's ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: String,
    /// Its order.
    pub order: String,
    /// Its seat, if it has one.
    pub seat: Option<String>,
    /// The content of its QR code.
    pub token: String,
    /// What is printed under it, and stands for it.
    pub short_code: String,
}

impl Ticket {
    /// Its claims, signed with another key.
    ///
    /// # Errors
    /// It is no ticket.
    pub fn forged(&self) -> Result<String> {
        let claims = *Parsed::read(&self.token)?.unverified_claims();
        let window = Window {
            not_before: 0,
            not_after: i64::from(u32::MAX),
        };
        let forger = TicketSigner::new(PrivateKey::from_seed(&[66; 32]), window);
        Ok(forger.sign(&claims)?.as_str().to_owned())
    }
}

/// A signed-in customer.
#[derive(Clone, Debug)]
pub struct Customer {
    pub api: Api,
    stripe: Stripe,
}

impl Customer {
    /// Signs in.
    ///
    /// # Errors
    /// The identity provider does not answer.
    pub async fn sign_in(name: &str, api: &Api, oidc: &Oidc, stripe: &Stripe) -> Result<Self> {
        let user = User::new(name)
            .role("CUSTOMER")
            .scope("reservation:write")
            .scope("order:write")
            .scope("catalog:read");
        let token = oidc.token(&user).await?;
        Ok(Self {
            api: api.signed_in(token),
            stripe: stripe.clone(),
        })
    }

    /// Holds places, confirms, pays, and waits for the tickets.
    ///
    /// # Errors
    /// Something that is not an [`Outcome`].
    pub async fn buy(&self, fixture: &Fixture, places: &Places, card: Card) -> Result<Outcome> {
        let Some(reservation) = self.hold(fixture, places, None).await? else {
            return Ok(Outcome::OutOfStock);
        };
        self.pay(&reservation, card).await
    }

    /// Puts places into a cart; `None` if they are out of stock.
    ///
    /// # Errors
    /// The core refuses for another reason than stock.
    pub async fn hold(
        &self,
        fixture: &Fixture,
        places: &Places,
        seconds: Option<u32>,
    ) -> Result<Option<String>> {
        let me: Value = self.api.get("/me").await?;
        let start = json!({ "customerId": me["userId"], "expiresInSeconds": seconds });
        let cart: Value = self.api.post("/reservations", start).await?;
        let id = text(&cart, "reservationId")?;
        let items = json!({ "performanceId": fixture.performance, "items": fixture.items(places) });
        let added: Result<Value> = self
            .api
            .post(&format!("/reservations/{id}/items"), items)
            .await;
        match added {
            Ok(_) => Ok(Some(id)),
            Err(error) if refusal(&error).is_some_and(|why| why.code == "out_of_stock") => {
                // An open cart counts: a customer has a few at most.
                let path = format!("/reservations/{id}");
                self.api.send(Method::DELETE, &path, None).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Holds places for these few seconds; where the cart ends before the places are in it, for longer.
    ///
    /// # Errors
    /// The core refuses for another reason.
    pub async fn hold_briefly(
        &self,
        fixture: &Fixture,
        places: &Places,
        mut seconds: u32,
    ) -> Result<Option<String>> {
        loop {
            let held = self.hold(fixture, places, Some(seconds)).await;
            let expired = |why: &Refused| why.code == "reservation_expired";
            match held {
                Err(error)
                    if refusal(&error).is_some_and(expired) && seconds < LONGEST_BRIEF_HOLD =>
                {
                    seconds *= 2;
                }
                held => return held,
            }
        }
    }

    /// Says who comes, so that staff find them by it.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn name_guest(&self, order: &str, name: &str) -> Result<()> {
        let path = format!("/orders/{order}/guest");
        let _: Value = self.api.put(&path, json!({ "name": name })).await?;
        Ok(())
    }

    /// Confirms a cart, pays by card, waits for the end of the saga.
    ///
    /// # Errors
    /// Something that is not an [`Outcome`].
    pub async fn pay(&self, reservation: &str, card: Card) -> Result<Outcome> {
        let (order, secret) = self.check_out(reservation).await?;
        self.pay_order(&order, &secret, card).await
    }

    /// Confirms a cart; returns the order and the payment's client secret.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn check_out(&self, reservation: &str) -> Result<(String, String)> {
        let order = self.order_from(reservation).await?;
        let intent: Value = self
            .api
            .post("/payments/intents", json!({ "orderId": order }))
            .await?;
        let secret = text(&intent, "clientSecret")?;
        Ok((order, secret))
    }

    /// Confirms a cart; returns the order.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn order_from(&self, reservation: &str) -> Result<String> {
        let confirm = format!("/reservations/{reservation}/confirm");
        let _: Value = self.api.post(&confirm, json!({})).await?;
        self.order_of(reservation).await
    }

    /// Pays an order by card and waits for the end of the saga.
    ///
    /// # Errors
    /// Something that is not an [`Outcome`].
    pub async fn pay_order(&self, order: &str, secret: &str, card: Card) -> Result<Outcome> {
        let mut payment = self.stripe.pay(secret, card).await?;
        if payment.needs_authentication() {
            let passes = card != Card::ThreeDSecureThenDeclined;
            payment = self.stripe.authenticate(secret, passes).await?;
        }
        if !payment.is_authorised() {
            // Another card could be tried; this customer has none.
            let path = format!("/orders/{order}/cancel");
            let _: Value = self.api.post(&path, json!({})).await?;
        }
        self.end_of(order).await
    }

    /// The tickets of an order.
    ///
    /// # Errors
    /// The core refuses.
    pub async fn tickets(&self, order: &str) -> Result<Vec<Ticket>> {
        let list: Value = self
            .api
            .get(&format!("/tickets?orderId={order}&size=100"))
            .await?;
        let items = list["items"].as_array().context("a list of tickets")?;
        let mut tickets = Vec::with_capacity(items.len());
        for item in items {
            let id = text(item, "ticketId")?;
            tickets.push(Ticket {
                token: String::from_utf8(
                    self.api
                        .get_bytes_as(&format!("/tickets/{id}/token"), "text/plain")
                        .await?,
                )?,
                order: order.to_owned(),
                seat: item["seatLabel"].as_str().map(ToOwned::to_owned),
                short_code: text(item, "shortCode")?,
                id,
            });
        }
        Ok(tickets)
    }

    /// `POST /orders` gives the order that the confirmation made, as soon as it is there.
    async fn order_of(&self, reservation: &str) -> Result<String> {
        wait::until("the order", SAGA_LIMIT, || async {
            let body = json!({ "reservationId": reservation });
            let placed: Result<Value> = self.api.post("/orders", body).await;
            match placed {
                Ok(order) => text(&order, "orderId").map(Some),
                Err(error) if refusal(&error).is_some_and(|why| why.status == 404) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn end_of(&self, order: &str) -> Result<Outcome> {
        wait::until("the end of the saga", SAGA_LIMIT, || async {
            let seen: Value = self.api.get(&format!("/orders/{order}")).await?;
            let items = seen["items"].as_array().map_or(0, |items| {
                items
                    .iter()
                    .map(|item| item["qty"].as_u64().unwrap_or(1))
                    .sum()
            });
            match seen["status"].as_str() {
                Some("cancelled") => Ok(Some(Outcome::Declined)),
                Some("paid") => {
                    let tickets = self.tickets(order).await?;
                    Ok((tickets.len() as u64 == items).then_some(Outcome::Tickets(tickets)))
                }
                Some(_) | None => Ok(None),
            }
        })
        .await
    }
}

/// A text member of a JSON object.
///
/// # Errors
/// It is not there.
pub fn text(value: &Value, member: &str) -> Result<String> {
    let found = value[member]
        .as_str()
        .with_context(|| format!("no '{member}' in {value}"))?;
    Ok(found.to_owned())
}
