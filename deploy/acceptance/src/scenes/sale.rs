//! Scene 3: 60 customers at the same time.

use std::collections::BTreeSet;

use anyhow::Result;
use eventify_stack::Card;
use futures_util::future::try_join_all;

use super::{Play, SOON};
use crate::{
    clock::timed,
    story::Story,
    wait,
    world::{
        World,
        customer::{Outcome, Ticket, Wish},
        stage::{PLACES, Stage, seat},
    },
};

/// Customers in all.
const CUSTOMERS: usize = 60;
/// Those who want the same seats, two of them each seat.
const RIVALS: usize = 20;
const CONTESTED: usize = 10;
const DECLINED: usize = 3;
/// A cart that its customer leaves lives as long as this.
const SHORT_HOLD_SECONDS: u32 = 2;

/// What a customer of this number does.
enum Part {
    Buys(Wish, Card),
    Leaves(Wish),
}

pub(super) async fn sell(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("3. 60 customers buy at the same time");
    let parts = (0..CUSTOMERS).map(|number| act(&play.world, &play.stage, number));
    let (outcomes, took) = timed(try_join_all(parts)).await;
    let outcomes = outcomes?;
    let count = |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
    let sold = |outcome: &Outcome| matches!(outcome, Outcome::Tickets(_));
    let rivals_with_tickets = outcomes[..RIVALS].iter().filter(|o| sold(o)).count();
    story.expect_in(
        "20 customers want the same 10 seats: tickets",
        CONTESTED,
        rivals_with_tickets,
        took,
    );
    story.expect(
        "and customers who were too late",
        RIVALS - CONTESTED,
        count(&|outcome| *outcome == Outcome::OutOfStock),
    );
    story.expect(
        "cards declined",
        DECLINED,
        count(&|outcome| *outcome == Outcome::Declined),
    );
    let secure = sold(&outcomes[RIVALS + DECLINED]);
    story.expect("the customer with 3-D Secure has a ticket", true, secure);
    story.expect(
        "customers who let their hold expire",
        1,
        count(&|outcome| *outcome == Outcome::LeftToExpire),
    );

    let tickets: Vec<Ticket> = outcomes.into_iter().filter_map(bought).flatten().collect();
    unique(story, &tickets);
    freed(story, play, tickets.len()).await?;
    play.unused = tickets;
    Ok(())
}

async fn act(world: &World, stage: &Stage, number: usize) -> Result<Outcome> {
    let customer = world.customer(number).await?;
    match part(number) {
        Part::Buys(wish, card) => customer.buy(stage, &wish, card).await,
        Part::Leaves(wish) => {
            customer
                .hold(stage, &wish, Some(SHORT_HOLD_SECONDS))
                .await?;
            Ok(Outcome::LeftToExpire)
        }
    }
}

fn part(number: usize) -> Part {
    let one = |row: u8, number: usize| {
        Wish::Seats(vec![seat(
            row,
            u32::try_from(number + 1).unwrap_or(u32::MAX),
        )])
    };
    match number {
        0..20 => Part::Buys(one(0, number % CONTESTED), Card::Good),
        20..23 => Part::Buys(one(1, number - RIVALS), Card::Declined),
        23 => Part::Buys(one(1, number - RIVALS), Card::ThreeDSecure),
        24 => Part::Leaves(one(1, number - RIVALS)),
        25..45 => Part::Buys(one(2, number - 25), Card::Good),
        _ => Part::Buys(Wish::Standing(2), Card::Good),
    }
}

fn bought(outcome: Outcome) -> Option<Vec<Ticket>> {
    match outcome {
        Outcome::Tickets(tickets) => Some(tickets),
        Outcome::OutOfStock | Outcome::Declined | Outcome::LeftToExpire => None,
    }
}

/// Nothing twice: no seat, no ticket, no token.
fn unique(story: &mut Story, tickets: &[Ticket]) {
    let seats: Vec<_> = tickets
        .iter()
        .filter_map(|ticket| ticket.seat.as_ref())
        .collect();
    let different: BTreeSet<_> = seats.iter().collect();
    story.expect("seats sold, each once", seats.len(), different.len());
    let ids: BTreeSet<_> = tickets.iter().map(|ticket| &ticket.id).collect();
    let tokens: BTreeSet<_> = tickets.iter().map(|ticket| &ticket.token).collect();
    story.expect("tickets, each once", tickets.len(), ids.len());
    story.expect("tokens, each once", tickets.len(), tokens.len());
}

/// What was declined or left is free again: the catalogue says so, and it can be held.
async fn freed(story: &mut Story, play: &Play, sold: usize) -> Result<()> {
    let expected = PLACES - u64::try_from(sold)?;
    let remaining = wait::until("the seats to be free again", SOON, || async {
        let remaining = play.stage.availability(&play.world.core.api).await?;
        Ok((remaining == expected).then_some(remaining))
    });
    story.expect("places left = places − tickets", expected, remaining.await?);
    let again = [1, 2, 3, 5].map(|number| seat(1, number)).to_vec();
    let customer = play.world.customer(CUSTOMERS).await?;
    let held = customer
        .hold(&play.stage, &Wish::Seats(again), Some(SHORT_HOLD_SECONDS))
        .await?;
    story.holds(
        "declined and expired seats can be held again",
        held.is_some(),
        held.as_deref().unwrap_or("out of stock"),
    );
    Ok(())
}
