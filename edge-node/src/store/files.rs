//! The replica's files: `replica-N.sqlite` with the highest N is in use.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use eventify_disk::files;
use rusqlite::Connection;

use super::{StoreError, schema};

const PREFIX: &str = "replica-";
const SUFFIX: &str = ".sqlite";
const BUILDING: &str = "replica.building";
const PULL: &str = "snapshot.pull";
const REVOKED: &str = "revoked";

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

    /// Opens the newest replica for writing; one that can't be opened is replaced by an empty one.
    pub(super) fn open_newest(&mut self) -> Result<(Connection, PathBuf), StoreError> {
        delete_database(&self.building_path())?;
        let Some(path) = self.find_newest() else {
            return self.open_empty();
        };
        self.delete_others(&path)?;
        match schema::open_writer(&path) {
            Ok(connection) => Ok((connection, path)),
            Err(error) if error.is_held() => Err(error),
            Err(error) => {
                tracing::error!(
                    code = "replica.open_failed",
                    %error,
                    path = %path.display(),
                    "the replica can't be opened; it is deleted and fetched again"
                );
                self.open_empty()
            }
        }
    }

    /// Replaces the newest replica by an empty one. On a full disk there is no space for it until the
    /// others are deleted.
    pub(super) fn open_empty(&mut self) -> Result<(Connection, PathBuf), StoreError> {
        let path = self.next_path();
        self.create_empty(&path).or_else(|error| {
            tracing::warn!(
                code = "replica.create_failed",
                %error,
                path = %path.display(),
                "an empty replica can't be created; trying again without the old ones"
            );
            for (_, other) in self.list() {
                delete_database(&other)?;
            }
            self.create_empty(&path)
        })
    }

    fn create_empty(&self, path: &Path) -> Result<(Connection, PathBuf), StoreError> {
        let connection = schema::open_writer(path)?;
        files::sync_folder(path)?;
        self.delete_others(path)?;
        Ok((connection, path.to_owned()))
    }

    /// Makes the finished file the newest replica, durably. The one before it stays until
    /// [`Self::delete_others`].
    pub(super) fn swap_in(&mut self) -> Result<PathBuf, StoreError> {
        let building = self.building_path();
        fs::File::open(&building)?.sync_all()?;
        let path = self.next_path();
        fs::rename(&building, &path)?;
        files::sync_folder(&path)?;
        Ok(path)
    }

    pub(super) fn delete_others(&self, newest: &Path) -> io::Result<()> {
        for (_, path) in self.list() {
            if path != newest {
                delete_database(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn find_newest(&self) -> Option<PathBuf> {
        self.list().into_iter().max().map(|(_, path)| path)
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

    pub(super) fn update_revoked(&self, revoked: bool) -> io::Result<()> {
        let path = self.folder.join(REVOKED);
        if revoked {
            return files::replace(&path, b"the core has revoked this node\n");
        }
        files::remove(&path)?;
        files::sync_folder(&path)
    }

    fn next_path(&self) -> PathBuf {
        let number = self
            .list()
            .into_iter()
            .map(|(number, _)| number)
            .max()
            .unwrap_or(0)
            + 1;
        self.folder.join(format!("{PREFIX}{number}{SUFFIX}"))
    }

    fn list(&self) -> Vec<(u64, PathBuf)> {
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

fn delete_database(path: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        files::remove(Path::new(&name))?;
    }
    Ok(())
}
