//! From files to a running owner.

use std::{path::Path, sync::Arc, thread};

use eventify_protocol::{
    keys::KeySet,
    sync::{JournalEntry, JournalHead, JournalRow, Moment, SealedRow},
};
use eventify_sync::edge::{Machine, Now, Restored, RestoredJournal, RestoredReplica};
use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Fatal, Handle, Owner, RECOMPUTE_EVERY, handle, ticks, view};
use crate::{
    SOFTWARE,
    clock::{self, Clock},
    config::Config,
    identity::{Identity, IdentityError},
    journal::{Journal, JournalError},
    lan::{LanError, ScannerError},
    link::Link,
    store::{self, Replica, StoreError},
};

/// What an owner works with.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) identity: &'a Identity,
    pub(crate) clock: Clock,
    pub(crate) link: Link,
    pub(crate) stop: CancellationToken,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No identity, or a damaged one.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something in the identity can't be used.
    #[error("the identity can't be used: {0}")]
    Unusable(String),
    /// The journal can't be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The replica can't be opened.
    #[error(transparent)]
    Replica(#[from] StoreError),
    /// The scanners' file can't be read.
    #[error(transparent)]
    Scanners(#[from] ScannerError),
    /// The LAN API can't be served.
    #[error(transparent)]
    Lan(#[from] LanError),
    /// The system refuses something.
    #[error("{what}: {error}")]
    System {
        /// What was wanted.
        what: String,
        /// Why not.
        error: std::io::Error,
    },
}

/// Opens journal and replica and starts the owner on a thread of its own. What it ends with comes
/// out of the receiver.
pub(crate) fn start(
    parts: Parts<'_>,
) -> Result<(Handle, oneshot::Receiver<Result<(), Fatal>>), StartError> {
    let Parts {
        config,
        identity,
        clock,
        link,
        stop,
    } = parts;
    let folder: &Path = &config.data_dir;
    let (journal_says, journal_notices) = mpsc::unbounded_channel();
    let (replica_says, replica_notices) = mpsc::unbounded_channel();
    // The receivers live as long as the owner; a notice after that is nobody's business.
    let (replica, found) = Replica::open(folder, move |notice| drop(replica_says.send(notice)))?;
    let journal = Journal::open(folder, config.journal, move |n| drop(journal_says.send(n)))?;
    let journal_reader = journal.reader()?;
    let now = Now {
        boottime: clock.boottime(),
        wall: clock.wall(),
    };
    let place = found
        .replica
        .as_ref()
        .map(|replica| (replica.epoch, replica.position));
    let (restored_journal, persisted) = match journal_reader.restored(place)? {
        Some(restored) => {
            let head = restored.head;
            (restored, head)
        }
        None => first_chain(&journal, identity, &clock, now),
    };
    let appended = restored_journal.head;
    let facts = view::Facts {
        node: identity.node_id,
        venue: identity.venue_id,
        tickets: found.tickets,
    };
    let keys = newest_keys(identity, found.replica.as_ref()).map_err(StartError::Unusable)?;
    let machine = Machine::new(
        Restored {
            node: identity.node_id,
            venue: identity.venue_id,
            boot: clock.boot(),
            software: SOFTWARE.to_owned(),
            configured_limit: config.admission.max_cache_age,
            entropy: clock::entropy(),
            journal: restored_journal,
            replica: found.replica,
            partial: found.partial,
            proof: found.proof,
            revoked: found.revoked,
        },
        now,
    );
    let status = view::node_status(&machine.status(now), &facts);
    let (handle, inbox) = handle::channel(config.lan.max_scans_waiting, Arc::new(keys), status);
    let (recompute_to, recomputed) = mpsc::channel(1);
    let room = journal_reader.room(&config.journal);
    let root = identity.root().map_err(StartError::Unusable)?;
    let limits = config.journal;
    let (ended, ending) = oneshot::channel();
    // A runtime of its own: the owner's timers and wake-ups wait for no other task.
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| StartError::System {
            what: "starting the owner".to_owned(),
            error,
        })?;
    thread::Builder::new()
        .name("owner".to_owned())
        .spawn(move || {
            let outcome = runtime.block_on(async {
                let owner = Owner {
                    machine,
                    clock,
                    facts,
                    root,
                    limits,
                    link,
                    inbox,
                    journal,
                    journal_reader,
                    journal_notices,
                    replica,
                    replica_reader: found.reader,
                    replica_notices,
                    replica_backlog: 0,
                    recomputed,
                    recompute_to,
                    waiting: std::collections::HashMap::new(),
                    next_request: 0,
                    rows: Vec::new(),
                    appended,
                    persisted,
                    chain_wanted: None,
                    opening: None,
                    room,
                    publish_at: None,
                    shown: None,
                    tick: ticks(),
                    recompute_at: Instant::now() + RECOMPUTE_EVERY,
                    retire_at: Instant::now(),
                };
                owner.run(stop).await
            });
            // Nobody waits for the end of a node that is dropped.
            drop(ended.send(outcome));
        })
        .map_err(|error| StartError::System {
            what: "starting the owner".to_owned(),
            error,
        })?;
    Ok((handle, ending))
}

/// The first row of the first chain. It is on its way to the disk before anything else is.
fn first_chain(
    journal: &Journal,
    identity: &Identity,
    clock: &Clock,
    now: Now,
) -> (RestoredJournal, JournalHead) {
    let row = SealedRow::seal(JournalRow {
        incarnation: clock::new_id(),
        seq: 1,
        previous: eventify_protocol::hash::Hash32::ZERO,
        at: Moment {
            boot: clock.boot(),
            boottime: now.boottime,
            wall: now.wall,
            core: None,
        },
        entry: JournalEntry::Opened {
            node: identity.node_id,
            succeeds: None,
        },
    });
    let head = row.head();
    journal.append(vec![row.clone()]);
    let rows = vec![eventify_sync::edge::RestoredRow {
        row,
        acknowledged: None,
    }];
    let restored = RestoredJournal {
        head,
        acknowledged: 0,
        rows,
    };
    (restored, JournalHead::empty(head.incarnation))
}

/// The key set of the feed if it is newer than the one of the enrolment, and the root's.
fn newest_keys(identity: &Identity, replica: Option<&RestoredReplica>) -> Result<KeySet, String> {
    let first = identity.first_key_set()?;
    let root = identity.root()?;
    let in_feed = replica
        .and_then(|replica| replica.small.iter().find_map(store::key_set_of))
        .and_then(|bytes| {
            eventify_protocol::keys::SignedKeySet::from_bytes(bytes)
                .verify(&root)
                .ok()
        });
    Ok(match in_feed {
        Some(keys) if keys.supersedes(Some(&first)) => keys,
        Some(_) | None => first,
    })
}
