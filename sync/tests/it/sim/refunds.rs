//! Refunds: a ticket is suspended while its money is on the way back. Then it is revoked, or, if the
//! refund is given up, as it was before (`ADMISSION` 3.8).

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    ids::{ScanId, TicketId},
    sync::{Decision, Scan, TicketEntry, TicketState},
    time::{CoreTime, MAX_CACHE_AGE},
    verdict::{Mode, Verdict},
};
use eventify_sync::{core::Validity, token::SignedTicket};

use super::{
    chaos::Fault,
    clock::{MS, Nanos, S, core_time},
    event::Event,
    guests::GuestEvent,
    model::{self, Mutation},
    rng::Rng,
    shows,
    world::World,
};

/// A refund is asked for so much before some other trouble, or after it.
const AROUND_TROUBLE: (Nanos, Nanos) = (3 * S, 6 * S);

/// Makes another stream of a world's seed.
const OWN_CHANCE: u64 = 0x5EF0_11D5;

/// Whose ticket is refunded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// Often somebody's who is at a gate, or was let in.
    Anybodys,
    /// The ticket's of somebody who wanted to see the show that moves.
    OfTheMovedShow,
    /// This guest's, who scans it right now.
    Guests(usize),
}

/// All refunds of a world. Their chance is their own, so that a world is the same as one without them
/// until the first is opened; some worlds have none.
pub(crate) struct Refunds {
    rng: Rng,
    /// Whether anybody asks for one in this world.
    pub(crate) happen: bool,
    all: Vec<Refund>,
    /// Tickets that admit nobody, and since when the core knows it.
    not_good: BTreeMap<TicketId, CoreTime>,
    /// Of refunds that were given up, whatever came after.
    given_up: BTreeSet<usize>,
    /// Scans that admitted somebody alone with a ticket that was not good at the core.
    admitted_alone: Vec<(TicketId, ScanId)>,
    /// Attempts of guests whose refund was given up, when everything had become calm.
    returned: Vec<usize>,
}

struct Refund {
    guest: usize,
    /// Whether its money goes: the payment's provider knows, whatever the core forgets.
    is_paid: bool,
}

impl Refunds {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ OWN_CHANCE);
        Self {
            happen: rng.percent(75),
            rng,
            all: vec![],
            not_good: BTreeMap::new(),
            given_up: BTreeSet::new(),
            admitted_alone: vec![],
            returned: vec![],
        }
    }

    /// Since when the core admits nobody with this ticket.
    fn not_good_since(&self, ticket: TicketId) -> Option<CoreTime> {
        self.not_good.get(&ticket).copied()
    }
}

/// Refunds at any time, and around whatever else is planned.
pub(crate) fn plan(world: &mut World, end: Nanos) {
    if !world.refunds.happen {
        return;
    }
    let troubles = world.planned_faults();
    let (begin, rng) = (world.at, &mut world.refunds.rng);
    let mut planned: Vec<(Nanos, Whose)> = (0..rng.between(1, 6))
        .map(|_| (rng.between(begin, end), Whose::Anybodys))
        .collect();
    for (at, is_move) in troubles {
        if rng.percent(20) {
            let (before, after) = AROUND_TROUBLE;
            let at = (at + rng.between(0, before + after)).saturating_sub(before);
            let whose = if is_move {
                Whose::OfTheMovedShow
            } else {
                Whose::Anybodys
            };
            planned.push((at, whose));
        }
    }
    for (at, whose) in planned {
        world.schedule(at, Event::Fault(Fault::OpenRefund { whose }));
    }
}

impl World {
    /// Now and then a refund is asked for while the guest stands at a gate.
    pub(crate) fn refund_during_scan(&mut self, guest: usize) {
        let refunds = &mut self.refunds;
        if !self.calm && refunds.happen && refunds.rng.permille(5) {
            let at = self.at + refunds.rng.between(0, 400 * MS);
            let whose = Whose::Guests(guest);
            self.schedule(at, Event::Fault(Fault::OpenRefund { whose }));
        }
    }

    /// A customer's own refund takes no ticket that was used; whoever runs the show can take it.
    pub(crate) fn open_refund(&mut self, whose: Whose) {
        let Some(guest) = self.choose(whose) else {
            return;
        };
        let ticket = model::ticket_id(self.guests.all[guest].number);
        let rng = &mut self.refunds.rng;
        let (by_customer, is_paid) = (rng.percent(60), rng.percent(40));
        let Some(held) = self.core.tickets.get_mut(&ticket) else {
            return;
        };
        if held.standing.validity != Validity::Valid {
            return;
        }
        let is_used = held.standing.check_in.is_some();
        if is_used && by_customer {
            self.coverage.refunds_of_used_refused += 1;
            return;
        }
        held.standing.validity = Validity::Suspended;
        held.refund = Some(self.refunds.all.len());
        self.refunds.all.push(Refund { guest, is_paid });
        // Whether its guest has to be admitted is another question now: `check_after_refunds`.
        self.guests.all[guest].honest = false;
        self.coverage.suspended += 1;
        self.coverage.suspended_inside += u64::from(is_used);
        if self.mutation != Some(Mutation::FeedLacksSuspensions) {
            self.publish_refunded(ticket);
        }
        self.watch_validity(ticket);
        self.end_later(self.refunds.all.len() - 1);
        for _ in 0..self.refunds.rng.between(1, 4) {
            self.come_after(20 * S, guest);
        }
    }

    fn choose(&mut self, whose: Whose) -> Option<usize> {
        let guests = 0..self.guests.all.len();
        let rng = &mut self.refunds.rng;
        let candidates: Vec<usize> = match whose {
            Whose::Guests(guest) => return Some(guest),
            Whose::OfTheMovedShow => guests
                .filter(|guest| shows::show_of(self.guests.all[*guest].number) == shows::MOVED)
                .collect(),
            Whose::Anybodys if rng.percent(50) => {
                let attempts = self.guests.attempts.iter();
                let is_there =
                    |shown: &Option<Verdict>| matches!(shown, None | Some(Verdict::Admit));
                attempts
                    .filter(|attempt| is_there(&attempt.shown))
                    .map(|attempt| attempt.guest)
                    .collect()
            }
            Whose::Anybodys => guests.collect(),
        };
        let index = rng.index(candidates.len());
        candidates.get(index).copied()
    }

    fn publish_refunded(&mut self, ticket: TicketId) {
        self.core
            .publish_ticket(ticket, self.at, &mut self.refunds.rng);
        self.watch_feed();
    }

    fn end_later(&mut self, refund: usize) {
        let at = self.at + self.refunds.rng.between(200 * MS, 60 * S);
        self.schedule(at, Event::Fault(Fault::EndRefund { refund }));
    }

    fn come_after(&mut self, longest: Nanos, guest: usize) {
        let at = self.at + self.refunds.rng.between(0, longest);
        self.schedule(at, Event::Guest(GuestEvent::ComeAgain { guest }));
    }

    /// The money went, or nobody tries it any longer. Only this refund of the ticket ends.
    pub(crate) fn end_refund(&mut self, refund: usize) {
        let Refund { guest, is_paid } = self.refunds.all[refund];
        let ticket = model::ticket_id(self.guests.all[guest].number);
        let suspended = |held: &&mut super::core::Ticket| {
            held.standing.validity == Validity::Suspended && held.refund == Some(refund)
        };
        let Some(held) = self.core.tickets.get_mut(&ticket).filter(suspended) else {
            return;
        };
        if is_paid {
            held.standing.validity = Validity::Revoked;
            self.coverage.refunded += 1;
            self.coverage.refunded_inside += u64::from(held.standing.check_in.is_some());
        } else {
            held.standing.validity = Validity::Valid;
            self.coverage.refunds_given_up += 1;
            self.refunds.given_up.insert(guest);
        }
        self.publish_refunded(ticket);
        self.watch_validity(ticket);
        for _ in 0..self.refunds.rng.between(0, 3) {
            self.come_after(20 * S, guest);
        }
    }

    /// The core's word about a ticket may have changed.
    pub(crate) fn watch_validity(&mut self, ticket: TicketId) {
        let held = self.core.tickets.get(&ticket);
        if held.is_none_or(|held| held.standing.validity == Validity::Valid) {
            self.refunds.not_good.remove(&ticket);
        } else {
            let now = core_time(self.at);
            self.refunds.not_good.entry(ticket).or_insert(now);
        }
    }

    /// Another server has the tickets as they were. The refunds that it knows as open go on; of those
    /// that it does not know nobody asks any more.
    pub(crate) fn refunds_after_failover(&mut self) {
        let known = self.refunds.not_good.keys();
        let tickets: BTreeSet<TicketId> = known.chain(self.core.tickets.keys()).copied().collect();
        for ticket in tickets {
            self.watch_validity(ticket);
        }
        for refund in self.open_refunds() {
            self.end_later(refund);
        }
    }

    /// Most refunds come to their end, a few are still open when everything has come to rest.
    pub(crate) fn settle_refunds(&mut self) {
        for refund in self.open_refunds() {
            if self.refunds.rng.percent(75) {
                self.end_refund(refund);
            }
        }
    }

    fn open_refunds(&self) -> Vec<usize> {
        let tickets = self.core.tickets.values();
        tickets
            .filter(|held| held.standing.validity == Validity::Suspended)
            .filter_map(|held| held.refund)
            .collect()
    }

    /// A guest tries a ticket that is or was under refund, often at a gate that has no connection.
    pub(crate) fn come_under_refund(&mut self, guest: usize) {
        if self.calm {
            return;
        }
        let alone = |node: &usize| {
            let held = &self.nodes[*node];
            let machine = held.machine.as_ref();
            machine.is_some_and(|it| it.status(held.now(self.at)).mode == Mode::Degraded)
        };
        let alone: Vec<usize> = (0..self.nodes.len()).filter(alone).collect();
        let rng = &mut self.refunds.rng;
        let node = match alone.get(rng.index(alone.len())) {
            Some(node) if rng.percent(60) => *node,
            Some(_) | None => rng.index(self.nodes.len()),
        };
        self.scan_under_refund(guest, node);
    }

    fn scan_under_refund(&mut self, guest: usize, node: usize) {
        let rng = &mut self.refunds.rng;
        let gates = &self.nodes[node].gates;
        let gate = gates[rng.index(gates.len())];
        let scan = ScanId(rng.uuid());
        self.try_with(guest, node, (scan, gate));
    }

    /// Everything is calm and every gate had the time to learn what became of the refunds: who has
    /// never been admitted comes again with the same code.
    pub(crate) fn return_after_refunds(&mut self) {
        let is_good = |node: &usize| {
            let held = &self.nodes[*node];
            !held.was_revoked && !held.was_restored && !held.is_stopped
        };
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(is_good).collect();
        for guest in self.refunds.given_up.clone() {
            let number = self.guests.all[guest].number;
            let ticket = model::ticket_id(number);
            let is_unused = self.core.tickets.get(&ticket).is_some_and(|held| {
                let standing = &held.standing;
                let has_entry = standing.check_in.is_some() || !standing.conflicts.is_empty();
                standing.validity == Validity::Valid && !has_entry
            });
            let was_inside = self.model.admitted.contains_key(&ticket);
            let node = nodes.get(self.refunds.rng.index(nodes.len()));
            if let Some(&node) = node
                && is_unused
                && !was_inside
                && model::is_plain(number)
            {
                self.scan_under_refund(guest, node);
                let attempt = self.guests.attempts.len() - 1;
                self.refunds.returned.push(attempt);
            }
        }
    }

    // ---- Promises

    /// Whether the core may admit this scan: the ticket is good, or the scan has been answered so
    /// before.
    pub(crate) fn may_be_admitted(&mut self, scan: &Scan) -> bool {
        let token = self.core.check(&scan.token);
        let signed = token.signed().map(SignedTicket::ticket);
        let Some(held) = signed.and_then(|ticket| self.core.tickets.get(&ticket)) else {
            return true;
        };
        let standing = &held.standing;
        let is_suspended = standing.validity == Validity::Suspended;
        self.coverage.suspended_at_core += u64::from(is_suspended);
        standing.validity == Validity::Valid
            || standing
                .check_in
                .is_some_and(|entry| entry.scan == scan.scan)
            || standing.conflict(scan.scan).is_some()
    }

    /// What a node decides alone about tickets that are not good. It admits one only as long as it
    /// can't know better, and never beyond the limit; it refuses one only if its replica says so.
    pub(crate) fn check_refunded(&mut self, node: usize, decision: &Decision) {
        let Some(ticket) = decision.ticket else {
            return;
        };
        let store = self.nodes[node].disk.replica.as_ref();
        let held = store.and_then(|store| store.ticket(ticket));
        let held = held.map(|entry| entry.state);
        if decision.verdict == Verdict::Admit {
            self.check_admitted_alone(node, ticket, decision);
        } else if decision.verdict == Verdict::Revoked {
            let is_suspended = held == Some(TicketState::Suspended);
            self.coverage.suspended_offline += u64::from(is_suspended);
            if !is_suspended && held != Some(TicketState::Revoked) {
                self.violated(format!(
                    "node {node} refuses {ticket:?} as revoked, which it holds as {held:?}"
                ));
            }
        }
    }

    fn check_admitted_alone(&mut self, node: usize, ticket: TicketId, decision: &Decision) {
        let Some(since) = self.refunds.not_good_since(ticket) else {
            return;
        };
        self.coverage.suspended_admitted_alone += 1;
        self.refunds.admitted_alone.push((ticket, decision.scan));
        let now = core_time(self.at);
        let knows_better = decision.point.is_none_or(|point| point.truth > since);
        if knows_better || now.since(since) > MAX_CACHE_AGE {
            let validity = self.core.tickets[&ticket].standing.validity;
            let point = decision.point;
            self.violated(format!(
                "node {node} admits {ticket:?} by {point:?} at {now:?}, the core holds it as \
                 {validity:?} since {since:?}"
            ));
        }
    }

    /// At rest: who was never inside is let in again once the refund is given up; feed and replicas
    /// have each ticket that was under refund as the core has it.
    pub(crate) fn check_after_refunds(&mut self) {
        let mut problem = None;
        for &attempt in &self.refunds.returned {
            let attempt = &self.guests.attempts[attempt];
            let ticket = model::ticket_id(self.guests.all[attempt.guest].number);
            if self.model.admitted.contains_key(&ticket) {
                self.coverage.admitted_after_refund += 1;
            } else {
                problem = Some(format!(
                    "{ticket:?}, whose refund was given up, was shown {:?}",
                    attempt.shown
                ));
            }
        }
        for refund in &self.refunds.all {
            let ticket = model::ticket_id(self.guests.all[refund.guest].number);
            problem = problem.or_else(|| self.disagreement(ticket));
        }
        // That the core has them is what `check_ticket` has shown.
        let shown = self.refunds.admitted_alone.iter();
        let shown = shown.filter(|(ticket, scan)| self.model.is_admitted(*ticket, *scan));
        self.coverage.suspended_entries_kept += shown.count() as u64;
        if let Some(problem) = problem {
            self.violated(problem);
        }
    }

    fn disagreement(&self, ticket: TicketId) -> Option<String> {
        let state = self.core.tickets.get(&ticket)?.standing.state();
        let differs = |entry: &Option<TicketEntry>| {
            let held = entry.as_ref().map(|entry| entry.state);
            held != Some(state)
        };
        let in_feed = self.core.ticket_in_feed(ticket);
        if differs(&in_feed) {
            return Some(format!(
                "the feed has {ticket:?} as {in_feed:?}, the core holds it as {state:?}"
            ));
        }
        let running = self.nodes.iter().filter(|node| !node.is_stopped);
        let replicas = running.filter_map(|node| node.disk.replica.as_ref());
        let mut held = replicas.map(|store| store.ticket(ticket));
        held.find(differs).map(|held| {
            format!("a replica has {ticket:?} as {held:?}, the core holds it as {state:?}")
        })
    }
}
