//! The demo's story, one module for each scene.

mod alarms;
mod arrival_orders;
mod bad_input;
mod delivery;
mod enrolment;
mod flood;
mod lost_answer;
mod online;
mod outage;
mod postponed;
mod reconciliation;
mod refunded;
mod rolled_key;
mod sale;
mod staff;
mod window;

use std::time::Duration;

use anyhow::Result;
use eventify_stack::MessageProxy;

use crate::{
    story::Story,
    world::{
        Gate, World,
        claim::Claim,
        customer::Ticket,
        fixture::Fixture,
        venue_it::{Code, VenueIt},
    },
};

/// The nodes' maximum cache age in the demo: lower than 300 s, to keep the demo short, and several
/// times what a scene takes that relies on a young cache.
pub const DEMO_CACHE_AGE: Duration = Duration::from_secs(20);

/// An unused enrolment code must expire before the story ends.
const SETTINGS: [(&str, &str); 1] = [("FLEET__CODE_SECONDS", "30")];

/// The longest time that modes, deltas and acknowledgements take, on a machine that is busy with other
/// things.
const SOON: Duration = Duration::from_secs(120);

/// What the scenes share.
#[derive(Debug)]
pub struct Demo {
    world: World,
    fixture: Fixture,
    venue_it: VenueIt,
    gates: [Gate; 2],
    /// Tickets that were not used yet.
    unused: Vec<Ticket>,
    /// Id of the ticket that was admitted at both gates during the outage.
    twice: Option<String>,
    /// An enrolment code that is never used.
    left_code: Code,
}

impl Demo {
    /// Inserts a proxy that can hold single messages between a gate's node and the broker.
    ///
    /// # Errors
    /// It does not start.
    async fn insert_message_proxy(&self, gate: usize) -> Result<MessageProxy> {
        let edge = &self.gates[gate].edge;
        let proxy = self.world.message_proxy(&edge.identity()?).await?;
        edge.link.retarget(proxy.address());
        edge.link.reset_connections();
        arrival_orders::settled(self).await?;
        Ok(proxy)
    }

    /// The node's next connection goes to the broker directly again.
    fn remove_message_proxy(&self, gate: usize) {
        self.gates[gate].edge.link.retarget(self.world.broker());
    }

    /// Takes an unused ticket.
    ///
    /// # Errors
    /// All are used.
    fn next_ticket(&mut self) -> Result<Ticket> {
        self.unused
            .pop()
            .ok_or_else(|| anyhow::anyhow!("no unused tickets are left"))
    }
}

/// Plays the whole story; its files are in the claimed folder.
///
/// # Errors
/// The story can't go on. A failed check is not an error: it is in the story.
pub async fn run(story: &mut Story, claim: Claim) -> Result<()> {
    let world = World::start_with(claim, &SETTINGS).await?;
    let mut demo = enrolment::open_doors(story, world).await?;
    staff::sign_in(story, &mut demo).await?;
    sale::sell(story, &mut demo).await?;
    delivery::deliver(story, &mut demo).await?;
    online::scan(story, &mut demo).await?;
    flood::run(story, &mut demo).await?;
    postponed::run(story, &mut demo).await?;
    refunded::run(story, &demo).await?;
    window::show(story, &mut demo).await?;
    lost_answer::run(story, &mut demo).await?;
    outage::cut(story, &mut demo).await?;
    outage::lock(story, &mut demo).await?;
    reconciliation::reconnect(story, &mut demo).await?;
    bad_input::send(story, &mut demo).await?;
    alarms::read(story, &demo).await?;
    demo.world.core.stop().await
}
