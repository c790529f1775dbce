//! A simulated core and venue (nodes, scanners, guests) under everything that can go wrong, all
//! drawn from one seed. The rules of `ADMISSION` hold whatever happens.
//!
//! `EVENTIFY_SIM_SEEDS` is the number of seeds (default 2,000), `EVENTIFY_SIM_FROM` the first of
//! them (default 1). Seeds that have failed once are played in every run (`regressions`), and others
//! that each commit has for itself, so that the runs of a project don't all see the same worlds.

mod chaos;
mod checks;
mod clock;
mod copies;
mod core;
mod core_journal;
mod core_passages;
mod coverage;
mod disk;
mod event;
mod faults;
mod guests;
mod model;
mod network;
mod node;
mod refunds;
mod regressions;
mod rng;
mod server;
mod shell;
mod shows;
mod supervisors;
mod supervisors_checks;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use clock::S;
use coverage::Coverage;
use model::Mutation;
use world::World;

/// With fewer seeds, a case that never occurred proves nothing.
const ENOUGH_SEEDS: u64 = 1_000;

/// A promise that a run has broken.
struct Violation {
    step: u64,
    what: String,
}

/// Runs one seed. A panic of the code under test is a violation as well.
fn play(seed: u64, mutation: Option<Mutation>) -> Result<Coverage, Violation> {
    let (coverage, violation, _) = play_traced(seed, mutation, false);
    violation.map_or(Ok(coverage), Err)
}

/// Runs a seed again and returns its last steps.
fn trace_of(seed: u64, mutation: Option<Mutation>) -> Vec<String> {
    play_traced(seed, mutation, true).2
}

fn play_traced(
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
    // The show is played now after all.
    world.move_show(false);
    for round in 0..8 {
        if round == 4 {
            world.return_to_the_moved_show();
            world.return_after_refunds();
            world.return_after_acts();
        }
        world.all_try_again();
        world.run_until(world.at + 5 * S);
    }
    world.quiet = true;
    let counts_written = world.model.unreadable_at + 61 * S;
    world.run_until(world.at.max(counts_written) + 12 * S);
    if world.violation.is_none() {
        world.check_rest();
    }
}

/// Plays seeds without a mutation; a violation ends the test with the command that repeats it.
fn play_all(seeds: impl IntoIterator<Item = u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match play(seed, None) {
            Ok(run) => coverage.add(&run),
            Err(Violation { step, what }) => {
                let trace = trace_of(seed, None).join("\n");
                panic!(
                    "seed {seed}, step {step}: {what}\n{trace}\nagain: make sim SEEDS=1 FROM={seed}"
                );
            }
        }
    }
    coverage
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn the_promises_hold_whatever_happens() {
    let (from, seeds) = (
        setting("EVENTIFY_SIM_FROM", 1),
        setting("EVENTIFY_SIM_SEEDS", 2_000),
    );
    let coverage = play_all(from..from + seeds);
    let all = coverage.all();
    for (what, count) in &all {
        println!("{what:>24} {count}");
    }
    let unseen: Vec<_> = all
        .iter()
        .filter(|(_, count)| *count == 0)
        .map(|(what, _)| what)
        .collect();
    assert!(
        unseen.is_empty() || seeds < ENOUGH_SEEDS,
        "never occurred in {seeds} seeds: {unseen:?}"
    );
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in [3, 77] {
        let runs = [play(seed, None), play(seed, None)].map(|run| run.ok().expect("holds"));
        assert_eq!(runs[0], runs[1]);
    }
}

/// Breaks a rule and expects the checks to notice it within some seeds, with a message that contains
/// `by`.
fn is_caught(mutation: Mutation, within: u64, by: &str) {
    let mut seeds = 1..=within;
    let caught = seeds.find_map(|seed| play(seed, Some(mutation)).err());
    let caught = caught.unwrap_or_else(|| panic!("{mutation:?} was not seen"));
    assert!(
        caught.what.contains(by),
        "{mutation:?} was seen as: {}",
        caught.what
    );
}

#[test]
fn a_dishonest_t_is_caught() {
    is_caught(
        Mutation::TruthIgnoresTheOutbox,
        5,
        "hides what was committed",
    );
}

#[test]
fn a_core_that_executes_late_scans_is_caught() {
    is_caught(
        Mutation::CoreIgnoresDeadlines,
        1_500,
        "was executed after node",
    );
}

/// C08: guests with good codes would be refused by times that have moved.
#[test]
fn a_core_that_keeps_the_old_times_is_caught() {
    is_caught(Mutation::CoreKeepsOldTimes, 50, "was shown Some(Expired");
}

#[test]
fn clocks_that_drift_beyond_the_bound_are_caught() {
    is_caught(Mutation::ClocksDriftBeyondTheBound, 5, "that it is");
}

#[test]
fn an_answer_before_the_disk_is_caught() {
    is_caught(Mutation::AnswersBeforeTheDisk, 5, "its disk says");
}

#[test]
fn a_node_that_forgets_its_overlay_is_caught() {
    is_caught(
        Mutation::ForgetsTheOverlay,
        1_500,
        "admitted twice, by one node",
    );
}

#[test]
fn a_core_that_frees_tickets_by_old_refusals_is_caught() {
    is_caught(
        Mutation::OldRefusalsTakeAnswersBack,
        30_000,
        "admitted twice, both online",
    );
}

/// The guest who was taken back would be refused for good.
#[test]
fn a_core_that_ignores_undos_is_caught() {
    is_caught(Mutation::CoreIgnoresUndos, 50, "whose entry was ended");
}

/// C08: whoever was inside when the show broke off would not see it.
#[test]
fn a_core_that_forgets_that_a_show_begins_again_is_caught() {
    is_caught(Mutation::CoreForgetsRestarts, 200, "whose entry was ended");
}

#[test]
fn a_node_that_overrides_in_locked_is_caught() {
    is_caught(Mutation::OverridesInLocked, 50, "acts in Locked");
}

#[test]
fn a_node_that_does_an_act_again_is_caught() {
    is_caught(Mutation::ActsTwice, 500, "twice");
}

#[test]
fn a_core_that_loses_an_entry_is_caught() {
    is_caught(Mutation::CoreLosesRows, 20, "is not in");
}

/// C05: whoever was refused because of a refund could get in, and the money too.
#[test]
fn a_node_that_admits_suspended_tickets_is_caught() {
    is_caught(Mutation::NodeAdmitsSuspended, 50, "state: Suspended");
}

/// C05: no gate without connection would ever refuse a ticket that is being refunded.
#[test]
fn a_core_whose_feed_lacks_suspensions_is_caught() {
    is_caught(
        Mutation::FeedLacksSuspensions,
        50,
        "the core holds it as Suspended",
    );
}
