//! Which file is the replica: `replica-N.sqlite`, the highest N counts.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{StoreError, schema};
use crate::durable_file;

const PREFIX: &str = "replica-";
const SUFFIX: &str = ".sqlite";
const BUILDING: &str = "replica.building";
const PULL: &str = "snapshot.pull";
const REVOKED: &str = "revoked";

/// The replica's files in a data directory.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Opens the newest replica to write; one that can't be opened makes place for an empty one.
    pub(super) fn open_newest(&mut self) -> Result<(Connection, PathBuf), StoreError> {
        remove_database(&self.building_path())?;
        let Some(path) = self.newest() else {
            return self.open_empty();
        };
        self.remove_older_than(&path)?;
        match schema::open_writer(&path) {
            Ok(connection) => Ok((connection, path)),
            Err(error) => {
                tracing::error!(code = "replica_unreadable", %error, "thrown away, fetched anew");
                self.open_empty()
            }
        }
    }

    /// Begins an empty replica in the place of the newest. On a full disk there is no room for it
    /// until the others are gone.
    pub(super) fn open_empty(&mut self) -> Result<(Connection, PathBuf), StoreError> {
        let path = self.next_path();
        self.begin_empty(&path).or_else(|error| {
            tracing::warn!(code = "replica_not_begun", %error, "makes room and tries again");
            for (_, other) in self.numbered() {
                remove_database(&other)?;
            }
            self.begin_empty(&path)
        })
    }

    fn begin_empty(&self, path: &Path) -> Result<(Connection, PathBuf), StoreError> {
        let connection = schema::open_writer(path)?;
        durable_file::sync_folder(path)?;
        self.remove_older_than(path)?;
        Ok((connection, path.to_owned()))
    }

    /// Makes the finished building the newest replica, durably. The one before it stays until
    /// [`Self::remove_older_than`].
    pub(super) fn swap_in_building(&mut self) -> Result<PathBuf, StoreError> {
        let building = self.building_path();
        fs::File::open(&building)?.sync_all()?;
        let path = self.next_path();
        fs::rename(&building, &path)?;
        durable_file::sync_folder(&path)?;
        Ok(path)
    }

    pub(super) fn remove_older_than(&self, newest: &Path) -> io::Result<()> {
        for (_, path) in self.numbered() {
            if path != newest {
                remove_database(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn newest(&self) -> Option<PathBuf> {
        self.numbered().into_iter().max().map(|(_, path)| path)
    }

    pub(super) fn building_path(&self) -> PathBuf {
        self.folder.join(BUILDING)
    }

    pub(super) fn pull_path(&self) -> PathBuf {
        self.folder.join(PULL)
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.folder.join(REVOKED).exists()
    }

    pub(super) fn set_revoked(&self, revoked: bool) -> io::Result<()> {
        let path = self.folder.join(REVOKED);
        if revoked {
            return durable_file::replace(&path, b"the core has revoked this node\n");
        }
        remove(&path)?;
        durable_file::sync_folder(&path)
    }

    fn next_path(&self) -> PathBuf {
        let number = self
            .numbered()
            .into_iter()
            .map(|(number, _)| number)
            .max()
            .unwrap_or(0)
            + 1;
        self.folder.join(format!("{PREFIX}{number}{SUFFIX}"))
    }

    fn numbered(&self) -> Vec<(u64, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let number = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            name.strip_prefix(PREFIX)?
                .strip_suffix(SUFFIX)?
                .parse()
                .ok()
        };
        entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter_map(|path| Some((number(&path)?, path)))
            .collect()
    }
}

fn remove_database(path: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        remove(Path::new(&name))?;
    }
    Ok(())
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
