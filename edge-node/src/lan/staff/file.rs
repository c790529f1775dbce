//! Small JSON files that are replaced as a whole. One that can't be read keeps no gate closed: PINs are gone
//! together with their locks, and staff sign in with the identity provider again.

use std::{
    io,
    path::{Path, PathBuf},
};

use eventify_disk::files;
use serde::{Serialize, de::DeserializeOwned};

/// What is kept about staff can't be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct NotWritten {
    path: PathBuf,
    error: io::Error,
}

/// What a file holds; nothing if there is none that can be read.
pub(super) fn load<T: DeserializeOwned + Default>(path: &Path) -> T {
    let read = match files::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return T::default(),
        Err(error) => Err(error),
    };
    read.unwrap_or_else(|error| {
        tracing::error!(
            code = "lan.staff_unread",
            path = %path.display(),
            %error,
            "what was kept about staff can't be read: they sign in with the identity provider again"
        );
        T::default()
    })
}

pub(super) fn save<T: Serialize>(path: &Path, content: &T) -> Result<(), NotWritten> {
    let bytes = serde_json::to_vec(content).expect("strings, numbers and ids are JSON");
    files::replace(path, &bytes).map_err(|error| NotWritten {
        path: path.to_owned(),
        error,
    })
}
