//! A scan from its trigger to the verdict on the glass.
//!
//! One scan is with the node at a time, and a few codes wait behind it: the verdicts come in the order of
//! the triggers, so that none is taken for another guest's. The id of a scan is made at its trigger, is
//! on the disk before the request leaves, and stays the ticket's until a final verdict was shown
//! (`ADMISSION` 3.1). The node is asked by itself for [`ASKED_FOR`] after the trigger; later the guest
//! has gone elsewhere, and only the ticket, scanned again, goes on with the scan.

use std::{collections::VecDeque, time::Duration};

use super::Controller;
use crate::{
    io::{Call, CallId, KeptScan, Now, Write, WriteId},
    tones::Rhythm,
    view::{CHECKING_AFTER_MS, Notice, Shown},
};
use eventify_lan_client::OpenScan;
use eventify_protocol::{
    ids::{GateId, ScanId},
    lan::ScanRequest,
    time::BootTime,
};

/// The same code within this, from its last reading on, is the same scan.
const SAME_CODE: Duration = Duration::from_secs(2);
/// Codes that wait behind the scan that is being checked.
pub(super) const MAX_WAITING: usize = 3;
/// Scans without a final verdict whose ids are kept; the oldest goes.
pub(super) const MAX_KEPT: usize = 256;
pub(super) const ASKED_FOR: Duration = Duration::from_secs(60);
/// After this a ticket that comes again is a new scan.
const KEPT_FOR_MS: u64 = 12 * 60 * 60 * 1_000;
#[derive(Default)]
pub(super) struct Scans {
    pub(super) current: Option<Current>,
    pub(super) waiting: VecDeque<Wanted>,
    pub(super) kept: Vec<KeptScan>,
    last_read: Option<(String, BootTime)>,
}

eventify_protocol::debug_without_secrets! {
    Scans { current, waiting, kept },
}

#[derive(Debug)]
pub(super) struct Current {
    pub(super) open: OpenScan,
    pub(super) kept: KeptScan,
    pub(super) typed: bool,
    pub(super) triggered: BootTime,
    pub(super) progress: Progress,
}

#[derive(Debug)]
pub(super) enum Progress {
    Storing(WriteId),
    /// Until the access was renewed.
    WaitsForAccess,
    /// Until somebody is signed in.
    WaitsForShift,
    Asking(CallId),
    Pausing(BootTime),
    /// Answered; the verdict before it has not stood for long enough.
    Arrived {
        shown: Box<Shown>,
        is_final: bool,
    },
}

pub(super) struct Wanted {
    token: String,
    typed: bool,
    /// Of a guest who leaves.
    exit: bool,
    triggered: BootTime,
    triggered_at_ms: u64,
}

eventify_protocol::debug_without_secrets! {
    Wanted { typed, exit },
}

/// What the screen shows of the scan under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checking {
    pub(super) age: Duration,
    pub(super) tries: u32,
    pub(super) waiting: u32,
}

impl Scans {
    /// What is read next is a scan of its own, whatever was read before: something was done about that.
    pub(super) fn read_anew(&mut self) {
        self.last_read = None;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none() && self.waiting.is_empty()
    }

    pub(super) fn checking(&self, now: BootTime) -> Option<Checking> {
        let current = self.current.as_ref()?;
        if matches!(current.progress, Progress::Arrived { .. }) {
            return None;
        }
        Some(Checking {
            age: current.open.age(now),
            tries: current.open.tries(),
            waiting: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
        })
    }

    /// Scans without an answer, of the codes that were scanned.
    pub(super) fn unanswered(&self) -> u32 {
        let waiting = self.waiting.len() + usize::from(self.current.is_some());
        u32::try_from(waiting).unwrap_or(u32::MAX)
    }

    /// When something of it is due or changes on the screen.
    pub(super) fn next(&self, glass: Option<BootTime>, now: BootTime) -> Option<BootTime> {
        let current = self.current.as_ref()?;
        let begun = current.triggered;
        let checking = begun.plus(Duration::from_millis(u64::from(CHECKING_AFTER_MS)));
        let ends = begun.plus(ASKED_FOR);
        let due = match &current.progress {
            Progress::Storing(_) | Progress::Asking(_) => None,
            Progress::WaitsForAccess | Progress::WaitsForShift => Some(ends),
            Progress::Pausing(until) => Some((*until).min(ends)),
            Progress::Arrived { .. } => glass,
        };
        [Some(checking), due]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// The file had these.
    pub(super) fn load(&mut self, kept: Vec<KeptScan>, now: Now) -> Vec<ScanId> {
        let age = |scan: &KeptScan| now.wall_ms().saturating_sub(scan.triggered_at_ms);
        let (fresh, old): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|scan| age(scan) < KEPT_FOR_MS);
        let asked = fresh
            .iter()
            .filter(|scan| u128::from(age(scan)) < ASKED_FOR.as_millis());
        let wanted = asked.map(|scan| Wanted {
            token: scan.token.clone(),
            typed: false,
            exit: false,
            triggered: now.boot.minus(Duration::from_millis(age(scan))),
            triggered_at_ms: scan.triggered_at_ms,
        });
        self.waiting = wanted.take(MAX_WAITING).collect();
        self.kept = fresh;
        old.iter().map(|scan| scan.scan_id).collect()
    }

    /// At another node, or at none, these scans are nobody's.
    pub(super) fn forget(&mut self) -> Vec<ScanId> {
        std::mem::take(self)
            .kept
            .iter()
            .map(|scan| scan.scan_id)
            .collect()
    }
}

impl Controller {
    /// A code was read.
    pub(super) fn trigger(&mut self, token: String, typed: bool, now: Now) {
        let scans = &mut self.scans;
        let last = scans.last_read.replace((token.clone(), now.boot));
        let is_same =
            last.is_some_and(|(last, at)| last == token && now.boot.since(at) <= SAME_CODE);
        let is_kept = scans.kept.iter().any(|kept| kept.token == token);
        let waits = scans.waiting.iter().any(|wanted| wanted.token == token);
        if let Some(current) = &mut scans.current
            && current.kept.token == token
        {
            if let Progress::Pausing(until) = &mut current.progress {
                *until = now.boot;
            }
            return;
        }
        // Its verdict is on the glass, or it waits already.
        if waits || (is_same && !is_kept) || self.acts.is_of(&token) {
            return;
        }
        if scans.waiting.len() >= MAX_WAITING {
            scans.last_read = None;
            self.notices.pass(Notice::QueueFull, now.boot);
            return;
        }
        scans.waiting.push_back(Wanted {
            token,
            typed,
            exit: self.exits,
            triggered: now.boot,
            triggered_at_ms: now.wall_ms(),
        });
        self.counts.triggered(now.boot);
        self.play(Rhythm::Click);
        self.glass.clear(now.boot);
    }

    /// Whatever of the scans can go on now.
    pub(super) fn advance_scans(&mut self, now: Now) {
        self.present(now);
        self.advance_act(now);
        if self.scans.current.is_none()
            && !self.acts.is_busy()
            && let Some(place) = self.place
            && let Some(wanted) = self.scans.waiting.pop_front()
        {
            if wanted.exit {
                self.begin_exit(wanted.token, now);
            } else {
                self.drop_unanswered();
                self.begin(wanted, place.gate_id, now);
            }
        }
        let has_access = self.link.has_access();
        let is_signed_in = !self.must_sign_in();
        let Some(current) = &mut self.scans.current else {
            return;
        };
        let may_ask = now.boot.since(current.triggered) < ASKED_FOR;
        match current.progress {
            Progress::WaitsForAccess if has_access => self.ask(),
            Progress::WaitsForShift if is_signed_in && may_ask => self.ask(),
            Progress::Pausing(until) if until <= now.boot && may_ask => self.ask(),
            Progress::WaitsForAccess | Progress::WaitsForShift | Progress::Pausing(_)
                if !may_ask =>
            {
                self.give_up(None, now);
            }
            Progress::WaitsForAccess
            | Progress::WaitsForShift
            | Progress::Pausing(_)
            | Progress::Storing(_)
            | Progress::Asking(_)
            | Progress::Arrived { .. } => {}
        }
    }

    fn begin(&mut self, wanted: Wanted, gate_id: GateId, now: Now) {
        let scans = &mut self.scans;
        let mut known = scans.kept.iter();
        let known = known.find(|kept| kept.token == wanted.token && kept.gate_id == gate_id);
        let (kept, stored) = match known.cloned() {
            Some(kept) => (kept, true),
            None => {
                let kept = KeptScan {
                    scan_id: ScanId(self.ids.next(now)),
                    gate_id,
                    token: wanted.token,
                    triggered_at_ms: wanted.triggered_at_ms,
                };
                (kept, false)
            }
        };
        let progress = if stored {
            Progress::WaitsForAccess
        } else {
            let id = self.out.write(Write::ScanOpened(kept.clone()));
            scans.kept.push(kept.clone());
            if scans.kept.len() > MAX_KEPT {
                let oldest = scans.kept.remove(0);
                self.out.write(Write::ScanClosed(oldest.scan_id));
            }
            Progress::Storing(id)
        };
        let request = ScanRequest {
            scan_id: kept.scan_id,
            gate_id,
            token: kept.token.clone(),
        };
        scans.current = Some(Current {
            // Counted from this trigger: the answer is to a request that leaves after it.
            open: OpenScan::new(request, wanted.triggered),
            kept,
            typed: wanted.typed,
            triggered: wanted.triggered,
            progress,
        });
    }

    /// The scan is on the disk, or can't be: then it goes on all the same, and the person is told.
    pub(super) fn on_scan_written(&mut self, id: WriteId) {
        if let Some(current) = &mut self.scans.current
            && matches!(current.progress, Progress::Storing(write) if write == id)
        {
            current.progress = Progress::WaitsForAccess;
        }
    }

    fn ask(&mut self) {
        if let Some(current) = &mut self.scans.current {
            let request = current.open.request().clone();
            current.progress = Progress::Asking(self.out.call(Call::Scan(request)));
        }
    }
}
