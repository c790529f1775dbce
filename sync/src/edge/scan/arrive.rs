//! A scan arrives: its id is bound to its content, a final verdict is repeated, and it is chosen who
//! decides, after one attempt to reach the core that all waiting scans share (`ADMISSION` 2 and 3.1).

use std::time::Duration;

use eventify_protocol::{
    ids::ScanId,
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{
    super::{
        Machine, Now, Previous, Reply, ScanOutcome, ScanRequest,
        connectivity::{Attempt, RESYNC_BUDGET},
    },
    Conclusion, MAX_PENDING_SCANS, Pending, Progress,
};
use crate::token::TokenCheck;

impl Machine {
    /// Whether a scan is being decided, or its row is on its way to the disk: another request with its id
    /// gets the same answer.
    #[must_use]
    pub fn is_deciding(&self, scan: ScanId) -> bool {
        self.scans.pending.contains_key(&scan)
    }

    pub(crate) fn arrive(&mut self, request: ScanRequest, now: Now) {
        let (scan, id) = (request.scan, request.request);
        if let Some(pending) = self.scans.pending.get_mut(&scan) {
            if pending.content() == request.content() {
                pending.requests.push(id);
            } else {
                self.reply(id, Reply::ScanIdReused);
            }
            return;
        }
        if let Some(previous) = self.scans.find_decision(&request) {
            let decision = &previous.decision;
            if (decision.scanner, decision.gate, decision.token) != request.content() {
                return self.reply(id, Reply::ScanIdReused);
            }
            if previous.undone {
                // A guest was turned away after it: it is nobody's any more.
                return self.reply(id, Reply::ScanIdReused);
            }
            if previous.stands() {
                return self.repeat(&request, previous, now);
            }
        }
        if self.is_journal_held() {
            return self.reply_node_fault(scan, [id], now);
        }
        if matches!(request.checked, TokenCheck::Unreadable { .. }) {
            return self.refuse_unreadable(&request, now);
        }
        if self.scans.pending.len() >= MAX_PENDING_SCANS {
            return self.reply(id, Reply::Overloaded);
        }
        let mut pending = Pending::new(request, now.boottime);
        pending.asked_until = pending
            .ticket()
            .and_then(|ticket| self.scans.asked_until(ticket, scan));
        self.scans.pending.insert(scan, pending);
        self.route(scan, now);
    }

    /// A final verdict stands in every mode, with its age.
    fn repeat(&mut self, request: &ScanRequest, previous: Previous, now: Now) {
        let decision = previous.decision;
        let since = self.since(&previous.at, now);
        let at_decision = match decision.decided_by {
            DecidedBy::Core => Some(Duration::ZERO),
            DecidedBy::Edge => decision.cache_age_ms.map(Duration::from_millis),
        };
        let outcome = ScanOutcome {
            scan: decision.scan,
            shown: self.shown(
                (&request.checked, request.found.as_ref()),
                (request.scanner, &decision.verdict),
                now,
            ),
            verdict: decision.verdict,
            mode: decision.mode,
            cache_age: at_decision
                .zip(since)
                .map(|(age, since)| age.saturating_add(since)),
            limit: self.limit_for(decision.decided_by),
            decided_by: decision.decided_by,
            repeated: true,
        };
        self.reply(request.request, Reply::Verdict(Box::new(outcome)));
    }

    /// Chooses who decides a scan, by the tests as they hold now.
    pub(super) fn route(&mut self, scan: ScanId, now: Now) {
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        pending.progress = Progress::Waiting;
        if self.journal.is_forking() {
            return;
        }
        let is_ticket = pending.may_be_ticket();
        let mode = self.node_state(now).ruling().mode;
        // What is no ticket, no answer of the core could make one.
        let is_decided = !is_ticket && matches!(mode, Mode::Online | Mode::Degraded);
        let is_alone = matches!(self.connectivity.attempt(), Attempt::Failed(_));
        if mode == Mode::Online && is_ticket {
            if !self.waits_for_freed_ticket(scan, now) {
                self.ask_core(scan, now);
            }
        } else if is_decided || is_alone || self.is_revoked() {
            self.decide_alone(scan, mode, now);
        } else if self.connectivity.join_attempt(now) {
            self.ask(now);
        }
    }

    /// Whether the core has yet to learn that this node has ended the ticket's entry: until then it would
    /// refuse the scan by an entry that is over, for good. After the time that a scan waits for the core
    /// the scanner is to try again.
    fn waits_for_freed_ticket(&mut self, scan: ScanId, now: Now) -> bool {
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return false;
        };
        let freed = pending
            .ticket()
            .and_then(|ticket| self.overlay.last_freed(ticket));
        if !freed.is_some_and(|(_, is_open)| is_open) {
            pending.held_until = None;
            return false;
        }
        let until = now.boottime.plus(RESYNC_BUDGET);
        let until = *pending.held_until.get_or_insert(until);
        if until <= now.boottime {
            pending.held_until = None;
            self.conclude(
                scan,
                Conclusion::by_edge(Verdict::TryAgain, Mode::Online),
                now,
            );
        }
        true
    }

    pub(crate) fn reroute_waiting(&mut self, now: Now) {
        self.reroute(|progress| matches!(progress, Progress::Waiting), now);
    }

    /// Scans that wait for a row of a replica that is gone.
    pub(crate) fn reroute_reading(&mut self, now: Now) {
        self.reroute(
            |progress| matches!(progress, Progress::ReadingTicket { .. }),
            now,
        );
    }

    fn reroute(&mut self, wanted: impl Fn(&Progress) -> bool, now: Now) {
        for scan in self.scans.list(|pending| wanted(&pending.progress)) {
            self.route(scan, now);
        }
    }

    /// Ends the shared attempt as soon as its result is known, and routes the scans that waited for
    /// it.
    pub(crate) fn finish_attempt(&mut self, now: Now) {
        let running = match self.connectivity.attempt() {
            Attempt::Running(until) => Some(until),
            Attempt::None | Attempt::Failed(_) => None,
        };
        // An answered question makes the cache young; but a core that failed just now has to
        // answer more than once before it decides again.
        let is_answered = self.connectivity.is_returning() && !self.connectivity.core_answers();
        if self.node_state(now).ruling().mode == Mode::Online {
            self.connectivity.restored();
        } else if running.is_some_and(|until| is_answered || until <= now.boottime) {
            self.connectivity.hold(now);
        } else if running.is_some() {
            return;
        }
        self.reroute_waiting(now);
    }

    /// Scans that can't be decided in time: the scanner is to try again. Nothing was shown, nothing
    /// is written.
    pub(crate) fn expire_undecided(&mut self, now: Now) {
        let is_overdue =
            |pending: &Pending| pending.progress.is_undecided() && pending.expires <= now.boottime;
        for scan in self.scans.list(is_overdue) {
            let pending = self.scans.pending.remove(&scan);
            for request in pending.into_iter().flat_map(|pending| pending.requests) {
                self.reply(request, Reply::Overloaded);
            }
        }
    }
}
