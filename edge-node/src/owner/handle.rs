//! How the LAN API and the tools reach the owner.

use std::{fmt, sync::Arc, time::Duration};

use eventify_protocol::{
    ids::{GateId, PersonId, ScanId, ScannerId, VenueId},
    keys::KeySet,
    lan::{MAX_SCANNED_CHARS, NodeStatus, ScanAnswer, StreamEvent},
    short_code::ShortCode,
};
use eventify_sync::{
    edge::{ActOutcome, NoSearch, Reply, SearchRecord, SearchRecorded},
    token::TokenCheck,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch},
    time::timeout,
};

use super::acts::{self, Act, NoAct, WaitingAct};
use super::{insight::Insight, status, venue_staff::VenueStaff};

/// Longest wait of a request. The machine replies long before.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests for the status that may wait at once.
const MAX_STATUS_REQUESTS: usize = 64;
/// Acts that may wait at once.
const MAX_ACTS_WAITING: usize = 64;
/// Stream events that a slow listener may be behind before it misses some.
const STREAM_CAPACITY: usize = 16;

/// A scan as a scanner sent it.
#[derive(Clone)]
pub struct Scan {
    /// Made at the trigger.
    pub scan: ScanId,
    /// Proven by the request's signature.
    pub scanner: ScannerId,
    /// One of the scanner's gates.
    pub gate: GateId,
    /// Who is on shift at the scanner.
    pub person: Option<PersonId>,
    /// The text as scanned, or the short code as typed.
    pub token: String,
}

impl fmt::Debug for Scan {
    /// Without the token: its bearer can use the ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("scan", &self.scan)
            .field("scanner", &self.scanner)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// Why a scan has no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVerdict {
    /// More scans wait than the node takes. Try again with the same scan id.
    #[error("too many scans are waiting")]
    Busy,
    /// The scan id was used before with other content.
    #[error("the scan id was used before for another scanner, gate or token")]
    ScanIdConflict,
    /// The node is stopping, or could not write its journal.
    #[error("the node is stopping")]
    Stopping,
}

/// A scan on its way to the owner.
pub(super) struct WaitingScan {
    pub(super) scan: Scan,
    pub(super) checked: TokenCheck,
    pub(super) waiter: Waiter,
}

/// A search on its way to the owner.
pub(super) struct WaitingSearch {
    pub(super) search: SearchRecord,
    pub(super) waiter: Waiter,
}

/// A request that waits for its reply; its permit ends with it.
pub(super) struct Waiter {
    replies: oneshot::Sender<Reply>,
    _permit: OwnedSemaphorePermit,
}

impl Waiter {
    pub(super) fn reply(self, reply: Reply) {
        // A scanner that has disconnected asks again with the same scan id.
        drop(self.replies.send(reply));
    }
}

/// The owner's ends of the channels.
pub(super) struct Inbox {
    pub(super) scans: mpsc::Receiver<WaitingScan>,
    pub(super) status_requests: mpsc::Receiver<oneshot::Sender<NodeStatus>>,
    pub(super) insight_requests: mpsc::Receiver<oneshot::Sender<Insight>>,
    pub(super) searches: mpsc::Receiver<WaitingSearch>,
    pub(super) acts: mpsc::Receiver<WaitingAct>,
    pub(super) keys: watch::Sender<Arc<KeySet>>,
    pub(super) latest: watch::Sender<Arc<NodeStatus>>,
    pub(super) stream: broadcast::Sender<StreamEvent>,
    pub(super) staff: watch::Sender<Arc<VenueStaff>>,
}

/// Sends requests to the owner. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    venue: VenueId,
    scans: mpsc::Sender<WaitingScan>,
    status_requests: mpsc::Sender<oneshot::Sender<NodeStatus>>,
    insight_requests: mpsc::Sender<oneshot::Sender<Insight>>,
    searches: mpsc::Sender<WaitingSearch>,
    acts: mpsc::Sender<WaitingAct>,
    keys: watch::Receiver<Arc<KeySet>>,
    latest: watch::Receiver<Arc<NodeStatus>>,
    stream: broadcast::Sender<StreamEvent>,
    staff: watch::Receiver<Arc<VenueStaff>>,
    permits: Arc<Semaphore>,
}

pub(super) fn channel(
    max_scans_waiting: usize,
    keys: Arc<KeySet>,
    status: NodeStatus,
    staff: VenueStaff,
) -> (Handle, Inbox) {
    let venue = status.venue_id;
    let (scans, scans_in) = mpsc::channel(max_scans_waiting);
    let (status_requests, status_requests_in) = mpsc::channel(MAX_STATUS_REQUESTS);
    let (insight_requests, insight_requests_in) = mpsc::channel(MAX_STATUS_REQUESTS);
    let (searches, searches_in) = mpsc::channel(MAX_STATUS_REQUESTS);
    let (acts, acts_in) = mpsc::channel(MAX_ACTS_WAITING);
    let (keys_out, keys) = watch::channel(keys);
    let (latest_out, latest) = watch::channel(Arc::new(status));
    let (stream, _) = broadcast::channel(STREAM_CAPACITY);
    let (staff_out, staff) = watch::channel(Arc::new(staff));
    let handle = Handle {
        venue,
        scans,
        status_requests,
        insight_requests,
        searches,
        acts,
        keys,
        latest,
        stream: stream.clone(),
        staff,
        permits: Arc::new(Semaphore::new(max_scans_waiting)),
    };
    let inbox = Inbox {
        scans: scans_in,
        status_requests: status_requests_in,
        insight_requests: insight_requests_in,
        searches: searches_in,
        acts: acts_in,
        keys: keys_out,
        latest: latest_out,
        stream,
        staff: staff_out,
    };
    (handle, inbox)
}

impl Handle {
    /// Has a scan decided. The token's signature is checked here, on the caller's thread, or the short
    /// code hashed: all cores of the machine work on these, one works on decisions.
    ///
    /// # Errors
    /// See [`NoVerdict`].
    pub async fn submit(&self, mut scan: Scan) -> Result<ScanAnswer, NoVerdict> {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| NoVerdict::Busy)?;
        let keys = Arc::clone(&self.keys.borrow());
        let checked = check(&scan.token, &keys, self.venue);
        if checked.code().is_some() {
            // From here on there is its hash only.
            scan.token = String::new();
        }
        let (replies, reply) = oneshot::channel();
        let waiter = Waiter {
            replies,
            _permit: permit,
        };
        self.scans
            .try_send(WaitingScan {
                scan,
                checked,
                waiter,
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NoVerdict::Busy,
                mpsc::error::TrySendError::Closed(_) => NoVerdict::Stopping,
            })?;
        match timeout(REPLY_TIMEOUT, reply).await {
            Ok(Ok(Reply::Verdict(outcome))) => Ok(status::scan_answer(*outcome)),
            Ok(Ok(Reply::ScanIdReused)) => Err(NoVerdict::ScanIdConflict),
            // The others are no answers to a scan.
            Ok(Ok(Reply::Overloaded | Reply::Act(_) | Reply::ActRefused(_) | Reply::Search(_)))
            | Err(_) => Err(NoVerdict::Busy),
            Ok(Err(_)) => Err(NoVerdict::Stopping),
        }
    }

    /// A scanned text or a typed code, checked with the keys in force.
    pub(crate) fn check(&self, token: &str) -> TokenCheck {
        let keys = Arc::clone(&self.keys.borrow());
        check(token, &keys, self.venue)
    }

    /// Has it written down whom a search is about to show; the answer may leave when this returns `Ok`.
    ///
    /// # Errors
    /// See [`NoSearch`].
    pub async fn record_search(&self, search: SearchRecord) -> Result<SearchRecorded, NoSearch> {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| NoSearch::Busy)?;
        let (replies, reply) = oneshot::channel();
        let waiter = Waiter {
            replies,
            _permit: permit,
        };
        self.searches
            .try_send(WaitingSearch { search, waiter })
            .map_err(|_| NoSearch::Busy)?;
        match timeout(REPLY_TIMEOUT, reply).await {
            Ok(Ok(Reply::Search(result))) => result,
            // The others are no answers to a search.
            Ok(Ok(_) | Err(_)) | Err(_) => Err(NoSearch::Busy),
        }
    }

    /// Has an act decided and written down.
    ///
    /// # Errors
    /// See [`NoAct`].
    pub async fn submit_act(&self, act: Act) -> Result<ActOutcome, NoAct> {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| NoAct::Busy)?;
        let (replies, reply) = oneshot::channel();
        let waiter = Waiter {
            replies,
            _permit: permit,
        };
        self.acts
            .try_send(WaitingAct { act, waiter })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => NoAct::Busy,
                mpsc::error::TrySendError::Closed(_) => NoAct::Stopping,
            })?;
        match timeout(REPLY_TIMEOUT, reply).await {
            Ok(Ok(reply)) => acts::answer(reply),
            Ok(Err(_)) => Err(NoAct::Stopping),
            Err(_) => Err(NoAct::Busy),
        }
    }

    /// The node's status now.
    ///
    /// # Errors
    /// [`NoVerdict::Stopping`] or [`NoVerdict::Busy`].
    pub async fn status(&self) -> Result<NodeStatus, NoVerdict> {
        let (reply, answer) = oneshot::channel();
        self.status_requests
            .try_send(reply)
            .map_err(|_| NoVerdict::Busy)?;
        answer.await.map_err(|_| NoVerdict::Stopping)
    }

    /// What is needed to read the replica beside the owner.
    ///
    /// # Errors
    /// [`NoVerdict::Stopping`] or [`NoVerdict::Busy`].
    pub async fn insight(&self) -> Result<Insight, NoVerdict> {
        let (reply, answer) = oneshot::channel();
        self.insight_requests
            .try_send(reply)
            .map_err(|_| NoVerdict::Busy)?;
        answer.await.map_err(|_| NoVerdict::Stopping)
    }

    /// The node's status, at most a second old.
    #[must_use]
    pub fn latest(&self) -> Arc<NodeStatus> {
        Arc::clone(&self.latest.borrow())
    }

    /// Waits for a status that is wanted.
    ///
    /// # Errors
    /// [`NoVerdict::Stopping`] if the node stops before.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&Arc<NodeStatus>) -> bool,
    ) -> Result<Arc<NodeStatus>, NoVerdict> {
        let mut latest = self.latest.clone();
        let status = latest
            .wait_for(wanted)
            .await
            .map_err(|_| NoVerdict::Stopping)?;
        Ok(Arc::clone(&status))
    }

    /// Who works at the venue, as the replica has it.
    pub(crate) fn staff(&self) -> watch::Receiver<Arc<VenueStaff>> {
        self.staff.clone()
    }

    /// Stream events from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<StreamEvent> {
        self.stream.subscribe()
    }
}

/// Longer texts are no tokens; they are hashed without being parsed.
fn check(token: &str, keys: &KeySet, venue: VenueId) -> TokenCheck {
    if let Ok(code) = ShortCode::read(token) {
        let code = code.hash(venue);
        return TokenCheck::Code { code, ticket: None };
    }
    if token.chars().nth(MAX_SCANNED_CHARS).is_some() {
        let hash = eventify_protocol::hash::Hash32::of(token.as_bytes());
        return TokenCheck::Unreadable { hash };
    }
    TokenCheck::of(token, keys)
}
