//! Joining a venue: one code, one request, one identity (`ADMISSION` section 10).
//!
//! The keys are made here and never leave the node. The pending key is on disk before the request is
//! sent, so that the request can be repeated with the same code and key if its answer is lost.

mod authority;
mod core;
mod renewal;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use eventify_disk::files;
use eventify_protocol::enrolment::{EnrolmentAnswer, EnrolmentCode, EnrolmentRequest};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

pub use self::core::CoreError;
pub(crate) use renewal::{RENEWABLE_FOR_DAYS, Renewal, Validity};

use crate::{
    SOFTWARE,
    identity::{Identity, IdentityError},
    journal::{self, LastRow},
    lan::Scanners,
    store,
};

const PENDING_KEY: &str = "enrolment.key.pem";

/// Why the enrolment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(
        "this node is enrolled already as {0}; a new instance needs an empty data directory, because \
         an instance's id is never used again"
    )]
    AlreadyEnrolled(String),
    /// Journal, replica or scanners of an instance whose identity is gone.
    #[error(
        "{} has files of another instance ({}), whose identity.json is not there; nothing was sent. \
         Put identity.json back from a backup, and the node goes on as that instance. Otherwise save \
         its journal with `eventify-edge export-journal --out FILE`, import it at the core (POST \
         /fleet/nodes/{{nodeId}}/journal/import), move the folder away, and enrol in an empty one",
        folder.display(), files.join(", ")
    )]
    NotEmpty { folder: PathBuf, files: Vec<String> },
    /// Keys could not be made or read.
    #[error("the node's keys can't be used: {0}")]
    Keys(String),
    #[error("{what}: {error}")]
    Disk {
        /// What was tried.
        what: String,
        error: io::Error,
    },
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Enrols this machine with a code and stores its identity in `data_dir`.
///
/// # Errors
/// See [`EnrolError`]; the node is then not enrolled.
pub async fn enrol(code: &EnrolmentCode, data_dir: &Path) -> Result<Identity, EnrolError> {
    if Identity::exists(data_dir) {
        return Err(EnrolError::AlreadyEnrolled(
            Identity::load(data_dir)?.node_id.to_string(),
        ));
    }
    let files = files_of_an_instance(data_dir);
    if !files.is_empty() {
        let folder = data_dir.to_owned();
        return Err(EnrolError::NotEmpty { folder, files });
    }
    files::private_folder(data_dir).map_err(|error| EnrolError::Disk {
        what: format!("{}", data_dir.display()),
        error,
    })?;
    let key = pending_key(data_dir)?;
    let request = EnrolmentRequest {
        secret: code.secret.to_text(),
        csr: signing_request(&key)?,
        software: SOFTWARE.to_owned(),
    };
    let core = core::Core {
        url: &code.core,
        authority: code.authority,
    };
    let answer = core.post("/fleet/enrolments", &request).await?;
    let identity = identity(code, answer, &key)?;
    identity.save(data_dir)?;
    delete_pending_key(data_dir)?;
    Ok(identity)
}

/// What the folder has of an instance, beside an identity and the key of an interrupted enrolment. Its
/// journal would be sent in the new instance's name.
fn files_of_an_instance(data_dir: &Path) -> Vec<String> {
    let journal = journal::path(data_dir);
    let replica = store::newest_path(data_dir);
    let scanners = Scanners::files(data_dir);
    let known = [Some(journal), replica, Some(LastRow::path(data_dir))];
    let known = known.into_iter().flatten().chain(scanners);
    let found = known.filter(|path| path.exists());
    let names = found.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    names.collect()
}

/// The key of an interrupted enrolment, or a new one.
fn pending_key(data_dir: &Path) -> Result<KeyPair, EnrolError> {
    let path = data_dir.join(PENDING_KEY);
    match files::read(&path) {
        Ok(pem) => KeyPair::from_pem(&String::from_utf8_lossy(&pem))
            .map_err(|e| EnrolError::Keys(e.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = new_key()?;
            files::replace(&path, key.serialize_pem().as_bytes()).map_err(|error| {
                EnrolError::Disk {
                    what: format!("{}", path.display()),
                    error,
                }
            })?;
            Ok(key)
        }
        Err(error) => Err(EnrolError::Disk {
            what: format!("{}", path.display()),
            error,
        }),
    }
}

fn delete_pending_key(data_dir: &Path) -> Result<(), EnrolError> {
    let path = data_dir.join(PENDING_KEY);
    fs::remove_file(&path).map_err(|error| EnrolError::Disk {
        what: format!("removing {}", path.display()),
        error,
    })
}

/// P-256, because every broker accepts it for client certificates.
fn new_key() -> Result<KeyPair, EnrolError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| EnrolError::Keys(e.to_string()))
}

fn signing_request(key: &KeyPair) -> Result<String, EnrolError> {
    let empty: Vec<String> = Vec::new();
    CertificateParams::new(empty)
        .and_then(|parameters| parameters.serialize_request(key))
        .and_then(|request| request.pem())
        .map_err(|error| EnrolError::Keys(error.to_string()))
}

fn identity(
    code: &EnrolmentCode,
    answer: EnrolmentAnswer,
    key: &KeyPair,
) -> Result<Identity, EnrolError> {
    let identity = Identity {
        node_id: answer.node_id,
        venue_id: answer.venue_id,
        label: answer.label,
        core: code.core.clone(),
        broker: answer.broker,
        certificate_chain: answer.certificate_chain,
        private_key: key.serialize_pem(),
        lan_key: new_key()?.serialize_pem(),
        root_key: answer.root_key,
        key_set: answer.key_set,
    };
    identity.first_key_set().map_err(CoreError::Answer)?;
    crate::link::check_identity(&identity).map_err(CoreError::Answer)?;
    Ok(identity)
}
