//! Guests that staff have looked for (`ADMISSION` 11): the row first, then the answer. What is found is read
//! beside this machine, which knows no names; it says whether anybody may be shown anything, and writes who
//! was shown whom.

use std::{collections::BTreeMap, time::Duration};

use eventify_protocol::{
    ids::{GateId, PerformanceId, PersonId, ScannerId, SearchId, TicketId},
    lan::SearchBy,
    sync::{JournalEntry, Searched},
    verdict::Mode,
};

use super::{Machine, Now, Reply, RequestId, outputs::Outputs};

/// Answers that wait for their rows.
const MAX_WAITING: usize = 64;

/// A search that is about to be answered.
#[derive(Clone, Debug)]
pub struct SearchRecord {
    pub search: SearchId,
    pub person: PersonId,
    pub scanner: ScannerId,
    pub gate: GateId,
    pub by: SearchBy,
    pub performance: Option<PerformanceId>,
    /// Whom it is about to show.
    pub tickets: Vec<TicketId>,
    pub more: bool,
}

/// The answer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchRecorded {
    pub mode: Mode,
    /// How old what was found is; none while the core answers.
    pub cache_age: Option<Duration>,
}

/// Why nobody is shown anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSearch {
    /// The venue has not switched it on.
    Off,
    /// What is known is too old to say who is inside: whom it calls valid may have been let in elsewhere.
    Locked,
    /// Not now.
    Busy,
}

/// Answers that wait for the disk, by their rows.
#[derive(Debug, Default)]
pub(super) struct Searches(BTreeMap<u64, RequestId>);

impl Machine {
    /// Whether the venue lets its staff look for guests; none while there is no replica that says so.
    #[must_use]
    pub fn allows_search(&self) -> Option<bool> {
        self.replica.allows_search()
    }

    pub(super) fn on_search(&mut self, request: RequestId, record: SearchRecord, now: Now) {
        let mode = self.node_state(now).ruling().mode;
        let refused = if self.allows_search() != Some(true) {
            Some(NoSearch::Off)
        } else if mode == Mode::Locked {
            Some(NoSearch::Locked)
        } else if self.searches.0.len() >= MAX_WAITING
            || self.journal.is_forking()
            || self.is_journal_held()
        {
            Some(NoSearch::Busy)
        } else {
            None
        };
        if let Some(refused) = refused {
            reply(&mut self.outputs, request, Err(refused));
            return;
        }
        let entry = JournalEntry::Searched(Searched {
            search: record.search,
            person: record.person,
            scanner: record.scanner,
            gate: record.gate,
            by: record.by,
            performance: record.performance,
            tickets: record.tickets,
            more: record.more,
            mode,
        });
        let at = self.moment(now);
        let seq = self.journal.append(entry, at, &mut self.outputs);
        self.searches.0.insert(seq, request);
    }

    /// Nobody is shown what their rows name.
    pub(super) fn give_up_on_searches(&mut self) {
        for request in std::mem::take(&mut self.searches.0).into_values() {
            reply(&mut self.outputs, request, Err(NoSearch::Busy));
        }
    }

    /// Rows are on disk: what they name may be shown, unless the node has locked meanwhile.
    pub(super) fn release_searches(&mut self, through: u64, now: Now) {
        let later = self.searches.0.split_off(&(through + 1));
        let written = std::mem::replace(&mut self.searches.0, later);
        if written.is_empty() {
            return;
        }
        let mode = self.node_state(now).ruling().mode;
        let result = match mode {
            Mode::Locked => Err(NoSearch::Locked),
            Mode::Online | Mode::Degraded | Mode::Resyncing => Ok(SearchRecorded {
                mode,
                cache_age: self.time.age(now).filter(|_| mode != Mode::Online),
            }),
        };
        for request in written.into_values() {
            reply(&mut self.outputs, request, result);
        }
    }
}

fn reply(outputs: &mut Outputs, request: RequestId, result: Result<SearchRecorded, NoSearch>) {
    let reply = Reply::Search(result);
    outputs.push(super::Output::Reply { request, reply });
}
