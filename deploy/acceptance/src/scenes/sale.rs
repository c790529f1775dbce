//! Scene 3: 60 customers at the same time.

use std::collections::BTreeSet;

use anyhow::Result;
use eventify_stack::Card;
use futures_util::future::try_join_all;

use super::{Demo, SOON, rolled_key};
use crate::{
    clock::timed,
    story::Story,
    wait,
    world::{
        World,
        customer::{Outcome, Places, Ticket},
        fixture::{Fixture, PLACES, seat},
    },
};

/// All customers.
const CUSTOMERS: usize = 60;
/// Customers who want the contested seats, two for each seat.
const RIVALS: usize = 20;
const CONTESTED: usize = 10;
const DECLINED: usize = 3;
/// The lifetime of an abandoned cart.
const SHORT_HOLD_SECONDS: u32 = 2;

/// What a customer does.
enum Behaviour {
    Buys(Places, Card),
    Abandons(Places),
}

pub(super) async fn sell(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("3. 60 customers buy at the same time");
    let customers = (0..CUSTOMERS).map(|number| customer(&demo.world, &demo.fixture, number));
    let (outcomes, took) = timed(try_join_all(customers)).await;
    let outcomes = outcomes?;
    let count = |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
    let sold = |outcome: &Outcome| matches!(outcome, Outcome::Tickets(_));
    let rivals_with_tickets = outcomes[..RIVALS].iter().filter(|o| sold(o)).count();
    story.expect_in(
        "20 customers want the same 10 seats: tickets sold",
        CONTESTED,
        rivals_with_tickets,
        took,
    );
    story.expect(
        "and customers who came too late",
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
        "customers who let their cart expire",
        1,
        count(&|outcome| *outcome == Outcome::Expired),
    );

    let tickets: Vec<Ticket> = outcomes.into_iter().filter_map(bought).flatten().collect();
    unique(story, &tickets);
    freed(story, demo, tickets.len()).await?;
    demo.unused = tickets;
    rolled_key::run(story, demo).await
}

async fn customer(world: &World, fixture: &Fixture, number: usize) -> Result<Outcome> {
    let customer = world.customer(number).await?;
    match behaviour(number) {
        Behaviour::Buys(places, card) => customer.buy(fixture, &places, card).await,
        Behaviour::Abandons(places) => {
            customer
                .hold_briefly(fixture, &places, SHORT_HOLD_SECONDS)
                .await?;
            Ok(Outcome::Expired)
        }
    }
}

fn behaviour(number: usize) -> Behaviour {
    let one = |row: u8, number: usize| {
        Places::Seats(vec![seat(
            row,
            u32::try_from(number + 1).unwrap_or(u32::MAX),
        )])
    };
    match number {
        0..20 => Behaviour::Buys(one(0, number % CONTESTED), Card::Good),
        20..23 => Behaviour::Buys(one(1, number - RIVALS), Card::Declined),
        23 => Behaviour::Buys(one(1, number - RIVALS), Card::ThreeDSecure),
        24 => Behaviour::Abandons(one(1, number - RIVALS)),
        25..45 => Behaviour::Buys(one(2, number - 25), Card::Good),
        _ => Behaviour::Buys(Places::Standing(2), Card::Good),
    }
}

fn bought(outcome: Outcome) -> Option<Vec<Ticket>> {
    match outcome {
        Outcome::Tickets(tickets) => Some(tickets),
        Outcome::OutOfStock | Outcome::Declined | Outcome::Expired => None,
    }
}

/// No seat, ticket or token twice.
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

/// Declined and abandoned places are on sale again, and can be held.
async fn freed(story: &mut Story, demo: &Demo, sold: usize) -> Result<()> {
    let expected = PLACES - u64::try_from(sold)?;
    let remaining = wait::until("the seats to be free again", SOON, || async {
        let remaining = demo.fixture.availability(&demo.world.core.api).await?;
        Ok((remaining == expected).then_some(remaining))
    });
    story.expect(
        "places left = all places − tickets",
        expected,
        remaining.await?,
    );
    let again = [1, 2, 3, 5].map(|number| seat(1, number)).to_vec();
    let customer = demo.world.customer(CUSTOMERS).await?;
    let held = customer
        .hold_briefly(&demo.fixture, &Places::Seats(again), SHORT_HOLD_SECONDS)
        .await?;
    story.holds(
        "seats of declined and expired carts can be held again",
        held.is_some(),
        held.as_deref().unwrap_or("out of stock"),
    );
    Ok(())
}
