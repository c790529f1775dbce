//! Supervisors: they let in whom a scan has refused, take admissions back, and guests leave and come back
//! (`ADMISSION` 3.13 to 3.15), at any time, and with the same act again where no answer came.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    ids::{ActId, GateId, PersonId, ScanId, TicketId},
    lan::{Reason, ReasonCode},
    sync::{JournalEntry, JournalRow},
    verdict::{DecidedBy, Mode, Verdict},
};
use eventify_sync::edge::{
    ActKind, ActRefusal, ActRequest, ActScan, DoneAct, Input, Reply, RequestId, ScanOutcome,
};
use uuid::Uuid;

use super::{
    clock::{MS, Nanos, S, unix},
    event::Event,
    model::{self, Mutation, Shown},
    regressions,
    rng::Rng,
    shows,
    world::World,
};

/// Makes another stream of a world's seed.
const OWN_CHANCE: u64 = 0xAC75_0061;
/// Whoever does acts at these gates.
const PEOPLE: u64 = 3;
/// No answer came for so long: the same act again.
const PATIENCE: Nanos = 6 * S;

/// All acts of a world. Their chance is their own, so that a world is the same as one without them until
/// the first is done; some worlds have none, and those that failed before there were any are among these.
pub(crate) struct Supervisors {
    pub(super) rng: Rng,
    /// Whether anybody does any in this world.
    pub(crate) happen: bool,
    /// What the venue allows a person within an hour.
    pub(crate) acts_per_hour: Option<u32>,
    all: Vec<Act>,
    requests: BTreeMap<RequestId, usize>,
    /// Scans whose admission was undone.
    undone: BTreeSet<ScanId>,
    /// When guests have left.
    pub(super) exits: BTreeMap<TicketId, Vec<Nanos>>,
    /// Entries that an undo or an exit has named.
    pub(super) named: BTreeSet<ScanId>,
    /// When the show that moves was played again.
    pub(super) restarts: Vec<Nanos>,
    /// Guests whose entry was ended.
    pub(super) outside: BTreeSet<usize>,
    /// Attempts of those who came again when everything was calm, and when.
    pub(super) returned: Vec<(usize, Nanos)>,
}

struct Act {
    id: ActId,
    node: usize,
    gate: GateId,
    person: PersonId,
    kind: Kind,
    tries: u32,
    is_done: bool,
    /// It was when it was last asked for: an answer to that is a repeated one. Two that ask before it is on the disk
    /// have the same answer.
    asked_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Override { attempt: usize },
    Undo { attempt: usize },
    Exit { guest: usize },
}

impl Supervisors {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ OWN_CHANCE);
        let happen = rng.percent(70) && !regressions::is_of_before_acts(seed);
        let limits = [None, Some(3), Some(200)];
        Self {
            happen,
            acts_per_hour: limits[rng.index(3)].filter(|_| happen),
            rng,
            all: vec![],
            requests: BTreeMap::new(),
            undone: BTreeSet::new(),
            exits: BTreeMap::new(),
            named: BTreeSet::new(),
            restarts: vec![],
            outside: BTreeSet::new(),
            returned: vec![],
        }
    }

    /// The act that a request is about, if it is one of these.
    pub(crate) fn take(&mut self, request: RequestId) -> Option<usize> {
        self.requests.remove(&request)
    }

    /// The row was lost before it was on the disk.
    pub(crate) fn forget(&mut self, row: &JournalRow) {
        if let JournalEntry::Undone(act) = &row.entry {
            self.undone.remove(&act.scan);
        }
    }

    pub(crate) fn is_undone(&self, scan: ScanId) -> bool {
        self.undone.contains(&scan)
    }
}

impl World {
    /// A verdict was shown: now and then somebody does something about it.
    pub(crate) fn supervise(&mut self, attempt: usize, answer: &ScanOutcome) {
        let rng = &mut self.supervisors.rng;
        if !self.supervisors.happen || self.calm {
            return;
        }
        let held = &self.guests.attempts[attempt];
        let (node, guest) = (held.node, held.guest);
        match &answer.verdict {
            Verdict::AlreadyUsed { .. } | Verdict::NotYet { .. } if rng.percent(30) => {
                let late = if rng.percent(3) { 305 * S } else { 30 * S };
                let at = self.at + rng.between(200 * MS, late);
                self.plan_act(at, node, Kind::Override { attempt });
            }
            Verdict::Admit if rng.percent(10) => {
                let late = if rng.percent(10) { 80 * S } else { 15 * S };
                let at = self.at + rng.between(100 * MS, late);
                self.plan_act(at, node, Kind::Undo { attempt });
            }
            Verdict::Admit if rng.percent(15) => {
                let at = self.at + rng.between(100 * MS, 40 * S);
                let node = rng.index(self.nodes.len());
                self.plan_act(at, node, Kind::Exit { guest });
            }
            Verdict::Admit
            | Verdict::AlreadyUsed { .. }
            | Verdict::NotYet { .. }
            | Verdict::Revoked
            | Verdict::NotValidHere { .. }
            | Verdict::Expired { .. }
            | Verdict::Unreadable
            | Verdict::Forged
            | Verdict::UnknownOffline
            | Verdict::ResyncRequired
            | Verdict::TryAgain
            | Verdict::NodeFault => {}
        }
    }

    fn plan_act(&mut self, at: Nanos, node: usize, kind: Kind) {
        let rng = &mut self.supervisors.rng;
        let gates = &self.nodes[node].gates;
        let gate = match kind {
            Kind::Override { attempt } | Kind::Undo { attempt } => {
                self.guests.attempts[attempt].gate
            }
            Kind::Exit { .. } => gates[rng.index(gates.len())],
        };
        let person = PersonId(Uuid::from_u128(u128::from(rng.between(1, PEOPLE + 1))));
        self.supervisors.all.push(Act {
            id: ActId(rng.uuid()),
            node,
            gate,
            person,
            kind,
            tries: 0,
            is_done: false,
            asked_again: false,
        });
        let act = self.supervisors.all.len() - 1;
        self.schedule(at, Event::Act { act });
    }

    pub(crate) fn do_act(&mut self, act: usize) {
        let held = &mut self.supervisors.all[act];
        let (node, kind) = (held.node, held.kind);
        held.tries = held.tries.saturating_add(1);
        let is_again = held.is_done;
        if held.tries > 6 || self.quiet {
            return;
        }
        let there = &self.nodes[node];
        if there.machine.is_none() || there.frozen_until > self.at {
            return self.act_later(act);
        }
        let guest = match kind {
            Kind::Override { attempt } | Kind::Undo { attempt } => {
                self.guests.attempts[attempt].guest
            }
            Kind::Exit { guest } => guest,
        };
        let ticket = model::ticket_id(self.guests.all[guest].number);
        // Whether its guest has to be admitted is another question now.
        self.guests.all[guest].honest = false;
        self.supervisors.all[act].asked_again = is_again;
        self.steps += 1;
        let request = RequestId(self.steps);
        self.supervisors.requests.insert(request, act);
        self.coverage.acts_again += u64::from(is_again);
        let input = self.act_request(request, act, ticket);
        self.trace_line(|| format!("node {node} is to {kind:?}: {:?}", input.act));
        if !is_again {
            self.act_later(act);
        }
        self.step_node(node, Input::Act(Box::new(input)));
    }

    fn act_request(&mut self, request: RequestId, act: usize, ticket: TicketId) -> ActRequest {
        let held = &self.supervisors.all[act];
        let disk = &self.nodes[held.node].disk;
        let scan = |attempt: usize| {
            let scan = self.guests.attempts[attempt].scan;
            ActScan {
                scan,
                previous: disk.previous(scan),
                ticket: disk.act_ticket(ticket),
            }
        };
        let kind = match held.kind {
            Kind::Override { attempt } => ActKind::Override(scan(attempt)),
            Kind::Undo { attempt } => ActKind::Undo(scan(attempt)),
            Kind::Exit { .. } => ActKind::Exit(disk.act_ticket(ticket)),
        };
        let reason = Reason {
            code: ReasonCode::NotInside,
            note: None,
        };
        let forgets = self.mutation == Some(Mutation::ActsTwice);
        let is_this = |done: &DoneAct| done.entry.act().is_some_and(|by| by.act == held.id);
        let counted = |done: DoneAct| {
            let by = done.entry.act()?;
            let counts = by.person == held.person && by.reason.is_some();
            counts.then_some((by.act, done.at))
        };
        ActRequest {
            request,
            act: held.id,
            scanner: self.nodes[held.node].scanner,
            gate: held.gate,
            person: held.person,
            reason: (!matches!(held.kind, Kind::Exit { .. })).then_some(reason),
            kind,
            previous: disk.acts().find(is_this).filter(|_| !forgets),
            recent: disk.acts().filter_map(counted).collect(),
        }
    }

    /// The answer may never come.
    fn act_later(&mut self, act: usize) {
        let at = self.at + PATIENCE + self.supervisors.rng.between(0, 4 * S);
        self.schedule(at, Event::Act { act });
    }

    pub(crate) fn act_replied(&mut self, node: usize, act: usize, reply: Reply) {
        let held = &mut self.supervisors.all[act];
        let (id, kind, asked_again) = (held.id, held.kind, held.asked_again);
        self.trace_line(|| format!("node {node} replies to {id:?} ({kind:?}): {reply:?}"));
        match reply {
            Reply::Overloaded => {}
            Reply::Act(outcome) => {
                let held = &mut self.supervisors.all[act];
                (held.is_done, held.tries) = (true, held.tries.max(5));
                self.coverage.acts_repeated += u64::from(outcome.repeated);
                let disk = &self.nodes[node].disk;
                let is_this = |done: DoneAct| done.entry.act().is_some_and(|by| by.act == id);
                if !disk.acts().any(is_this) {
                    self.violated(format!("{id:?} is answered, and not on the disk of {node}"));
                }
                if !outcome.repeated && asked_again && !self.nodes[node].was_restored {
                    self.violated(format!("{id:?} was done twice at node {node}"));
                }
                self.act_done(node, kind, outcome.mode);
            }
            Reply::ActRefused(refusal) => {
                // Nothing was done, and nobody tries it again.
                self.supervisors.all[act].tries = u32::MAX;
                self.act_refused(node, act, refusal);
            }
            Reply::Verdict(_) | Reply::ScanIdReused | Reply::Search(_) => {
                self.violated(format!("an act was answered {reply:?}"));
            }
        }
    }

    fn act_refused(&mut self, node: usize, act: usize, refusal: ActRefusal) {
        self.coverage.acts_refused += 1;
        let held = &self.supervisors.all[act];
        match refusal {
            ActRefusal::Locked => {
                self.coverage.acts_in_locked += 1;
                let breaks = self.mutation == Some(Mutation::OverridesInLocked);
                if breaks && matches!(held.kind, Kind::Override { .. }) {
                    self.check_act_mode(node, Mode::Locked);
                }
            }
            ActRefusal::TooLate => self.coverage.too_late_acts += 1,
            ActRefusal::TooMany(_) => self.coverage.too_many_acts += 1,
            ActRefusal::IdReused => {
                let id = held.id;
                self.violated(format!("{id:?} is refused as used for something else"));
            }
            ActRefusal::CoreNeeded
            | ActRefusal::UnknownScan
            | ActRefusal::UnknownTicket
            | ActRefusal::NotOverridable
            | ActRefusal::AlreadyDone
            | ActRefusal::Changed
            | ActRefusal::NotNewest
            | ActRefusal::NotInside
            | ActRefusal::NoReentry
            | ActRefusal::GateNotAllowed => {}
        }
    }

    /// Somebody saw that it was done.
    fn act_done(&mut self, node: usize, kind: Kind, mode: Mode) {
        let chance = &mut self.supervisors.rng;
        let comes_back = chance.percent(60);
        let at = self.at + chance.between(200 * MS, 15 * S);
        let guest = match kind {
            Kind::Override { attempt } => {
                let held = &self.guests.attempts[attempt];
                let ticket = model::ticket_id(self.guests.all[held.guest].number);
                self.supervisors.outside.remove(&held.guest);
                let by_core = mode == Mode::Online;
                let shown = Shown {
                    at: self.at,
                    overridden: true,
                    line: node,
                    scan: held.scan,
                    by: if by_core {
                        DecidedBy::Core
                    } else {
                        DecidedBy::Edge
                    },
                };
                self.coverage.overrides_alone += u64::from(!by_core);
                let refused = held.shown.as_ref();
                let is_early = matches!(refused, Some(Verdict::NotYet { .. }));
                self.coverage.overrides_of_not_yet += u64::from(is_early);
                return self.model.admit(ticket, shown);
            }
            Kind::Undo { attempt } => self.guests.attempts[attempt].guest,
            Kind::Exit { guest } => guest,
        };
        self.supervisors.outside.insert(guest);
        if comes_back && !self.calm {
            self.schedule(
                at,
                Event::Guest(super::guests::GuestEvent::Arrive { guest }),
            );
        }
    }

    /// A row was written: what it says holds as soon as the disk has it.
    pub(crate) fn watch_act(&mut self, node: usize, row: &JournalRow) {
        if let Some(by) = row.entry.act() {
            self.check_act_mode(node, by.mode);
        }
        match &row.entry {
            JournalEntry::Overridden(act) => self.check_override(node, row, act),
            JournalEntry::Undone(act) => {
                self.supervisors.undone.insert(act.scan);
                self.supervisors.named.insert(act.scan);
            }
            JournalEntry::Left(act) => {
                self.supervisors.named.insert(act.entry);
                let exits = self.supervisors.exits.entry(act.ticket).or_default();
                exits.push(self.at);
                if act.by.mode != Mode::Online {
                    self.violated(format!("a guest leaves node {node} without the core"));
                }
            }
            JournalEntry::GateChanged(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_) => {}
        }
    }

    /// The show that broke off is played again, now: those who were inside come again.
    pub(crate) fn restart(&mut self) -> Option<i64> {
        if !self.supervisors.happen || self.supervisors.rng.percent(30) {
            return None;
        }
        self.supervisors.restarts.push(self.at);
        for guest in 0..self.guests.all.len() {
            let number = self.guests.all[guest].number;
            let was_inside = self.model.admitted.contains_key(&model::ticket_id(number));
            if shows::show_of(number) == shows::MOVED && was_inside {
                self.guests.all[guest].honest = false;
                let at = self.at + self.supervisors.rng.between(S, 12 * S);
                if self.calm {
                    self.supervisors.outside.insert(guest);
                    continue;
                }
                self.schedule(
                    at,
                    Event::Guest(super::guests::GuestEvent::Arrive { guest }),
                );
            }
        }
        Some(unix(self.at))
    }
}
