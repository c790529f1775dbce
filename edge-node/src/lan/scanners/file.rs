//! The two files of the scanners. `scanners.json` says who may scan, in the form that the release before
//! reads and writes too. `scanners-life.json` says what has become of them since, and can be lost: then a
//! scanner counts as seen when the node next knows the time.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::VerifyingKey;
use eventify_disk::files;
use eventify_protocol::ids::{GateId, ScannerId};
use serde::{Deserialize, Serialize};

use super::{Life, Paired, Roll, ScannerError};

const SCANNERS: &str = "scanners.json";
const LIFE: &str = "scanners-life.json";
const LIFE_VERSION: u32 = 1;

/// One scanner in the first file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    scanner_id: ScannerId,
    public_key: String,
    label: String,
    gates: Option<Vec<GateId>>,
}

/// The second file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LifeFile {
    version: u32,
    revision: u64,
    last_order: u64,
    scanners: HashMap<ScannerId, Life>,
}

pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(SCANNERS)
}

pub(super) fn life_path(data_dir: &Path) -> PathBuf {
    data_dir.join(LIFE)
}

pub(super) fn load(data_dir: &Path) -> Result<Roll, ScannerError> {
    let path = path(data_dir);
    let bytes = match files::read(&path) {
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
    let mut life = load_life(data_dir);
    let mut scanners = HashMap::new();
    for record in records {
        let key = read_key(&record.public_key)
            .ok_or_else(|| damaged(format!("the key of scanner {}", record.scanner_id)))?;
        let scanner = Paired {
            key,
            gates: record.gates.map(Into::into),
            label: record.label.into(),
            life: life.scanners.remove(&record.scanner_id).unwrap_or_default(),
        };
        scanners.insert(record.scanner_id, scanner);
    }
    Ok(Roll {
        scanners,
        revision: life.revision,
        last_order: life.last_order,
        unsaved: false,
    })
}

/// One that can't be read is as good as none: no scanner is refused for it.
fn load_life(data_dir: &Path) -> LifeFile {
    let none = || LifeFile {
        version: LIFE_VERSION,
        revision: 0,
        last_order: 0,
        scanners: HashMap::new(),
    };
    let bytes = match files::read(&life_path(data_dir)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return none(),
        Err(error) => {
            warn_unread(&error);
            return none();
        }
    };
    match serde_json::from_slice::<LifeFile>(&bytes) {
        Ok(file) if file.version == LIFE_VERSION => file,
        Ok(file) => {
            warn_unread(&format_args!("it has version {}", file.version));
            none()
        }
        Err(error) => {
            warn_unread(&error);
            none()
        }
    }
}

fn warn_unread(error: &dyn std::fmt::Display) {
    tracing::warn!(
        code = "lan.scanner_life_unread",
        %error,
        "when scanners were seen last can't be read: it is counted from now on"
    );
}

/// Who may scan.
pub(super) fn save(data_dir: &Path, roll: &Roll) -> Result<(), ScannerError> {
    let mut records: Vec<_> = roll
        .scanners
        .iter()
        .map(|(scanner, paired)| Record {
            scanner_id: *scanner,
            public_key: URL_SAFE_NO_PAD.encode(paired.key.as_bytes()),
            label: paired.label.to_string(),
            gates: paired.gates.as_deref().map(<[GateId]>::to_vec),
        })
        .collect();
    records.sort_by_key(|record| record.scanner_id);
    let bytes = serde_json::to_vec_pretty(&records).expect("strings and ids are JSON");
    replace(path(data_dir), &bytes)
}

/// What has become of them.
pub(super) fn save_life(data_dir: &Path, roll: &Roll) -> Result<(), ScannerError> {
    let file = LifeFile {
        version: LIFE_VERSION,
        revision: roll.revision,
        last_order: roll.last_order,
        scanners: roll
            .scanners
            .iter()
            .map(|(scanner, paired)| (*scanner, paired.life))
            .collect(),
    };
    let bytes = serde_json::to_vec(&file).expect("numbers and ids are JSON");
    replace(life_path(data_dir), &bytes)
}

fn replace(path: PathBuf, bytes: &[u8]) -> Result<(), ScannerError> {
    files::replace(&path, bytes).map_err(|error| ScannerError::File { path, error })
}

/// An Ed25519 key. Points of small order are refused: everybody can sign for them.
pub(crate) fn read_key(text: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes)
        .ok()
        .filter(|key| !key.is_weak())
}
