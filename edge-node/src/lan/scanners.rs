//! The scanners paired with this node: who they are and what they may scan for. A small file, read
//! at the start, written at each pairing.

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
/// Scanners of one node.
const MAX_SCANNERS: usize = 256;

/// Why scanners can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ScannerError {
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged: {what}; remove it and pair the scanners anew", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// As many as a node takes.
    #[error("{MAX_SCANNERS} scanners are paired already")]
    TooMany,
}

/// All scanners of the node.
#[derive(Debug)]
pub(crate) struct Scanners {
    path: PathBuf,
    paired: RwLock<HashMap<ScannerId, Paired>>,
}

/// One scanner, as requests need it.
#[derive(Clone, Debug)]
pub(super) struct Paired {
    pub(super) key: VerifyingKey,
    pub(super) gates: Option<Arc<[GateId]>>,
    label: Arc<str>,
}

/// One scanner, as it lies in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    scanner_id: ScannerId,
    public_key: String,
    label: String,
    gates: Option<Vec<GateId>>,
}

impl Scanners {
    pub(crate) fn load(data_dir: &Path) -> Result<Self, ScannerError> {
        let path = data_dir.join(FILE);
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
        Ok(Self {
            path,
            paired: RwLock::new(paired),
        })
    }

    pub(super) fn find(&self, scanner: ScannerId) -> Option<Paired> {
        self.paired
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(&scanner)
            .cloned()
    }

    /// Adds a scanner, durably. A key that is paired already keeps its id: its pairing was answered,
    /// but the answer got lost.
    pub(super) fn add(
        &self,
        key: VerifyingKey,
        label: &str,
        gates: Option<Vec<GateId>>,
    ) -> Result<ScannerId, ScannerError> {
        let mut held = self
            .paired
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = held
            .iter()
            .find(|(_, paired)| paired.key == key)
            .map(|(id, _)| *id);
        if known.is_none() && held.len() >= MAX_SCANNERS {
            return Err(ScannerError::TooMany);
        }
        let scanner = known.unwrap_or_else(clock::new_id);
        let mut next = held.clone();
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
        *held = next;
        Ok(scanner)
    }
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

/// An Ed25519 key that can prove something: points of small order are refused.
pub(super) fn read_key(text: &str) -> Option<VerifyingKey> {
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
        let id = scanners.add(key, "Door 1", Some(vec![gate])).unwrap();
        assert_eq!(scanners.add(key, "Door 1", None).unwrap(), id);
        let again = Scanners::load(folder.path()).unwrap().find(id).unwrap();
        assert_eq!((again.key, again.gates), (key, None));
    }

    #[test]
    fn a_damaged_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), b"[{}]").unwrap();
        let error = Scanners::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("pair the scanners anew"), "{error}");
    }
}
