//! One process per data directory: two would write the same journal.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

pub(crate) const FILE: &str = "lock";

/// Held as long as the node runs; the kernel releases it however the process ends.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// # Errors
    /// `WouldBlock` if another process has it.
    pub(crate) fn take(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = InstanceLock::take(folder.path()).unwrap();
        let error = InstanceLock::take(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        assert!(InstanceLock::take(folder.path()).is_ok());
    }
}
