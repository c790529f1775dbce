//! C13: the broker blocks whoever publishes, while everything looks connected: its memory alarm.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use eventify_acceptance::{
    clock, wait,
    world::{
        Gate, World,
        claim::Claim,
        customer::{Outcome, Places, Ticket},
        venue_it::VenueIt,
    },
};
use eventify_protocol::{
    lan::ScanAnswer,
    verdict::{DecidedBy, Mode},
};
use eventify_stack::{Card, Options, Stack};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

/// A gate without the core's answers says so within a few seconds; the command that asks it takes one.
const LEAVES_ONLINE: Duration = Duration::from_secs(15);
/// A row is overdue after a minute, which is looked at every quarter of one.
const NOTICED: Duration = Duration::from_secs(180);
/// All is well again, on a machine that is busy with other things.
const RECOVERS: Duration = Duration::from_secs(120);

/// A gate decides alone for so long: long enough for the scans before, and no longer than the test needs.
const CACHE_AGE: Duration = Duration::from_secs(75);

/// `reservation.pay_seconds`
const PAY_SECONDS: f64 = 900.0;

const BLOCKED: &str = "bus.blocked";
const STANDING: &str = "bus.outbox_standing";

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_no_messages_delays_and_loses_nothing() {
    crate::install_tls();
    let _alone = crate::ONE_WORLD.lock().await;
    // One of its own: the alarm is for all who use the broker.
    let stack = Stack::start(Options::default()).await.expect("the servers");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("blocked");
    let claim = Claim::take(&folder).expect("the folder is free");
    evening(&stack, claim).await.expect("the evening");
}

async fn evening(stack: &Stack, claim: Claim) -> Result<()> {
    let world = World::start_on(stack, claim, &[]).await?;
    let fixture = world.fixture().await?;
    fixture.wait_until_on_sale(&world.core.api).await?;
    let venue_it = world.venue_it(&fixture).await?;
    let limit = u64::try_from(CACHE_AGE.as_millis())?;
    venue_it.allow_degraded(limit).await?;
    let gate = world.gate(&fixture, 1, "North gate", CACHE_AGE).await?;
    let customer = world.customer(1).await?;
    let bought = customer.buy(&fixture, &Places::Standing(3), Card::Good);
    let tickets = tickets(bought.await?)?;
    gate.edge.catch_up(RECOVERS).await?;
    admits(&gate, &tickets[0], DecidedBy::Core).await?;

    block(stack, true).await?;
    let begun = clock::instant();
    gate.edge
        .wait_for_mode(Mode::Degraded, LEAVES_ONLINE)
        .await?;
    let left_after = begun.elapsed();
    ensure!(left_after < LEAVES_ONLINE, "it left after {left_after:?}");
    admits(&gate, &tickets[1], DecidedBy::Edge).await?;
    let again = gate.scanner.scan(&tickets[0].token).await?;
    ensure!(again.verdict.name() == "AlreadyUsed", "{again:?}");

    // A customer buys all the same; the order is made when the broker takes the event.
    let cart = customer.hold(&fixture, &Places::Standing(2), None).await?;
    let cart = cart.context("the standing zone is sold out")?;
    let confirm = format!("/reservations/{cart}/confirm");
    let _: Value = customer.api.post(&confirm, json!({})).await?;
    let mut db = PgConnection::connect(world.database_url()).await?;
    let waits: i64 = sqlx::query_scalar(
        "select count(*) from reservation.outbox
         where kind = 'reservation.confirmed' and published_at is null",
    )
    .fetch_one(&mut db)
    .await?;
    ensure!(waits == 1, "{waits} confirmed carts wait");
    both_alarms_stand(&world, &venue_it).await?;
    gate.edge.wait_for_mode(Mode::Locked, NOTICED).await?;

    block(stack, false).await?;
    gate.edge.wait_for_mode(Mode::Online, RECOVERS).await?;
    let (order, secret) = customer.check_out(&cart).await?;
    // The time to pay begins when there is something to pay, not when the cart was confirmed.
    let to_pay: f64 = sqlx::query_scalar(
        "select extract(epoch from pay_until - created_at)::float8 from \"order\".orders where order_id = $1",
    )
    .bind(order.parse::<Uuid>()?)
    .fetch_one(&mut db)
    .await?;
    ensure!(to_pay >= PAY_SECONDS, "{to_pay} s to pay");
    let paid = customer.pay_order(&order, &secret, Card::Good).await?;
    let later = self::tickets(paid)?;
    ensure!(later.len() == 2, "{} tickets", later.len());
    for code in [BLOCKED, STANDING] {
        wait::until("the end of the alarms", RECOVERS, || async {
            Ok((!is_standing(&venue_it, code).await?).then_some(()))
        })
        .await?;
    }
    nothing_twice(&mut db, &gate).await?;
    for ticket in [&tickets[2], &later[0], &later[1]] {
        gate.edge.catch_up(RECOVERS).await?;
        admits(&gate, ticket, DecidedBy::Core).await?;
    }
    let again = gate.scanner.scan(&tickets[1].token).await?;
    ensure!(again.verdict.name() == "AlreadyUsed", "{again:?}");
    let report = venue_it.reconciliation().await?;
    let doubles = report["doubleEntries"].as_array().context("a report")?;
    ensure!(doubles.is_empty(), "{doubles:?}");
    world.core.stop().await
}

/// Whoever watches the shop is told before anything is overdue.
async fn both_alarms_stand(world: &World, venue_it: &VenueIt) -> Result<()> {
    wait::until("the alarm of the broker", NOTICED, || async {
        Ok(is_standing(venue_it, BLOCKED).await?.then_some(()))
    })
    .await?;
    let sales = &world.core.api;
    let sales = sales
        .send_raw(Method::GET, "/health/sales", &[], "")
        .await?;
    let said = sales.body["error"]["message"].as_str().unwrap_or_default();
    ensure!(sales.status == 503 && said.contains(BLOCKED), "{sales:?}");
    wait::until("the alarm of what waits", NOTICED, || async {
        Ok(is_standing(venue_it, STANDING).await?.then_some(()))
    })
    .await
}

async fn is_standing(venue_it: &VenueIt, code: &str) -> Result<bool> {
    let alarms = venue_it.alarms().await?;
    let alarms = alarms["items"].as_array().context("alarms")?;
    Ok(alarms.iter().any(|alarm| alarm["code"] == code))
}

/// Sets the broker's memory alarm, or ends it.
async fn block(stack: &Stack, is_blocked: bool) -> Result<()> {
    let share = if is_blocked { "0" } else { "0.4" };
    let arguments = ["set_vm_memory_high_watermark", share];
    stack.rabbitmqctl(&arguments).await.context("the alarm")
}

async fn admits(gate: &Gate, ticket: &Ticket, by: DecidedBy) -> Result<()> {
    let answer: ScanAnswer = gate.scanner.scan(&ticket.token).await?;
    let is_so = answer.verdict.name() == "Admit" && answer.decided_by == by;
    ensure!(is_so, "{answer:?}");
    Ok(())
}

fn tickets(bought: Outcome) -> Result<Vec<Ticket>> {
    match bought {
        Outcome::Tickets(tickets) => Ok(tickets),
        other @ (Outcome::OutOfStock | Outcome::Declined | Outcome::Expired) => {
            anyhow::bail!("{other:?}")
        }
    }
}

/// One order and one payment for each cart, five tickets, and what the gate decided alone is known once.
async fn nothing_twice(db: &mut PgConnection, gate: &Gate) -> Result<()> {
    let acknowledged =
        |status: &eventify_protocol::lan::NodeStatus| status.journal.unacknowledged == 0;
    gate.edge
        .wait_until("its journal to be acknowledged", RECOVERS, acknowledged)
        .await?;
    let counts: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from \"order\".orders), (select count(*) from payment.payments),
             (select count(*) from ticketing.tickets)",
    )
    .fetch_one(db)
    .await?;
    ensure!(counts == (2, 2, 5), "orders, payments, tickets: {counts:?}");
    Ok(())
}
