//! The signing keys: read at the start from a directory of files, made and rotated by
//! `eventify-core keys`.
//!
//! ```text
//! <directory>/
//!   root.pub          the root public key that nodes pin; the same for the life of the system
//!   key-set.cose      the public keys, signed by the root key (COSE_Sign1)
//!   tickets/KID.pem   private keys that sign tickets, PKCS #8
//!   sync/KID.pem      private keys that sign sync points, PKCS #8
//!   root.pem          the root private key: only where keys are rotated, never on a server
//! ```
//!
//! A directory of files suits every secret store: Kubernetes mounts one, systemd credentials are
//! one. Deliberately not here: keys in the database.

mod ceremony;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use eventify_protocol::keys::{
    KeyEntry, KeyId, KeySet, KeyStatus, KeyUse, PrivateKey, RootPublicKey, SignedKeySet, Signer,
};
use eventify_protocol::token::TicketSigner;

pub use ceremony::{Lifetime, init, renew, rotate, withdraw};

const ROOT_PUBLIC: &str = "root.pub";
const ROOT_PRIVATE: &str = "root.pem";
const KEY_SET: &str = "key-set.cose";

/// What a serving process holds.
#[derive(Debug)]
pub struct KeyRing {
    /// Signs tickets: the newest active key whose private half is here.
    pub tickets: TicketSigner,
    /// Signs sync points.
    pub sync: Signer,
    /// What nodes pin.
    pub root: RootPublicKey,
    /// The public keys.
    pub set: KeySet,
    /// The same, signed by the root key.
    pub signed: SignedKeySet,
}

/// The key ring of a process, read when it is first needed: processes that only migrate or relay
/// need none.
#[derive(Debug)]
pub struct Keys {
    directory: PathBuf,
    ring: OnceLock<KeyRing>,
    in_force: RwLock<Option<Arc<KeySet>>>,
}

impl Keys {
    /// Nothing is read yet.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self {
            directory,
            ring: OnceLock::new(),
            in_force: RwLock::default(),
        }
    }

    /// The keys. A process that serves or works reads them before it starts.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn ring(&self) -> Result<&KeyRing, KeysError> {
        if let Some(ring) = self.ring.get() {
            return Ok(ring);
        }
        let ring = KeyRing::load(&self.directory)?;
        Ok(self.ring.get_or_init(|| ring))
    }

    /// The public keys by which tokens are judged: those of the ring, until a newer set of another
    /// process is put in force.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn in_force(&self) -> Result<Arc<KeySet>, KeysError> {
        let known = self
            .in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match known {
            Some(set) => Ok(set),
            None => Ok(Arc::new(self.ring()?.set.clone())),
        }
    }

    /// Puts a set in force in this process. The caller has verified it.
    pub fn put_in_force(&self, set: KeySet) {
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(set));
    }
}

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file is missing, unreadable or can't be written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file does not hold what its name says.
    #[error("{path}: {reason}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key set names no active key of this use whose private half is here.
    #[error("no active key for {0:?} in {1}; run `eventify-core keys rotate`")]
    NoActiveKey(KeyUse, PathBuf),
    /// The directory holds keys already.
    #[error("{0} holds keys already; `eventify-core keys rotate` adds new ones")]
    NotEmpty(PathBuf),
    /// No key of this name.
    #[error("the key set has no key '{0}'")]
    UnknownKey(String),
}

impl KeyRing {
    /// Reads a directory.
    ///
    /// # Errors
    /// See [`KeysError`].
    pub fn load(directory: &Path) -> Result<Self, KeysError> {
        let root = read_root(directory)?;
        let signed = read_signed(directory)?;
        let set = verified(directory, &signed, &root)?;
        let ticket_key = newest(directory, &set, KeyUse::Ticket)?;
        let sync_key = newest(directory, &set, KeyUse::Sync)?;
        Ok(Self {
            tickets: TicketSigner::new(ticket_key.1, ticket_key.0.window),
            sync: Signer::for_sync(sync_key.1),
            root,
            set,
            signed,
        })
    }
}

/// A key that was withdrawn from the set held and would live again in a new one: such a set is
/// refused, whoever has signed it.
#[must_use]
pub fn revived(held: &KeySet, new: &KeySet) -> Option<KeyId> {
    let withdrawn = |entry: &&KeyEntry| entry.status == KeyStatus::Withdrawn;
    held.keys()
        .iter()
        .filter(withdrawn)
        .map(|entry| entry.key.kid())
        .find(|kid| {
            new.find(*kid)
                .is_some_and(|entry| entry.status != KeyStatus::Withdrawn)
        })
}

/// The active key of a use that may vouch for the latest expiry, if its private half is here.
fn newest(
    directory: &Path,
    set: &KeySet,
    key_use: KeyUse,
) -> Result<(KeyEntry, PrivateKey), KeysError> {
    let mut active: Vec<_> = set
        .keys()
        .iter()
        .filter(|entry| entry.key_use == key_use && entry.status == KeyStatus::Active)
        .collect();
    active.sort_by_key(|entry| std::cmp::Reverse(entry.window.not_after));
    for entry in active {
        let path = private_path(directory, entry);
        if path.exists() {
            let key = read_private(&path)?;
            if key.public() == entry.key {
                return Ok((*entry, key));
            }
            return Err(content(&path, &"the private key does not fit its name"));
        }
    }
    Err(KeysError::NoActiveKey(key_use, directory.to_owned()))
}

fn private_path(directory: &Path, entry: &KeyEntry) -> PathBuf {
    let folder = match entry.key_use {
        KeyUse::Ticket => "tickets",
        KeyUse::Sync => "sync",
    };
    directory
        .join(folder)
        .join(format!("{}.pem", entry.key.kid()))
}

fn read_root(directory: &Path) -> Result<RootPublicKey, KeysError> {
    let path = directory.join(ROOT_PUBLIC);
    let text = std::fs::read_to_string(&path).map_err(file(&path))?;
    text.trim().parse().map_err(|error| content(&path, &error))
}

fn read_signed(directory: &Path) -> Result<SignedKeySet, KeysError> {
    let path = directory.join(KEY_SET);
    std::fs::read(&path)
        .map(SignedKeySet::from_bytes)
        .map_err(file(&path))
}

fn verified(
    directory: &Path,
    signed: &SignedKeySet,
    root: &RootPublicKey,
) -> Result<KeySet, KeysError> {
    signed
        .verify(root)
        .map_err(|error| content(&directory.join(KEY_SET), &error))
}

fn read_private(path: &Path) -> Result<PrivateKey, KeysError> {
    let pem = std::fs::read_to_string(path).map_err(file(path))?;
    PrivateKey::from_pkcs8_pem(&pem).map_err(|error| content(path, &error))
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> KeysError {
    let path = path.to_owned();
    move |error| KeysError::File { path, error }
}

fn content(path: &Path, reason: &dyn std::fmt::Display) -> KeysError {
    KeysError::Content {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
