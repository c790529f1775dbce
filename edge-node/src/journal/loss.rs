//! A journal that is shorter than what is known of it, and how a node goes on without the rest
//! (`ADMISSION` 4.5).

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
};

use eventify_disk::files;
use eventify_protocol::{
    ids::{IncarnationId, NodeId},
    sync::{JournalEntry, JournalHead, Moment, SealedRow},
};
use eventify_sync::edge::begin_after_loss;

use super::{Chain, Journal, JournalError, LastRow, Notice, Reader, path};
use crate::config::JournalConfig;

/// What SQLite keeps beside its file.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// A row is known to exist and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub known: JournalHead,
    /// The end of the newest file that is there.
    pub own: Option<JournalHead>,
}

/// What a node goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restarted {
    pub known: JournalHead,
    /// Rows that could be read and are carried over.
    pub carried: usize,
    /// Why the rest can't be read.
    pub unreadable: Option<String>,
    /// Where the old file lies now; none if there was none.
    pub aside: Option<PathBuf>,
}

/// Why there is no new file. Nothing was changed, unless `Journal` says so.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    #[error(
        "the journal has every row that is known; nothing was changed. This command is for a journal \
         that is damaged or lacks rows: `eventify-edge doctor` says whether yours is"
    )]
    NothingLost,
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JournalHead {
            incarnation, seq, ..
        } = self.known;
        match self.own {
            Some(own) if own.incarnation == incarnation && own.seq < seq => write!(
                f,
                "it ends with row {}, and row {seq} was written: {} rows are missing",
                own.seq,
                seq - own.seq
            ),
            Some(own) if own.incarnation == incarnation => {
                write!(f, "its row {seq} is not the one that was written")
            }
            Some(own) => write!(
                f,
                "row {seq} of file {incarnation} was written, and only {} rows of file {} are there",
                own.seq, own.incarnation
            ),
            None => write!(
                f,
                "{seq} rows of file {incarnation} were written, and none is there"
            ),
        }
    }
}

/// Whether the journal lacks a row that is known; it is only read.
///
/// # Errors
/// [`JournalError::Damaged`] and others if the file can't be read.
pub fn find_loss(data_dir: &Path, known: &[JournalHead]) -> Result<Option<Loss>, JournalError> {
    let path = path(data_dir);
    if !path.exists() {
        let known = known.first().copied();
        return Ok(known.map(|known| Loss { known, own: None }));
    }
    if known.is_empty() {
        return Ok(None);
    }
    let reader = Reader::open(&path)?;
    let chains = reader.chains()?;
    for known in known {
        if !is_there(&reader, &chains, known)? {
            return Ok(Some(Loss {
                known: *known,
                own: chains.last().map(|chain| chain.head),
            }));
        }
    }
    Ok(None)
}

/// In one of the files, removed from it after its time, or given up by the file that goes on without
/// it.
fn is_there(reader: &Reader, chains: &[Chain], known: &JournalHead) -> Result<bool, JournalError> {
    for chain in chains {
        let is_given_up = |row: &SealedRow| match &row.row().entry {
            JournalEntry::Opened { after_loss, .. } => after_loss
                .is_some_and(|lost| lost.incarnation == known.incarnation && lost.seq >= known.seq),
            JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::Overridden(_)
            | JournalEntry::Undone(_)
            | JournalEntry::Left(_)
            | JournalEntry::GateChanged(_) => false,
        };
        let first = reader.list_rows(chain.head.incarnation, 1..=1, 0)?;
        if first.iter().any(is_given_up) {
            return Ok(true);
        }
        if chain.head.incarnation == known.incarnation {
            let rows = reader.list_rows(known.incarnation, known.seq..=known.seq, 0)?;
            let is_retired = known.seq <= chain.base.seq;
            return Ok(is_retired || rows.iter().any(|row| row.hash() == known.hash));
        }
    }
    Ok(false)
}

/// Puts the journal aside and begins a new one that names the last row known, and carries every row
/// that can still be read.
///
/// # Errors
/// See [`RestartError`].
pub fn restart(
    data_dir: &Path,
    limits: JournalConfig,
    (node, incarnation): (NodeId, IncarnationId),
    at: Moment,
    known: &[JournalHead],
) -> Result<Restarted, RestartError> {
    let (left, unreadable) = list_readable(data_dir);
    let end = left.last().map(SealedRow::head);
    let known = match find_loss(data_dir, known) {
        Ok(None) => return Err(RestartError::NothingLost),
        Ok(Some(loss)) => loss.known,
        // Nobody knows more of a damaged file than what it still says itself.
        Err(_) => known
            .first()
            .copied()
            .or(end)
            .unwrap_or(JournalHead::empty(incarnation)),
    };
    let rows = begin_after_loss(node, incarnation, known, at, &left);
    let aside = put_aside(data_dir, at)?;
    let head = write(data_dir, limits, rows)?;
    LastRow {
        own: head,
        core: None,
    }
    .save(data_dir)?;
    Ok(Restarted {
        known,
        carried: left.len(),
        unreadable,
        aside,
    })
}

/// The rows of the newest file up to the first that can't be read or does not follow, and why that is.
fn list_readable(data_dir: &Path) -> (Vec<SealedRow>, Option<String>) {
    let mut rows = Vec::new();
    if !path(data_dir).exists() {
        return (rows, None);
    }
    let read = Reader::open(&path(data_dir)).and_then(|reader| {
        let Some(chain) = reader.chains()?.pop() else {
            return Ok(());
        };
        let mut head = chain.base;
        reader.for_each_after(&chain, chain.base.seq, |stored, row| {
            if stored != row.hash() || !head.is_followed_by(row.row()) {
                return Err(JournalError::NotNext { seq: head.seq });
            }
            head = row.head();
            rows.push(row);
            Ok(())
        })
    });
    (rows, read.err().map(|error| error.to_string()))
}

fn put_aside(data_dir: &Path, at: Moment) -> Result<Option<PathBuf>, RestartError> {
    let old = path(data_dir);
    let new = data_dir.join(format!("journal-lost-{}.sqlite", at.wall.0));
    for companion in COMPANIONS {
        let with = |path: &Path| PathBuf::from(format!("{}{companion}", path.display()));
        match fs::rename(with(&old), with(&new)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = with(&old);
                return Err(RestartError::File { path, error });
            }
            Ok(()) | Err(_) => {}
        }
    }
    files::sync_folder(&new).map_err(|error| RestartError::File {
        path: data_dir.to_owned(),
        error,
    })?;
    Ok(new.exists().then_some(new))
}

fn write(
    data_dir: &Path,
    limits: JournalConfig,
    rows: Vec<SealedRow>,
) -> Result<JournalHead, JournalError> {
    let (sender, notices) = mpsc::channel();
    let journal = Journal::open(data_dir, limits, move |notice| drop(sender.send(notice)))?;
    journal.append(rows);
    loop {
        match notices.recv() {
            Ok(Notice::Persisted { head, .. }) => return Ok(head),
            // It is written when the file is free.
            Ok(Notice::Held | Notice::Free) => {}
            Ok(Notice::Failed(error)) => return Err(error),
            Err(_) => return Err(JournalError::Thread(io::ErrorKind::BrokenPipe.into())),
        }
    }
}
