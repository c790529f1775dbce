//! Orders and the catalogue, at 200 requests a second each.

use anyhow::{Result, bail, ensure};
use eventify_stack::Card;
use serde_json::json;

use crate::{
    bench::{
        budget::{Budget, Measurement, Unit},
        load::{Driven, Pace, drive},
        site::Site,
        wire::{self, Response},
    },
    clock,
    world::customer::{Outcome, Places},
};

const MAX_ORDERS_P95_MS: f64 = 30.0;
const MAX_CATALOGUE_P95_MS: f64 = 10.0;
const PER_SECOND: u32 = 200;
const REQUESTS: usize = 1_000;
const CONNECTIONS: usize = 32;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let orders = orders(site).await?;
    let orders = paced(site, orders).await?;
    let catalogue = catalogue(site);
    let catalogue = paced(site, catalogue).await?;
    site.settle().await?;
    let line = |what: &str, bound, driven: &Driven<()>, how: &str| Measurement {
        what: what.to_owned(),
        budget: Budget::AtMost { bound },
        measured: driven.latency_ms(0.95),
        unit: Unit::Milliseconds,
        note: format!("open loop at {PER_SECOND}/s, {how}: {}", driven.spread()),
    };
    Ok(vec![
        line(
            "POST /orders, p95",
            MAX_ORDERS_P95_MS,
            &orders,
            "each with a new idempotency key, for a confirmed reservation",
        ),
        line(
            "GET /catalog/**, p95",
            MAX_CATALOGUE_P95_MS,
            &catalogue,
            "event, search and availability in turn",
        ),
    ])
}

async fn paced(site: &Site, requests: Vec<Vec<u8>>) -> Result<Driven<()>> {
    let mut connections = site.core_connections(CONNECTIONS).await?;
    drive(
        &mut connections,
        requests,
        Pace::PerSecond(PER_SECOND),
        good,
    )
    .await
}

/// Each response is the reservation's one order: `POST /orders` makes no second one.
async fn orders(site: &Site) -> Result<Vec<Vec<u8>>> {
    let name = "customer-of-orders";
    let scopes = ["reservation:write", "order:write"];
    let token = site.world.token(name, &["CUSTOMER"], &scopes).await?;
    let customer = site.world.customer_named(name).await?;
    let Some(cart) = customer
        .hold(&site.fixture, &Places::Standing(1), None)
        .await?
    else {
        bail!("the zone is sold out");
    };
    let outcome = customer.pay(&cart, Card::Good).await?;
    ensure!(
        matches!(outcome, Outcome::Tickets(_)),
        "a purchase failed: {outcome:?}"
    );
    let body = json!({ "reservationId": cart }).to_string();
    let order = |_| {
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("idempotency-key", clock::new_id().to_string()),
        ];
        wire::request("POST", "/orders", &headers, body.as_bytes())
    };
    Ok((0..REQUESTS).map(order).collect())
}

fn catalogue(site: &Site) -> Vec<Vec<u8>> {
    let paths = [
        format!("/catalog/events/{}", site.fixture.event),
        "/catalog/events?query=nuit".to_owned(),
        format!(
            "/catalog/performances/{}/availability",
            site.fixture.performance
        ),
    ];
    let get = |number: usize| wire::request("GET", &paths[number % paths.len()], &[], b"");
    (0..REQUESTS).map(get).collect()
}

fn good(answer: &Response) -> Result<()> {
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(
        (200..300).contains(&answer.status),
        "{}: {body}",
        answer.status
    );
    Ok(())
}
