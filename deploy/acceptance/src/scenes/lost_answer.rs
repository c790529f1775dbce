//! Scene 6: answers are lost on the way back.

use std::net::SocketAddr;

use anyhow::Result;
use eventify_protocol::{
    ids::ScanId,
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_stack::FaultProxy;

use super::{Play, SOON, enrolment::name};
use crate::{clock, story::Story};

pub(super) async fn lose(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("6. Answers are lost on the way back");
    between_edge_and_scanner(story, play).await?;
    between_core_and_edge(story, play).await
}

/// The edge has decided, the scanner never hears of it, and asks again.
async fn between_edge_and_scanner(story: &mut Story, play: &mut Play) -> Result<()> {
    let ticket = play.next_ticket()?;
    let scanner = &play.gates[0].scanner;
    let node: SocketAddr = scanner.base().trim_start_matches("https://").parse()?;
    let line = FaultProxy::start(node).await?;
    let far = scanner.through(&format!("https://{}", line.address()))?;
    // The first connection's handshake goes through; then the way back is closed.
    far.status().await?;
    line.hold_down();
    let scan = ScanId(clock::new_id());
    let lost = far.scan_as(scan, &ticket.token).await;
    story.holds("the answer is lost", lost.is_err(), "no answer");
    let again = scanner.scan_as(scan, &ticket.token).await?;
    story.expect(
        "asked again, the same verdict",
        "Admit",
        again.verdict.name(),
    );
    let other = play.gates[1].scanner.scan(&ticket.token).await?;
    story.expect("and one check-in", "AlreadyUsed", other.verdict.name());
    Ok(())
}

/// The core has admitted, the answer is lost, the edge admits: one check-in, confirmed.
async fn between_core_and_edge(story: &mut Story, play: &mut Play) -> Result<()> {
    let ticket = play.next_ticket()?;
    let gate = &play.gates[0];
    gate.edge.line.hold_down();
    let answer = gate.scanner.scan(&ticket.token).await?;
    story.expect(
        "the core's answer is lost, the edge decides",
        "Admit",
        answer.verdict.name(),
    );
    story.expect("by itself", true, answer.decided_by == DecidedBy::Edge);
    gate.edge.line.heal();
    let status = gate.edge.reaches(Mode::Online, SOON).await?;
    story.expect("the line is back", "Online", name(status.mode));
    let done = |status: &eventify_protocol::lan::NodeStatus| status.journal.unacknowledged == 0;
    gate.edge
        .becomes("its journal to be acknowledged", SOON, done)
        .await?;
    let other = play.gates[1].scanner.scan(&ticket.token).await?;
    let check_in = if let Verdict::AlreadyUsed { first } = other.verdict {
        if first.confirmed {
            "confirmed"
        } else {
            "unconfirmed"
        }
    } else {
        "none"
    };
    story.expect(
        "the journal arrives: one check-in, and it is",
        "confirmed",
        check_in,
    );
    Ok(())
}
