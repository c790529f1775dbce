//! One run at a time for each folder of evidence: a second one would empty it under the first.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};

/// Held until its last copy is dropped; the kernel gives it back whatever happens to the process.
#[derive(Clone, Debug)]
pub struct Claim {
    folder: PathBuf,
    _lock: Arc<File>,
}

impl Claim {
    /// Takes a folder for this run and empties it. The lock lies beside it.
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
                "another run writes to {}: wait for its end or stop it",
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

    /// What is claimed.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_at_a_time_and_emptied() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("evidence");
        let first = Claim::take(&folder).expect("nobody has it");
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
