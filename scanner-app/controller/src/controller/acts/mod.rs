//! What people do beside scanning: override, undo, exits, a change of gate. Who may is the node's to say;
//! here a colleague's PIN is asked for where it would refuse.
//!
//! Deliberately absent: what may be overridden, and how often. The node decides, and says why not.

mod answers;
mod lan;
mod open;

use std::time::Duration;

use eventify_protocol::{
    ids::ScanId,
    lan::{Act, MAX_NOTE_CHARS, OVERRIDE_MS, UNDO_MS},
    staff::StaffRole,
    time::BootTime,
};

pub(super) use self::open::Acts;
use super::{Controller, kiosk::Overlay, ms32, people::Errand};
use crate::{
    io::{Now, StoredPlace},
    view::{ActKind, NodeMode, Notice, PastScan, Reason, Screen, Undoable, Why},
};

/// An act that lacks its reason.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Override {
        scan_id: ScanId,
        scan: PastScan,
        at: BootTime,
    },
    Undo {
        scan_id: ScanId,
        scan: PastScan,
        at: BootTime,
    },
    ChangeGate {
        place: StoredPlace,
        gate: String,
    },
}

impl Asked {
    pub(super) fn kind(&self) -> ActKind {
        match self {
            Self::Override { .. } => ActKind::Override,
            Self::Undo { .. } => ActKind::Undo,
            Self::ChangeGate { .. } => ActKind::ChangeGate,
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        match self {
            Self::Override { scan, .. } if matches!(scan.shown.why, Why::NotYet { .. }) => {
                vec![Reason::EarlyEntry, Reason::Other]
            }
            Self::Override { .. } => {
                vec![Reason::NotInside, Reason::LeftWithoutScan, Reason::Other]
            }
            Self::Undo { .. } => {
                vec![Reason::StaysOutside, Reason::WrongTicket, Reason::Other]
            }
            Self::ChangeGate { .. } => vec![Reason::MoreHands, Reason::Other],
        }
    }

    fn act(&self) -> Act {
        match self {
            Self::Override { scan_id, .. } => Act::Override { scan_id: *scan_id },
            Self::Undo { scan_id, .. } => Act::Undo { scan_id: *scan_id },
            Self::ChangeGate { .. } => Act::ChangeGate,
        }
    }

    /// When it is too late.
    pub(super) fn ends(&self) -> Option<BootTime> {
        match self {
            Self::Override { at, .. } => Some(at.plus(Duration::from_millis(OVERRIDE_MS))),
            Self::Undo { at, .. } => Some(at.plus(Duration::from_millis(UNDO_MS))),
            Self::ChangeGate { .. } => None,
        }
    }
}

impl Controller {
    /// The last scan, if it was refused and can be overridden; with when that was shown. Nothing can while nobody
    /// decides.
    fn overridable(&self, now: BootTime) -> Option<(PastScan, BootTime)> {
        if self.is_locked(now) {
            return None;
        }
        let (scan, at) = self.glass.newest(now)?;
        let fits = matches!(scan.shown.why, Why::AlreadyUsed { .. } | Why::NotYet { .. });
        let in_time = now.since(at) < Duration::from_millis(OVERRIDE_MS);
        (fits && in_time).then_some((scan, at))
    }

    fn is_locked(&self, now: BootTime) -> bool {
        self.link.health.mode(now) == Some(NodeMode::Locked)
    }

    fn undoable(&self, now: BootTime) -> Option<(PastScan, BootTime)> {
        if self.is_locked(now) {
            return None;
        }
        let (scan, at) = self.glass.newest_admission(now)?;
        let in_time = now.since(at) < Duration::from_millis(UNDO_MS);
        in_time.then_some((scan, at))
    }

    /// From a refusal that can be overridden straight to that: the guest waits. From an act without an
    /// answer to asking again.
    pub(super) fn show_supervisor(&mut self, now: Now) {
        if !self.is_scanning() || self.drill.is_some() {
            return;
        }
        let is_on_glass = self.glass.visible(false, now.boot).is_some();
        let is_at_door = is_on_glass && matches!(self.overlay, Overlay::None);
        if is_at_door && self.acts.is_unanswered() {
            self.retry_act(now);
        } else if is_at_door && self.overridable(now.boot).is_some() {
            self.start_act(ActKind::Override, now);
        } else {
            self.overlay = Overlay::Supervisor;
        }
    }

    /// Asks for a supervisor's word where the node would.
    pub(super) fn start_act(&mut self, act: ActKind, now: Now) {
        if !self.is_scanning() || self.drill.is_some() || self.acts.is_busy() {
            return;
        }
        if self.staff.may(StaffRole::supervises) {
            self.open_act(act, now);
        } else {
            self.ask_word(Errand::Act(act));
        }
    }

    /// Somebody may: asks why.
    pub(super) fn open_act(&mut self, act: ActKind, now: Now) {
        let now = now.boot;
        let asked = match act {
            ActKind::Override => self.overridable(now).and_then(|(scan, at)| {
                let scan_id = scan.shown.scan_id.parse().ok()?;
                Some(Asked::Override { scan_id, scan, at })
            }),
            ActKind::Undo => self.undoable(now).and_then(|(scan, at)| {
                let scan_id = scan.shown.scan_id.parse().ok()?;
                Some(Asked::Undo { scan_id, scan, at })
            }),
            ActKind::ChangeGate => {
                self.choose_another_gate();
                return;
            }
            ActKind::Exit => None,
        };
        self.overlay = match asked {
            Some(asked) => Overlay::Reason(Box::new(asked)),
            // It has become too late meanwhile.
            None => Overlay::Supervisor,
        };
    }

    /// Why: with it the act begins.
    pub(super) fn give_reason(&mut self, reason: Reason, note: Option<&str>, now: Now) {
        let Overlay::Reason(asked) = &self.overlay else {
            return;
        };
        let note = note.map(str::trim).filter(|note| !note.is_empty());
        let is_long = note.is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS);
        let lacks = reason == Reason::Other && note.is_none();
        if !asked.reasons().contains(&reason) || lacks || is_long || self.acts.is_busy() {
            return;
        }
        let asked = (**asked).clone();
        let reason = lan::reason(reason, note);
        self.overlay = Overlay::None;
        self.choosing = false;
        self.begin_act(&asked, reason, now);
    }

    pub(super) fn toggle_exits(&mut self, now: BootTime) {
        let is_online = self.link.health.mode(now) == Some(NodeMode::Online);
        if !self.is_scanning() || self.drill.is_some() {
            return;
        }
        if !self.staff.is_on_shift() {
            self.show_people();
            return;
        }
        if !self.exits && !is_online {
            self.notices.pass(Notice::NeedsCore, now);
            return;
        }
        self.exits = !self.exits;
        self.scans.read_anew();
        self.overlay = Overlay::None;
        self.glass.clear(now);
    }

    pub(super) fn supervisor_screen(&self, now: BootTime) -> Screen {
        let mode = self.link.health.mode(now);
        let undoable = self.undoable(now).map(|(scan, at)| Undoable {
            scan,
            left_ms: ms32(at.plus(Duration::from_millis(UNDO_MS)).since(now)),
        });
        Screen::Supervisor {
            overridable: self.overridable(now).map(|(scan, _)| scan),
            undoable,
            locked: self.is_locked(now),
            online: mode == Some(NodeMode::Online),
            staffed: self.staff.is_staffed(),
            supervises: self.staff.may(StaffRole::supervises),
            finds_guests: self.staff.may(StaffRole::finds_guests),
        }
    }

    pub(super) fn reason_screen(asked: &Asked, now: BootTime) -> Screen {
        let (scan, gate) = match asked {
            Asked::Override { scan, .. } | Asked::Undo { scan, .. } => (Some(scan.clone()), None),
            Asked::ChangeGate { gate, .. } => (None, Some(gate.clone())),
        };
        Screen::Reason {
            act: asked.kind(),
            scan,
            gate,
            reasons: asked.reasons(),
            left_ms: asked.ends().map(|ends| ms32(ends.since(now))),
            max_note: u8::try_from(MAX_NOTE_CHARS).unwrap_or(u8::MAX),
        }
    }
}
