//! From files to a running owner.

use std::{collections::HashMap, sync::Arc, thread, time::Duration};

use eventify_protocol::{
    ids::{NodeId, VenueId},
    keys::{KeySet, SignedKeySet},
    lan::NodeStatus,
};
use eventify_sync::edge::{Machine, Now, Restored, RestoredReplica};
use tokio::{
    runtime,
    sync::oneshot,
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    Fatal, Handle, Owner, RECOMPUTE_EVERY, TICK,
    guest_keys::GuestKeys,
    handle,
    journal::JournalFile,
    replica::ReplicaFiles,
    scanner_line::OwnersLine,
    staff_line::OwnersStaffLine,
    status::{self, StatusBoard},
    venue_clocks::VenueClocks,
    venue_staff::VenueStaff,
};
use crate::{
    SOFTWARE,
    clock::{self, Clock},
    config::Config,
    identity::{Identity, IdentityError},
    journal::JournalError,
    lan::{LanError, ScannerError},
    link::Link,
    store::{self, StoreError},
};

/// How long a start waits for files that another program holds.
const START_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) identity: &'a Identity,
    pub(crate) clock: Clock,
    pub(crate) link: Link,
    pub(crate) scanner_line: OwnersLine,
    pub(crate) staff_line: OwnersStaffLine,
    pub(crate) stop: CancellationToken,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node is not enrolled, or its identity is damaged.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something in the identity can't be used.
    #[error("the node's identity can't be used: {0}")]
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
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        error: std::io::Error,
    },
}

/// Opens journal and replica and starts the owner on a thread of its own. The receiver gets its
/// result when it ends.
pub(crate) fn start(
    parts: Parts<'_>,
) -> Result<(Handle, oneshot::Receiver<Result<(), Fatal>>), StartError> {
    let stop = parts.stop.clone();
    let (handle, make_owner) = prepare(parts)?;
    let not_started = |error| StartError::System {
        what: "starting the owner's thread".to_owned(),
        error,
    };
    // A runtime of its own: the owner's timers wait for no other task.
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(not_started)?;
    let (ended, ending) = oneshot::channel();
    let run = move || {
        let result = runtime.block_on(async { make_owner().run(stop).await });
        // Nobody waits for the end of a node that is dropped.
        drop(ended.send(result));
    };
    thread::Builder::new()
        .name("owner".to_owned())
        .spawn(run)
        .map_err(not_started)?;
    Ok((handle, ending))
}

/// Reads the files. The owner itself is made on its own runtime, because its timers need that.
fn prepare(
    parts: Parts<'_>,
) -> Result<(Handle, impl FnOnce() -> Owner + Send + use<>), StartError> {
    let Parts {
        config,
        identity,
        clock,
        link,
        scanner_line,
        staff_line,
        ..
    } = parts;
    let now = Now {
        boottime: clock.boottime(),
        wall: clock.wall(),
    };
    let (node, venue) = (identity.node_id, identity.venue_id);
    let root = identity.root().map_err(StartError::Unusable)?;
    let (replica, found) = until_free(|| ReplicaFiles::open(&config.data_dir).map_err(Into::into))?;
    let replica_found = found.replica.as_ref();
    let position = replica_found.map(|replica| (replica.epoch, replica.position));
    let known = (position, found.journal_end);
    let (journal, restored) =
        until_free(|| Ok(JournalFile::open(config, node, (&clock, now), known)?))?;
    let keys = newest_keys(identity, found.replica.as_ref()).map_err(StartError::Unusable)?;
    let restored = Restored {
        node,
        venue,
        boot: clock.boot(),
        software: SOFTWARE.to_owned(),
        configured_limit: config.admission.max_cache_age,
        entropy: clock::entropy(),
        journal: restored,
        replica: found.replica,
        partial: found.partial,
        proof: found.proof,
        revoked: found.revoked,
    };
    let machine = Machine::new(restored, now);
    let clocks = VenueClocks::load(&config.data_dir);
    let status = first_status((node, venue), &machine, (now, replica.tickets), &clocks);
    let staff = VenueStaff::of(&machine).unwrap_or_default();
    let capacity = config.lan.max_scans_waiting;
    let (handle, inbox) = handle::channel(capacity, Arc::new(keys), status, staff);
    let limits = config.journal;
    let make_owner = move || Owner {
        machine,
        clock,
        node,
        root,
        keys: inbox.keys,
        limits,
        journal,
        replica,
        link,
        scans: inbox.scans,
        status_requests: inbox.status_requests,
        insight_requests: inbox.insight_requests,
        searches: inbox.searches,
        guest_keys: GuestKeys::default(),
        acts: inbox.acts,
        scanner_line,
        staff_line,
        staff: inbox.staff,
        status: StatusBoard::new((node, venue), inbox.latest, inbox.stream, clocks),
        waiting: HashMap::new(),
        next_request: 0,
        tick: ticks(),
        recompute_at: Instant::now() + RECOMPUTE_EVERY,
        retire_at: Instant::now(),
    };
    Ok((handle, make_owner))
}

/// Until the owner publishes its first one.
fn first_status(
    ids: (NodeId, VenueId),
    machine: &Machine,
    (now, tickets): (Now, u64),
    clocks: &VenueClocks,
) -> NodeStatus {
    let status = machine.status(now);
    status::node_status(ids, &status, (tickets, None), clocks.zone())
}

/// Opens files as soon as no other program holds them: a node that comes up while a backup runs is
/// there when the backup is done.
fn until_free<T>(mut open: impl FnMut() -> Result<T, StartError>) -> Result<T, StartError> {
    let begun = Instant::now();
    let mut said = false;
    loop {
        match open() {
            Err(error) if error.is_held() && begun.elapsed() < START_PATIENCE => {
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(
                        code = "storage.held",
                        %error,
                        "the node starts when the file is free"
                    );
                }
            }
            opened => return opened,
        }
    }
}

impl StartError {
    fn is_held(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_held(),
            Self::Replica(error) => error.is_held(),
            Self::Identity(_)
            | Self::Unusable(_)
            | Self::Scanners(_)
            | Self::Lan(_)
            | Self::System { .. } => false,
        }
    }
}

/// The first tick comes at once: streams need not wait for a second.
fn ticks() -> Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// The key set of the feed if it is newer than that of the enrolment and signed by the root.
fn newest_keys(identity: &Identity, replica: Option<&RestoredReplica>) -> Result<KeySet, String> {
    let first = identity.first_key_set()?;
    let root = identity.root()?;
    let in_feed = replica
        .and_then(|replica| replica.small.iter().find_map(store::key_set_of))
        .and_then(|bytes| SignedKeySet::from_bytes(bytes).verify(&root).ok());
    Ok(match in_feed {
        Some(keys) if keys.supersedes(Some(&first)) => keys,
        Some(_) | None => first,
    })
}
