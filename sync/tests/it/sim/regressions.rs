//! Seeds that have failed once, and seeds that no other commit plays.

use std::process::Command;

use eventify_protocol::hash::Hash32;

use super::{play_all, setting};

/// With what was wrong. A change of the simulator makes other worlds of them: then each is chosen anew
/// by playing with the old fault put back, as far as one is found. What they showed has a test of its
/// own as well.
const FAILED_ONCE: &[u64] = &[
    // N8: refusals that waited to be acknowledged kept a gate closed.
    28_465_701,
    // N9: a digest of the old epoch was compared with a point of the new one. This world does not show
    // it any more, and no other was found; the story about a point from before a database does.
    50_016_332,
    // A replica that was fetched anew lacked an admission that the overlay had deleted.
    1_789,
    // An admission that was taken back came back when the journal was read again.
    1_007_603,
    // The answer to a late batch of an older file named what was only stored of the newer one: the node
    // took it for acknowledged, forgot an admission that no feed had, and let the ticket in again.
    20_261_128_404_983,
    // A copy of the disk carried over that an admission was taken back; the node had admitted the guest
    // since, and the core forgot it.
    20_261_129_107_528,
    // The same by a clock that was not trusted, so that the row did not say when it was written.
    20_261_130_048_786,
    // What was counted of a guest when a copy's older row came behind the admission.
    20_261_140_102_199,
    // The core repeated an answer that nobody had seen, although a journal had shown another guest since:
    // one who was let in before it, and one who was let in after it.
    20_261_129_338_584,
    20_261_129_777_596,
    // The snapshot that a node fetched on a narrow line was deleted, and nobody told the node: Online, it
    // had no cache for a minute.
    20_261_150_048_944,
    // While the end that a promoted core named was read from the disk, its lost rows counted as
    // acknowledged: the node asked that core, which let a guest in again.
    20_261_190_132_733,
];

/// Those of worlds in which people do more than scan.
const FAILED_WITH_ACTS: &[u64] = &[
    // An admission of before a restart was undone, and repeated while that was being written.
    1_216_934_720_811,
    // A refusal that a later file carried over counted as what was shown last, after an admission.
    1_300_000_001_107,
];

/// Worlds that failed before there were acts stay as they were.
pub(super) fn is_of_before_acts(seed: u64) -> bool {
    FAILED_ONCE.contains(&seed)
}

/// Seeds of one commit begin here and there, far from those of `make sim`.
const OWN_SEEDS_FROM: u64 = 1 << 40;

/// Without a repository, as in a source archive.
const NO_COMMIT: &str = "no commit";

#[test]
fn seeds_that_failed_once_hold() {
    play_all(FAILED_ONCE.iter().chain(FAILED_WITH_ACTS).copied());
}

#[test]
fn seeds_of_this_commit_hold() {
    let seeds = setting("EVENTIFY_SIM_SEEDS", 2_000) / 4;
    let from = first_of(&commit());
    play_all(from..from + seeds);
}

#[test]
fn another_commit_plays_other_seeds() {
    assert_ne!(first_of("a"), first_of("b"));
    assert!(first_of("a") >= OWN_SEEDS_FROM);
}

fn commit() -> String {
    let head = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match head {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into(),
        Ok(_) | Err(_) => NO_COMMIT.to_owned(),
    }
}

fn first_of(commit: &str) -> u64 {
    let Hash32(hash) = Hash32::of(commit.trim().as_bytes());
    let (low, _) = hash.split_at(5);
    let number = low
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    OWN_SEEDS_FROM + number
}
