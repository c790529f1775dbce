//! Scenes 1 and 2: a venue, a performance, two nodes.

use anyhow::Result;
use eventify_protocol::verdict::Mode;

use super::{MAX_CACHE_AGE, Play, SOON};
use crate::{
    clock::timed,
    story::Story,
    world::{World, stage::PLACES},
};

pub(super) async fn open_doors(story: &mut Story, world: World) -> Result<Play> {
    story.step("1. An organiser sets up a venue and publishes a performance in 30 minutes");
    let (stage, took) = timed(world.stage()).await;
    let stage = stage?;
    let on_sale = stage.on_sale(&world.core.api).await?;
    story.expect_in("places on sale", PLACES, on_sale, took);

    story.step("2. Two edge nodes enrol and fetch their first snapshot");
    let office = world.office(&stage).await?;
    office
        .allow_degraded(u64::try_from(MAX_CACHE_AGE.as_millis())?)
        .await?;
    let (gates, took) = timed(async {
        let north = world.gate(&stage, 1, "North gate", MAX_CACHE_AGE).await?;
        let south = world.gate(&stage, 2, "South gate", MAX_CACHE_AGE).await?;
        anyhow::Ok([north, south])
    })
    .await;
    let gates = gates?;
    for gate in &gates {
        let status = gate.edge.reaches(Mode::Online, SOON).await?;
        story.expect_in(
            &format!("{} is", gate.edge.label),
            "Online",
            name(status.mode),
            took,
        );
    }
    let synced = same_position(&gates).await?;
    story.holds("both nodes hold the same digest", synced.0, synced.1);
    let left_code = office.announce_node("edge-3", &gates[0].id).await?;
    Ok(Play {
        world,
        stage,
        office,
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

/// Waits until both nodes stand at the head that the other one has heard of, and compares digests.
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
