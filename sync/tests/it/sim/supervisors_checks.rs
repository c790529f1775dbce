//! Promises about what supervisors do.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    ids::{PersonId, ScanId, TicketId},
    sync::{DEFAULT_ACTS_PER_HOUR, JournalEntry, JournalRow, Overridden, SealedRow, TicketState},
    time::MAX_CACHE_AGE,
    verdict::{Mode, Verdict},
};
use eventify_sync::core::{CheckIn, EndKind, Validity};

use super::{
    clock::{Nanos, S, core_time, unix},
    model::{self, Shown},
    shows,
    world::World,
};

/// How long an entry may have been decided before it was shown, on a slow disk.
const SHOWN_BEHIND: Nanos = 15 * S;
/// For what rounding and drift do.
const OVERRIDABLE: std::time::Duration = std::time::Duration::from_millis(301_000);

impl World {
    /// Nothing is done where nobody decides.
    pub(crate) fn check_act_mode(&mut self, node: usize, mode: Mode) {
        match mode {
            Mode::Degraded => {
                let limit = self.nodes[node].status_limit(self.at);
                let age = self.true_age(node);
                if age.is_some_and(|age| age > limit.min(MAX_CACHE_AGE)) {
                    self.violated(format!("node {node} acts on a cache of {age:?}"));
                }
            }
            Mode::Online => {
                let now = self.nodes[node].now(self.at).boottime;
                if !self.nodes[node].watch.may_be_online(now) {
                    self.violated(format!("node {node} acts online, and the core is silent"));
                }
            }
            Mode::Locked | Mode::Resyncing => {
                self.violated(format!("node {node} acts in {mode:?}"));
            }
        }
    }

    /// Only a refusal as `AlreadyUsed` or `NotYet` of a moment ago, of a ticket that is good otherwise.
    pub(crate) fn check_override(&mut self, node: usize, row: &JournalRow, act: &Overridden) {
        let disk = &self.nodes[node].disk;
        let previous = disk.previous(act.scan);
        let refused = previous.as_ref().is_some_and(|previous| {
            let verdict = &previous.decision.verdict;
            let is_refusal = matches!(
                verdict,
                Verdict::AlreadyUsed { .. } | Verdict::NotYet { .. }
            );
            is_refusal && !previous.voided && previous.overridden.is_none()
        });
        let now = core_time(self.at);
        let at = previous.and_then(|previous| previous.at.core);
        let in_time = at.is_none_or(|at| now.since(at.latest) <= OVERRIDABLE);
        let store = disk.replica.as_ref();
        let entry = store.and_then(|store| store.ticket(act.ticket));
        let is_good = entry
            .is_some_and(|entry| matches!(entry.state, TicketState::Valid | TicketState::Used(_)));
        let takes_place = store.is_some_and(|store| store.window(act.performance).is_some());
        if !(refused && in_time && is_good && takes_place) {
            self.violated(format!(
                "node {node} overrides by row {}: refused {refused}, in time {in_time}, good \
                 {is_good}, played {takes_place}",
                row.seq
            ));
        }
    }

    /// Whether two admissions of a ticket are not two of one passage: a supervisor knew of the other, one was
    /// taken back, or the guest had left between, or the show was played again.
    pub(crate) fn are_apart(&self, ticket: TicketId, one: &Shown, other: &Shown) -> bool {
        let acts = &self.supervisors;
        let is_marked = |shown: &Shown| shown.overridden || acts.is_undone(shown.scan);
        let between = |at: &Nanos| one.at.saturating_sub(SHOWN_BEHIND) <= *at && *at <= other.at;
        let exits = acts.exits.get(&ticket);
        let is_of_moved = self
            .core
            .tickets
            .get(&ticket)
            .is_some_and(|held| held.entitlement.performance == shows::MOVED);
        is_marked(one)
            || is_marked(other)
            || exits.is_some_and(|exits| exits.iter().any(between))
            || is_of_moved && acts.restarts.iter().any(between)
    }

    /// Check-ins of passages that are over, as reports count them.
    pub(crate) fn past_entries(&self) -> u64 {
        let is_admitted = |scan: ScanId| {
            let record = self.core.scans.get(&scan);
            let shown = record.and_then(|record| record.shown.as_ref());
            shown.is_some_and(|shown| shown.verdict == Verdict::Admit)
        };
        let tickets = self.core.tickets.values();
        let ended = tickets.flat_map(|held| &held.standing.ended);
        let ended = ended.filter(|end| end.kind != EndKind::Undone && !end.first.is_override());
        let ended = ended.map(|end| end.first.scan);
        let past = self.core.past_entries.iter().copied();
        let all: BTreeSet<ScanId> = ended.chain(past).collect();
        let counts = |scan: &&ScanId| is_admitted(**scan) && !self.supervisors.is_undone(**scan);
        all.iter().filter(counts).count() as u64
    }

    /// Everything is calm: whoever was taken back, or has left, comes again with the same code.
    pub(crate) fn return_after_acts(&mut self) {
        let is_good = |node: &usize| {
            let held = &self.nodes[*node];
            !held.was_revoked && !held.was_restored && !held.is_stopped
        };
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(is_good).collect();
        for guest in self.supervisors.outside.clone() {
            let number = self.guests.all[guest].number;
            let node = nodes.get(self.supervisors.rng.index(nodes.len())).copied();
            let Some(node) = node.filter(|_| self.is_outside(number)) else {
                continue;
            };
            let gates = &self.nodes[node].gates;
            let gate = gates[self.supervisors.rng.index(gates.len())];
            let scan = ScanId(self.supervisors.rng.uuid());
            self.try_with(guest, node, (scan, gate));
            let attempt = self.guests.attempts.len() - 1;
            self.supervisors.returned.push((attempt, self.at));
        }
    }

    /// Whether nobody is inside with a good ticket: all entries that somebody was shown are over, and so is
    /// the core's.
    fn is_outside(&self, number: u128) -> bool {
        let ticket = model::ticket_id(number);
        let Some(held) = self.core.tickets.get(&ticket) else {
            return false;
        };
        let standing = &held.standing;
        let conflicts = standing.conflicts.iter().map(|it| &it.entry);
        let mut entries = standing.check_in.iter().chain(conflicts);
        let is_moved = shows::show_of(number) == shows::MOVED;
        let restart = self.supervisors.restarts.last().filter(|_| is_moved);
        let is_old = |entry: &CheckIn| {
            restart.is_some_and(|at| entry.at.earliest.unix_seconds() < unix(*at))
        };
        let named = |entry: &CheckIn| self.supervisors.named.contains(&entry.scan) || is_old(entry);
        let exits = self.supervisors.exits.get(&ticket).cloned();
        let exits = exits.unwrap_or_default();
        let is_over = |shown: &Shown| {
            self.supervisors.is_undone(shown.scan)
                || exits.iter().chain(restart).any(|at| shown.at <= *at)
        };
        let shown = self.model.admitted.get(&ticket);
        let shown = shown.map_or(&[][..], Vec::as_slice);
        (model::is_plain(number) || restart.is_some())
            && held.refund.is_none()
            && standing.validity == Validity::Valid
            && self.model.failovers == 0
            && self.model.lost.is_empty()
            && entries.all(named)
            && shown.iter().all(is_over)
    }

    /// At rest: whoever came again was let in; no act was done twice, and nobody did more than the venue
    /// allows.
    pub(crate) fn check_after_acts(&mut self) {
        for (attempt, since) in std::mem::take(&mut self.supervisors.returned) {
            let held = &self.guests.attempts[attempt];
            let ticket = model::ticket_id(self.guests.all[held.guest].number);
            let shown = self.model.admitted.get(&ticket);
            let others = shown.into_iter().flatten();
            let mut others = others.filter(|shown| shown.at >= since && shown.scan != held.scan);
            if held.shown == Some(Verdict::Admit) {
                self.coverage.back_after_acts += 1;
            } else if others.next().is_none() {
                let shown = held.shown.clone();
                let what = format!("{ticket:?}, whose entry was ended, was shown {shown:?}");
                self.violated(what);
            }
        }
        for node in 0..self.nodes.len() {
            self.check_acts_of(node);
        }
    }

    fn check_acts_of(&mut self, node: usize) {
        let held = &self.nodes[node];
        let (mut ids, mut overridden) = (BTreeSet::new(), BTreeSet::new());
        let rows: Vec<&JournalRow> = held.disk.rows().iter().map(SealedRow::row).collect();
        let is_taken_back = |seq: u64| {
            let mut rows = rows.iter();
            rows.any(|it| matches!(it.entry, JournalEntry::Voided { row, .. } if row == seq))
        };
        let mut by_person: BTreeMap<PersonId, u32> = BTreeMap::new();
        let mut problem = None;
        for row in &rows {
            let Some(by) = row.entry.act().filter(|_| !is_taken_back(row.seq)) else {
                continue;
            };
            let is_second = matches!(
                &row.entry, JournalEntry::Overridden(act) if !overridden.insert(act.scan)
            );
            if !ids.insert(by.act) || is_second {
                problem = Some(format!("node {node} has done {:?} twice", by.act));
            }
            if by.reason.is_some() {
                *by_person.entry(by.person).or_default() += 1;
            }
        }
        let most = self.supervisors.acts_per_hour;
        let most = most.unwrap_or(DEFAULT_ACTS_PER_HOUR);
        let is_over = by_person.values().any(|acts| *acts > most);
        if is_over && !held.was_restored {
            problem = Some(format!("too many acts at node {node}: {by_person:?}"));
        }
        if let Some(problem) = problem {
            self.violated(problem);
        }
    }
}
