//! The sync engine under everything that can go wrong, from seeds: the rules of `ADMISSION` hold.
//!
//! `EVENTIFY_SIM_SEEDS` says how many seeds are played (default 2,000), `EVENTIFY_SIM_FROM` which
//! is the first (default 1).

mod sim;

use sim::{Coverage, Mutation, play, retell};

/// With fewer seeds than these it proves nothing that something was never met.
const ENOUGH_SEEDS: u64 = 1_000;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn the_promises_hold_whatever_happens() {
    let (from, seeds) = (
        setting("EVENTIFY_SIM_FROM", 1),
        setting("EVENTIFY_SIM_SEEDS", 2_000),
    );
    let mut coverage = Coverage::default();
    for seed in from..from + seeds {
        match play(seed, None) {
            Ok(run) => coverage.add(&run),
            Err(violation) => {
                let trace = retell(seed, None).join("\n");
                panic!(
                    "seed {seed}, step {}: {}\n{trace}",
                    violation.step, violation.what
                );
            }
        }
    }
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
        "never met in {seeds} seeds: {unseen:?}"
    );
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in [3, 77] {
        let runs = [play(seed, None), play(seed, None)].map(|run| run.ok().expect("holds"));
        assert_eq!(runs[0], runs[1]);
    }
}

/// Breaks a rule and expects the checks to see it within some seeds, by what they say.
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
fn a_core_that_loses_an_entry_is_caught() {
    is_caught(Mutation::CoreLosesRows, 20, "is not in");
}
