//! What the LAN and the tools hold of the owner.

use std::{fmt, sync::Arc, time::Duration};

use eventify_protocol::{
    ids::{GateId, ScanId, ScannerId},
    keys::KeySet,
    lan::{MAX_SCANNED_CHARS, NodeStatus, ScanAnswer, StreamEvent},
};
use eventify_sync::{edge::Reply, token::TokenCheck};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch},
    time::timeout,
};

use super::view;

/// Longest wait of a request. The machine answers long before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Questions for the status that may wait at once.
const MAX_QUESTIONS: usize = 64;
/// Stream events that a slow listener may be behind before it misses some.
const STREAM_CAPACITY: usize = 16;

/// A scan as a scanner asked it.
#[derive(Clone)]
pub struct Scan {
    /// Made at the trigger.
    pub scan: ScanId,
    /// Who, as the signature proved.
    pub scanner: ScannerId,
    /// Where; one of the scanner's gates.
    pub gate: GateId,
    /// The text as scanned.
    pub token: String,
}

impl fmt::Debug for Scan {
    /// Without the token: whoever has it can use the ticket.
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
    /// More scans wait than the node takes at once. Try again with the same scan id.
    #[error("too many scans are waiting")]
    Busy,
    /// The scan id was used before with other content.
    #[error("the scan id was used before for another scanner, gate or token")]
    ScanIdConflict,
    /// The node is ending, or could not write its journal.
    #[error("the node is stopping")]
    Stopping,
}

/// A scan on its way to the owner.
pub(super) struct WaitingScan {
    pub(super) scan: Scan,
    pub(super) checked: TokenCheck,
    pub(super) waiter: Waiter,
}

/// Who waits for an answer; the place among the waiting is given back with it.
pub(super) struct Waiter {
    pub(super) reply: oneshot::Sender<Reply>,
    pub(super) _place: OwnedSemaphorePermit,
}

/// The owner's ends.
pub(super) struct Inbox {
    pub(super) scans: mpsc::Receiver<WaitingScan>,
    pub(super) questions: mpsc::Receiver<oneshot::Sender<NodeStatus>>,
    pub(super) keys: watch::Sender<Arc<KeySet>>,
    pub(super) latest: watch::Sender<Arc<NodeStatus>>,
    pub(super) stream: broadcast::Sender<StreamEvent>,
}

/// Asks the owner. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    scans: mpsc::Sender<WaitingScan>,
    questions: mpsc::Sender<oneshot::Sender<NodeStatus>>,
    keys: watch::Receiver<Arc<KeySet>>,
    latest: watch::Receiver<Arc<NodeStatus>>,
    stream: broadcast::Sender<StreamEvent>,
    places: Arc<Semaphore>,
}

/// The two sides between owner and askers.
pub(super) fn channel(
    max_scans_waiting: usize,
    keys: Arc<KeySet>,
    status: NodeStatus,
) -> (Handle, Inbox) {
    let (scans, scans_in) = mpsc::channel(max_scans_waiting);
    let (questions, questions_in) = mpsc::channel(MAX_QUESTIONS);
    let (keys_out, keys) = watch::channel(keys);
    let (latest_out, latest) = watch::channel(Arc::new(status));
    let (stream, _) = broadcast::channel(STREAM_CAPACITY);
    let handle = Handle {
        scans,
        questions,
        keys,
        latest,
        stream: stream.clone(),
        places: Arc::new(Semaphore::new(max_scans_waiting)),
    };
    let inbox = Inbox {
        scans: scans_in,
        questions: questions_in,
        keys: keys_out,
        latest: latest_out,
        stream,
    };
    (handle, inbox)
}

impl Handle {
    /// Has a scan decided. The token's signature is checked here, on the caller's thread: every
    /// core of the machine works on signatures, one works on decisions.
    ///
    /// # Errors
    /// See [`NoVerdict`].
    pub async fn scan(&self, scan: Scan) -> Result<ScanAnswer, NoVerdict> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| NoVerdict::Busy)?;
        let keys = Arc::clone(&self.keys.borrow());
        let checked = check(&scan.token, &keys);
        let (reply, answer) = oneshot::channel();
        let waiter = Waiter {
            reply,
            _place: place,
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
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(Reply::Verdict(answer))) => Ok(view::scan_answer(answer)),
            Ok(Ok(Reply::ScanIdReused)) => Err(NoVerdict::ScanIdConflict),
            Ok(Ok(Reply::Overloaded)) | Err(_) => Err(NoVerdict::Busy),
            Ok(Err(_)) => Err(NoVerdict::Stopping),
        }
    }

    /// How the node is, now.
    ///
    /// # Errors
    /// [`NoVerdict::Stopping`] or [`NoVerdict::Busy`].
    pub async fn status(&self) -> Result<NodeStatus, NoVerdict> {
        let (reply, answer) = oneshot::channel();
        self.questions
            .try_send(reply)
            .map_err(|_| NoVerdict::Busy)?;
        answer.await.map_err(|_| NoVerdict::Stopping)
    }

    /// How the node was a moment ago: at most a second old.
    #[must_use]
    pub fn latest(&self) -> Arc<NodeStatus> {
        Arc::clone(&self.latest.borrow())
    }

    /// Waits until the node is as wanted.
    ///
    /// # Errors
    /// [`NoVerdict::Stopping`] if it ends before.
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

    /// What happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<StreamEvent> {
        self.stream.subscribe()
    }
}

/// Longer texts are no tokens and are hashed as they are, unread.
fn check(token: &str, keys: &KeySet) -> TokenCheck {
    if token.chars().nth(MAX_SCANNED_CHARS).is_some() {
        let hash = eventify_protocol::hash::Hash32::of(token.as_bytes());
        return TokenCheck::Unreadable { hash };
    }
    TokenCheck::of(token, keys)
}
