//! Only one run at a time writes to an output folder, because a run empties it first.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};

/// The right to write to a folder. It ends with its last copy, or with the process.
#[derive(Clone, Debug)]
pub struct Claim {
    folder: PathBuf,
    _lock: Arc<File>,
}

impl Claim {
    /// Claims a folder for this run and empties it. The lock file is beside the folder.
    ///
    /// # Errors
    /// Another run has it, or it can't be made.
    pub fn take(folder: &Path) -> Result<Self> {
        let beside = folder.with_extension("lock");
        if let Some(parent) = beside.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let lock = File::create(&beside).with_context(|| beside.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another run writes to {}: wait for its end, or stop it",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).context(format!("locking {}", beside.display()));
            }
        }
        if folder.exists() {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("emptying {}", folder.display()))?;
        }
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: Arc::new(lock),
        })
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_claim_at_a_time_and_is_emptied() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("evidence");
        let first = Claim::take(&folder).expect("the folder is free");
        std::fs::write(folder.join("story.json"), "{}").expect("it is there");
        let refused = Claim::take(&folder).expect_err("the first run has it");
        assert!(refused.to_string().contains("another run writes to"));
        assert!(folder.join("story.json").exists(), "left as it was");
        let copy = first.clone();
        drop(first);
        Claim::take(&folder).expect_err("a copy is still held");
        drop(copy);
        let _second = Claim::take(&folder).expect("given back");
        assert!(!folder.join("story.json").exists());
    }
}
