//! The view: what of all this is on the screen.

use eventify_protocol::time::BootTime;

use super::{Controller, Stage, ms32, people::Flow};
use crate::{
    io::Now,
    view::{CHECKING_AFTER_MS, NodeMode, Screen, View},
};

impl Controller {
    /// What the screen shows at a moment.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        let now = now.boot;
        let truth = (self.link.has_answered() || self.link.unreachable_since().is_some())
            .then(|| {
                let unreachable = self.link.unreachable_since().is_some();
                self.link
                    .health
                    .truth(unreachable, self.counts.is_slow(), now)
            })
            .flatten();
        let counts = self.place.and_then(|place| {
            let (gate, as_of) = self.link.counts(place.gate_id)?;
            Some(self.counts.view(gate, as_of, now))
        });
        let screen = self.screen(now);
        View {
            takes_codes: screen.takes_codes(),
            screen,
            place: self.place_view(),
            truth,
            counts,
            notices: self.notices.view(),
            drill: self.drill.as_ref().map(super::drill::Drill::score),
            person: self.staff.person_view(now),
            authorised: self.staff.authorised_view(now),
            exits: self.exits,
            settings: self.settings.clone(),
            time_zone: self.time_zone.clone(),
        }
    }

    fn screen(&self, now: BootTime) -> Screen {
        if let Some(open) = self.overlay_screen(now) {
            return open;
        }
        match &self.stage {
            Stage::Starting => Screen::Starting,
            Stage::Pair(pairing) => pairing.view(),
            Stage::Working => self.working_screen(now),
        }
    }

    fn working_screen(&self, now: BootTime) -> Screen {
        if let Some(reason) = self.link.pair_again {
            return Screen::PairAgain { reason };
        }
        if let Some(since_ms) = self.link.unreachable_since() {
            // A verdict that has just come is read to its end.
            if let Some(shown) = self.glass.visible(true, now) {
                return Screen::Verdict(shown.clone());
            }
            return Screen::NodeUnreachable {
                since_ms,
                retry_in_ms: ms32(self.link.retry_in(now)),
                waiting: self.scans.unanswered(),
            };
        }
        let mode = self.link.health.mode(now);
        // A status comes with the first answers and has the names; scans do not wait for it.
        let is_at_work = !self.scans.is_idle() || self.glass.visible(false, now).is_some();
        if self.link.status.is_none() && (self.must_choose() || !is_at_work) {
            return Screen::Starting;
        }
        if self.must_choose() {
            return self.choose_screen();
        }
        if self.must_sign_in() {
            return match self.glass.visible(true, now) {
                Some(shown) => Screen::Verdict(shown.clone()),
                None => self.people_screen(&Flow::new(None), now),
            };
        }
        let is_locked = mode == Some(NodeMode::Locked);
        let makes_way = is_locked && self.drill.is_none();
        if let Some(shown) = self.glass.visible(makes_way, now) {
            return Screen::Verdict(shown.clone());
        }
        let scan = self.scans.checking(now).map(|checking| (None, checking));
        let act = self.acts.checking(now);
        let checking = scan.or_else(|| act.map(|(act, checking)| (Some(act), checking)));
        let is_long = |age: std::time::Duration| age.as_millis() >= u128::from(CHECKING_AFTER_MS);
        if let Some((act, checking)) = checking.filter(|(_, checking)| is_long(checking.age)) {
            return Screen::Checking {
                act,
                age_ms: ms32(checking.age),
                tries: checking.tries,
                waiting: checking.waiting,
            };
        }
        let typed = self.typing.view(now);
        if makes_way && typed.is_none() {
            return Screen::Locked {
                reason: self.link.health.lock_reason(),
                since_ms: self.link.health.locked_since(),
                procedure: self.procedure.clone(),
            };
        }
        Screen::Ready {
            last: self.glass.last(now),
            typed,
        }
    }
}
