//! A scan that the core decides: the question, which verdict counts, and when it is given up
//! (`ADMISSION` 3.3 and 3.4).

use eventify_protocol::{
    ids::ScanId,
    sync::{Scan, ScanVerdict, Up},
    time::at_least,
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{
    super::{Machine, Now, connectivity::RESYNC_BUDGET},
    Conclusion, Pending, Progress, Question,
};

impl Machine {
    pub(super) fn ask_core(&mut self, scan: ScanId, now: Now) {
        let Some(bounds) = self.time.bounds(now) else {
            return;
        };
        let Some(pending) = self.scans.pending.get(&scan) else {
            return;
        };
        let ticket = pending.ticket();
        let replaces = ticket.map_or(vec![], |ticket| self.scans.list_replaced(ticket, scan));
        let own = ticket.map_or(&[][..], |ticket| self.overlay.list(ticket));
        let known = own.iter().filter(|admission| admission.is_acknowledged());
        let known = known.map(|admission| admission.scan).collect();
        let freed = ticket.and_then(|ticket| self.overlay.last_freed(ticket));
        // Early, so that the core stops before this node does.
        let deadline = bounds.earliest.plus(at_least(RESYNC_BUDGET));
        let id = self.outputs.send(Up::Scan(Scan {
            scan,
            scanner: pending.scanner,
            gate: pending.gate,
            token: pending.token.clone(),
            deadline,
            replaces: replaces.clone(),
            code: pending.checked.code(),
        }));
        let question = Question {
            id,
            until: now.boottime.plus(RESYNC_BUDGET),
            deadline,
            epoch: self.welcomed_by,
            known,
            freed: freed.map(|(row, _)| row),
            replaces,
        };
        if let Some(pending) = self.scans.pending.get_mut(&scan) {
            pending.asked_until = Some(deadline);
            pending.progress = Progress::AtCore(question);
        }
        // From now on the core may have an answer that the next refusal has to take back.
        self.write_refused_again(scan, now);
    }

    /// The core has answered a scan: the open question, or an earlier one about the same scan, whose
    /// answer was given up and does not count.
    pub(crate) fn on_verdict(&mut self, answer: ScanVerdict, now: Now) {
        let Some(pending) = self.scans.pending.get_mut(&answer.scan) else {
            return;
        };
        let Progress::AtCore(question) = &mut pending.progress else {
            return;
        };
        if question.id != answer.answers || self.journal.is_forking() {
            return;
        }
        if question.epoch != Some(answer.epoch) {
            // Another database than the one asked: it may have lost the entry of this very ticket,
            // and has yet to say what it holds of this journal.
            return self.greeting.plan_if_idle(now);
        }
        let came_late = answer.verdict == Verdict::TryAgain && answer.at >= question.deadline;
        let known = std::mem::take(&mut question.known);
        let freed = question.freed;
        let replaces = std::mem::take(&mut question.replaces);
        if let Some(found) = answer.ticket {
            // The core knows which ticket a short code stands for, if this replica does not.
            pending.checked = pending.checked.with_ticket(&found);
            pending.found = Some(found);
        }
        let ticket = pending.ticket();
        if came_late && self.node_state(now).may_decide_alone().is_ok() {
            // The line is too slow for its deadline, and would be for the next scan's.
            return self.give_up_on_core([answer.scan], now);
        }
        if matches!(answer.verdict, Verdict::AlreadyUsed { .. })
            && let Some((row, _)) = ticket.and_then(|ticket| self.overlay.last_freed(ticket))
            && Some(row) != freed
        {
            // The entry that it was refused by may be the one that this node has ended since.
            return self.route(answer.scan, now);
        }
        // An admission that the core did not have when it decided.
        let own = ticket.map_or(&[][..], |ticket| self.overlay.list(ticket));
        let own = own
            .iter()
            .find(|own| own.scan != answer.scan && !known.contains(&own.scan));
        let conclusion = match own {
            // Whom it let in could not be entered anywhere: the row that follows takes it back.
            None if answer.verdict == Verdict::Admit && ticket.is_none() => {
                Conclusion::by_edge(Verdict::TryAgain, Mode::Online)
            }
            Some(own) if answer.verdict == Verdict::Admit => {
                let first = own.first_entry();
                Conclusion::by_edge(Verdict::AlreadyUsed { first }, Mode::Online)
            }
            Some(_) | None => Conclusion {
                verdict: answer.verdict,
                mode: Mode::Online,
                decided_by: DecidedBy::Core,
                replaces,
            },
        };
        self.conclude(answer.scan, conclusion, now);
    }

    /// Questions that the core has not answered in time. Never earlier, even when the connection is
    /// gone: until the deadline the core may still execute them, and no row may say before that they
    /// were not admitted.
    pub(crate) fn expire_questions(&mut self, now: Now) {
        let is_overdue = |pending: &Pending| matches!(&pending.progress, Progress::AtCore(question) if question.until <= now.boottime);
        let overdue = self.scans.list(is_overdue);
        if !overdue.is_empty() {
            self.give_up_on_core(overdue, now);
        }
    }

    /// The core has failed these scans; they are decided by the tests as they hold then.
    fn give_up_on_core(&mut self, scans: impl IntoIterator<Item = ScanId>, now: Now) {
        self.connectivity.failed(now);
        for scan in scans {
            let pending = self.scans.pending.get(&scan);
            let asked = pending.and_then(|pending| pending.ticket().zip(pending.asked_until));
            if let Some((ticket, until)) = asked {
                self.scans.insert_unshown(ticket, scan, until);
            }
            self.route(scan, now);
        }
    }
}
