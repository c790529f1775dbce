//! Scan latency by cache size: the same node, first with 1,000 tickets and then with 1,000,000.

use anyhow::Result;
use eventify_protocol::time::MAX_CACHE_AGE;

use super::scans::of_degraded;
use crate::bench::{
    budget::{Budget, Measurement, Unit},
    load::{Driven, Pace, drive},
    seed::{self, Ticket},
    site::{Node, Site},
};

const MAX_RATIO: f64 = 1.3;
const SMALL: u32 = 1_000;
const LARGE: usize = 1_000_000;
const PER_SECOND: u32 = 100;
const CONNECTIONS: usize = 8;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let fixture = site.world.fixture().await?;
    fixture.wait_until_on_sale(&site.world.core.api).await?;
    let venue_it = site.world.venue_it(&fixture).await?;
    let limit = u64::try_from(MAX_CACHE_AGE.as_millis())?;
    venue_it.allow_degraded(limit).await?;
    let mut tickets = seed::sold(&mut site.db, &fixture, SMALL).await?;
    let others = tickets.split_off(tickets.len() / 2);
    let world = &site.world;
    let mut node = Node::connect(world, &fixture, &venue_it, "edge-2", u64::from(SMALL)).await?;
    let small = degraded_scans(&mut node, &tickets).await?;
    seed::fillers(&mut site.db, &fixture, LARGE - usize::try_from(SMALL)?).await?;
    node.reconnect().await?;
    let all = u64::try_from(LARGE)?;
    node.edge
        .wait_until("a million tickets", super::LONG, |status| {
            status.replica.tickets >= all
        })
        .await?;
    let large = degraded_scans(&mut node, &others).await?;
    let resident = node.resident_mib("VmRSS")?;
    node.edge.kill().await?;
    Ok(vec![Measurement {
        what: "scan latency from 1,000 to 1,000,000 tickets, p50".into(),
        budget: Budget::AtMost { bound: MAX_RATIO },
        measured: large.latency_ms(0.5) / small.latency_ms(0.5),
        unit: Unit::Times,
        note: format!(
            "all but 1,000 of the million are fillers in the feed; degraded, open loop at {PER_SECOND}/s; {}, then {}; {resident:.0} MiB resident",
            small.spread(),
            large.spread()
        ),
    }])
}

async fn degraded_scans(
    node: &mut Node,
    tickets: &[Ticket],
) -> Result<Driven<super::scans::ScanResult>> {
    let scans = node.scans(tickets).await?;
    let mut connections = node.connections(CONNECTIONS).await?;
    node.cut_off().await?;
    drive(
        &mut connections,
        scans,
        Pace::PerSecond(PER_SECOND),
        of_degraded,
    )
    .await
}
