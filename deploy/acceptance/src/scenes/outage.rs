//! Scenes 7 and 8: the network link fails, then the nodes' caches become too old.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_protocol::{ids::ScanId, verdict::Mode};
use eventify_stack::Card;

use super::{
    DEMO_CACHE_AGE, Demo,
    arrival_orders::{decided_at, surely_after},
    enrolment::name,
};
use crate::{
    clock::{self, timed},
    story::Story,
    world::customer::{Outcome, Places},
};

pub(super) async fn cut(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("7. The network between gates and core fails");
    // The nodes' caches age meanwhile, so as much as possible of this purchase comes before.
    let late = demo.world.customer(300).await?;
    let cart = late
        .hold(&demo.fixture, &Places::Standing(1), None)
        .await?
        .context("the standing zone is sold out")?;
    let (order, secret) = late.check_out(&cart).await?;
    for gate in &demo.gates {
        gate.edge.link.cut();
    }
    let guest = demo.next_ticket()?;
    let scan = ScanId(clock::new_id());
    let (answer, took) = timed(demo.gates[0].scanner.scan_as(scan, &guest.token)).await;
    let answer = answer?;
    story.expect_in(
        "a guest, after an attempt to reach the core",
        "Admit",
        answer.verdict.name(),
        took,
    );
    story.expect("the node's mode", "Degraded", name(answer.mode));
    let decided_by = format!("{:?}", answer.decided_by);
    story.expect("decided by", "Edge", decided_by);
    let left = answer
        .cache_age_ms
        .map(|age| answer.max_cache_age_ms.saturating_sub(age));
    let counts = left.is_some_and(|left| left > 0 && left <= answer.max_cache_age_ms);
    story.holds(
        "the answer says how long the node may still decide",
        counts,
        format!("{} ms left", left.unwrap_or(0)),
    );

    let typed = demo.next_ticket()?;
    let scanner = &demo.gates[1].scanner;
    let answer = scanner.scan(&typed.short_code).await?;
    story.expect("a typed short code", "Admit", answer.verdict.name());
    let answer = scanner.scan(&typed.token).await?;
    story.expect("its QR code", "AlreadyUsed", answer.verdict.name());

    // The nodes know the core's time to some 100 ms; after that the order of two scans is certain.
    let first = decided_at(demo, 0, scan).await?;
    surely_after(demo, first, 1).await?;
    let answer = demo.gates[1].scanner.scan(&guest.token).await?;
    story.expect(
        "the same ticket at the other gate (the known risk)",
        "Admit",
        answer.verdict.name(),
    );
    demo.twice = Some(guest.id.clone());

    let late = late.pay_order(&order, &secret, Card::Good).await?;
    if let Outcome::Tickets(tickets) = late {
        let answer = demo.gates[0].scanner.scan(&tickets[0].token).await?;
        story.expect(
            "a ticket bought after the failure",
            "UnknownOffline",
            answer.verdict.name(),
        );
    } else {
        story.expect(
            "a ticket bought after the failure",
            "sold",
            format!("{late:?}"),
        );
    }
    lose_power(story, demo, &guest.token).await
}

/// Node 1 is killed during a scan and started again.
async fn lose_power(story: &mut Story, demo: &mut Demo, admitted: &str) -> Result<()> {
    let asked = (ScanId(clock::new_id()), demo.next_ticket()?);
    let before = demo.gates[0].edge.status().await?.cache_age_ms.unwrap_or(0);
    let gate = &mut demo.gates[0];
    let (interrupted, killed) = tokio::join!(
        gate.scanner.scan_as(asked.0, &asked.1.token),
        gate.edge.kill()
    );
    killed?;
    let (started, took) = timed(gate.edge.start()).await;
    started?;
    gate.scanner.refresh().await?;
    let again = gate.scanner.scan_as(asked.0, &asked.1.token).await?;
    let first = interrupted.map_or("no answer".to_owned(), |answer| {
        answer.verdict.name().to_owned()
    });
    let what = format!("the scan that the restart interrupted ({first}), sent again");
    story.expect_in(&what, "Admit", again.verdict.name(), took);
    let answer = gate.scanner.scan(admitted).await?;
    story.expect(
        "after the restart the node knows which tickets it admitted",
        "AlreadyUsed",
        answer.verdict.name(),
    );
    let age = answer.cache_age_ms.unwrap_or(0);
    story.holds(
        "and how old its cache is",
        age > before,
        format!("{age} ms, {before} ms before"),
    );
    Ok(())
}

pub(super) async fn lock(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step(&format!(
        "8. The caches are older than {} s (the demo lowers the limit from 300 s)",
        DEMO_CACHE_AGE.as_secs()
    ));
    let ticket = demo.next_ticket()?;
    for gate in &demo.gates {
        let limit = DEMO_CACHE_AGE + Duration::from_secs(10);
        let (status, took) = timed(gate.edge.wait_for_mode(Mode::Locked, limit)).await;
        story.expect_in(&gate.edge.label, "Locked", name(status?.mode), took);
        let answer = gate.scanner.scan(&ticket.token).await?;
        let what = format!("any scan at {}", gate.edge.label);
        story.expect(&what, "ResyncRequired", answer.verdict.name());
    }
    demo.unused.push(ticket);
    Ok(())
}
