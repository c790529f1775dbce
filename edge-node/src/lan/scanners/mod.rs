//! The scanners paired with this node, the gates that they may scan for, and when each was seen last.
//! Small files, read at the start, written when something changes, and at most once a minute for when
//! scanners were seen: never for a scan.
//!
//! | file | what |
//! |---|---|
//! | `file` | both files, and what the release before reads of them |
//! | `life` | when a scanner was seen, and when it has to pair again |
//! | `pairings` | whether pairings were lost |

mod file;
mod life;
mod pairings;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use ed25519_dalek::VerifyingKey;
use eventify_protocol::{
    ids::{GateId, ScannerId},
    sync::MAX_SCANNERS,
    text,
};
use tokio::sync::watch;

use crate::clock;

pub(crate) use file::read_key;
pub(crate) use life::{Life, Stamp};
pub(crate) use pairings::Pairings;

use life::Sight;

/// Longest label, in characters.
pub(crate) const MAX_LABEL_CHARS: usize = 64;

/// Why scanners can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ScannerError {
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// From the system.
        error: io::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged: {what}; remove it and pair the scanners again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The node has as many as it may.
    #[error("{MAX_SCANNERS} scanners are already paired")]
    TooMany,
    /// There is no such scanner.
    #[error(
        "no scanner with the id {0} is paired with this node; `eventify-edge scanners` lists them"
    )]
    Unknown(ScannerId),
}

/// All scanners of the node.
#[derive(Debug)]
pub(crate) struct Scanners {
    data_dir: PathBuf,
    roll: RwLock<Roll>,
    /// At the start.
    pairings: Pairings,
    /// The list's revision, for whoever reports it.
    revision: watch::Sender<u64>,
}

/// What the files hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    scanners: HashMap<ScannerId, Paired>,
    /// Rises whenever the list changes that the core is shown.
    pub(crate) revision: u64,
    /// Number of the core's last order that was carried out.
    pub(crate) last_order: u64,
    /// Scanners were seen since the files were written.
    unsaved: bool,
}

/// One scanner.
#[derive(Clone, Debug)]
pub(crate) struct Paired {
    pub(crate) key: VerifyingKey,
    /// The gates that it may scan for; none means all gates of the node.
    pub(crate) gates: Option<Arc<[GateId]>>,
    pub(crate) label: Arc<str>,
    pub(crate) life: Life,
}

/// A change of one scanner; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) label: Option<String>,
    /// Inside, none means all gates of the node.
    #[expect(
        clippy::option_option,
        reason = "no change, a change to all gates, a change to some"
    )]
    pub(crate) gates: Option<Option<Vec<GateId>>>,
}

impl Roll {
    pub(crate) fn get(&self, scanner: ScannerId) -> Option<&Paired> {
        self.scanners.get(&scanner)
    }

    /// In the order of their ids, which is that of their pairings.
    pub(crate) fn list(&self) -> Vec<(ScannerId, &Paired)> {
        let mut all: Vec<_> = self.scanners.iter().map(|(id, it)| (*id, it)).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }
}

impl Scanners {
    /// The scanners' file in a data directory.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        file::path(data_dir)
    }

    /// All files about scanners in a data directory.
    pub(crate) fn files(data_dir: &Path) -> [PathBuf; 3] {
        [
            file::path(data_dir),
            file::life_path(data_dir),
            pairings::path(data_dir),
        ]
    }

    /// For the node's start: says which pairings are gone.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, ScannerError> {
        let scanners = Self::load(data_dir)?;
        scanners.pairings.check(data_dir);
        Ok(scanners)
    }

    /// Only reads.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, ScannerError> {
        let roll = file::load(data_dir)?;
        Ok(Self {
            data_dir: data_dir.to_owned(),
            pairings: Pairings::of(data_dir, roll.scanners.len()),
            revision: watch::Sender::new(roll.revision),
            roll: RwLock::new(roll),
        })
    }

    /// As they were read.
    pub(crate) fn pairings(&self) -> Pairings {
        self.pairings
    }

    /// The revision, as it changes.
    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(crate) fn find(&self, scanner: ScannerId) -> Option<Paired> {
        self.read(|roll| roll.get(scanner).cloned())
    }

    /// Looks at all of them.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Roll) -> T) -> T {
        look(&self.roll.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Inserts a scanner, durably. A key that is already paired keeps its id: the answer to its
    /// pairing got lost, or it was away for too long.
    pub(crate) fn insert(
        &self,
        key: VerifyingKey,
        label: &str,
        gates: Option<Vec<GateId>>,
        now: Stamp,
    ) -> Result<ScannerId, ScannerError> {
        self.change(|roll| {
            let mut all = roll.scanners.iter();
            let known = all.find(|(_, scanner)| scanner.key == key);
            let known = known.map(|(id, _)| *id);
            if known.is_none() && roll.scanners.len() >= MAX_SCANNERS {
                return Err(ScannerError::TooMany);
            }
            let scanner = known.unwrap_or_else(clock::new_id);
            let paired = Paired {
                key,
                gates: gates.map(Arc::from),
                label: label.into(),
                life: Life::begun(now),
            };
            roll.scanners.insert(scanner, paired);
            Ok(scanner)
        })
    }

    /// Another label, other gates.
    pub(crate) fn edit(&self, scanner: ScannerId, edit: Edit) -> Result<(), ScannerError> {
        self.change(|roll| roll.edit(scanner, edit))
    }

    /// Forgets a scanner.
    pub(crate) fn remove(&self, scanner: ScannerId) -> Result<(), ScannerError> {
        self.change(|roll| roll.remove(scanner))
    }

    /// Carries an order of the core out, once. One about a scanner that is not there is done.
    pub(crate) fn obey(&self, number: u64, order: Order) -> Result<bool, ScannerError> {
        if self.read(|roll| number <= roll.last_order) {
            return Ok(false);
        }
        self.change(|roll| {
            roll.last_order = number;
            let done = match order {
                Order::Remove(scanner) => roll.remove(scanner),
                Order::Edit(scanner, edit) => roll.edit(scanner, edit),
            };
            match done {
                Ok(()) => Ok(true),
                Err(ScannerError::Unknown(_)) => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    /// The core holds a later list than this one, which an older disk can be the reason for: this one
    /// becomes the latest.
    pub(crate) fn overtake(&self, revision: u64) -> Result<(), ScannerError> {
        self.change(|roll| {
            roll.revision = roll.revision.max(revision);
            Ok(())
        })
    }

    /// A scanner has sent a request of its own. False if it was away for too long.
    pub(crate) fn note_seen(&self, scanner: ScannerId, now: Stamp) -> bool {
        let sight = self.read(|roll| roll.get(scanner).map(|paired| paired.life.sight(now)));
        if sight == Some(Sight::Note) {
            let mut roll = self.roll.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(paired) = roll.scanners.get_mut(&scanner) {
                paired.life.seen = Some(now);
                roll.unsaved = true;
            }
        }
        sight != Some(Sight::TooLate)
    }

    /// Whether a scanner has to pair again.
    pub(crate) fn is_over(paired: &Paired, now: Stamp) -> bool {
        paired.life.is_over(now)
    }

    /// Writes when scanners were seen, and begins to count for those of which that is not known.
    pub(crate) fn save_sights(&self, now: Stamp) -> Result<(), ScannerError> {
        let mut roll = self.roll.write().unwrap_or_else(PoisonError::into_inner);
        let mut is_changed = roll.unsaved;
        for paired in roll.scanners.values_mut() {
            if paired.life.is_uncounted(now) {
                paired.life.seen = Some(now);
                is_changed = true;
            }
        }
        if is_changed {
            file::save_life(&self.data_dir, &roll)?;
            roll.unsaved = false;
        }
        Ok(())
    }

    /// Changes the list, on disk first: what can't be written does not happen.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Roll) -> Result<T, ScannerError>,
    ) -> Result<T, ScannerError> {
        let mut roll = self.roll.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = roll.clone();
        let result = change(&mut next)?;
        next.revision += 1;
        let (before, count) = (roll.scanners.len(), next.scanners.len());
        if count < before {
            pairings::note(&self.data_dir, count);
        }
        file::save(&self.data_dir, &next)?;
        if count >= before {
            pairings::note(&self.data_dir, count);
        }
        if let Err(error) = file::save_life(&self.data_dir, &next) {
            tracing::warn!(
                code = "lan.scanner_life_unwritten",
                %error,
                "when scanners were seen last can't be written"
            );
        }
        let revision = next.revision;
        *roll = next;
        drop(roll);
        self.revision.send_replace(revision);
        Ok(result)
    }
}

/// What the core wants, see [`Scanners::obey`].
#[derive(Clone, Debug)]
pub(crate) enum Order {
    Remove(ScannerId),
    Edit(ScannerId, Edit),
}

impl Roll {
    fn edit(&mut self, scanner: ScannerId, edit: Edit) -> Result<(), ScannerError> {
        let paired = self.scanners.get_mut(&scanner);
        let paired = paired.ok_or(ScannerError::Unknown(scanner))?;
        if let Some(label) = edit.label {
            paired.label = label.into();
        }
        if let Some(gates) = edit.gates {
            paired.gates = gates.map(Arc::from);
        }
        Ok(())
    }

    fn remove(&mut self, scanner: ScannerId) -> Result<(), ScannerError> {
        let removed = self.scanners.remove(&scanner);
        removed.map(drop).ok_or(ScannerError::Unknown(scanner))
    }
}

/// A label as it is kept: 1 to [`MAX_LABEL_CHARS`] characters without space around them.
pub(crate) fn clean_label(label: &str) -> Option<&str> {
    let label = label.trim();
    text::is_line(label, 1..=MAX_LABEL_CHARS).then_some(label)
}

#[cfg(test)]
mod tests;
