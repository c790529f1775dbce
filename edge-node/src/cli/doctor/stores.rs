//! Journal, replica, and the scanners' file.

use super::{super::restart_journal::known_ends, Finding};
use crate::{
    config::Config,
    held_file, instance_lock,
    journal::{self, JournalError},
    lan::{Pairings, Scanners},
    store,
};

pub(super) fn journal(config: &Config) -> Finding {
    let path = journal::path(&config.data_dir);
    match journal::find_loss(&config.data_dir, &known_ends(config)) {
        Ok(Some(loss)) => return Finding::fail("journal", JournalError::Behind(loss)),
        Err(error) => return Finding::fail("journal", error),
        Ok(None) if !path.exists() => {
            return Finding::ok("journal", "none yet; the first start creates it");
        }
        Ok(None) => {}
    }
    let checked = journal::Reader::open(&path)
        .map_err(journal::ExportError::from)
        .and_then(|reader| journal::export(&reader, &mut std::io::sink()));
    match checked {
        Ok(checked) => Finding::ok("journal", checked),
        Err(error) => Finding::fail("journal", error),
    }
}

/// Programs that have locks on the files, beside the node.
pub(super) fn held(config: &Config) -> Option<Finding> {
    let nodes = held_file::lockers(&config.data_dir.join(instance_lock::FILE));
    let files = [
        Some(journal::path(&config.data_dir)),
        store::newest_path(&config.data_dir),
    ];
    let holders = files
        .iter()
        .flatten()
        .flat_map(|file| held_file::holders(file));
    let mut others: Vec<_> = holders.filter(|it| !nodes.contains(&it.pid)).collect();
    others.dedup();
    (!others.is_empty()).then(|| {
        Finding::warn(
            "files",
            format!(
                "{} has journal or replica open: while it writes, no scan is decided, and while it reads, \
                 the journal's log grows; close it",
                held_file::named(&others)
            ),
        )
    })
}

pub(super) fn replica(config: &Config) -> Finding {
    let none = "none yet; the node fetches it when it connects for the first time";
    let Some(path) = store::newest_path(&config.data_dir) else {
        return Finding::ok("replica", none);
    };
    match store::Reader::open(&path).and_then(|reader| reader.recompute()) {
        Ok(None) => Finding::ok("replica", none),
        Ok(Some(counted)) if counted.digest == counted.stored => Finding::ok(
            "replica",
            format!(
                "position {}, {} tickets, digest matches",
                counted.position.0, counted.tickets
            ),
        ),
        Ok(Some(_)) => Finding::fail(
            "replica",
            "the rows do not match their digest; restart the node, which fetches them again; if this \
             happens again, the disk or the memory is failing",
        ),
        Err(error) => Finding::fail("replica", format!("{error}; restart the node")),
    }
}

pub(super) fn scanners(config: &Config) -> Finding {
    let subject = "scanners";
    let pairings = match Scanners::load(&config.data_dir) {
        Ok(scanners) => scanners.pairings(),
        Err(error) => return Finding::fail(subject, error),
    };
    let Pairings { paired, noted } = pairings;
    if pairings.are_lost() {
        let path = Scanners::path(&config.data_dir);
        Finding::fail(
            subject,
            format!(
                "{paired} are paired, and {noted} were: {} is gone or an older one, and the others are \
                 refused at the doors; put it back from a backup, or pair them again with \
                 `eventify-edge pair`",
                path.display()
            ),
        )
    } else if paired == 0 {
        Finding::ok(subject, "none yet; `eventify-edge pair` pairs one")
    } else {
        Finding::ok(subject, format!("{paired} paired"))
    }
}

/// How many scanners may scan here.
pub(super) fn paired(config: &Config) -> usize {
    Scanners::load(&config.data_dir).map_or(0, |scanners| scanners.pairings().paired)
}
