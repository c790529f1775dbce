//! Scene 6: answers are lost on the way back.

use std::net::SocketAddr;

use anyhow::Result;
use eventify_protocol::ids::ScanId;
use eventify_stack::FaultProxy;

use super::{Play, table};
use crate::{clock, story::Story};

pub(super) async fn lose(story: &mut Story, play: &mut Play) -> Result<()> {
    story.step("6. Answers are lost on the way back");
    between_edge_and_scanner(story, play).await?;
    table::play(story, play).await
}

/// The edge has decided, the scanner never hears of it, and asks again.
async fn between_edge_and_scanner(story: &mut Story, play: &mut Play) -> Result<()> {
    story.part("between node and scanner");
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
    let seen = match &lost {
        Ok(answer) => answer.verdict.name().to_owned(),
        Err(error) => format!("{error:#}"),
    };
    story.holds("the answer is lost", lost.is_err(), seen);
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
