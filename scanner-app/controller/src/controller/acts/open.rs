//! An act from the press to its answer. As with a scan, its id is made at the press, is on the disk before the
//! request leaves, and is asked with again after a lost answer or a crash.

use std::time::Duration;

use eventify_lan_client::Attempts;
use eventify_protocol::{
    ids::ActId,
    lan::{Act, Reason},
    staff::StaffRole,
    time::BootTime,
};

use super::{Asked, lan};
use crate::{
    controller::{
        Controller,
        scanning::{ASKED_FOR, Checking},
    },
    io::{Call, CallId, KeptAct, Now, PeopleCall, StoredPlace, Write, WriteId},
    view::{ActKind, ActProblem, CHECKING_AFTER_MS},
};

#[derive(Debug, Default)]
pub(in crate::controller) struct Acts {
    pub(super) current: Option<OpenAct>,
}

#[derive(Debug)]
pub(super) struct OpenAct {
    pub(super) kept: KeptAct,
    pub(super) attempts: Attempts,
    pressed: BootTime,
    pub(super) progress: Progress,
    /// Where a change of gate leads to.
    pub(super) place: Option<StoredPlace>,
}

#[derive(Debug)]
pub(super) enum Progress {
    Storing(WriteId),
    /// Until the access was renewed.
    WaitsForAccess,
    Asking(CallId),
    Pausing(BootTime),
    /// Not by itself any more: it stays, to be asked again by a person.
    Unanswered,
}

impl Acts {
    /// One is on its way.
    pub(in crate::controller) fn is_busy(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|act| !matches!(act.progress, Progress::Unanswered))
    }

    /// One may have been done, and waits for a person to ask again.
    pub(super) fn is_unanswered(&self) -> bool {
        self.current.is_some() && !self.is_busy()
    }

    pub(in crate::controller) fn checking(&self, now: BootTime) -> Option<(ActKind, Checking)> {
        let act = self.current.as_ref().filter(|_| self.is_busy())?;
        let checking = Checking {
            age: now.since(act.pressed),
            tries: act.attempts.count(),
            waiting: 0,
        };
        Some((lan::kind(&act.kept.act), checking))
    }

    /// The guest who is being let out.
    pub(in crate::controller) fn is_of(&self, text: &str) -> bool {
        let act = self.current.as_ref().map(|act| &act.kept.act);
        self.is_busy() && matches!(act, Some(Act::Exit { token }) if token == text)
    }

    /// When something of it is due or changes on the screen.
    pub(in crate::controller) fn next(&self, now: BootTime) -> Option<BootTime> {
        let act = self.current.as_ref()?;
        let ends = act.pressed.plus(ASKED_FOR);
        let due = match act.progress {
            Progress::Storing(_) | Progress::Asking(_) | Progress::Unanswered => None,
            Progress::WaitsForAccess => Some(ends),
            Progress::Pausing(until) => Some(until.min(ends)),
        };
        let slow = Duration::from_millis(u64::from(CHECKING_AFTER_MS));
        let shows = self.is_busy().then(|| act.pressed.plus(slow));
        [shows, due]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// The file had these. One of a while ago concerns nobody at the door; the last one of now goes on.
    pub(in crate::controller) fn load(&mut self, kept: Vec<KeptAct>, now: Now) -> Vec<ActId> {
        let mut over = Vec::new();
        for act in kept {
            let age = Duration::from_millis(now.wall_ms().saturating_sub(act.pressed_at_ms));
            if age >= ASKED_FOR {
                over.push(act.act_id);
                continue;
            }
            let open = OpenAct {
                attempts: Attempts::default(),
                pressed: now.boot.minus(age),
                progress: Progress::WaitsForAccess,
                place: change_of(&act),
                kept: act,
            };
            over.extend(self.current.replace(open).map(|old| old.kept.act_id));
        }
        over
    }

    /// At another node, or at none, it is nobody's.
    pub(in crate::controller) fn forget(&mut self) -> Option<ActId> {
        self.current.take().map(|act| act.kept.act_id)
    }
}

/// A place whose performance is not known any more.
fn change_of(act: &KeptAct) -> Option<StoredPlace> {
    matches!(act.act, Act::ChangeGate).then_some(StoredPlace {
        gate_id: act.gate_id,
        performance_id: None,
    })
}

impl Controller {
    /// A person has said why.
    pub(super) fn begin_act(&mut self, asked: &Asked, reason: Reason, now: Now) {
        let place = match asked {
            Asked::ChangeGate { place, .. } => Some(*place),
            Asked::Override { .. } | Asked::Undo { .. } => None,
        };
        let authorisation = self.staff.word_for(StaffRole::supervises);
        self.store_act(asked.act(), Some(reason), authorisation, place, now);
    }

    /// A guest is leaving.
    pub(in crate::controller) fn begin_exit(&mut self, token: String, now: Now) {
        self.store_act(Act::Exit { token }, None, None, None, now);
    }

    fn store_act(
        &mut self,
        act: Act,
        reason: Option<Reason>,
        authorisation: Option<String>,
        place: Option<StoredPlace>,
        now: Now,
    ) {
        let Some(here) = self.place else {
            return;
        };
        self.drop_unanswered();
        self.glass.clear(now.boot);
        let kept = KeptAct {
            act_id: ActId(self.ids.next(now)),
            gate_id: place.map_or(here.gate_id, |place| place.gate_id),
            act,
            reason,
            authorisation,
            pressed_at_ms: now.wall_ms(),
        };
        let write = self.out.write(Write::ActOpened(Box::new(kept.clone())));
        self.acts.current = Some(OpenAct {
            kept,
            attempts: Attempts::default(),
            pressed: now.boot,
            progress: Progress::Storing(write),
            place,
        });
    }

    pub(in crate::controller) fn on_act_written(&mut self, id: WriteId) {
        if let Some(act) = &mut self.acts.current
            && matches!(act.progress, Progress::Storing(write) if write == id)
        {
            act.progress = Progress::WaitsForAccess;
        }
    }

    /// Whatever of it can go on now.
    pub(in crate::controller) fn advance_act(&mut self, now: Now) {
        let has_access = self.link.has_access();
        let Some(act) = &mut self.acts.current else {
            return;
        };
        let may_ask = now.boot.since(act.pressed) < ASKED_FOR;
        let is_due = match act.progress {
            Progress::WaitsForAccess => has_access,
            Progress::Pausing(until) => until <= now.boot,
            Progress::Storing(_) | Progress::Asking(_) | Progress::Unanswered => return,
        };
        if !may_ask {
            self.leave_unanswered(now);
        } else if is_due {
            let request = Box::new(act.kept.request());
            let call = Call::People(PeopleCall::Act(request));
            act.progress = Progress::Asking(self.out.call(call));
        }
    }

    /// The guest has gone, or the person has: only by their hand it goes on.
    pub(in crate::controller) fn leave_unanswered(&mut self, now: Now) {
        let Some(act) = self.acts.current.as_mut() else {
            return;
        };
        act.progress = Progress::Unanswered;
        let kept = act.kept.clone();
        self.show_not_done(&kept, ActProblem::NoAnswer, None, now);
    }

    /// The same act again, with its id.
    pub(in crate::controller) fn retry_act(&mut self, now: Now) {
        if let Some(act) = &mut self.acts.current
            && matches!(act.progress, Progress::Unanswered)
        {
            act.pressed = now.boot;
            act.progress = Progress::WaitsForAccess;
            self.glass.wipe();
        }
    }

    /// Something else is done now: what has no answer stays as it is at the node.
    pub(in crate::controller) fn drop_unanswered(&mut self) {
        let is_over = |act: &mut OpenAct| matches!(act.progress, Progress::Unanswered);
        if let Some(act) = self.acts.current.take_if(is_over) {
            self.out.write(Write::ActClosed(act.kept.act_id));
        }
    }
}
