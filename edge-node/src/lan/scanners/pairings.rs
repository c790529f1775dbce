//! How many scanners there were when one was paired or unpaired last, in a file beside theirs: a disk
//! that was restored in part may lack the first, and then each scanner is refused at the doors. The node
//! starts all the same, because what it has paired since is good, and says so.

use std::path::{Path, PathBuf};

use eventify_disk::files;
use serde::{Deserialize, Serialize};

const FILE: &str = "pairings.json";

/// How many scanners there are, and how many there were when one was paired last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pairings {
    pub(crate) paired: usize,
    pub(crate) noted: usize,
}

#[derive(Serialize, Deserialize)]
struct Note {
    scanners: usize,
}

impl Pairings {
    pub(super) fn of(data_dir: &Path, paired: usize) -> Self {
        Self {
            paired,
            noted: noted(data_dir),
        }
    }

    /// The scanners' file is gone, or an older one.
    pub(crate) fn are_lost(self) -> bool {
        self.paired < self.noted
    }

    /// Says that some are gone, or notes how many there are, if the release before has not.
    pub(super) fn check(self, data_dir: &Path) {
        let Self { paired, noted } = self;
        if self.are_lost() {
            tracing::warn!(
                code = "lan.pairings_lost",
                paired,
                noted,
                "scanners that were paired with this node are not any more: each of them is refused"
            );
        } else if paired > noted {
            note(data_dir, paired);
        }
    }
}

pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// Never names more than there were: after a pairing it is written behind the scanners' file, before an
/// unpairing ahead of it.
pub(super) fn note(data_dir: &Path, scanners: usize) {
    let bytes = serde_json::to_vec(&Note { scanners }).expect("a number is JSON");
    if let Err(error) = files::replace(&path(data_dir), &bytes) {
        tracing::warn!(
            code = "lan.pairings_not_noted",
            %error,
            "the number of paired scanners can't be noted: a loss would not be noticed"
        );
    }
}

/// None that can be read is none.
fn noted(data_dir: &Path) -> usize {
    let bytes = files::read(&path(data_dir)).ok();
    let note: Option<Note> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    note.map_or(0, |note| note.scanners)
}
