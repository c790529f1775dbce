//! What became of an act, and how it comes to the glass.

use eventify_lan_client::{AfterFailure, ClientError};
use eventify_protocol::{
    lan::{Act, ActAnswer},
    verdict::Mode,
};

use super::{lan, open::Progress};
use crate::{
    controller::{Controller, lan::ticket, people::code_of},
    io::{CallId, KeptAct, Now, Write},
    tones::Rhythm,
    view::{ActProblem, Class, Decider, Reason, Shown, Why},
};

/// The scan that an act is about; of an exit there is none.
fn about(kept: &KeptAct) -> String {
    match &kept.act {
        Act::Override { scan_id } | Act::Undo { scan_id } => scan_id.to_string(),
        Act::Exit { .. } | Act::ChangeGate => kept.act_id.to_string(),
    }
}

impl Controller {
    pub(in crate::controller) fn on_acted(
        &mut self,
        call: CallId,
        result: Result<Box<ActAnswer>, ClientError>,
        now: Now,
    ) {
        let Some(act) = &mut self.acts.current else {
            return;
        };
        if !matches!(act.progress, Progress::Asking(asked) if asked == call) {
            return;
        }
        let error = match result {
            Ok(answer) => {
                self.link.ok();
                self.done(*answer, now);
                return;
            }
            Err(error) => error,
        };
        // Not busy, but no more: the core, or the person's hour.
        let problem = lan::problem(&error);
        if !matches!(problem, ActProblem::NoAnswer | ActProblem::Other) {
            self.refused(problem, &error, now);
            return;
        }
        match act.attempts.failed(error) {
            AfterFailure::Retry { pause, error } => {
                act.progress = Progress::Pausing(now.boot.plus(pause));
                self.link.failed(&error, now);
            }
            AfterFailure::RenewAccess => {
                act.progress = Progress::WaitsForAccess;
                self.link.access_ended();
            }
            AfterFailure::GiveUp(error) => {
                if error.refusal().is_none_or(|refusal| refusal.status == 401) {
                    self.link.failed(&error, now);
                }
                self.refused(lan::problem(&error), &error, now);
            }
        }
    }

    fn done(&mut self, answer: ActAnswer, now: Now) {
        let Some(act) = self.acts.current.take() else {
            return;
        };
        self.out.write(Write::ActClosed(act.kept.act_id));
        if !matches!(act.kept.act, Act::Exit { .. }) {
            self.scans.read_anew();
        }
        let person = self.staff.name_of(answer.person_id);
        let why = match &act.kept.act {
            Act::Override { .. } => {
                let reason = act.kept.reason.as_ref();
                Why::Overridden {
                    reason: reason.map_or(Reason::Other, lan::shown_reason),
                    note: reason.and_then(|reason| reason.note.clone()),
                    person,
                    left_this_hour: answer.left_this_hour,
                }
            }
            Act::Undo { .. } => Why::TakenBack { person },
            Act::Exit { .. } => Why::Left,
            Act::ChangeGate => {
                if let Some(place) = act.place {
                    self.work_at(place);
                }
                return;
            }
        };
        let shown = Shown {
            scan_id: about(&act.kept),
            class: crate::controller::lan::class(&why),
            why,
            ticket: answer.ticket.map(ticket),
            decided_by: Some(match answer.mode {
                Mode::Online => Decider::Core,
                Mode::Degraded | Mode::Locked | Mode::Resyncing => Decider::Node,
            }),
            cache_age_ms: None,
            triggered_at_ms: act.kept.pressed_at_ms,
            at_ms: now.wall_ms(),
            repeated: false,
            drill: false,
        };
        self.show_act(shown, now);
    }

    /// For good: pressed once more, it is another act.
    fn refused(&mut self, problem: ActProblem, error: &ClientError, now: Now) {
        let Some(act) = self.acts.current.take() else {
            return;
        };
        self.out.write(Write::ActClosed(act.kept.act_id));
        match problem {
            ActProblem::NoShift => self.staff.on_shift_gone(),
            ActProblem::NotAllowed if act.kept.authorisation.is_some() => {
                self.staff.on_word_over();
            }
            ActProblem::NotAllowed => self.staff.ask_all(),
            ActProblem::TooLate
            | ActProblem::NotLast
            | ActProblem::NotThisScan
            | ActProblem::AlreadyDone
            | ActProblem::ScanAgain
            | ActProblem::LimitReached
            | ActProblem::Locked
            | ActProblem::NoReentry
            | ActProblem::NotInside
            | ActProblem::UnknownTicket
            | ActProblem::GateNotAllowed
            | ActProblem::CoreUnreachable
            | ActProblem::NoAnswer
            | ActProblem::Other => {}
        }
        let code = (problem == ActProblem::Other)
            .then(|| code_of(error).map(str::to_owned))
            .flatten();
        self.show_not_done(&act.kept, problem, code, now);
    }

    pub(super) fn show_not_done(
        &mut self,
        kept: &KeptAct,
        problem: ActProblem,
        code: Option<String>,
        now: Now,
    ) {
        let why = Why::NotDone {
            act: lan::kind(&kept.act),
            problem,
            code,
        };
        let shown = Shown {
            scan_id: about(kept),
            class: Class::Hold,
            why,
            ticket: None,
            decided_by: None,
            cache_age_ms: None,
            triggered_at_ms: kept.pressed_at_ms,
            at_ms: now.wall_ms(),
            repeated: false,
            drill: false,
        };
        self.show_act(shown, now);
    }

    fn show_act(&mut self, shown: Shown, now: Now) {
        let rhythm = Rhythm::of(shown.class);
        self.glass.show(shown, now.boot);
        self.play(rhythm);
        self.vibrate(rhythm);
        if !self.scans.is_idle() {
            self.glass.clear(now.boot);
        }
    }
}
