//! Scene 4: tickets reach the venue.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use eventify_stack::Card;
use serde_json::Value;

use super::{Play, SOON};
use crate::{
    clock,
    story::{Story, percentile},
    wait,
    world::customer::{Outcome, Wish, text},
};

/// Purchases that are measured one by one.
const MEASURED: usize = 20;

pub(super) async fn deliver(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("4. Tickets reach both nodes");
    let issued = play.unused.len();
    for gate in &play.gates {
        let what = format!("{issued} tickets at {}", gate.edge.label);
        let all = |tickets: u64| usize::try_from(tickets).is_ok_and(|held| held >= issued);
        let status = gate
            .edge
            .becomes(&what, SOON, |status| all(status.replica.tickets))
            .await?;
        story.expect(
            &format!("tickets at {}", gate.edge.label),
            issued,
            status.replica.tickets,
        );
    }
    let mut delays = Vec::new();
    for number in 0..MEASURED {
        delays.extend(one_more(play, 100 + number).await?);
    }
    let (median, tail) = (percentile(delays.clone(), 0.5), percentile(delays, 0.99));
    story.figure(
        "commit → applied, both nodes, p50",
        format!("{median:.1} ms"),
    );
    story.figure("commit → applied, both nodes, p99", format!("{tail:.1} ms"));
    evidence(play).await
}

/// Buys one ticket and sees how long after its commit each node holds it.
async fn one_more(play: &mut Play, number: usize) -> Result<[Duration; 2]> {
    let before = play.unused.len();
    let customer = play.world.customer(number).await?;
    let (purchase, applied) = tokio::join!(
        customer.buy(&play.stage, &Wish::Standing(1), Card::Good),
        async { tokio::join!(holds(play, 0, before + 1), holds(play, 1, before + 1)) },
    );
    let Outcome::Tickets(tickets) = purchase? else {
        anyhow::bail!("customer {number} got no ticket");
    };
    let ticket = tickets.first().context("an order without tickets")?;
    let seen: Value = customer.api.get(&format!("/tickets/{}", ticket.id)).await?;
    let issued: DateTime<Utc> = text(&seen, "createdAt")?.parse()?;
    play.unused.extend(tickets);
    let since = |at: DateTime<Utc>| (at - issued).to_std().unwrap_or_default();
    Ok([since(applied.0?), since(applied.1?)])
}

/// When a node was first seen with so many tickets.
async fn holds(play: &Play, gate: usize, tickets: usize) -> Result<DateTime<Utc>> {
    let scanner = &play.gates[gate].scanner;
    wait::until("the ticket at the node", SOON, || async {
        let held = scanner.status().await?.replica.tickets;
        Ok(usize::try_from(held)
            .is_ok_and(|held| held >= tickets)
            .then(clock::now))
    })
    .await
}

/// What a verifier needs: a ticket as picture and text, and the keys.
async fn evidence(play: &Play) -> Result<()> {
    let folder = &play.world.folder;
    let ticket = play.unused.last().context("a ticket")?;
    let owner = play.world.customer(100 + MEASURED - 1).await?;
    let picture = owner
        .api
        .get_bytes(&format!("/tickets/{}/qr.png", ticket.id))
        .await?;
    std::fs::write(folder.join("ticket-1.png"), picture)?;
    std::fs::write(folder.join("ticket-1.token"), &ticket.token)?;
    let keys = "/.well-known/eventify/keys";
    let anybody = &play.world.core.api;
    let cose = anybody
        .get_bytes_as(keys, "application/cose-key-set+cbor")
        .await?;
    std::fs::write(folder.join("keys.cose"), cose)?;
    let jwks = anybody.get_bytes_as(keys, "application/json").await?;
    std::fs::write(folder.join("jwks.json"), jwks)?;
    Ok(())
}
