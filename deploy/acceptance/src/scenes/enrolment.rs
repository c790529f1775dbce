//! Scenes 1 and 2: a venue, a performance, two nodes.

use anyhow::Result;
use eventify_protocol::verdict::Mode;

use super::{DEMO_CACHE_AGE, Demo, SOON};
use crate::{
    clock::timed,
    story::Story,
    world::{World, fixture::PLACES},
};

pub(super) async fn open_doors(story: &mut Story, world: World) -> Result<Demo> {
    story.step("1. An organiser sets up a venue and publishes a performance in 30 minutes");
    let (fixture, took) = timed(world.fixture()).await;
    let fixture = fixture?;
    let on_sale = fixture.wait_until_on_sale(&world.core.api).await?;
    story.expect_in("places on sale", PLACES, on_sale, took);

    story.step("2. Two edge nodes enrol and download their first snapshot");
    let venue_it = world.venue_it(&fixture).await?;
    venue_it
        .allow_degraded(u64::try_from(DEMO_CACHE_AGE.as_millis())?)
        .await?;
    let (gates, took) = timed(async {
        let north = world
            .gate(&fixture, 1, "North gate", DEMO_CACHE_AGE)
            .await?;
        let south = world
            .gate(&fixture, 2, "South gate", DEMO_CACHE_AGE)
            .await?;
        anyhow::Ok([north, south])
    })
    .await;
    let gates = gates?;
    for gate in &gates {
        let status = gate.edge.wait_for_mode(Mode::Online, SOON).await?;
        story.expect_in(
            &format!("{} is", gate.edge.label),
            "Online",
            name(status.mode),
            took,
        );
    }
    let synced = same_position(&gates).await?;
    story.holds("both nodes have the same digest", synced.0, synced.1);
    let left_code = venue_it.announce_node("edge-3", &gates[0].id).await?;
    Ok(Demo {
        world,
        fixture,
        venue_it,
        gates,
        unused: Vec::new(),
        twice: None,
        left_code,
    })
}

pub(super) fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Online => "Online",
        Mode::Degraded => "Degraded",
        Mode::Locked => "Locked",
        Mode::Resyncing => "Resyncing",
    }
}

/// Waits until both nodes are at the feed's head, and compares their digests.
pub(super) async fn same_position(gates: &[crate::world::Gate; 2]) -> Result<(bool, String)> {
    crate::wait::until("both nodes at the feed's head", SOON, || async {
        let [one, two] = [gates[0].edge.status().await?, gates[1].edge.status().await?];
        let [one, two] = [one.replica, two.replica];
        let at_head = one.position == one.head && two.position == two.head;
        let same = one.position == two.position && one.position.0 > 0;
        Ok((at_head && same).then(|| {
            let digest = one
                .digest
                .map_or("none".to_owned(), |digest| digest.0.to_string());
            (one.digest.is_some() && one.digest == two.digest, digest)
        }))
    })
    .await
}
