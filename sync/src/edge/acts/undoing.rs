//! A supervisor takes back the newest admission of a scanner: that guest did not go in (`ADMISSION` 3.14).

use std::time::Duration;

use eventify_protocol::{
    lan::UNDO_MS,
    sync::{ActBy, Undone},
    verdict::Verdict,
};

use super::{ActRefusal, ActScan};
use crate::edge::{Machine, Now, Previous};

impl Machine {
    pub(super) fn decide_undo(
        &self,
        by: ActBy,
        about: &ActScan,
        now: Now,
    ) -> Result<Undone, ActRefusal> {
        let recent = self.scans.recent(about.scan);
        let previous = recent.or(about.previous.as_ref());
        let previous = previous.ok_or(ActRefusal::UnknownScan)?;
        if previous.undone || self.overlay.is_freed(about.scan) {
            return Err(ActRefusal::AlreadyDone);
        }
        self.must_be_newest(&by, previous, now)?;
        let decision = &previous.decision;
        let named = decision.ticket.zip(decision.performance);
        let (ticket, performance) = named.ok_or(ActRefusal::NotNewest)?;
        Ok(Undone {
            by,
            scan: about.scan,
            ticket,
            performance,
        })
    }

    /// By what this process has shown. The journal alone answers for the one before it.
    fn must_be_newest(&self, by: &ActBy, previous: &Previous, now: Now) -> Result<(), ActRefusal> {
        let decision = &previous.decision;
        let is_admitted = decision.verdict == Verdict::Admit && !previous.voided;
        if decision.scanner != by.scanner || !(is_admitted || previous.overridden.is_some()) {
            return Err(ActRefusal::NotNewest);
        }
        let shown = match self.acts.newest.get(&by.scanner) {
            Some(newest) if newest.scan == decision.scan => newest.at,
            Some(_) => return Err(ActRefusal::NotNewest),
            None => {
                let at = previous.overridden.unwrap_or(previous.at);
                if at.boot != self.boot {
                    return Err(ActRefusal::TooLate);
                }
                at.boottime
            }
        };
        if now.boottime.since(shown) > Duration::from_millis(UNDO_MS) {
            return Err(ActRefusal::TooLate);
        }
        Ok(())
    }
}
