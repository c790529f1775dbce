//! Scans that the core decides (`ADMISSION` 3), and their group commit: those that arrive while a
//! transaction runs share the next one ([`transaction`]).
//!
//! No scan waits for another's ticket: one whose ticket is locked, and the scans of a group that
//! failed, get a transaction each.

mod transaction;

use std::collections::{BTreeSet, VecDeque};

use eventify_kernel::cause::Cause;
use eventify_kernel::group_commit::Queue;
use tokio::sync::oneshot;

use self::transaction::Outcome;
use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{ScanAnswer, ScanRequest};

/// Most scans that share a transaction.
const MAX_GROUP: usize = 64;
/// Shared transactions at once: while one waits for the disk, the next one begins.
const MAX_SHARED: usize = 2;
/// Transactions of single scans at once.
const MAX_SINGLE: usize = 4;

/// Scans that wait for a transaction.
#[derive(Debug)]
pub(crate) struct ScanBatches {
    shared: Queue<Queued>,
    single: Queue<Queued>,
}

impl Default for ScanBatches {
    fn default() -> Self {
        Self {
            shared: Queue::new(MAX_SHARED),
            single: Queue::new(MAX_SINGLE),
        }
    }
}

/// A scan in a queue.
#[derive(Debug)]
struct Queued {
    request: ScanRequest,
    cause: Cause,
    reply: oneshot::Sender<Result<ScanAnswer, Error>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shared,
    Single,
}

/// Has a scan decided, and returns the answer after the commit.
pub(crate) async fn submit(
    app: &App,
    cause: &Cause,
    request: ScanRequest,
) -> Result<ScanAnswer, Error> {
    let (reply, answer) = oneshot::channel();
    let queued = Queued {
        request,
        cause: cause.clone(),
        reply,
    };
    enqueue(app, Kind::Shared, queued);
    answer.await.unwrap_or(Err(Error::Interrupted))
}

/// The work goes on when the caller of [`submit`] has gone: others may be in the same group.
fn enqueue(app: &App, kind: Kind, queued: Queued) {
    let queue = match kind {
        Kind::Shared => &app.state.scans.shared,
        Kind::Single => &app.state.scans.single,
    };
    if queue.append(queued) {
        tokio::spawn(work(app.clone(), kind));
    }
}

async fn work(app: App, kind: Kind) {
    let next = || match kind {
        Kind::Shared => app.state.scans.shared.next(take_group),
        Kind::Single => app.state.scans.single.next(take_one),
    };
    while let Some(group) = next() {
        if let Err(error) = tokio::spawn(run_group(app.clone(), kind, group)).await {
            tracing::error!(code = "ticketing.scan_group_aborted", %error,
                "a transaction of scans was aborted");
        }
    }
}

async fn run_group(app: App, kind: Kind, group: Vec<Queued>) {
    match transaction::run(&app, &group, kind == Kind::Single).await {
        Ok(outcomes) => {
            for (mut queued, outcome) in group.into_iter().zip(outcomes) {
                match outcome {
                    Ok(Outcome::Answered(answer)) => reply(queued, Ok(*answer)),
                    Ok(Outcome::TicketLocked) => enqueue(&app, Kind::Single, queued),
                    Ok(Outcome::KeysChanged(keys)) => {
                        queued.request.verify(&keys);
                        enqueue(&app, Kind::Shared, queued);
                    }
                    Err(error) => reply(queued, Err(error)),
                }
            }
        }
        Err(error) => fail_group(&app, kind, group, error),
    }
}

/// The transaction was rolled back.
fn fail_group(app: &App, kind: Kind, mut group: Vec<Queued>, error: Error) {
    match error {
        // Single transactions would meet it too, one after the other.
        Error::Db(error) if error.is_transient() => {
            for queued in group {
                reply(queued, Err(error.clone().into()));
            }
        }
        error if kind == Kind::Single => {
            if let Some(queued) = group.pop() {
                reply(queued, Err(error));
            }
        }
        error => {
            tracing::warn!(code = "ticketing.scan_group_split", %error, scans = group.len(),
                "a shared transaction failed; each of its scans gets its own");
            for queued in group {
                enqueue(app, Kind::Single, queued);
            }
        }
    }
}

/// The caller may have gone; the decision counts all the same.
fn reply(queued: Queued, answer: Result<ScanAnswer, Error>) {
    drop(queued.reply.send(answer));
}

/// Takes the first scans that don't depend on each other: no ticket and no scan id twice. The others
/// stay, in their order.
fn take_group(waiting: &mut VecDeque<Queued>) -> Vec<Queued> {
    let (mut tickets, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let (mut group, mut left) = (Vec::new(), VecDeque::new());
    while group.len() < MAX_GROUP
        && let Some(next) = waiting.pop_front()
    {
        // Both are inserted always: a scan that stays is overtaken by no later one.
        let is_new_id = ids.insert(next.request.scan);
        let ticket = next.request.ticket();
        if ticket.is_none_or(|ticket| tickets.insert(ticket)) && is_new_id {
            group.push(next);
        } else {
            left.push_back(next);
        }
    }
    left.append(waiting);
    *waiting = left;
    group
}

fn take_one(waiting: &mut VecDeque<Queued>) -> Vec<Queued> {
    waiting.pop_front().into_iter().collect()
}
