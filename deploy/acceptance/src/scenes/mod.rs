//! The story, scene by scene: an evening from the first event to the last reconciliation.

mod delivery;
mod enrolment;
mod lost_answer;
mod online;
mod outage;
mod reunion;
mod sale;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{
    story::Story,
    world::{Gate, World, customer::Ticket, office::Office, stage::Stage},
};

/// The limit of the demo's caches, lowered from 300 s so that nobody has to wait.
pub const MAX_CACHE_AGE: Duration = Duration::from_secs(20);

/// Modes, deltas and acknowledgements arrive within this, or something is wrong.
const SOON: Duration = Duration::from_secs(30);

/// Everything that one scene leaves to the next.
#[derive(Debug)]
pub struct Play {
    world: World,
    stage: Stage,
    office: Office,
    gates: [Gate; 2],
    /// Tickets that nobody has used yet.
    unused: Vec<Ticket>,
}

impl Play {
    /// The next ticket that nobody has used.
    ///
    /// # Errors
    /// All are used.
    fn next_ticket(&mut self) -> Result<Ticket> {
        self.unused
            .pop()
            .ok_or_else(|| anyhow::anyhow!("the story has run out of tickets"))
    }
}

/// Plays the whole story; what it leaves behind lies in `folder`.
///
/// # Errors
/// The story can't go on. Checks that fail are no error: they stand in the story.
pub async fn play(story: &mut Story, folder: PathBuf) -> Result<()> {
    let world = World::start(folder).await?;
    let mut play = enrolment::open_doors(story, world).await?;
    sale::sell(story, &mut play).await?;
    delivery::deliver(story, &mut play).await?;
    online::scan(story, &mut play).await?;
    lost_answer::lose(story, &mut play).await?;
    outage::cut(story, &mut play).await?;
    outage::lock(story, &mut play).await?;
    reunion::heal(story, &mut play).await?;
    play.world.core.stop().await
}
