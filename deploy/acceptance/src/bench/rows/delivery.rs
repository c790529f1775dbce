//! Purchases by card: the time of the saga, and a ticket's time from the core to the node.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::{ids::TicketId, lan::NodeStatus, sync::Subject};
use eventify_stack::Card;
use reqwest::Method;
use tokio::{
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    bench::{
        budget::{Budget, Measurement, Unit},
        seed,
        site::{Node, Site},
        wire::{self, Connection},
    },
    clock,
    story::percentile,
    world::{
        customer::{Customer, Outcome, Places},
        fixture::Fixture,
    },
};

const MAX_SAGA_P95_MS: f64 = 500.0;
const MAX_APPLIED_P99_MS: f64 = 250.0;
const PURCHASES: usize = 200;
/// Customers at a time: the payment double is a Python program on the same processors.
const CUSTOMERS: usize = 4;
/// Between two requests for the node's position.
const PAUSE: Duration = Duration::from_millis(4);

struct Bought {
    ticket: TicketId,
    confirmed: DateTime<Utc>,
}

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let watch = Watch::begin(&mut site.node).await?;
    let bought = buy(site).await?;
    site.settle().await?;
    let seen = watch.end().await?;
    let (mut saga, mut applied) = (Vec::new(), Vec::new());
    for Bought { ticket, confirmed } in bought {
        let (issued, position) = issued(site, ticket).await?;
        saga.push(since(issued, confirmed));
        let at = seen.iter().find(|(_, held)| *held >= position);
        let (at, _) = at.context("a ticket did not reach the node")?;
        applied.push(since(*at, issued));
    }
    let spread = |samples: &[Duration]| {
        let at = |share| percentile(samples.to_vec(), share);
        format!(
            "p50 {:.1} ms, longest {:.1} ms of {}",
            at(0.5),
            at(1.0),
            samples.len()
        )
    };
    Ok(vec![
        Measurement {
            what: "reservation saga, confirm → tickets, p95".into(),
            budget: Budget::AtMost {
                bound: MAX_SAGA_P95_MS,
            },
            measured: percentile(saga.clone(), 0.95),
            unit: Unit::Milliseconds,
            note: format!(
                "{CUSTOMERS} customers at a time, the card payment included: {}",
                spread(&saga)
            ),
        },
        Measurement {
            what: "ticket commit → applied at the edge, p99".into(),
            budget: Budget::AtMost {
                bound: MAX_APPLIED_P99_MS,
            },
            measured: percentile(applied.clone(), 0.99),
            unit: Unit::Milliseconds,
            note: format!(
                "from the ticket's creation time, just before its commit, to the node's response: {}",
                spread(&applied)
            ),
        },
    ])
}

fn since(later: DateTime<Utc>, earlier: DateTime<Utc>) -> Duration {
    (later - earlier)
        .max(TimeDelta::zero())
        .to_std()
        .unwrap_or_default()
}

async fn buy(site: &Site) -> Result<Vec<Bought>> {
    let next = Arc::new(Mutex::new(0));
    let mut customers = JoinSet::new();
    for number in 0..CUSTOMERS {
        let customer = site.world.customer(number).await?;
        let (fixture, next) = (site.fixture.clone(), Arc::clone(&next));
        customers.spawn(async move {
            let mut bought = Vec::new();
            while *next.lock().await < PURCHASES {
                *next.lock().await += 1;
                bought.push(purchase(&customer, &fixture).await?);
            }
            anyhow::Ok(bought)
        });
    }
    let mut all = Vec::with_capacity(PURCHASES);
    while let Some(bought) = customers.join_next().await {
        all.extend(bought??);
    }
    Ok(all)
}

async fn purchase(customer: &Customer, fixture: &Fixture) -> Result<Bought> {
    let cart = customer.hold(fixture, &Places::Standing(1), None).await?;
    let cart = cart.context("the zone is sold out")?;
    let confirmed = clock::now();
    let outcome = customer.pay(&cart, Card::Good).await?;
    let Outcome::Tickets(tickets) = outcome else {
        anyhow::bail!("a purchase failed: {outcome:?}");
    };
    let ticket = tickets.first().context("an order without tickets")?;
    Ok(Bought {
        ticket: ticket.id.parse()?,
        confirmed,
    })
}

/// When a ticket was issued, and its position in the venue's feed.
async fn issued(site: &mut Site, ticket: TicketId) -> Result<(DateTime<Utc>, i64)> {
    Ok(sqlx::query_as(
        "select ticket.created_at, state.position
         from ticketing.tickets as ticket join fleet.feed_state as state on state.subject = $2
         where ticket.ticket_id = $1 and state.venue_id = $3",
    )
    .bind(ticket.as_uuid())
    .bind(seed::key(&Subject::Ticket(ticket)))
    .bind(site.fixture.venue.parse::<Uuid>()?)
    .fetch_one(&mut site.db)
    .await?)
}

/// Positions that the node reported, with the time of the response.
type Positions = Vec<(DateTime<Utc>, i64)>;

/// Requests the node's position in a loop.
struct Watch {
    stop: CancellationToken,
    seen: JoinHandle<Result<Positions>>,
}

impl Watch {
    async fn begin(node: &mut Node) -> Result<Self> {
        const PATH: &str = "/v1/status";
        node.scanner.refresh().await?;
        let headers = node.scanner.headers(&Method::GET, PATH, b"");
        let request = wire::request("GET", PATH, &headers, b"");
        let connection = node.connections(1).await?.pop().context("a connection")?;
        let stop = CancellationToken::new();
        let seen = tokio::spawn(poll(connection, request, stop.clone()));
        Ok(Self { stop, seen })
    }

    async fn end(self) -> Result<Positions> {
        self.stop.cancel();
        self.seen.await?
    }
}

async fn poll(
    mut connection: Connection,
    request: Vec<u8>,
    stop: CancellationToken,
) -> Result<Positions> {
    let mut seen: Positions = Vec::new();
    let mut ticks = tokio::time::interval(PAUSE);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let answer = connection.ask(&request).await?;
        ensure!(answer.status == 200, "status answered {}", answer.status);
        let status: NodeStatus = serde_json::from_slice(&answer.body)?;
        let position = i64::try_from(status.replica.position.0)?;
        if seen.last().is_none_or(|(_, last)| *last < position) {
            seen.push((clock::now(), position));
        }
    }
    Ok(seen)
}
