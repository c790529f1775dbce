//! A world with a core, a venue full of nodes, scanners and guests, and everything that goes wrong.
//! All of it comes from one seed; the same seed is the same world.

mod chaos;
mod checks;
mod clock;
mod core;
mod core_journal;
mod coverage;
mod disk;
mod event;
mod faults;
mod guests;
mod model;
mod network;
mod node;
mod rng;
mod server;
mod shell;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use clock::S;
pub(crate) use coverage::Coverage;
pub(crate) use model::Mutation;
use world::World;

/// What a run has shown to be wrong.
pub(crate) struct Violation {
    pub(crate) step: u64,
    pub(crate) what: String,
}

/// Plays one seed. A panic of the code under test is a violation as well.
pub(crate) fn play(seed: u64, mutation: Option<Mutation>) -> Result<Coverage, Violation> {
    let (coverage, violation, _) = told(seed, mutation, false);
    violation.map_or(Ok(coverage), Err)
}

/// Plays a seed again and tells its last steps.
pub(crate) fn retell(seed: u64, mutation: Option<Mutation>) -> Vec<String> {
    told(seed, mutation, true).2
}

fn told(
    seed: u64,
    mutation: Option<Mutation>,
    traced: bool,
) -> (Coverage, Option<Violation>, Vec<String>) {
    let mut world = World::new(seed, mutation, traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut world)));
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        world.violated(format!("panic: {}", text.unwrap_or_default()));
    }
    world.coverage.steps = world.steps;
    let violation = world.violation.take().map(|what| Violation {
        step: world.steps,
        what,
    });
    (
        world.coverage,
        violation,
        world.trace.take().unwrap_or_default().into(),
    )
}

fn run(world: &mut World) {
    let end = chaos::plan(world);
    world.run_until(end);
    let awake = world
        .nodes
        .iter()
        .map(|node| node.frozen_until)
        .max()
        .unwrap_or(end);
    world.run_until(awake.max(end));
    world.settle_down();
    // Everything that is down starts, every line is good: nodes find back to Online.
    world.run_until(world.at + 15 * S);
    for _ in 0..8 {
        world.all_try_again();
        world.run_until(world.at + 5 * S);
    }
    world.quiet = true;
    world.run_until(world.at + 12 * S);
    if world.violation.is_none() {
        world.check_rest();
    }
}
