//! Scenes 7 and 8: the line is cut, then the limit passes.

use std::time::Duration;

use anyhow::Result;
use eventify_protocol::{
    ids::ScanId,
    verdict::{DecidedBy, Mode},
};
use eventify_stack::Card;

use super::{
    MAX_CACHE_AGE, Play,
    enrolment::name,
    table::{decided_at, surely_after},
};
use crate::{
    clock::{self, timed},
    story::Story,
    world::customer::{Outcome, Wish},
};

pub(super) async fn cut(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("7. The line is cut");
    for gate in &play.gates {
        gate.edge.line.cut();
    }
    let guest = play.next_ticket()?;
    let scan = ScanId(clock::new_id());
    let (answer, took) = timed(play.gates[0].scanner.scan_as(scan, &guest.token)).await;
    let answer = answer?;
    story.expect_in(
        "resync is tried, then a guest",
        "Admit",
        answer.verdict.name(),
        took,
    );
    story.expect("in mode", "Degraded", name(answer.mode));
    story.expect(
        "decided by the edge",
        true,
        answer.decided_by == DecidedBy::Edge,
    );
    let left = answer
        .cache_age_ms
        .map(|age| answer.max_cache_age_ms.saturating_sub(age));
    let counts = left.is_some_and(|left| left > 0 && left <= answer.max_cache_age_ms);
    story.holds(
        "the countdown runs",
        counts,
        format!("{} ms left", left.unwrap_or(0)),
    );

    // The nodes know the core's time to some 100 ms: later than that, who was first is beyond doubt.
    let first = decided_at(play, 0, scan).await?;
    surely_after(play, first, 1).await?;
    let answer = play.gates[1].scanner.scan(&guest.token).await?;
    story.expect(
        "the same ticket at the other node (the known risk)",
        "Admit",
        answer.verdict.name(),
    );
    play.twice = Some(guest.id.clone());

    let late = play.world.customer(300).await?;
    let late = late
        .buy(&play.stage, &Wish::Standing(1), Card::Good)
        .await?;
    if let Outcome::Tickets(tickets) = late {
        let answer = play.gates[0].scanner.scan(&tickets[0].token).await?;
        story.expect(
            "a ticket bought after the cut",
            "UnknownOffline",
            answer.verdict.name(),
        );
    } else {
        story.expect("a ticket bought after the cut", "sold", format!("{late:?}"));
    }
    lose_power(story, play, &guest.token).await
}

/// Node 1 is killed in mid-scan and started again.
async fn lose_power(story: &mut Story, play: &mut Play, admitted: &str) -> Result<()> {
    let asked = (ScanId(clock::new_id()), play.next_ticket()?);
    let before = play.gates[0].edge.status().await?.cache_age_ms.unwrap_or(0);
    let gate = &mut play.gates[0];
    let (interrupted, killed) = tokio::join!(
        gate.scanner.scan_as(asked.0, &asked.1.token),
        gate.edge.kill()
    );
    killed?;
    let (started, took) = timed(gate.edge.start()).await;
    started?;
    gate.scanner.refresh().await?;
    let again = gate.scanner.scan_as(asked.0, &asked.1.token).await?;
    let told = interrupted.map_or("no answer".to_owned(), |answer| {
        answer.verdict.name().to_owned()
    });
    let what = format!("the interrupted scan ({told}), asked again after the restart");
    story.expect_in(&what, "Admit", again.verdict.name(), took);
    let answer = gate.scanner.scan(admitted).await?;
    story.expect(
        "it knows whom it let in",
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

pub(super) async fn lock(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step(&format!(
        "8. The limit of {} s passes",
        MAX_CACHE_AGE.as_secs()
    ));
    let ticket = play.next_ticket()?;
    for gate in &play.gates {
        let limit = MAX_CACHE_AGE + Duration::from_secs(10);
        let (status, took) = timed(gate.edge.reaches(Mode::Locked, limit)).await;
        story.expect_in(&gate.edge.label, "Locked", name(status?.mode), took);
        let answer = gate.scanner.scan(&ticket.token).await?;
        let what = format!("any scan at {}", gate.edge.label);
        story.expect(&what, "ResyncRequired", answer.verdict.name());
    }
    play.unused.push(ticket);
    Ok(())
}
