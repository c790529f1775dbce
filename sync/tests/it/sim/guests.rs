//! Guests and scanners: they come, scan, try again with the same id until a final verdict, hand
//! tickets on, try other gates, and hold up things that are no tickets.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    ids::{GateId, ScanId, TicketId},
    verdict::Verdict,
};
use eventify_sync::{
    edge::{Input, Reply, RequestId, ScanOutcome, ScanRequest},
    token::SignedTicket,
};

use super::{
    clock::{MS, Nanos, S},
    core::Ticket,
    event::Event,
    model::{self, Reader},
    world::World,
};

/// No scan stays unanswered for longer, while its node runs and its disk works.
const LONGEST: Nanos = 6 * S;
/// How long a slow disk's last sync may take.
const SYNC_OVERHANG: Nanos = 14 * S;
/// How long a scanner waits for an answer.
const SCANNER_TIMEOUT: (Nanos, Nanos) = (1_500 * MS, 2_500 * MS);

pub(crate) enum GuestEvent {
    /// A ticket is sold; its guest will come.
    Buy,
    /// A guest stands at a gate for the first time.
    Arrive { guest: usize },
    /// A copy of the ticket is held up at another node.
    Copy { guest: usize, node: usize },
    /// Whose ticket is or was under refund comes to some gate.
    ComeAgain { guest: usize },
    /// The trigger is pulled, or pulled again.
    Pull { attempt: usize },
    /// The id of an old scan is used for another ticket.
    Misuse { attempt: usize },
    /// No answer came to a pull.
    Impatient { attempt: usize, round: u32 },
    /// By now every request has had its answer.
    Overdue { request: RequestId },
}

#[derive(Default)]
pub(crate) struct Guests {
    pub(crate) all: Vec<Guest>,
    pub(crate) attempts: Vec<Attempt>,
    /// Attempts of those who came again to a show that was moved back.
    pub(crate) returned: Vec<usize>,
    requests: BTreeMap<RequestId, Asked>,
    /// Requests that have to be refused.
    misuses: BTreeSet<RequestId>,
}

/// A request that waits for an answer of this process.
#[derive(Clone, Copy)]
struct Asked {
    attempt: usize,
    node: usize,
    life: u32,
    at: Nanos,
    /// When the first of those came that wait for this scan together.
    since: Nanos,
}

pub(crate) struct Guest {
    /// Which ticket, if it is one.
    pub(crate) number: u128,
    pub(crate) text: String,
    /// Keeps to one gate, one scanner and one scan id.
    pub(crate) honest: bool,
    pub(crate) attempts: u32,
}

/// One pull of a trigger, and its repeats.
pub(crate) struct Attempt {
    pub(crate) guest: usize,
    pub(crate) node: usize,
    pub(crate) gate: GateId,
    pub(crate) scan: ScanId,
    round: u32,
    waits: bool,
    pub(crate) shown: Option<Verdict>,
}

impl Guests {
    /// When the first request came that waits for the same scan in the same process.
    fn first_waiting(&self, attempt: usize, life: u32) -> Option<Nanos> {
        let scan = |attempt: usize| {
            let held = &self.attempts[attempt];
            (held.node, held.scan)
        };
        let same = |asked: &&Asked| asked.life == life && scan(asked.attempt) == scan(attempt);
        self.requests
            .values()
            .filter(same)
            .map(|asked| asked.since)
            .min()
    }
}

impl World {
    pub(crate) fn guest(&mut self, event: &GuestEvent) {
        match *event {
            GuestEvent::Buy => self.buy(),
            GuestEvent::Arrive { guest } => {
                let node = self.rng.index(self.nodes.len());
                self.try_at(guest, node);
                if self.rng.percent(3) {
                    // Another guest with a copy comes to another gate.
                    self.after(MS, 150 * MS, Event::Guest(GuestEvent::Copy { guest, node }));
                }
            }
            GuestEvent::Copy { guest, node } => {
                let elsewhere = (node + 1) % self.nodes.len();
                self.try_at(guest, elsewhere);
            }
            GuestEvent::ComeAgain { guest } => self.come_under_refund(guest),
            GuestEvent::Pull { attempt } => self.pull_trigger(attempt),
            GuestEvent::Misuse { attempt } => self.misuse(attempt),
            GuestEvent::Overdue { request } => self.check_answered(request),
            GuestEvent::Impatient { attempt, round } => {
                let held = &mut self.guests.attempts[attempt];
                if held.waits && held.round == round {
                    held.waits = false;
                    self.try_later(attempt);
                }
            }
        }
    }

    fn buy(&mut self) {
        let number = self.guests.all.len() as u128;
        let kind = match self.rng.between(0, 100) {
            0..90 => "ok",
            90..94 => "new-key",
            94..97 => "forged",
            _ => "noise",
        };
        let text = if kind == "noise" {
            format!("noise {number}")
        } else {
            model::text(kind, number)
        };
        if model::check(&text, Reader::Core).signed().is_some() {
            let entitlement = model::entitlement(number, &text);
            let ticket = model::ticket_id(number);
            let standing = eventify_sync::core::AdmissionState::default();
            self.core.tickets.insert(
                ticket,
                Ticket {
                    entitlement,
                    standing,
                    refund: None,
                },
            );
            self.core.publish_ticket(ticket, self.at, &mut self.rng);
            self.watch_feed();
        }
        self.guests.all.push(Guest {
            number,
            text,
            honest: true,
            attempts: 0,
        });
        let guest = self.guests.all.len() - 1;
        self.after(200 * MS, 60 * S, Event::Guest(GuestEvent::Arrive { guest }));
    }

    pub(crate) fn try_at(&mut self, guest: usize, node: usize) {
        let gates = &self.nodes[node].gates;
        let gate = gates[self.rng.index(gates.len())];
        let scan = ScanId(self.rng.uuid());
        self.try_with(guest, node, (scan, gate));
    }

    pub(crate) fn try_with(&mut self, guest: usize, node: usize, (scan, gate): (ScanId, GateId)) {
        let held = &mut self.guests.all[guest];
        held.attempts += 1;
        held.honest &= held.attempts == 1;
        self.guests.attempts.push(Attempt {
            guest,
            node,
            gate,
            scan,
            round: 0,
            waits: false,
            shown: None,
        });
        self.pull_trigger(self.guests.attempts.len() - 1);
    }

    /// The guest comes to the same gate once more, for a new scan.
    pub(crate) fn come_again(&mut self, guest: usize) {
        let mut earlier = self.guests.attempts.iter();
        let Some(first) = earlier.find(|attempt| attempt.guest == guest) else {
            return;
        };
        let Some(Verdict::NotYet { .. } | Verdict::Expired { .. }) = first.shown else {
            return;
        };
        let attempt = Attempt {
            scan: ScanId(self.rng.uuid()),
            round: 0,
            waits: false,
            shown: None,
            ..*first
        };
        self.guests.attempts.push(attempt);
        let attempt = self.guests.attempts.len() - 1;
        self.guests.returned.push(attempt);
        self.pull_trigger(attempt);
    }

    pub(crate) fn pull_trigger(&mut self, attempt: usize) {
        let held = &mut self.guests.attempts[attempt];
        if held.waits {
            return;
        }
        let node = held.node;
        if self.nodes[node].machine.is_none() || self.nodes[node].frozen_until > self.at {
            return self.try_later(attempt);
        }
        held.round += 1;
        held.waits = true;
        let round = held.round;
        let text = model::presented(&self.guests.all[held.guest].text, held.scan);
        let (scan, gate, guest) = (held.scan, held.gate, held.guest);
        self.refund_during_scan(guest);
        self.request(attempt, node, (scan, gate), text);
        self.after(
            SCANNER_TIMEOUT.0,
            SCANNER_TIMEOUT.1,
            Event::Guest(GuestEvent::Impatient { attempt, round }),
        );
    }

    fn request(&mut self, attempt: usize, node: usize, of: (ScanId, GateId), text: String) {
        self.coverage.scans += 1;
        self.steps += 1;
        let request = RequestId(self.steps);
        let life = self.nodes[node].life;
        let together = self.guests.first_waiting(attempt, life);
        let asked = Asked {
            attempt,
            node,
            life,
            at: self.at,
            since: together.unwrap_or(self.at),
        };
        self.guests.requests.insert(request, asked);
        let overdue = Event::Guest(GuestEvent::Overdue { request });
        self.schedule(self.at + LONGEST, overdue);
        let (scan, gate) = of;
        self.trace_line(|| format!("{scan:?} '{text}' at node {node}"));
        let mut checked = model::check(&text, Reader::Node);
        let named = model::ticket_of_code(&text).or(checked.claimed().map(SignedTicket::ticket));
        let found = named.and_then(|ticket| self.nodes[node].disk.scanned_ticket(ticket));
        if let Some(found) = &found {
            checked = checked.with_ticket(found);
        }
        self.coverage.typed_codes += u64::from(checked.code().is_some());
        self.coverage.typed_codes_not_in_replica +=
            u64::from(checked.code().is_some() && found.is_none());
        let scan = ScanRequest {
            request,
            scan,
            scanner: self.nodes[node].scanner,
            gate,
            person: None,
            checked,
            found,
            previous: self.nodes[node].disk.previous(scan),
            token: text,
        };
        self.nodes[node].moved.clear();
        self.step_node(node, Input::Scan(Box::new(scan)));
        if together.is_none() && self.guests.requests.contains_key(&request) {
            self.check_moved(node, of.0);
        }
    }

    /// An id is bound to its token for good, as far as the disk remembers.
    fn misuse(&mut self, attempt: usize) {
        let held = &self.guests.attempts[attempt];
        let (node, scan, gate) = (held.node, held.scan, held.gate);
        let there = &self.nodes[node];
        let asleep = there.machine.is_none() || there.frozen_until > self.at;
        if asleep || there.was_restored || there.disk.previous(scan).is_none() {
            return;
        }
        self.guests.misuses.insert(RequestId(self.steps + 1));
        self.request(attempt, node, (scan, gate), "ok:424242".to_owned());
    }

    fn try_later(&mut self, attempt: usize) {
        let held = &self.guests.attempts[attempt];
        let (guest, round, node) = (held.guest, held.round, held.node);
        if !self.calm && round > 2 && self.rng.percent(15) {
            // The guest gives up and goes to another gate.
            let node = self.rng.index(self.nodes.len());
            return self.try_at(guest, node);
        }
        let held = &self.nodes[node];
        let hopeless = self.calm && held.was_revoked || held.is_stopped;
        if !self.quiet && !hopeless && (self.calm || round < 12) {
            self.after(300 * MS, 3 * S, Event::Guest(GuestEvent::Pull { attempt }));
        }
    }

    /// Everybody who has not been shown a final verdict tries again, with the same id.
    pub(crate) fn all_try_again(&mut self) {
        for attempt in 0..self.guests.attempts.len() {
            let held = &self.guests.attempts[attempt];
            if held.shown.is_none() && self.guests.all[held.guest].honest {
                self.after(MS, 2 * S, Event::Guest(GuestEvent::Pull { attempt }));
            }
        }
    }

    pub(crate) fn replied(&mut self, node: usize, request: RequestId, reply: Reply) {
        if let Some(act) = self.supervisors.take(request) {
            return self.act_replied(node, act, reply);
        }
        let Some(asked) = self.guests.requests.remove(&request) else {
            return self.violated(format!("{request:?} was answered twice"));
        };
        let attempt = asked.attempt;
        let scan = self.guests.attempts[attempt].scan;
        self.trace_line(|| format!("node {node} replies to {scan:?}: {reply:?}"));
        if self.guests.misuses.remove(&request) {
            self.coverage.id_reused += 1;
            if reply != Reply::ScanIdReused {
                self.violated(format!("an id used twice was answered {reply:?}"));
            }
            return;
        }
        match reply {
            Reply::ScanIdReused if self.supervisors.is_undone(scan) => {
                self.coverage.undone_again += 1;
                self.guests.attempts[attempt].waits = false;
            }
            Reply::ScanIdReused => self.violated("a scan id was refused as reused".to_owned()),
            Reply::Overloaded if self.delayed(node) > asked.at => {
                self.guests.attempts[attempt].waits = false;
                self.try_later(attempt);
            }
            Reply::Overloaded => self.violated("a few guests overloaded a node".to_owned()),
            Reply::Verdict(answer) => self.shown(node, &asked, &answer),
            Reply::Act(_) | Reply::ActRefused(_) | Reply::Search(_) => {
                self.violated(format!("a scan was answered {reply:?}"));
            }
        }
    }

    /// Until then, a node's suspension or its slow disk may hold answers up.
    fn delayed(&self, node: usize) -> Nanos {
        let held = &self.nodes[node];
        let slow = match held.slow_until {
            0 => 0,
            until => until + SYNC_OVERHANG,
        };
        held.frozen_until.max(slow)
    }

    fn check_answered(&mut self, request: RequestId) {
        let Some(asked) = self.guests.requests.get(&request).copied() else {
            return;
        };
        if self.nodes[asked.node].life != asked.life {
            return;
        }
        let due = asked.at.max(self.delayed(asked.node)) + LONGEST;
        if self.at < due {
            let overdue = Event::Guest(GuestEvent::Overdue { request });
            return self.schedule(due, overdue);
        }
        let scan = self.guests.attempts[asked.attempt].scan;
        self.violated(format!("{scan:?} at node {} has no answer", asked.node));
    }

    fn shown(&mut self, node: usize, asked: &Asked, answer: &ScanOutcome) {
        let attempt = asked.attempt;
        let held = &mut self.guests.attempts[attempt];
        held.waits = false;
        let guest = held.guest;
        let number = self.guests.all[guest].number;
        let ticket: TicketId = model::ticket_id(number);
        self.trace_line(|| format!("node {node} shows {answer:?}"));
        self.count_verdict(answer);
        if answer.verdict == Verdict::Unreadable {
            self.model.unreadable_at = self.at;
        }
        self.check_answer(node, ticket, answer);
        self.check_freshness(node, asked.since, answer);
        if !answer.verdict.is_final() {
            return self.try_later(attempt);
        }
        self.guests.attempts[attempt].shown = Some(answer.verdict.clone());
        self.supervise(attempt, answer);
        if self.calm || answer.repeated {
            return;
        }
        if self.rng.percent(10) {
            self.coverage.repeats += 1;
            self.after(100 * MS, 30 * S, Event::Guest(GuestEvent::Pull { attempt }));
        }
        if self.rng.percent(3) {
            self.after(
                100 * MS,
                20 * S,
                Event::Guest(GuestEvent::Misuse { attempt }),
            );
        }
        let hands_on = if answer.verdict == Verdict::Admit {
            12
        } else {
            20
        };
        if self.rng.percent(hands_on) && self.guests.all[guest].attempts < 4 {
            self.guests.all[guest].honest = false;
            self.after(100 * MS, 40 * S, Event::Guest(GuestEvent::Arrive { guest }));
        }
    }

    fn count_verdict(&mut self, answer: &ScanOutcome) {
        let coverage = &mut self.coverage;
        let count = match &answer.verdict {
            Verdict::Admit if answer.repeated => return,
            Verdict::Admit => match answer.decided_by {
                eventify_protocol::verdict::DecidedBy::Core => &mut coverage.shown_by_core,
                eventify_protocol::verdict::DecidedBy::Edge => &mut coverage.degraded_admits,
            },
            Verdict::AlreadyUsed { .. } => &mut coverage.already_used,
            Verdict::Revoked => &mut coverage.revoked,
            Verdict::NotValidHere { .. } => &mut coverage.not_valid_here,
            Verdict::NotYet { .. } => &mut coverage.not_yet,
            Verdict::Expired { .. } => &mut coverage.expired,
            Verdict::Unreadable => &mut coverage.unreadable,
            Verdict::Forged => &mut coverage.forged,
            Verdict::UnknownOffline => &mut coverage.unknown_offline,
            Verdict::ResyncRequired => &mut coverage.resync_required,
            Verdict::TryAgain => &mut coverage.try_again,
            Verdict::NodeFault => &mut coverage.node_faults,
        };
        *count += 1;
    }
}
