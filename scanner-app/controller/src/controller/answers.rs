//! What a scan was answered, and how it comes to the glass.

use std::time::Duration;

use eventify_lan_client::{ClientError, Light, Step};
use eventify_protocol::lan::ScanAnswer;

use super::{
    Controller, lan,
    scanning::{Current, Progress},
};
use crate::{
    io::{CallId, Now, Write},
    tones::Rhythm,
    view::{Shown, Why},
};

/// The node asks for a pause and does not say how long: in scanning, and in typing.
const QUOTA_PAUSE: Duration = Duration::from_secs(1);
const TYPING_PAUSE: Duration = Duration::from_secs(60);

impl Controller {
    pub(super) fn on_scanned(
        &mut self,
        call: CallId,
        result: Result<Box<ScanAnswer>, ClientError>,
        now: Now,
    ) {
        let Some(current) = &mut self.scans.current else {
            return;
        };
        if !matches!(current.progress, Progress::Asking(asked) if asked == call) {
            return;
        }
        match current.open.next(result.map(|answer| *answer), now.boot) {
            Step::Show { answer, light } => {
                self.link.ok();
                let times = lan::Times {
                    triggered_at_ms: current.kept.triggered_at_ms,
                    at_ms: now.wall_ms(),
                };
                let is_final = matches!(light, Light::Green | Light::Red);
                let shown = lan::shown(answer, light, times);
                self.arrive(shown, is_final);
            }
            // Whoever types too many wrong codes is not asked for again behind their back.
            Step::Retry { pause, error } if current.typed && is_quota(&error) => {
                self.typing.lock(pause, now.boot);
                self.give_up(lan::error_code(&error), now);
            }
            Step::Retry { pause, error } => {
                current.progress = Progress::Pausing(now.boot.plus(pause));
                self.link.failed(&error, now);
            }
            Step::RenewAccess => {
                current.progress = Progress::WaitsForAccess;
                self.link.access_ended();
            }
            Step::GiveUp(error) => self.on_refused(&error, now),
        }
    }

    fn on_refused(&mut self, error: &ClientError, now: Now) {
        let refusal = error.refusal();
        if refusal.is_some_and(|refusal| refusal.error.code == "no_shift")
            && let Some(current) = &mut self.scans.current
        {
            current.progress = Progress::WaitsForShift;
            self.staff.on_shift_needed();
            return;
        }
        if is_quota(error)
            && let Some(current) = &mut self.scans.current
        {
            // Not now. Asked again when the node says, like any scan that it can't take yet.
            let pause = refusal.and_then(|refusal| refusal.retry_after);
            if current.typed {
                self.typing.lock(pause.unwrap_or(TYPING_PAUSE), now.boot);
            } else {
                let until = now.boot.plus(pause.unwrap_or(QUOTA_PAUSE));
                current.progress = Progress::Pausing(until);
                return;
            }
        }
        let is_gate = refusal.is_some_and(|refusal| refusal.error.code == "gate_not_allowed");
        if is_gate {
            self.link.ask_status();
        } else if refusal.is_none_or(|refusal| refusal.status == 401) {
            self.link.failed(error, now);
        }
        self.give_up(lan::error_code(error), now);
    }

    /// The scan under way gets no verdict. Its id stays the ticket's.
    pub(super) fn give_up(&mut self, code: Option<String>, now: Now) {
        let Some(current) = &self.scans.current else {
            return;
        };
        let why = Why::NoAnswer { code };
        let shown = Shown {
            scan_id: current.kept.scan_id.to_string(),
            class: lan::class(&why),
            why,
            ticket: None,
            decided_by: None,
            cache_age_ms: None,
            triggered_at_ms: current.kept.triggered_at_ms,
            at_ms: now.wall_ms(),
            repeated: false,
            drill: false,
        };
        self.arrive(shown, false);
        self.present(now);
    }

    fn arrive(&mut self, shown: Shown, is_final: bool) {
        if let Some(current) = &mut self.scans.current {
            current.progress = Progress::Arrived {
                shown: Box::new(shown),
                is_final,
            };
        }
    }

    /// Puts the verdict that has arrived on the glass, when the one before has stood for long enough.
    pub(super) fn present(&mut self, now: Now) {
        let is_busy = self.glass.free_at().is_some_and(|at| at > now.boot);
        let is_due = |current: &mut Current| matches!(current.progress, Progress::Arrived { .. });
        if is_busy {
            return;
        }
        let Some(current) = self.scans.current.take_if(is_due) else {
            return;
        };
        let Progress::Arrived { shown, is_final } = current.progress else {
            return;
        };
        let is_wrong = matches!(shown.why, Why::Unreadable | Why::Forged);
        if current.typed && is_wrong {
            self.typing.wrong(now.boot);
        }
        if is_final {
            let id = current.kept.scan_id;
            self.scans.kept.retain(|kept| kept.scan_id != id);
            self.out.write(Write::ScanClosed(id));
        }
        if shown.decided_by.is_some() {
            let after = now.boot.since(current.triggered);
            self.counts.answered(after, now.boot);
        }
        let rhythm = Rhythm::of(shown.class);
        self.glass.show(*shown, now.boot);
        self.play(rhythm);
        self.vibrate(rhythm);
        if !self.scans.waiting.is_empty() {
            self.glass.clear(now.boot);
        }
    }
}

/// The node has had enough requests, or wrong codes, of this scanner.
fn is_quota(error: &ClientError) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 429)
}
