//! Files that another program holds: a backup, a virus scanner, a database browser. That breaks nothing:
//! what is to be written waits until the file is free again.

use std::{
    fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
};

use rustix::fs::{major, minor};

/// The kernel's list of locks.
const LOCKS: &str = "/proc/locks";
/// What SQLite keeps beside a file; in WAL mode most locks are on the last one.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// SQLite has waited for its busy timeout.
pub(crate) fn is_held(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Another process that has a lock on a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    name: String,
    pub(crate) pid: u32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Other processes that have locks on a SQLite file or what belongs to it; none where the system does
/// not say.
pub(crate) fn holders(database: &Path) -> Vec<Holder> {
    let files = COMPANIONS.map(|companion| {
        let mut name = database.as_os_str().to_owned();
        name.push(companion);
        PathBuf::from(name)
    });
    let mut pids: Vec<u32> = files.iter().flat_map(|file| lockers(file)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| *pid != process::id());
    pids.into_iter().map(holder).collect()
}

/// Holders in words, for a log line or a report.
pub(crate) fn named(holders: &[Holder]) -> String {
    match holders {
        [] => "another program".to_owned(),
        holders => {
            let names: Vec<_> = holders.iter().map(Holder::to_string).collect();
            names.join(", ")
        }
    }
}

/// Processes with a lock on one file, this one included.
pub(crate) fn lockers(file: &Path) -> Vec<u32> {
    let (Ok(metadata), Ok(locks)) = (fs::metadata(file), fs::read_to_string(LOCKS)) else {
        return vec![];
    };
    let device = metadata.dev();
    let id = format!(
        "{:02x}:{:02x}:{}",
        major(device),
        minor(device),
        metadata.ino()
    );
    // `1: POSIX  ADVISORY  WRITE 4242 fe:00:131 120 120`
    let lines = locks.lines().map(|line| line.split_whitespace());
    let of_file = lines.filter_map(|mut words| {
        let pid = words.nth(4)?;
        (words.next()? == id).then(|| pid.parse().ok())?
    });
    of_file.collect()
}

fn holder(pid: u32) -> Holder {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    let name = name.map_or_else(|_| "a program".to_owned(), |name| name.trim().to_owned());
    Holder { name, pid }
}
