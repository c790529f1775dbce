//! One process per data directory: two would write the same journal.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use eventify_disk::files;
use rustix::fs::{FlockOperation, flock};

pub(crate) const FILE: &str = "lock";

/// Held as long as the node runs; the kernel releases it however the process ends.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// # Errors
    /// `WouldBlock` if another process has it, `InvalidInput` if it is no regular file.
    pub(crate) fn take(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(FILE);
        if path.exists() {
            files::must_be_file(&path)?;
        }
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
    use rustix::fs::{CWD, FileType, Mode, mknodat};

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

    #[test]
    fn a_lock_that_is_a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mode) = (folder.path().join(FILE), Mode::RUSR | Mode::WUSR);
        mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
        let error = InstanceLock::take(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
