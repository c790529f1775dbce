//! What has to hold before there is a window, and how the program ends where it does not: with one line
//! that says what to do, and an exit code of its own. A gate has nobody who reads error windows.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use eventify_disk::files;

const OWNER_ONLY_FILE: u32 = 0o600;
/// Held by the program that uses the folder.
const LOCK: &str = "running.lock";

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no display: start it in a graphical session, or set DISPLAY")]
    NoDisplay,
    #[error(
        "{folder} can't be used ({error}): make it this user's own, or choose another folder with --data"
    )]
    Folder { folder: String, error: io::Error },
    #[error("another scanner app works with {folder}: use that one, or end it first")]
    OtherInstance { folder: String },
    #[error("the window can't be opened: {0}")]
    Window(String),
}

impl Failure {
    /// As in `sysexits.h`, which service managers know. A wrong argument is 2.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoDisplay => 69,
            Self::Window(_) => 70,
            Self::Folder { .. } => 73,
            Self::OtherInstance { .. } => 75,
        }
    }
}

/// The right to a data folder, until the end of the program.
#[derive(Debug)]
pub(crate) struct OnlyInstance(#[expect(dead_code, reason = "held, not read")] File);

impl OnlyInstance {
    /// Makes the folder if it is not there, and its owner's alone. A lock of the system ends with its program, however that ends.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let unusable = |error| Failure::Folder {
            folder: folder.display().to_string(),
            error,
        };
        files::private_folder(folder).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let path: PathBuf = folder.join(LOCK);
        let lock = options.mode(OWNER_ONLY_FILE).open(path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(TryLockError::WouldBlock) => Err(Failure::OtherInstance {
                folder: folder.display().to_string(),
            }),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

/// Before Tauri, which panics where there is none.
pub(crate) fn find_display() -> Result<(), Failure> {
    gtk::init().map_err(|_| Failure::NoDisplay)
}
