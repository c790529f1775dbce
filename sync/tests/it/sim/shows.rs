//! What is played in this world, and the one show that moves.

use eventify_protocol::{
    ids::PerformanceId,
    sync::{
        AdmissionWindow, Decision, Moment, PerformanceEntry, PerformanceState, Reentry, Subject,
        TicketState, Value,
    },
    time::CoreTime,
    verdict::Verdict,
};
use eventify_sync::core::{CheckIn, Validity};
use uuid::Uuid;

use super::{
    clock::{S, core_time, unix},
    model::{self, Mutation},
    world::World,
};

pub(crate) const TONIGHT: PerformanceId = PerformanceId(Uuid::from_u128(0xA1));
/// Admitted by the venue, but at none of these gates.
pub(crate) const ELSEWHERE: PerformanceId = PerformanceId(Uuid::from_u128(0xA2));
/// Its doors open in the course of a run.
pub(crate) const LATER: PerformanceId = PerformanceId(Uuid::from_u128(0xA3));
/// It ends in the course of a run.
pub(crate) const EARLIER: PerformanceId = PerformanceId(Uuid::from_u128(0xA4));
/// Planned for yesterday; its organiser moves it, to now, to tomorrow, and back.
pub(crate) const MOVED: PerformanceId = PerformanceId(Uuid::from_u128(0xA5));
/// Of a foreign organiser: the venue has not confirmed it.
pub(crate) const FOREIGN: PerformanceId = PerformanceId(Uuid::from_u128(0xA6));

/// Those that a gate of this world names.
pub(crate) const AT_THE_GATES: [PerformanceId; 5] = [TONIGHT, LATER, EARLIER, MOVED, FOREIGN];

const LONG: i64 = 36_000;
const DAY: i64 = 86_400;
/// For what rounding to whole seconds and microseconds does.
const TOLERANCE: i64 = 1;

fn show(from: i64, until: i64) -> PerformanceEntry {
    PerformanceEntry {
        title: "A show".to_owned(),
        doors_at: from,
        starts_at: from,
        ends_at: Some(until),
        admits: AdmissionWindow { from, until },
        state: PerformanceState::Scheduled,
        categories: None,
        reentry: None,
        restarts_at: None,
    }
}

fn contains(window: AdmissionWindow, now: CoreTime, slack: i64) -> bool {
    let now = now.unix_seconds();
    window.from - slack <= now && now < window.until + slack
}

impl World {
    pub(crate) fn schedule_shows(&mut self) {
        let (before, after) = (unix(0) - 3_600, unix(0) + LONG);
        for (id, entry) in [
            (TONIGHT, show(before, after)),
            (ELSEWHERE, show(before, after)),
            (LATER, show(unix(100 * S), after)),
            (EARLIER, show(before, unix(100 * S))),
            (MOVED, show(before - DAY, after - DAY)),
        ] {
            self.publish_show(id, entry);
        }
    }

    fn publish_show(&mut self, id: PerformanceId, mut entry: PerformanceEntry) {
        entry.reentry = self.supervisors.happen.then_some(Reentry::Allowed);
        let keeps = self.mutation == Some(Mutation::CoreKeepsOldTimes);
        if !keeps || !self.core.performances.contains_key(&id) {
            let mut held = entry.clone();
            if self.mutation == Some(Mutation::CoreForgetsRestarts) {
                held.restarts_at = None;
            }
            self.core.performances.insert(id, held);
        }
        let value = Value::Performance(entry);
        self.core
            .publish(Subject::Performance(id), value, self.at, &mut self.rng);
    }

    /// The organiser moves the show by a day, or back to now. Nobody gets a new code.
    pub(crate) fn move_show(&mut self, away: bool) {
        self.coverage.moved_shows += 1;
        let by = if away { DAY } else { 0 };
        let (from, until) = (unix(self.at) - 60 + by, unix(self.at) + LONG + by);
        let restarts_at = if away { None } else { self.restart() };
        let entry = PerformanceEntry {
            restarts_at,
            ..show(from, until)
        };
        self.publish_show(MOVED, entry);
        self.watch_feed();
    }

    /// Who was turned away while the show was to be another day comes again, with the same code, when
    /// it is played after all and every gate has had the time to learn it.
    pub(crate) fn return_to_the_moved_show(&mut self) {
        for guest in 0..self.guests.all.len() {
            let is_honest = self.guests.all[guest].honest;
            let ticket = model::ticket_id(self.guests.all[guest].number);
            let is_of_it = self.core.tickets.get(&ticket);
            let is_of_it = is_of_it.is_some_and(|held| held.entitlement.performance == MOVED);
            if is_honest && is_of_it {
                self.come_again(guest);
            }
        }
    }

    /// Whoever came again with a good code was let in.
    pub(crate) fn check_returned(&mut self) {
        let mut problem = None;
        for &attempt in &self.guests.returned {
            let attempt = &self.guests.attempts[attempt];
            let guest = &self.guests.all[attempt.guest];
            let node = &self.nodes[attempt.node];
            let held = self.core.tickets.get(&model::ticket_id(guest.number));
            let is_good =
                held.is_some_and(|held| held.standing.validity == Validity::Valid) && guest.honest;
            // The known remainder of 3.4: the core's answer was lost with the process that had asked,
            // and the next one refused the scan by the old times. A supervisor decides.
            let is_unshown =
                |entry: &CheckIn| !entry.is_confirmed() && node.asked_before.contains(&entry.scan);
            let check_in = held.and_then(|held| held.standing.check_in);
            if check_in.as_ref().is_some_and(is_unshown) {
                continue;
            }
            if !is_good || node.was_revoked || node.was_restored || self.model.failovers > 0 {
                continue;
            }
            if attempt.shown == Some(Verdict::Admit) {
                self.coverage.returned += 1;
            } else {
                problem = Some(format!(
                    "guest {} of the moved show was shown {:?}",
                    attempt.guest, attempt.shown
                ));
            }
        }
        if let Some(problem) = problem {
            self.violated(problem);
        }
    }

    /// A node follows the times of its replica, in both directions: it admits to no show that is
    /// certainly over or not yet open, by what it could prove of the core's clock, and refuses nobody
    /// within the times as too early or too late. A scan that was admitted before stays so: the guest
    /// waits for the answer.
    pub(crate) fn check_window(&mut self, node: usize, at: &Moment, decision: &Decision) {
        if self.was_admitted(node, decision) {
            return;
        }
        let store = self.nodes[node].disk.replica.as_ref();
        let Some(performance) = decision.performance else {
            return;
        };
        if store.is_some_and(|store| store.is_damaged) {
            // The node has in memory what the file lacks, until the digests show it.
            return;
        }
        let window = store.and_then(|store| store.window(performance));
        let now = core_time(self.at);
        let doubt = at.core.map(|span| span.latest.since(span.earliest));
        let doubt = doubt.unwrap_or_default().as_secs().cast_signed() + TOLERANCE;
        let is_wrong = match (&decision.verdict, window) {
            (Verdict::Admit, None) => true,
            (Verdict::Admit, Some(window)) => !contains(window, now, doubt),
            (Verdict::NotYet { .. } | Verdict::Expired { .. }, Some(window)) => {
                contains(window, now, -TOLERANCE)
            }
            _ => false,
        };
        if is_wrong {
            self.violated(format!(
                "node {node} decides {:?} for {performance:?}, {window:?} at {now:?}",
                decision.verdict
            ));
        }
    }

    /// By the core, as the replica has it, or by this node itself.
    fn was_admitted(&self, node: usize, decision: &Decision) -> bool {
        let disk = &self.nodes[node].disk;
        let ticket = decision.ticket.zip(disk.replica.as_ref());
        let ticket = ticket.and_then(|(ticket, store)| store.ticket(ticket));
        let by_core = ticket.is_some_and(
            |entry| matches!(entry.state, TicketState::Used(by) if by.scan == decision.scan),
        );
        let earlier = disk.previous(decision.scan);
        by_core || earlier.is_some_and(|earlier| earlier.decision.verdict == Verdict::Admit)
    }
}

/// The claims of a ticket: a few are for other shows. The code's own times are weeks wide.
pub(crate) fn show_of(number: u128) -> PerformanceId {
    match number % 20 {
        14 => FOREIGN,
        15 | 16 => MOVED,
        17 => ELSEWHERE,
        18 => LATER,
        19 => EARLIER,
        _ => TONIGHT,
    }
}

/// Outer bounds of every code.
pub(crate) fn code_window() -> (i64, i64) {
    (unix(0) - 30 * DAY, unix(0) + 200 * DAY)
}
