//! A supervisor lets in whom a scan has refused as `AlreadyUsed` or `NotYet` (`ADMISSION` 3.13).

use std::time::Duration;

use eventify_protocol::{
    lan::OVERRIDE_MS,
    short_code::CodeHash,
    sync::{
        ActBy, AdmissionWindow, JournalEntry, Overridden, PerformanceState, TicketEntry,
        TicketState,
    },
    verdict::Verdict,
};

use super::{ActRefusal, ActRequest, ActScan, DoneAct};
use crate::{
    edge::{Alarm, Machine, Now, Previous},
    rules::{Entitlement, is_within},
};

impl Machine {
    /// Never wider than what the refusal stood on: all else about the ticket has to be good by this node's
    /// own replica, now.
    pub(super) fn decide_override(
        &self,
        by: ActBy,
        about: &ActScan,
        now: Now,
    ) -> Result<Overridden, ActRefusal> {
        let previous = self.overridable(&by, about, now)?;
        let decision = &previous.decision;
        let held = about.ticket.as_ref().ok_or(ActRefusal::UnknownTicket)?;
        if decision.ticket != Some(held.ticket) || !self.has_complete_replica() {
            return Err(ActRefusal::UnknownTicket);
        }
        let is_current = self.replica.is_current(held) && is_token_of(previous, &held.entry);
        if !is_current || !self.may_enter(&by, &held.entry, &decision.verdict, now) {
            return Err(ActRefusal::Changed);
        }
        let is_used = match held.entry.state {
            TicketState::Valid => false,
            TicketState::Used(used) => !self.is_over(&used, held.entry.performance),
            TicketState::Revoked | TicketState::Suspended => return Err(ActRefusal::Changed),
        };
        let is_used = is_used || self.overlay.find(held.ticket).is_some();
        if matches!(decision.verdict, Verdict::NotYet { .. }) && is_used {
            return Err(ActRefusal::Changed);
        }
        let age = self.time.age(now);
        Ok(Overridden {
            by,
            scan: about.scan,
            ticket: held.ticket,
            performance: held.entry.performance,
            cache_age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        })
    }

    /// The refusal, if it is one that can be overridden, once, as long as the guest is at the door.
    fn overridable<'a>(
        &'a self,
        by: &ActBy,
        about: &'a ActScan,
        now: Now,
    ) -> Result<&'a Previous, ActRefusal> {
        if self.is_deciding(about.scan) {
            return Err(ActRefusal::UnknownScan);
        }
        let recent = self.scans.recent(about.scan);
        let previous = recent.or(about.previous.as_ref());
        let previous = previous.ok_or(ActRefusal::UnknownScan)?;
        let is_refused = matches!(
            previous.decision.verdict,
            Verdict::AlreadyUsed { .. } | Verdict::NotYet { .. }
        );
        if !is_refused || previous.voided || previous.decision.gate != by.gate {
            return Err(ActRefusal::NotOverridable);
        }
        if previous.overridden.is_some() || previous.undone {
            return Err(ActRefusal::AlreadyDone);
        }
        let since = self.since(&previous.at, now);
        if since.is_none_or(|since| since > Duration::from_millis(OVERRIDE_MS)) {
            return Err(ActRefusal::TooLate);
        }
        Ok(previous)
    }

    /// Whether ticket and gate are good, but for what the refusal named.
    fn may_enter(&self, by: &ActBy, entry: &TicketEntry, refused: &Verdict, now: Now) -> bool {
        let gate = self.replica.gate_of(self.node, by.gate);
        let performance = self.replica.performance(entry.performance);
        let (Some(gate), Some(performance), Some(when)) =
            (gate, performance, self.time.bounds(now))
        else {
            return false;
        };
        let AdmissionWindow { from, until } = performance.admits;
        let is_early = matches!(refused, Verdict::NotYet { .. });
        let from = if is_early { i64::MIN } else { from };
        performance.state == PerformanceState::Scheduled
            && Entitlement::from(entry).passes(gate)
            && is_within(from, until, &when).is_ok()
    }

    /// The cache was too old before the guest could be let in.
    pub(super) fn take_act_back(
        &mut self,
        row: u64,
        request: &ActRequest,
        done: &DoneAct,
        now: Now,
    ) {
        if let JournalEntry::Overridden(act) = &done.entry
            && self.void_override(row, request, done, now)
        {
            self.outputs.alarm(Alarm::Voided(act.scan));
        }
    }

    /// Writes that an override, of this row, let nobody in; false if the act is another one.
    pub(super) fn void_override(
        &mut self,
        row: u64,
        request: &ActRequest,
        done: &DoneAct,
        now: Now,
    ) -> bool {
        let JournalEntry::Overridden(act) = &done.entry else {
            return false;
        };
        let entry = JournalEntry::Voided {
            row,
            scan: act.scan,
            decided_at: done.at.core,
        };
        let at = self.moment(now);
        self.journal.append(entry, at, &mut self.outputs);
        self.overlay.delete(act.ticket, act.scan);
        self.mark(request, |previous| previous.overridden = None);
        self.acts.forget(act.by.act);
        true
    }
}

/// Whether the text that was scanned is still the ticket's.
fn is_token_of(previous: &Previous, entry: &TicketEntry) -> bool {
    let scanned = previous.decision.token;
    entry.token.0 == scanned || entry.code == Some(CodeHash(scanned).tag())
}
