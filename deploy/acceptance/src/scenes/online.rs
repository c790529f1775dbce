//! Scene 5: scans that the core decides.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use eventify_protocol::verdict::Verdict;
use eventify_stack::Card;
use serde_json::{Value, json};

use super::Demo;
use crate::{
    clock::{self, timed},
    story::Story,
    wait,
    world::customer::{Customer, Outcome, Places, Ticket, text},
};

pub(super) async fn scan(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("5. Online: the core decides");
    let ticket = demo.next_ticket()?;
    let (first, took) = timed(demo.gates[0].scanner.scan(&ticket.token)).await;
    story.expect_in("a valid ticket", "Admit", first?.verdict.name(), took);

    let (second, took) = timed(demo.gates[1].scanner.scan(&ticket.token)).await;
    let second = second?;
    story.expect_in(
        "the same ticket at the other gate",
        "AlreadyUsed",
        second.verdict.name(),
        took,
    );
    let first_gate = if let Verdict::AlreadyUsed { first } = second.verdict {
        let is_it = first.gate.to_string() == demo.gates[0].id;
        second.first_gate_name.filter(|_| is_it)
    } else {
        None
    };
    story.expect(
        "with the name of the first gate",
        demo.gates[0].name,
        first_gate.unwrap_or_default(),
    );

    by_short_code(story, demo).await?;

    let token = demo.next_ticket()?.forged()?;
    let answer = demo.gates[0].scanner.scan(&token).await?;
    story.expect("a forged token", "Forged", answer.verdict.name());
    let answer = demo.gates[0].scanner.scan("EV1:NOT A TICKET").await?;
    story.expect(
        "a token that is not a ticket",
        "Unreadable",
        answer.verdict.name(),
    );

    let elsewhere = for_another_performance(demo).await?;
    let answer = demo.gates[0].scanner.scan(&elsewhere.token).await?;
    story.expect(
        "a ticket for another performance",
        "NotValidHere",
        answer.verdict.name(),
    );

    let refunded = refunded(demo).await?;
    let answer = demo.gates[0].scanner.scan(&refunded.token).await?;
    story.expect("a refunded ticket", "Revoked", answer.verdict.name());
    Ok(())
}

/// A wet or broken screen: the guest reads the code out, and a steward types it.
async fn by_short_code(story: &mut Story, demo: &mut Demo) -> Result<()> {
    let ticket = demo.next_ticket()?;
    let typed = ticket.short_code.to_lowercase().replace('-', " ");
    let (answer, took) = timed(demo.gates[0].scanner.scan(&typed)).await;
    let answer = answer?;
    story.expect_in("a typed short code", "Admit", answer.verdict.name(), took);
    let place = answer.ticket.and_then(|shown| shown.place);
    let is_named = place.is_some();
    let place = place.unwrap_or_default();
    story.holds("the steward sees where the guest sits", is_named, place);
    let answer = demo.gates[1].scanner.scan(&ticket.token).await?;
    let verdict = answer.verdict.name();
    story.expect("its QR code at the other gate", "AlreadyUsed", verdict);
    Ok(())
}

async fn for_another_performance(demo: &Demo) -> Result<Ticket> {
    let organiser = demo.world.organiser().await?;
    let other = demo
        .fixture
        .another_performance(&organiser, clock::now() + TimeDelta::days(2))
        .await?;
    other.wait_until_on_sale(&demo.world.core.api).await?;
    let customer = demo.world.customer(200).await?;
    one_ticket(
        customer
            .buy(&other, &Places::Standing(1), Card::Good)
            .await?,
    )
}

/// A ticket that was bought and then refunded by the organiser.
async fn refunded(demo: &Demo) -> Result<Ticket> {
    let customer = demo.world.customer(201).await?;
    let ticket = one_ticket(
        customer
            .buy(&demo.fixture, &Places::Standing(1), Card::Good)
            .await?,
    )?;
    pay_back(demo, &customer, &ticket).await?;
    wait::until("the ticket to be revoked", super::SOON, || async {
        let seen: Value = customer.api.get(&format!("/tickets/{}", ticket.id)).await?;
        Ok((seen["status"] == "revoked").then_some(()))
    })
    .await?;
    Ok(ticket)
}

/// The organiser asks that a customer gets the money back.
pub(super) async fn pay_back(demo: &Demo, customer: &Customer, ticket: &Ticket) -> Result<()> {
    let order: Value = customer
        .api
        .get(&format!("/orders/{}", ticket.order))
        .await?;
    let organiser = demo.world.organiser().await?;
    let refunds = format!("/payments/{}/refunds", text(&order, "paymentId")?);
    let refund = json!({ "ticketIds": [ticket.id], "reason": "force_majeure" });
    let _: Value = organiser.post(&refunds, refund).await?;
    Ok(())
}

pub(super) fn one_ticket(outcome: Outcome) -> Result<Ticket> {
    match outcome {
        Outcome::Tickets(tickets) => tickets
            .into_iter()
            .next()
            .context("an order without tickets"),
        Outcome::OutOfStock | Outcome::Declined | Outcome::Expired => {
            anyhow::bail!("no ticket: {outcome:?}")
        }
    }
}
