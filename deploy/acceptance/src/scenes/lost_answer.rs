//! Scene 6: responses are lost.

use std::net::SocketAddr;

use anyhow::Result;
use eventify_protocol::ids::ScanId;
use eventify_stack::FaultProxy;

use super::{Demo, arrival_orders};
use crate::{clock, story::Story};

pub(super) async fn run(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.step("6. Responses are lost");
    between_edge_and_scanner(story, demo).await?;
    arrival_orders::run(story, demo).await
}

/// The edge decides, the response is lost, and the scanner tries again.
async fn between_edge_and_scanner(story: &mut Story, demo: &mut Demo) -> Result<()> {
    story.part("between node and scanner");
    let ticket = demo.next_ticket()?;
    let scanner = &demo.gates[0].scanner;
    let node: SocketAddr = scanner.base().trim_start_matches("https://").parse()?;
    let proxy = FaultProxy::start(node).await?;
    let behind_proxy = scanner.through(&format!("https://{}", proxy.address()))?;
    // The handshake passes; after it responses are held.
    behind_proxy.status().await?;
    proxy.hold_responses();
    let scan = ScanId(clock::new_id());
    let lost = behind_proxy.scan_as(scan, &ticket.token).await;
    let seen = match &lost {
        Ok(answer) => answer.verdict.name().to_owned(),
        Err(error) => format!("{error:#}"),
    };
    story.holds("the response is lost", lost.is_err(), seen);
    let again = scanner.scan_as(scan, &ticket.token).await?;
    story.expect(
        "the scanner tries again: the same verdict",
        "Admit",
        again.verdict.name(),
    );
    let other = demo.gates[1].scanner.scan(&ticket.token).await?;
    story.expect(
        "the ticket is checked in once: at the other gate",
        "AlreadyUsed",
        other.verdict.name(),
    );
    Ok(())
}
