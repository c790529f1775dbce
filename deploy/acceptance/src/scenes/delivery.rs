//! Scene 4: tickets reach the nodes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use eventify_stack::Card;
use serde_json::Value;

use super::{Demo, SOON};
use crate::{
    clock,
    story::{Story, percentile},
    wait,
    world::customer::{Outcome, Places, text},
};

/// Purchases with a measured delivery.
const MEASURED: usize = 20;

pub(super) async fn deliver(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("4. Tickets reach both nodes");
    let issued = demo.unused.len();
    for gate in &demo.gates {
        let what = format!("{issued} tickets at {}", gate.edge.label);
        let all = |tickets: u64| usize::try_from(tickets).is_ok_and(|held| held >= issued);
        let status = gate
            .edge
            .wait_until(&what, SOON, |status| all(status.replica.tickets))
            .await?;
        story.expect(
            &format!("tickets at {}", gate.edge.label),
            issued,
            status.replica.tickets,
        );
    }
    let mut delays = Vec::new();
    for number in 0..MEASURED {
        delays.extend(delivery_times(demo, 100 + number).await?);
    }
    let (median, tail) = (percentile(delays.clone(), 0.5), percentile(delays, 0.99));
    story.figure(
        "from ticket commit to both nodes, p50",
        format!("{median:.1} ms"),
    );
    story.figure(
        "from ticket commit to both nodes, p99",
        format!("{tail:.1} ms"),
    );
    save_evidence(demo).await
}

/// Buys one ticket and measures how long after its commit each node has it.
async fn delivery_times(demo: &mut Demo, number: usize) -> Result<[Duration; 2]> {
    let before = demo.unused.len();
    let customer = demo.world.customer(number).await?;
    let (purchase, applied) = tokio::join!(
        customer.buy(&demo.fixture, &Places::Standing(1), Card::Good),
        async {
            tokio::join!(
                has_tickets(demo, 0, before + 1),
                has_tickets(demo, 1, before + 1)
            )
        },
    );
    let Outcome::Tickets(tickets) = purchase? else {
        anyhow::bail!("customer {number} got no ticket");
    };
    let ticket = tickets.first().context("an order without tickets")?;
    let seen: Value = customer.api.get(&format!("/tickets/{}", ticket.id)).await?;
    let issued: DateTime<Utc> = text(&seen, "createdAt")?.parse()?;
    demo.unused.extend(tickets);
    let since = |at: DateTime<Utc>| (at - issued).to_std().unwrap_or_default();
    Ok([since(applied.0?), since(applied.1?)])
}

/// The time at which a node has this number of tickets.
async fn has_tickets(demo: &Demo, gate: usize, tickets: usize) -> Result<DateTime<Utc>> {
    let scanner = &demo.gates[gate].scanner;
    wait::until("the ticket at the node", SOON, || async {
        let held = scanner.status().await?.replica.tickets;
        Ok(usize::try_from(held)
            .is_ok_and(|held| held >= tickets)
            .then(clock::now))
    })
    .await
}

/// For a verifier of tickets: one as picture and text, and the public keys.
async fn save_evidence(demo: &Demo) -> Result<()> {
    let folder = &demo.world.folder;
    let ticket = demo.unused.last().context("a ticket")?;
    let owner = demo.world.customer(100 + MEASURED - 1).await?;
    let picture = owner
        .api
        .get_bytes(&format!("/tickets/{}/qr.png", ticket.id))
        .await?;
    std::fs::write(folder.join("ticket-1.png"), picture)?;
    std::fs::write(folder.join("ticket-1.token"), &ticket.token)?;
    let keys = "/.well-known/eventify/keys";
    let api = &demo.world.core.api;
    let cose = api
        .get_bytes_as(keys, "application/cose-key-set+cbor")
        .await?;
    std::fs::write(folder.join("keys.cose"), cose)?;
    let jwks = api.get_bytes_as(keys, "application/json").await?;
    std::fs::write(folder.join("jwks.json"), jwks)?;
    Ok(())
}
