//! The scanners paired with this node and the gates that they may scan for. A small file, read at
//! the start, written at each pairing.
//!
//! How many there were stands in a second file: a disk that was restored in part may lack the first, and
//! then each scanner is refused at the doors. The node starts all the same, because what it has paired
//! since is good, and says so.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use eventify_protocol::ids::{GateId, ScannerId};
use serde::{Deserialize, Serialize};

use crate::{clock, durable_file};

const FILE: &str = "scanners.json";
/// Written after the other one: it never names more than there were.
const NOTE: &str = "pairings.json";
const MAX_SCANNERS: usize = 256;

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
}

/// All scanners of the node.
#[derive(Debug)]
pub(crate) struct Scanners {
    path: PathBuf,
    paired: RwLock<HashMap<ScannerId, Paired>>,
    /// At the start.
    pairings: Pairings,
}

/// How many scanners there are, and how many there were when one was paired last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pairings {
    pub(crate) paired: usize,
    pub(crate) noted: usize,
}

impl Pairings {
    /// The file is gone, or an older one.
    pub(crate) fn are_lost(self) -> bool {
        self.paired < self.noted
    }
}

/// The second file.
#[derive(Serialize, Deserialize)]
struct Note {
    scanners: usize,
}

/// One scanner, for checking its requests.
#[derive(Clone, Debug)]
pub(crate) struct Paired {
    pub(crate) key: VerifyingKey,
    pub(crate) gates: Option<Arc<[GateId]>>,
    label: Arc<str>,
}

/// One scanner in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    scanner_id: ScannerId,
    public_key: String,
    label: String,
    gates: Option<Vec<GateId>>,
}

impl Scanners {
    /// The scanners' file in a data directory.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// The file with their number in a data directory.
    pub(crate) fn note_path(data_dir: &Path) -> PathBuf {
        data_dir.join(NOTE)
    }

    /// For the node's start: says which pairings are gone, or notes how many there are, if the release
    /// before has not.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, ScannerError> {
        let scanners = Self::load(data_dir)?;
        scanners.check();
        Ok(scanners)
    }

    /// Only reads.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, ScannerError> {
        let path = Self::path(data_dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => b"[]".to_vec(),
            Err(error) => return Err(ScannerError::File { path, error }),
        };
        let damaged = |what: String| ScannerError::Damaged {
            path: path.clone(),
            what,
        };
        let records: Vec<Record> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut paired = HashMap::new();
        for record in records {
            let key = read_key(&record.public_key)
                .ok_or_else(|| damaged(format!("the key of scanner {}", record.scanner_id)))?;
            let gates = record.gates.map(Arc::from);
            let scanner = Paired {
                key,
                gates,
                label: record.label.into(),
            };
            paired.insert(record.scanner_id, scanner);
        }
        let pairings = Pairings {
            paired: paired.len(),
            noted: noted(data_dir),
        };
        Ok(Self {
            path,
            paired: RwLock::new(paired),
            pairings,
        })
    }

    /// As they were read.
    pub(crate) fn pairings(&self) -> Pairings {
        self.pairings
    }

    fn check(&self) {
        let Pairings { paired, noted } = self.pairings;
        if self.pairings.are_lost() {
            tracing::warn!(
                code = "lan.pairings_lost",
                paired,
                noted,
                "scanners that were paired with this node are not any more: each of them is refused"
            );
        } else if paired > noted {
            self.note(paired);
        }
    }

    fn note(&self, scanners: usize) {
        let bytes = serde_json::to_vec(&Note { scanners }).expect("a number is JSON");
        if let Err(error) = durable_file::replace(&self.path.with_file_name(NOTE), &bytes) {
            tracing::warn!(
                code = "lan.pairings_not_noted",
                %error,
                "the number of paired scanners can't be noted: a loss would not be noticed"
            );
        }
    }

    pub(crate) fn find(&self, scanner: ScannerId) -> Option<Paired> {
        self.paired
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(&scanner)
            .cloned()
    }

    /// Inserts a scanner, durably. A key that is already paired keeps its id: the answer to its
    /// pairing got lost.
    pub(crate) fn insert(
        &self,
        key: VerifyingKey,
        label: &str,
        gates: Option<Vec<GateId>>,
    ) -> Result<ScannerId, ScannerError> {
        let mut paired = self
            .paired
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = paired
            .iter()
            .find(|(_, scanner)| scanner.key == key)
            .map(|(id, _)| *id);
        if known.is_none() && paired.len() >= MAX_SCANNERS {
            return Err(ScannerError::TooMany);
        }
        let scanner = known.unwrap_or_else(clock::new_id);
        let mut next = paired.clone();
        next.insert(
            scanner,
            Paired {
                key,
                gates: gates.map(Arc::from),
                label: label.into(),
            },
        );
        let bytes = serde_json::to_vec_pretty(&records(&next)).expect("strings and ids are JSON");
        durable_file::replace(&self.path, &bytes).map_err(|error| ScannerError::File {
            path: self.path.clone(),
            error,
        })?;
        self.note(next.len());
        *paired = next;
        Ok(scanner)
    }
}

/// None that can be read is none.
fn noted(data_dir: &Path) -> usize {
    let bytes = fs::read(Scanners::note_path(data_dir)).ok();
    let note: Option<Note> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    note.map_or(0, |note| note.scanners)
}

fn records(paired: &HashMap<ScannerId, Paired>) -> Vec<Record> {
    let mut records: Vec<_> = paired
        .iter()
        .map(|(scanner, paired)| Record {
            scanner_id: *scanner,
            public_key: URL_SAFE_NO_PAD.encode(paired.key.as_bytes()),
            label: paired.label.to_string(),
            gates: paired.gates.as_deref().map(<[GateId]>::to_vec),
        })
        .collect();
    records.sort_by_key(|record| record.scanner_id);
    records
}

/// An Ed25519 key. Points of small order are refused: everybody can sign for them.
pub(crate) fn read_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes)
        .ok()
        .filter(|key| !key.is_weak())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn pairings_survive_a_restart_and_a_key_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let gate = GateId(Uuid::from_u128(3));
        let key = SigningKey::from_bytes(&[1; 32]).verifying_key();
        let scanners = Scanners::load(folder.path()).unwrap();
        let id = scanners.insert(key, "Door 1", Some(vec![gate])).unwrap();
        assert_eq!(scanners.insert(key, "Door 1", None).unwrap(), id);
        let again = Scanners::load(folder.path()).unwrap().find(id).unwrap();
        assert_eq!((again.key, again.gates), (key, None));
    }

    #[test]
    fn pairings_that_are_gone_are_known_until_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let key = |seed| SigningKey::from_bytes(&[seed; 32]).verifying_key();
        let load = || Scanners::load(folder.path()).unwrap();
        let scanners = load();
        for seed in 1..=3 {
            scanners.insert(key(seed), "Door", None).unwrap();
        }
        let all = Pairings {
            paired: 3,
            noted: 3,
        };
        assert_eq!(load().pairings(), all);
        let file = Scanners::path(folder.path());
        fs::remove_file(&file).unwrap();
        assert!(load().pairings().are_lost());
        let lost = Scanners::open(folder.path()).unwrap();
        assert!(load().pairings().are_lost(), "it is said at each start");
        lost.insert(key(1), "Door", None).unwrap();
        assert!(!load().pairings().are_lost());

        // The release before has noted nothing.
        let note = Scanners::note_path(folder.path());
        for damaged in [None, Some("rubbish")] {
            fs::remove_file(&note).unwrap();
            if let Some(text) = damaged {
                fs::write(&note, text).unwrap();
            }
            Scanners::open(folder.path()).unwrap();
            assert_eq!(load().pairings().noted, 1);
        }
    }

    #[test]
    fn a_damaged_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"[{}]").unwrap();
        let error = Scanners::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("pair the scanners again"), "{error}");
    }
}
