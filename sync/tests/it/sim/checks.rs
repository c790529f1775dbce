//! The promises, looked at after each step and at the end.

use std::time::Duration;

use eventify_protocol::{
    ids::{ScanId, TicketId},
    sync::{Decision, JournalEntry, SealedRow, SyncPoint, TicketState},
    time::{CoreTime, MAX_CACHE_AGE},
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::{
    core::{Validity, report::Report},
    edge::{Reason, ScanOutcome, Status},
};

use super::{
    clock::{Nanos, core_time},
    model::{self, Shown},
    world::World,
};

/// Beyond it neither clock is trusted; and a microsecond for rounding.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_micros(2_000_001);
const MICRO: Duration = Duration::from_micros(1);

impl World {
    /// T is honest: everything committed before it is in the feed up to N.
    pub(crate) fn check_truth(&mut self, point: &SyncPoint) {
        let missing = self.core.commits.iter().find(|commit| {
            commit.at < point.truth && commit.position.is_none_or(|held| held > point.position)
        });
        if let Some(commit) = missing {
            let (truth, at, position) = (point.truth, commit.at, point.position);
            self.violated(format!(
                "T {truth:?} at {position:?} hides what was committed at {at:?}"
            ));
        }
    }

    /// The age of a node's replica by the world's own knowledge: time since the oldest commit that
    /// it lacks.
    pub(crate) fn true_age(&self, node: usize) -> Option<Duration> {
        let store = self.nodes[node].disk.replica.as_ref()?;
        if store.epoch != self.core.epoch {
            return None;
        }
        let lacking = self.core.commits.iter().filter(|commit| {
            commit
                .position
                .is_none_or(|position| position > store.position)
        });
        let oldest: Option<CoreTime> = lacking.map(|commit| commit.at).min();
        Some(oldest.map_or(Duration::ZERO, |at| core_time(self.at).since(at)))
    }

    /// A scan that waited in a queue until its node had decided without the core changes nothing.
    pub(crate) fn check_in_time(&mut self, node: usize, scan: ScanId) {
        if self.nodes[node].given_up.contains(&scan) {
            self.violated(format!("{scan:?} was executed after node {node} gave up"));
        }
    }

    /// A node admits without the core: only on a cache within the limit that does not know better.
    pub(crate) fn check_lonely_admission(&mut self, node: usize, decision: &Decision) {
        if decision.mode != Mode::Degraded {
            return self.violated(format!("node {node} admits alone in {:?}", decision.mode));
        }
        self.check_age(node, "decides");
        self.check_whole(node);
        let held = &self.nodes[node];
        let overdue = held.watch.is_overdue(self.at, held.paused);
        let apart = held.watch.clocks_apart(held.now(self.at));
        if overdue {
            self.violated(format!(
                "node {node} goes on admitting alone while nothing is acknowledged"
            ));
        }
        if apart.is_none_or(|apart| apart > MAX_CLOCK_DIFFERENCE) {
            self.violated(format!(
                "node {node} admits alone by clocks {apart:?} apart"
            ));
        }
        let held = self.nodes[node].disk.replica.as_ref();
        let ticket = decision
            .ticket
            .and_then(|id| held.and_then(|store| store.ticket(id)));
        let valid = ticket
            .as_ref()
            .is_some_and(|entry| matches!(entry.state, TicketState::Valid | TicketState::Used(_)));
        if !valid {
            self.violated(format!(
                "node {node} admits {:?} which it holds as {ticket:?}",
                decision.ticket
            ));
        }
        if let Some(TicketState::Used(by)) = ticket.map(|entry| entry.state) {
            self.coverage.own_scan_in_feed += u64::from(by.scan == decision.scan);
        }
        let limit = self.limit_of(node);
        let now = core_time(self.at);
        let proven = decision
            .point
            .is_some_and(|point| now.since(point.truth) <= limit);
        if !proven {
            self.violated(format!(
                "node {node} admits on {:?} at {now:?}",
                decision.point
            ));
        }
    }

    /// After a loss a node waits until the core has said whom it let in.
    fn check_whole(&mut self, node: usize) {
        let held = &self.nodes[node];
        let journal = self.core.journals.get(&held.id);
        let file = held.disk.incarnation();
        let mut rows = journal.into_iter().flat_map(|journal| &journal.rows);
        let is_known = rows.any(|row| row.row().incarnation == file);
        if held.disk.is_after_loss() && !is_known && self.model.failovers == 0 {
            self.violated(format!("node {node} admits alone though it lacks rows"));
        }
    }

    /// A row holds the bounds of the core time when it was made.
    pub(crate) fn check_moment(&mut self, node: usize, row: &SealedRow) {
        let now = core_time(self.at);
        let Some(span) = row.row().at.core else {
            return;
        };
        // A node's clocks have whole microseconds.
        if now.since(span.latest) > MICRO || span.earliest.since(now) > MICRO {
            self.violated(format!("node {node} writes at {now:?} that it is {span:?}"));
        }
    }

    /// The limit in force at a node.
    fn limit_of(&self, node: usize) -> Duration {
        let held = &self.nodes[node];
        let now = held.now(self.at);
        let status = held.machine.as_ref().map(|machine| machine.status(now));
        status.map_or(MAX_CACHE_AGE, |status| status.limit)
    }

    fn check_age(&mut self, node: usize, what: &str) {
        let limit = self.limit_of(node);
        if self.true_age(node).is_some_and(|age| age > limit) {
            let age = self.true_age(node);
            self.violated(format!(
                "node {node} {what} on a cache of {age:?}, limit {limit:?}"
            ));
        }
    }

    pub(crate) fn check_answer(&mut self, node: usize, ticket: TicketId, answer: &ScanOutcome) {
        let scan = answer.scan;
        if answer.verdict.is_final() {
            let first = self
                .model
                .finals
                .entry(scan)
                .or_insert_with(|| answer.verdict.clone());
            // A node whose disk was restored has lost its own verdicts.
            if *first != answer.verdict && !self.nodes[node].was_restored {
                let first = first.clone();
                self.violated(format!(
                    "{scan:?} was {first:?} and is {:?}",
                    answer.verdict
                ));
            }
        }
        if answer.repeated && !answer.verdict.is_final() {
            self.violated(format!(
                "{scan:?} is repeated though it is not final: {answer:?}"
            ));
        }
        if answer.verdict == Verdict::NodeFault {
            return self.check_given_up(node, scan);
        }
        let on_disk = self.nodes[node].disk.previous(scan);
        let said = on_disk.as_ref().map(|previous| &previous.decision.verdict);
        let voided = on_disk.as_ref().is_some_and(|previous| previous.voided);
        // A text that is no ticket is counted, and has no row of its own.
        let agrees = said == Some(&answer.verdict) && !voided
            || voided && answer.verdict == Verdict::ResyncRequired
            || said.is_none() && answer.verdict == Verdict::Unreadable;
        if !agrees {
            self.violated(format!(
                "node {node} shows {answer:?}, its disk says {on_disk:?}"
            ));
        }
        if answer.verdict != Verdict::Admit {
            return;
        }
        if !answer.repeated && answer.decided_by == DecidedBy::Edge {
            self.check_age(node, "shows");
        }
        if self.supervisors.is_undone(scan) && !self.nodes[node].was_restored {
            self.violated(format!("{scan:?} admits again though it was undone"));
        }
        let shown = Shown {
            at: self.at,
            overridden: false,
            line: node,
            scan,
            by: answer.decided_by,
        };
        self.model.admit(ticket, shown);
    }

    /// Nobody will be inside by what was on its way to the disk: rows behind it take it back.
    fn check_given_up(&mut self, node: usize, scan: ScanId) {
        let mut open = None;
        for row in &self.nodes[node].unsynced {
            if let JournalEntry::Decision(decision) = &row.row().entry
                && decision.scan == scan
            {
                open = Some(row.row().seq);
            } else if let JournalEntry::Voided { row: of, .. } = &row.row().entry
                && Some(*of) == open
            {
                self.coverage.taken_back_while_held += 1;
                open = None;
            }
        }
        if open.is_some() {
            self.violated(format!(
                "{scan:?} has no verdict, and its decision is on its way to the disk of {node}"
            ));
        }
    }

    /// A final verdict that was shown is repeated; every other answer was decided after the request.
    pub(crate) fn check_freshness(&mut self, node: usize, asked: Nanos, answer: &ScanOutcome) {
        let scan = answer.scan;
        if answer.repeated || matches!(answer.verdict, Verdict::Unreadable | Verdict::NodeFault) {
            return;
        }
        let held = &self.nodes[node];
        let decided = held.decided.get(&scan).copied();
        // Refused again: decided at this request, and written by the row that is there.
        let refused = !answer.verdict.is_final() && answer.decided_by == DecidedBy::Edge;
        let status = held.machine.as_ref().map(|it| it.status(held.now(self.at)));
        let is_online = status.is_some_and(|status| status.mode == Mode::Online);
        if decided.is_some() && refused && !is_online {
            return;
        }
        if decided.is_none_or(|decided| decided < asked) {
            self.violated(format!(
                "{scan:?} was asked at {asked} and is answered by what was decided at {decided:?}"
            ));
        }
        let shown = self.model.shown_at.get(&scan).copied();
        if shown.is_some_and(|shown| shown < asked) && !self.nodes[node].was_restored {
            self.violated(format!("{scan:?} had its verdict and was decided again"));
        }
        if answer.verdict.is_final() {
            self.model.shown_at.entry(scan).or_insert(self.at);
        }
    }

    /// A scan that finds the core silent since less than two seconds does not wait for it.
    pub(crate) fn check_moved(&mut self, node: usize, scan: ScanId) {
        let now = self.nodes[node].now(self.at).boottime;
        let held = &mut self.nodes[node];
        if held.watch.holds(now) && !held.forking {
            self.coverage.decided_at_once += 1;
            if !held.moved.contains(&scan) {
                self.violated(format!(
                    "{scan:?} waits at node {node} though the core just failed"
                ));
            }
        }
    }

    /// A digest can only differ where the replica was damaged.
    pub(crate) fn check_mismatch(&mut self, node: usize) {
        let store = self.nodes[node].disk.replica.as_ref();
        if !store.is_some_and(|store| store.is_damaged) {
            self.violated(format!("node {node}: digests differ for no reason"));
        }
    }

    /// A journal can only fork where an old disk was restored.
    pub(crate) fn check_fork(&mut self, node: usize) {
        if !self.nodes[node].was_restored {
            self.violated(format!("node {node}: a fork for no reason"));
        }
    }

    pub(crate) fn check_status(&mut self, node: usize, status: &Status) {
        let holds = match status.mode {
            Mode::Online => status.reason.is_none(),
            Mode::Degraded => status.cache_age.is_some_and(|age| age <= status.limit),
            Mode::Locked | Mode::Resyncing => status.reason.is_some(),
        };
        let held = &self.nodes[node];
        let owes = held.watch.owes() || held.forking || held.reading_rows > 0;
        if status.reason == Some(Reason::CatchingUp) && !owes {
            self.violated(format!("node {node} waits for nothing: {status:?}"));
        }
        if !holds || status.limit > MAX_CACHE_AGE {
            self.violated(format!("node {node} shows {status:?}"));
        }
    }

    /// When everything has come to rest.
    pub(crate) fn check_rest(&mut self) {
        for node in 0..self.nodes.len() {
            self.check_node_at_rest(node);
        }
        let admitted = std::mem::take(&mut self.model.admitted);
        for (ticket, shown) in &admitted {
            self.check_ticket(*ticket, shown);
        }
        self.model.admitted = admitted;
        self.check_guests();
        self.check_returned();
        self.check_after_refunds();
        self.check_after_acts();
        self.check_reports();
    }

    fn check_node_at_rest(&mut self, node: usize) {
        if self.nodes[node].is_stopped {
            return;
        }
        self.check_growth(node);
        let held = &self.nodes[node];
        let now = held.now(self.at);
        let Some(status) = held.machine.as_ref().map(|machine| machine.status(now)) else {
            return self.violated(format!("node {node} is down"));
        };
        let wanted = if held.was_revoked {
            Mode::Locked
        } else {
            Mode::Online
        };
        let head = self.core.head();
        let synced = status.digest == Some(head.digest)
            && status.position == head.position
            && status.epoch == Some(self.core.epoch)
            && status.unacknowledged == 0;
        if status.mode != wanted || !synced {
            return self.violated(format!(
                "at rest node {node} is {status:?}, the core at {head:?}"
            ));
        }
        let file = held.disk.rows().last().map(SealedRow::head);
        let core = self
            .core
            .journals
            .get(&held.id)
            .and_then(|journal| journal.head);
        if file != core {
            self.violated(format!("node {node} has {file:?}, the core {core:?}"));
        }
    }

    /// Every admission shown is in the core's record; two of one ticket are named as what they are.
    fn check_ticket(&mut self, ticket: TicketId, shown: &[Shown]) {
        let Some(held) = self.core.tickets.get(&ticket) else {
            if self.model.failovers == 0 {
                self.violated(format!("{ticket:?} is gone"));
            }
            return;
        };
        let standing = &held.standing;
        let known = |scan| {
            standing.check_in.is_some_and(|entry| entry.scan == scan)
                || standing.conflict(scan).is_some()
                || self.core.is_over(scan)
        };
        let lost = |shown: &&Shown| self.model.lost.contains(&shown.scan);
        let missing = shown
            .iter()
            .filter(|one| !lost(one))
            .find(|one| !known(one.scan));
        let problem = if let Some(one) = missing {
            Some(format!("{one:?} of {ticket:?} is not in {standing:?}"))
        } else if shown.len() > 1 {
            self.unexcused(ticket, shown)
                .map(|why| format!("{ticket:?} admitted twice, {why}: {shown:?}"))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.violated(problem);
        }
    }

    /// Why two admissions of one ticket should not have been.
    fn unexcused(&self, ticket: TicketId, shown: &[Shown]) -> Option<&'static str> {
        let lost = |one: &Shown| self.model.lost.contains(&one.scan);
        let mut pairs = shown.iter().enumerate().flat_map(|(index, one)| {
            let others = shown[index + 1..].iter();
            others.map(move |other| (one, other))
        });
        let is_one_passage = |(one, other): &(&Shown, &Shown)| !self.are_apart(ticket, one, other);
        let pairs: Vec<(&Shown, &Shown)> = pairs.by_ref().filter(is_one_passage).collect();
        if pairs
            .iter()
            .any(|(one, other)| one.line == other.line && !lost(one))
        {
            return Some("by one node");
        }
        let is_risk = |one: &Shown| one.by == DecidedBy::Edge || lost(one);
        let is_known = |(one, other): &(&Shown, &Shown)| is_risk(one) || is_risk(other);
        let is_known = self.model.failovers > 0 || pairs.iter().all(is_known);
        (!is_known).then_some("both online")
    }

    /// Every guest with a good ticket who stays at one gate was admitted.
    fn check_guests(&mut self) {
        let mut problems = vec![];
        for attempt in &self.guests.attempts {
            let guest = &self.guests.all[attempt.guest];
            let ticket = model::ticket_id(guest.number);
            let node = &self.nodes[attempt.node];
            let good = self
                .core
                .tickets
                .get(&ticket)
                .is_some_and(|held| held.standing.validity == Validity::Valid);
            let legitimate = guest.honest
                && good
                && model::is_plain(guest.number)
                && !node.was_revoked
                && !node.was_restored;
            if !legitimate {
                continue;
            }
            if self.model.is_admitted(ticket, attempt.scan) {
                self.coverage.legit_admitted += 1;
            } else if self.model.failovers == 0 || attempt.shown.is_none() {
                problems.push(format!(
                    "{ticket:?} of {:?} was shown {:?}",
                    attempt.scan, attempt.shown
                ));
            }
        }
        if let Some(problem) = problems.pop() {
            self.violated(problem);
        }
    }

    /// Each report adds up, and together they are what was shown.
    fn check_reports(&mut self) {
        let (mut admitted, mut unreadable) = (0, 0);
        for (node, journal) in &self.core.journals {
            let conflict = |scan| {
                let mut held = self
                    .core
                    .tickets
                    .values()
                    .filter_map(|held| held.standing.conflict(scan));
                let past = || self.core.past_conflicts.get(&scan).copied();
                held.next().map(|conflict| conflict.kind).or_else(past)
            };
            let report = Report::of(&journal.rows, conflict);
            let restored = self
                .nodes
                .iter()
                .any(|held| held.id == *node && held.was_restored);
            if report.classified() != report.scans || (!report.gaps.is_empty() && !restored) {
                return self.violated(format!("the report of {node:?} does not hold: {report:?}"));
            }
            admitted += report.admitted;
            let counted = report.refused.get(Verdict::Unreadable.name()).copied();
            unreadable += counted.unwrap_or_default();
        }
        // What was counted last is lost with a process, or a disk; nothing is counted twice.
        let shown = self.coverage.unreadable;
        if unreadable > shown {
            self.violated(format!(
                "{unreadable} unreadable texts by the reports, {shown} were shown"
            ));
        }
        // An answer of the core that its node never spoke of is nobody's entry yet.
        let counts = |held: &&super::core::Ticket| {
            held.standing
                .check_in
                .is_some_and(|entry| entry.is_confirmed() && !entry.is_override())
        };
        let entries = self.core.tickets.values().filter(counts).count() as u64;
        let entries = entries + self.past_entries();
        if admitted != entries && self.model.failovers == 0 && self.model.lost.is_empty() {
            self.violated(format!(
                "{admitted} admitted by the reports, {entries} check-ins"
            ));
        }
    }
}
