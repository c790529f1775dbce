//! Scene 5: scans while the core decides.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use eventify_protocol::{
    keys::{PrivateKey, Window},
    token::{Parsed, TicketSigner},
    verdict::Verdict,
};
use eventify_stack::Card;
use serde_json::{Value, json};

use super::Play;
use crate::{
    clock::{self, timed},
    story::Story,
    wait,
    world::customer::{Outcome, Ticket, Wish, text},
};

pub(super) async fn scan(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("5. Online: the core decides");
    let ticket = play.next_ticket()?;
    let (first, took) = timed(play.gates[0].scanner.scan(&ticket.token)).await;
    story.expect_in("a good ticket", "Admit", first?.verdict.name(), took);

    let (second, took) = timed(play.gates[1].scanner.scan(&ticket.token)).await;
    let second = second?;
    story.expect_in(
        "the same at the other gate",
        "AlreadyUsed",
        second.verdict.name(),
        took,
    );
    let first_gate = if let Verdict::AlreadyUsed { first } = second.verdict {
        let is_it = first.gate.to_string() == play.gates[0].id;
        second.first_gate_name.filter(|_| is_it)
    } else {
        None
    };
    story.expect(
        "and it names the first gate",
        play.gates[0].name,
        first_gate.unwrap_or_default(),
    );

    let token = forged(&play.next_ticket()?)?;
    let answer = play.gates[0].scanner.scan(&token).await?;
    story.expect("a forged token", "Forged", answer.verdict.name());
    let answer = play.gates[0].scanner.scan("EV1:NOT A TICKET").await?;
    story.expect("a token of nonsense", "Unreadable", answer.verdict.name());

    let elsewhere = for_another_performance(play).await?;
    let answer = play.gates[0].scanner.scan(&elsewhere.token).await?;
    story.expect(
        "a ticket for another performance",
        "NotValidHere",
        answer.verdict.name(),
    );

    let refunded = refunded(play).await?;
    let answer = play.gates[0].scanner.scan(&refunded.token).await?;
    story.expect("a refunded ticket", "Revoked", answer.verdict.name());
    Ok(())
}

/// The claims of a true ticket, signed by a key that is not ours.
fn forged(ticket: &Ticket) -> Result<String> {
    let claims = *Parsed::read(&ticket.token)?.unverified_claims();
    let window = Window {
        not_before: 0,
        not_after: i64::from(u32::MAX),
    };
    let forger = TicketSigner::new(PrivateKey::from_seed(&[66; 32]), window);
    Ok(forger.sign(&claims)?.as_str().to_owned())
}

async fn for_another_performance(play: &Play) -> Result<Ticket> {
    let organiser = play.world.organiser().await?;
    let other = play
        .stage
        .another(&organiser, clock::now() + TimeDelta::days(2))
        .await?;
    other.on_sale(&play.world.core.api).await?;
    let customer = play.world.customer(200).await?;
    one_ticket(customer.buy(&other, &Wish::Standing(1), Card::Good).await?)
}

/// Bought, then given back: the organiser refunds it.
async fn refunded(play: &Play) -> Result<Ticket> {
    let customer = play.world.customer(201).await?;
    let ticket = one_ticket(
        customer
            .buy(&play.stage, &Wish::Standing(1), Card::Good)
            .await?,
    )?;
    let order: Value = customer
        .api
        .get(&format!("/orders/{}", ticket.order))
        .await?;
    let organiser = play.world.organiser().await?;
    let refunds = format!("/payments/{}/refunds", text(&order, "paymentId")?);
    let refund = json!({ "ticketIds": [ticket.id], "reason": "force_majeure" });
    let _: Value = organiser.post(&refunds, refund).await?;
    wait::until("the ticket to be revoked", super::SOON, || async {
        let seen: Value = customer.api.get(&format!("/tickets/{}", ticket.id)).await?;
        Ok((seen["status"] == "revoked").then_some(()))
    })
    .await?;
    Ok(ticket)
}

fn one_ticket(outcome: Outcome) -> Result<Ticket> {
    match outcome {
        Outcome::Tickets(tickets) => tickets
            .into_iter()
            .next()
            .context("an order without tickets"),
        Outcome::OutOfStock | Outcome::Declined | Outcome::LeftToExpire => {
            anyhow::bail!("no ticket: {outcome:?}")
        }
    }
}
