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
    let of_files = files(database)
        .iter()
        .flat_map(|file| lockers(file))
        .collect();
    others(of_files, &[process::id()])
}

/// Who holds a file that is known to be held: who has a lock, or where none is named (locks of open files,
/// another machine's or container's) who has the file open. `nodes` are no others.
pub(crate) fn suspects(database: &Path, nodes: &[u32]) -> Vec<Holder> {
    let mut ours = nodes.to_vec();
    ours.push(process::id());
    let files = files(database);
    let lockers = others(files.iter().flat_map(|file| lockers(file)).collect(), &ours);
    if lockers.is_empty() {
        others(openers(&files), &ours)
    } else {
        lockers
    }
}

fn files(database: &Path) -> [PathBuf; 3] {
    COMPANIONS.map(|companion| {
        let mut name = database.as_os_str().to_owned();
        name.push(companion);
        PathBuf::from(name)
    })
}

fn others(mut pids: Vec<u32>, ours: &[u32]) -> Vec<Holder> {
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| !ours.contains(pid));
    pids.into_iter().map(holder).collect()
}

/// Processes that have one of these files open, as far as we may look.
fn openers(files: &[PathBuf]) -> Vec<u32> {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let files: Vec<_> = files
        .iter()
        .filter_map(|it| fs::metadata(it).ok())
        .map(id)
        .collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let has_one = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        let mut open = open.flatten().filter_map(|it| fs::metadata(it.path()).ok());
        open.any(|metadata| files.contains(&id(metadata)))
    };
    pids.filter(has_one).collect()
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
    // Of no process (-1), or of one that can't be seen from here (0).
    of_file.filter(|pid| *pid != 0).collect()
}

fn holder(pid: u32) -> Holder {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"));
    let name = name.map_or_else(|_| "a program".to_owned(), |name| name.trim().to_owned());
    Holder { name, pid }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A lock of an open file has no process in the kernel's list.
    #[test]
    fn where_no_lock_names_a_process_those_are_named_who_have_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("journal.sqlite");
        fs::write(&database, "").unwrap();
        assert_eq!(suspects(&database, &[]), []);
        let log = folder.path().join("journal.sqlite-wal");
        fs::write(&log, "").unwrap();
        let mut reader = Command::new("tail")
            .arg("-f")
            .stdin(fs::File::open(&log).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let found = suspects(&database, &[]);
        let among_ours = suspects(&database, &[reader.id()]);
        reader.kill().unwrap();
        let pid = reader.id();
        reader.wait().unwrap();
        assert_eq!(found.iter().map(|it| it.pid).collect::<Vec<_>>(), [pid]);
        assert!(named(&found).contains(&format!("(process {pid})")));
        assert_eq!(among_ours, [], "the node itself");
        assert_eq!(named(&[]), "another program");
    }
}
