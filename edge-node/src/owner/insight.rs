//! What somebody needs who reads the replica beside the owner: long reads hold up no scan.

use std::path::PathBuf;

use eventify_protocol::{
    ids::TicketId,
    lan::NodeStatus,
    sync::{HolderKeys, PerformanceKey},
    time::CoreInterval,
    verdict::FirstEntry,
};
use eventify_sync::edge::{Input, NoSearch, Reply, RequestId};
use tokio::sync::oneshot;

use super::{Owner, handle::WaitingSearch};

/// Of one moment.
#[derive(Debug)]
pub struct Insight {
    /// The replica's file. Another one may take its place at any moment, and then it is deleted: ask again.
    pub replica: PathBuf,
    /// This node's own admissions that the replica may not show yet.
    pub admissions: Vec<(TicketId, FirstEntry)>,
    pub status: NodeStatus,
    /// Whether the venue lets its staff look for guests.
    pub allows_search: bool,
    /// Of the performances whose guests can be found by name.
    pub holder_keys: Vec<PerformanceKey>,
}

impl Owner {
    pub(super) fn reply_insight(&self, request: oneshot::Sender<Insight>) {
        let insight = Insight {
            replica: self.replica.path().to_owned(),
            admissions: self.machine.own_admissions().collect(),
            status: self.current_status(),
            allows_search: self.machine.allows_search() == Some(true),
            holder_keys: self.guest_keys.list(),
        };
        // The caller may have gone.
        drop(request.send(insight));
    }

    /// Guests are about to be shown: the row first.
    pub(super) fn accept_search(&mut self, waiting: WaitingSearch) {
        let WaitingSearch { search, waiter } = waiting;
        if let Some(fault) = self.journal.fault(&self.limits) {
            self.journal.log_fault(fault, self.clock.boottime());
            waiter.reply(Reply::Search(Err(NoSearch::Busy)));
            return;
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, waiter);
        let record = Box::new(search);
        self.step(Input::Search { request, record });
    }

    /// The core says which keys this node may have.
    pub(super) fn replace_guest_keys(&mut self, keys: HolderKeys) {
        let now = self.now();
        let core = self.machine.status(now).core_time;
        let latest = core.map(|bounds| bounds.latest);
        self.guest_keys.replace(keys, latest, now);
    }

    /// Names are at the gates no longer than they have to be: also where nobody says so.
    pub(super) fn wipe_guest_keys(&mut self, core: Option<&CoreInterval>) {
        let latest = core.map(|bounds| bounds.latest);
        let now = self.now();
        let wiped = self.guest_keys.follow(self.machine.allows_search(), now)
            + self.guest_keys.wipe(latest, now);
        if wiped > 0 {
            tracing::info!(
                code = "guests.keys_wiped",
                performances = wiped,
                "the keys of guests' names were wiped: nobody can find them by name any more"
            );
        }
    }
}
