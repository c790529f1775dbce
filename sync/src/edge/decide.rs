//! The way of a scan through the machine: who decides it, what the journal says of it, and when the
//! answer may leave.

use std::time::Duration;

use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::{Decision, JournalEntry, Moment, Position, TicketEntry},
    time::{MAX_CACHE_AGE, at_most},
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{
    Alarm, Answer, Machine, Now, Output, Previous, Reply, RequestId, ScanRequest,
    link::Attempt,
    offline::Case,
    scan::{Conclusion, MAX_PENDING_SCANS, Pending, Stage, is_of},
};
use crate::token::{SignedTicket, TokenCheck};

impl Machine {
    pub(super) fn scan(&mut self, request: ScanRequest, now: Now) {
        let (scan, id) = (request.scan, request.request);
        if let Some(pending) = self.scans.pending.get_mut(&scan) {
            if pending.is_same(&request) {
                pending.requests.push(id);
            } else {
                self.reply(id, Reply::ScanIdReused);
            }
            return;
        }
        if let Some(previous) = self.scans.previous(&request) {
            if !is_of(&previous.decision, &request) {
                return self.reply(id, Reply::ScanIdReused);
            }
            if previous.decision.verdict.is_final() && !previous.voided {
                return self.repeat(id, previous, now);
            }
        }
        if self.scans.pending.len() >= MAX_PENDING_SCANS {
            return self.reply(id, Reply::Overloaded);
        }
        self.scans
            .pending
            .insert(scan, Pending::new(request, now.boottime));
        self.route(scan, now);
    }

    /// A final verdict stands in every mode, with its age.
    fn repeat(&mut self, request: RequestId, previous: Previous, now: Now) {
        let decision = previous.decision;
        let since = self.since(&previous.at, now);
        let at_decision = match decision.decided_by {
            DecidedBy::Core => Some(Duration::ZERO),
            DecidedBy::Edge => decision.cache_age_ms.map(Duration::from_millis),
        };
        let answer = Answer {
            scan: decision.scan,
            first_gate_name: self.first_gate_name(&decision.verdict),
            verdict: decision.verdict,
            mode: decision.mode,
            cache_age: at_decision
                .zip(since)
                .map(|(age, since)| age.saturating_add(since)),
            limit: self.answer_limit(decision.decided_by),
            decided_by: decision.decided_by,
            repeated: true,
        };
        self.reply(request, Reply::Verdict(answer));
    }

    /// Finds out who decides a scan, by the tests as they hold now.
    pub(super) fn route(&mut self, scan: ScanId, now: Now) {
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        pending.stage = Stage::Waiting;
        if self.journal.is_forking() {
            return;
        }
        let bad = matches!(
            pending.checked,
            TokenCheck::Unreadable { .. } | TokenCheck::Forged { .. }
        );
        let mode = self.facts(now).ruling().mode;
        match (mode, self.link.attempt()) {
            (Mode::Online, _) if !bad => self.ask_core(scan, now),
            // No answer of the core could make it a ticket.
            (Mode::Online | Mode::Degraded, _) if bad => self.decide_alone(scan, now),
            (_, Attempt::Failed(_)) => self.decide_alone(scan, now),
            // No attempt could help.
            _ if self.is_revoked() => self.decide_alone(scan, now),
            (_, Attempt::None | Attempt::Running(_)) => {
                if self.link.join_attempt(now) {
                    self.ask(now);
                }
            }
        }
    }

    /// Ends the shared attempt as soon as its outcome is known, and lets the scans that waited for
    /// it go on.
    pub(super) fn settle_attempt(&mut self, now: Now) {
        let running = match self.link.attempt() {
            Attempt::Running(until) => Some(until),
            Attempt::None | Attempt::Failed(_) => None,
        };
        // An answered question makes the cache young; but a core that failed just now has to
        // answer more than once before it decides again.
        let answered = self.link.is_returning() && !self.link.core_answers();
        if self.facts(now).ruling().mode == Mode::Online {
            self.link.restored();
        } else if running.is_some_and(|until| answered || until <= now.boottime) {
            self.link.hold(now);
        } else if running.is_some() {
            return;
        }
        for scan in self.scans.in_stage(|stage| matches!(stage, Stage::Waiting)) {
            self.route(scan, now);
        }
    }

    /// Scans that can't be decided at all: whoever waits is told so. Nothing was shown, nothing is
    /// written.
    pub(super) fn give_up_undecided(&mut self, now: Now) {
        for scan in self.scans.undecided(now.boottime) {
            let pending = self.scans.pending.remove(&scan);
            for request in pending.into_iter().flat_map(|pending| pending.requests) {
                self.reply(request, Reply::Overloaded);
            }
        }
    }

    fn decide_alone(&mut self, scan: ScanId, now: Now) {
        let mode = self.facts(now).ruling().mode;
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        let verdict = match (&pending.checked, mode) {
            (_, Mode::Locked | Mode::Resyncing) => Verdict::ResyncRequired,
            (TokenCheck::Unreadable { .. }, _) => Verdict::Unreadable,
            (TokenCheck::Forged { .. }, _) => Verdict::Forged,
            (TokenCheck::UnknownKey { .. }, _) => Verdict::UnknownOffline,
            (TokenCheck::Signed(signed), _) => {
                let (ticket, generation) = (signed.ticket(), self.replica.generation());
                pending.stage = Stage::LookingUp { generation };
                return self.out.push(Output::Lookup {
                    scan,
                    ticket,
                    generation,
                });
            }
        };
        self.conclude(scan, Conclusion::by_edge(verdict, mode), now);
    }

    /// The replica's row for a scan that this node decides.
    pub(super) fn found(
        &mut self,
        scan: ScanId,
        (generation, position): (u32, Position),
        ticket: Option<&TicketEntry>,
        now: Now,
    ) {
        let Some(pending) = self.scans.pending.get(&scan) else {
            return;
        };
        if !matches!(pending.stage, Stage::LookingUp { generation: of } if of == generation) {
            return;
        }
        if position < self.replica.applied() {
            // A file that lacks what it was reported to have would be asked for ever.
            self.out.alarm(Alarm::ReplicaDamaged);
            return self.drop_replica("its file lacks what was applied", now);
        }
        let mode = self.facts(now).ruling().mode;
        let bounds = self.time.bounds(now);
        let (Mode::Degraded, Some(when), false, Some(signed)) = (
            mode,
            bounds,
            self.journal.is_forking(),
            pending.checked.signed(),
        ) else {
            // The tests hold no longer as they did.
            return self.route(scan, now);
        };
        let forgone = self.scans.replaced_by(signed.ticket(), scan);
        let case = Case {
            scan,
            at: pending.gate,
            signed,
            overlay: self.overlay.get(signed.ticket()),
            ticket,
            gate: self.replica.gate_of(self.node, pending.gate),
            when: &when,
            forgone: &forgone,
        };
        let verdict = case.verdict();
        let replaces = if verdict == Verdict::Admit {
            forgone
        } else {
            vec![]
        };
        let conclusion = Conclusion {
            replaces,
            ..Conclusion::by_edge(verdict, mode)
        };
        self.conclude(scan, conclusion, now);
    }

    /// Writes down what was decided; the answer waits for the disk.
    pub(super) fn conclude(&mut self, scan: ScanId, conclusion: Conclusion, now: Now) {
        let at = self.moment(now);
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        // Under a key that this node does not have, what the token claims is told all the same:
        // the core may have let that ticket in for this very scan.
        let forged = conclusion.verdict == Verdict::Forged;
        let named = pending.checked.claimed().filter(|_| !forged);
        let age = self.time.age(now);
        let decision = Decision {
            scan,
            scanner: pending.scanner,
            gate: pending.gate,
            token: pending.checked.hash(),
            ticket: named.map(SignedTicket::ticket),
            performance: named.map(SignedTicket::performance),
            verdict: conclusion.verdict.clone(),
            mode: conclusion.mode,
            decided_by: conclusion.decided_by,
            cache_age_ms: age.map(whole_millis_above),
            point: self.time.point(),
            replaces: conclusion.replaces.clone(),
        };
        let seq = self
            .journal
            .append(JournalEntry::Decision(decision.clone()), at, &mut self.out);
        pending.stage = Stage::Writing { seq, conclusion };
        self.scans.writing.insert(seq, scan);
        if let (Verdict::Admit, Some(ticket)) = (&decision.verdict, decision.ticket) {
            let alone = decision.decided_by == DecidedBy::Edge;
            self.overlay
                .admit(ticket, (scan, decision.gate), (seq, at), alone);
            self.scans.admitted(ticket);
        }
        self.scans.remember(decision, at);
    }

    /// Rows are on disk: their answers may leave, if the cache may still decide.
    pub(super) fn written(&mut self, through: u64, now: Now) {
        let rest = self.scans.writing.split_off(&(through + 1));
        let done = std::mem::replace(&mut self.scans.writing, rest);
        for (row, scan) in done {
            let Some(pending) = self.scans.pending.remove(&scan) else {
                continue;
            };
            let Stage::Writing { seq, conclusion } = &pending.stage else {
                continue;
            };
            debug_assert_eq!(*seq, row);
            if conclusion.is_from_cache() && self.facts(now).cache_may_decide().is_err() {
                self.void(scan, row, pending, now);
            } else {
                self.answer(scan, &pending, conclusion, now);
            }
        }
    }

    /// Takes a decision back that was never shown (`ADMISSION` 3.5).
    fn void(&mut self, scan: ScanId, row: u64, mut pending: Pending, now: Now) {
        let at = self.moment(now);
        let seq = self
            .journal
            .append(JournalEntry::Voided { row, scan }, at, &mut self.out);
        if let Some(ticket) = pending.ticket() {
            self.overlay.void(ticket, scan);
        }
        self.scans.voided(scan);
        let conclusion = Conclusion::by_edge(Verdict::ResyncRequired, Mode::Locked);
        pending.stage = Stage::Writing { seq, conclusion };
        self.scans.pending.insert(scan, pending);
        self.scans.writing.insert(seq, scan);
        self.out.alarm(Alarm::Voided(scan));
    }

    fn answer(&mut self, scan: ScanId, pending: &Pending, conclusion: &Conclusion, now: Now) {
        self.count(pending.gate, conclusion.verdict == Verdict::Admit);
        let cache_age = match conclusion.decided_by {
            DecidedBy::Core => Some(Duration::ZERO),
            DecidedBy::Edge => self.time.age(now),
        };
        let answer = Answer {
            scan,
            verdict: conclusion.verdict.clone(),
            first_gate_name: self.first_gate_name(&conclusion.verdict),
            mode: conclusion.mode,
            cache_age,
            limit: self.answer_limit(conclusion.decided_by),
            decided_by: conclusion.decided_by,
            repeated: false,
        };
        for request in &pending.requests {
            self.reply(*request, Reply::Verdict(answer.clone()));
        }
    }

    /// What the core decided was decided from the core's own rows: no limit of the venue's lowers
    /// it, but an old answer is an old answer.
    fn answer_limit(&self, decided_by: DecidedBy) -> Duration {
        match decided_by {
            DecidedBy::Core => MAX_CACHE_AGE,
            DecidedBy::Edge => self.limit(),
        }
    }

    fn first_gate_name(&self, verdict: &Verdict) -> Option<String> {
        let Verdict::AlreadyUsed { first } = verdict else {
            return None;
        };
        self.replica.gate(first.gate).map(|gate| gate.name.clone())
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        self.out.push(Output::Answer { request, reply });
    }

    fn count(&mut self, gate: GateId, admitted: bool) {
        let counts = self.counts.entry(gate).or_default();
        if admitted {
            counts.admitted += 1;
        } else {
            counts.refused += 1;
        }
        self.counted = true;
    }

    /// The time since a moment of this journal, at most; none if it can't be bounded.
    pub(super) fn since(&self, moment: &Moment, now: Now) -> Option<Duration> {
        if moment.boot == self.boot && moment.boottime <= now.boottime {
            return Some(at_most(now.boottime.since(moment.boottime)));
        }
        let bounds = self.time.bounds(now)?;
        Some(bounds.latest.since(moment.core?.earliest))
    }

    pub(super) fn moment(&self, now: Now) -> Moment {
        Moment {
            boot: self.boot,
            boottime: now.boottime,
            wall: now.wall,
            core: self.time.bounds(now),
        }
    }
}

fn whole_millis_above(age: Duration) -> u64 {
    u64::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
