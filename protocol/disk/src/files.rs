//! Small files that only their owner can read: replaced as a whole, or appended to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// Permissions of each file.
pub const OWNER_ONLY_FILE: u32 = 0o600;
/// Permissions of a private folder.
pub const OWNER_ONLY_FOLDER: u32 = 0o700;

/// Replaces the content of `path`: after a power cut it is the old content or the new, never a part.
///
/// # Errors
/// Those of the file system; then the old content remains.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    remove(&temporary)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY_FILE)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(path)
}

/// Reads a file. What is none would be waited for without end: a named pipe that nobody writes to.
///
/// # Errors
/// Those of the file system, and [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    must_be_file(path)?;
    fs::read(path)
}

/// Without opening it.
///
/// # Errors
/// As [`read`].
pub fn must_be_file(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return Ok(());
    }
    let what = "this is a folder, a pipe or a device, and must be a regular file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// Opens a file that only grows, and makes it if it is not there. What is written is durable when the
/// caller has synced it.
///
/// # Errors
/// Those of the file system.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(OWNER_ONLY_FILE)
        .open(path)?;
    sync_folder(path)?;
    Ok(file)
}

/// Deletes a file that may not exist. Durable after [`sync_folder`].
///
/// # Errors
/// Those of the file system.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the names in a file's folder durable.
///
/// # Errors
/// Those of the file system.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Creates a folder and its parents that only its owner can access; removes the rights of others if it
/// exists already.
///
/// # Errors
/// Those of the file system.
pub fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY_FOLDER)
        .create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(OWNER_ONLY_FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        replace(&path, b"old").unwrap();
        fs::write(path.with_extension("tmp"), b"left by a crash").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            OWNER_ONLY_FILE
        );
    }

    #[test]
    fn a_file_that_grows_keeps_what_it_has_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scans.log");
        for line in ["one\n", "two\n"] {
            let mut file = open_to_append(&path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, OWNER_ONLY_FILE);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/zero")] {
            let refused = read(path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            assert!(refused.to_string().contains("regular file"), "{refused}");
        }
        let absent = read(&folder.path().join("absent")).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"content").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link).unwrap(), b"content");
    }

    #[test]
    fn what_is_not_there_counts_as_removed_and_what_cannot_be_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("place.json");
        fs::write(&path, b"{}").unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        remove(&path).unwrap();
        assert!(remove(folder.path()).is_err(), "a folder is no file");
    }

    #[test]
    fn a_folder_that_others_could_read_becomes_private() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("node");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        private_folder(&folder).unwrap();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, OWNER_ONLY_FOLDER);
    }
}
