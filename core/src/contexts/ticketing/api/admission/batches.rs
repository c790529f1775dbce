//! Scans that come while a transaction runs share the next one.
//!
//! No scan waits for another's ticket: one whose ticket is locked, and the scans of a group that
//! failed, go apart, each in a transaction of its own.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use eventify_protocol::keys::KeySet;
use tokio::sync::oneshot;

use super::decide::{self, Fate};
use super::{Answered, Checked};
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::api::Error;
use eventify_kernel::group_commit::Queue;

/// Most scans that share a transaction.
const MAX_GROUP: usize = 64;
/// Groups at once: while one waits for the disk, the next is on its way.
const MAX_GROUPS: usize = 2;
/// Scans that are decided apart at once.
const MAX_APART: usize = 4;

/// What became of a scan.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Box<Answered>),
    /// Its token is to be checked against the key set that is in force.
    OtherKeys(Arc<KeySet>),
}

/// Scans that wait for a transaction.
#[derive(Debug)]
pub struct ScanBatches {
    grouped: Queue<Waiting>,
    single: Queue<Waiting>,
}

impl Default for ScanBatches {
    fn default() -> Self {
        Self {
            grouped: Queue::new(MAX_GROUPS),
            single: Queue::new(MAX_APART),
        }
    }
}

#[derive(Debug)]
struct Waiting {
    scan: Checked,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<Outcome, Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Together,
    Apart,
}

/// Has a scan decided.
pub(super) async fn pass(app: &App, scan: Checked) -> Result<Outcome, Error> {
    let (answer, answered) = oneshot::channel();
    join(app, Kind::Together, Waiting { scan, answer });
    answered.await.unwrap_or(Err(Error::Interrupted))
}

/// Appends to a line, and sees to it that somebody works on it. The work goes on when the one who
/// brought the scan has gone: others may be in the same group.
fn join(app: &App, kind: Kind, waiting: Waiting) {
    let queue = match kind {
        Kind::Together => &app.state.scans.grouped,
        Kind::Apart => &app.state.scans.single,
    };
    if queue.append(waiting) {
        tokio::spawn(work(app.clone(), kind));
    }
}

async fn work(app: App, kind: Kind) {
    let next = || match kind {
        Kind::Together => app.state.scans.grouped.next(gather),
        Kind::Apart => app.state.scans.single.next(one),
    };
    while let Some(group) = next() {
        let deciding = tokio::spawn(decide_group(app.clone(), kind, group));
        if let Err(error) = deciding.await {
            tracing::error!(%error, "a group of scans broke off");
        }
    }
}

async fn decide_group(app: App, kind: Kind, group: Vec<Waiting>) {
    let (scans, answers): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|Waiting { scan, answer }| (scan, answer))
        .unzip();
    let decided = decide::decide(&app, &scans, kind == Kind::Apart).await;
    let group = scans.into_iter().zip(answers);
    match decided {
        Ok(fates) => {
            for ((scan, answer), fate) in group.zip(fates) {
                match fate {
                    Fate::Decided(outcome) => tell(answer, outcome),
                    Fate::Apart => join(&app, Kind::Apart, Waiting { scan, answer }),
                }
            }
        }
        Err(error) => give_up(&app, kind, group, error),
    }
}

/// Nothing was written of a group.
fn give_up(
    app: &App,
    kind: Kind,
    mut group: impl ExactSizeIterator<Item = (Checked, Answer)>,
    error: Error,
) {
    if kind == Kind::Apart {
        if let Some((_, answer)) = group.next() {
            tell(answer, Err(error));
        }
    } else if let Some(database) = error.lost_database() {
        // Asking again for each of them would only take as long each time.
        for (_, answer) in group {
            tell(answer, Err(database.clone().into()));
        }
    } else {
        tracing::warn!(%error, scans = group.len(), "a group of scans is decided apart");
        for (scan, answer) in group {
            join(app, Kind::Apart, Waiting { scan, answer });
        }
    }
}

/// Should nobody wait for it any more, what was decided stands all the same.
fn tell(answer: Answer, outcome: Result<Outcome, Error>) {
    drop(answer.send(outcome));
}

/// Takes the first that don't depend on each other: no ticket and no scan id twice. The others stay,
/// in their order.
fn gather(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut tickets, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let (mut group, mut left) = (Vec::new(), VecDeque::new());
    while group.len() < MAX_GROUP
        && let Some(next) = waiting.pop_front()
    {
        let ticket = next.scan.ticket();
        let alone = ticket.is_none_or(|ticket| tickets.insert(ticket));
        if alone && ids.insert(next.scan.asked.scan) {
            group.push(next);
        } else {
            // Nobody overtakes it.
            tickets.extend(ticket);
            ids.insert(next.scan.asked.scan);
            left.push_back(next);
        }
    }
    left.append(waiting);
    *waiting = left;
    group
}

fn one(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    waiting.pop_front().into_iter().collect()
}
