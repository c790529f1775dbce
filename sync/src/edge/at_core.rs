//! A scan that the core decides: how it is asked, when its verdict counts, when it is given up.

use eventify_protocol::{
    ids::ScanId,
    sync::{Scan, ScanVerdict, Up},
    time::at_least,
    verdict::{DecidedBy, Mode, Verdict},
};

use super::{
    Machine, Now,
    link::RESYNC_BUDGET,
    scan::{Conclusion, Pending, Stage},
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
        let replaces = ticket.map_or(vec![], |ticket| self.scans.replaced_by(ticket, scan));
        let known = ticket
            .and_then(|ticket| self.overlay.get(ticket))
            .filter(|admission| admission.is_acknowledged())
            .map(|admission| admission.scan);
        // Early, so that the core stops before this node does.
        let deadline = bounds.earliest.plus(at_least(RESYNC_BUDGET));
        let question = self.out.send(Up::Scan(Scan {
            scan,
            scanner: pending.scanner,
            gate: pending.gate,
            token: pending.token.clone(),
            deadline,
            replaces: replaces.clone(),
        }));
        let until = now.boottime.plus(RESYNC_BUDGET);
        if let Some(pending) = self.scans.pending.get_mut(&scan) {
            pending.stage = Stage::AtCore {
                question,
                until,
                deadline,
                epoch: self.welcomed_by,
                known,
                replaces,
            };
        }
    }

    /// The core has answered a scan: to the question that is open, or to an earlier one about the
    /// same scan, whose answer was given up and counts no more.
    pub(super) fn verdict(&mut self, answer: ScanVerdict, now: Now) {
        let Some(pending) = self.scans.pending.get_mut(&answer.scan) else {
            return;
        };
        let Stage::AtCore {
            question,
            deadline,
            epoch,
            known,
            replaces,
            ..
        } = &mut pending.stage
        else {
            return;
        };
        if *question != answer.answers || self.journal.is_forking() {
            return;
        }
        if *epoch != Some(answer.epoch) {
            // Another database than the one asked: it may have lost the entry of this very ticket,
            // and has yet to say what it holds of this journal.
            return self.greeting.plan_if_idle(now);
        }
        let came_late = answer.verdict == Verdict::TryAgain && answer.at >= *deadline;
        let (known, replaces) = (*known, std::mem::take(replaces));
        if came_late && self.facts(now).may_decide_alone().is_ok() {
            // The line is too slow for its deadline, and would be for the next scan's.
            return self.give_up([answer.scan], now);
        }
        let Some(pending) = self.scans.pending.get(&answer.scan) else {
            return;
        };
        let elsewhere = pending
            .ticket()
            .and_then(|ticket| self.overlay.get(ticket))
            .filter(|held| {
                // The core decided without knowing of it.
                held.scan != answer.scan && Some(held.scan) != known
            });
        let conclusion = match elsewhere {
            Some(held) if answer.verdict == Verdict::Admit => Conclusion::by_edge(
                Verdict::AlreadyUsed {
                    first: held.first_entry(),
                },
                Mode::Online,
            ),
            Some(_) | None => Conclusion {
                verdict: answer.verdict,
                mode: Mode::Online,
                decided_by: DecidedBy::Core,
                replaces,
            },
        };
        self.conclude(answer.scan, conclusion, now);
    }

    /// Scans that the core has not answered in time. Never earlier, even when the pipe is gone:
    /// until the deadline the core may still execute them, and no row may say before that they were
    /// not admitted.
    pub(super) fn give_up_on_core(&mut self, now: Now) {
        let late = self.scans.in_stage(
            |stage| matches!(stage, Stage::AtCore { until, .. } if *until <= now.boottime),
        );
        if !late.is_empty() {
            self.give_up(late, now);
        }
    }

    /// The link has failed these scans; they are decided by the tests as they hold then.
    fn give_up(&mut self, scans: impl IntoIterator<Item = ScanId>, now: Now) {
        self.link.failed(now);
        for scan in scans {
            let ticket = self.scans.pending.get(&scan).and_then(Pending::ticket);
            if let Some(ticket) = ticket {
                self.scans.forgo(ticket, scan);
            }
            self.route(scan, now);
        }
    }
}
