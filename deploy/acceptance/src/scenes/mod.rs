//! The story, scene by scene: an evening from the first event to the last reconciliation.

mod bad_input;
mod delivery;
mod enrolment;
mod lost_answer;
mod online;
mod outage;
mod reunion;
mod sale;
mod table;

use std::time::Duration;

use anyhow::Result;
use eventify_stack::MessageLine;

use crate::{
    story::Story,
    world::{
        Gate, World,
        claim::Claim,
        customer::Ticket,
        office::{Code, Office},
        stage::Stage,
    },
};

/// The limit of the demo's caches, lowered from 300 s so that nobody has to wait.
pub const MAX_CACHE_AGE: Duration = Duration::from_secs(20);

/// So that an enrolment code that nobody used has expired before the story ends.
const SETTINGS: [(&str, &str); 1] = [("FLEET__CODE_SECONDS", "60")];

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
    /// Id of the ticket with which both gates let somebody in during the outage.
    twice: Option<String>,
    /// An enrolment code that nobody uses.
    left_code: Code,
}

impl Play {
    /// Puts a line between a gate's node and the broker on which single messages can be held.
    ///
    /// # Errors
    /// It does not start.
    async fn lend_line(&self, gate: usize) -> Result<MessageLine> {
        let edge = &self.gates[gate].edge;
        let line = self.world.message_line(&edge.identity()?).await?;
        edge.line.retarget(line.address());
        edge.line.reset_connections();
        table::settled(self).await?;
        Ok(line)
    }

    /// From the next connection on the node is on its own line again.
    fn take_line_back(&self, gate: usize) {
        self.gates[gate].edge.line.retarget(self.world.broker());
    }

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

/// Plays the whole story; what it leaves behind lies in the claimed folder.
///
/// # Errors
/// The story can't go on. Checks that fail are no error: they stand in the story.
pub async fn play(story: &mut Story, claim: Claim) -> Result<()> {
    let world = World::start_with(claim, &SETTINGS).await?;
    let mut play = enrolment::open_doors(story, world).await?;
    sale::sell(story, &mut play).await?;
    delivery::deliver(story, &mut play).await?;
    online::scan(story, &mut play).await?;
    lost_answer::lose(story, &mut play).await?;
    outage::cut(story, &mut play).await?;
    outage::lock(story, &mut play).await?;
    reunion::heal(story, &mut play).await?;
    bad_input::send(story, &mut play).await?;
    play.world.core.stop().await
}
