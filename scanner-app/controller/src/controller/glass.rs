//! The verdict on the glass, the one that is about to come there, and those of before.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::time::BootTime;

use crate::view::{Class, PastScan, Shown, Why};

/// So long a verdict stands at least, however fast the next code is.
pub(super) const AT_LEAST: Duration = Duration::from_millis(400);
/// After this GO is gone, and the others make way for a node that is locked or out of reach.
pub(super) const FADES: Duration = Duration::from_secs(3);
const HISTORY: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Glass {
    on: Option<OnGlass>,
    history: VecDeque<(Shown, BootTime)>,
}

#[derive(Debug)]
struct OnGlass {
    shown: Shown,
    since: BootTime,
    /// None: it stays.
    ends: Option<BootTime>,
}

impl Glass {
    /// Whether the next verdict may come, or when.
    pub(super) fn free_at(&self) -> Option<BootTime> {
        self.on.as_ref().map(|on| on.since.plus(AT_LEAST))
    }

    pub(super) fn show(&mut self, shown: Shown, now: BootTime) {
        // What was not done is no scan to look back at.
        if !shown.drill && !matches!(shown.why, Why::NotDone { .. }) {
            self.history.push_front((shown.clone(), now));
            self.history.truncate(HISTORY);
        }
        let fades = matches!(shown.class, Class::Go | Class::Done) && !shown.drill;
        self.on = Some(OnGlass {
            shown,
            since: now,
            ends: fades.then(|| now.plus(FADES)),
        });
    }

    /// Another scan has begun, or the person has seen enough.
    pub(super) fn clear(&mut self, now: BootTime) {
        if let Some(on) = &mut self.on {
            let earliest = on.since.plus(AT_LEAST).max(now);
            on.ends = Some(on.ends.map_or(earliest, |ends| ends.min(earliest)));
        }
    }

    pub(super) fn wipe(&mut self) {
        self.on = None;
    }

    pub(super) fn tick(&mut self, now: BootTime) {
        self.on
            .take_if(|on| on.ends.is_some_and(|ends| ends <= now));
    }

    /// `makes_way`: something else should be on the screen.
    pub(super) fn visible(&self, makes_way: bool, now: BootTime) -> Option<&Shown> {
        let on = self.on.as_ref()?;
        let has_ended = on.ends.is_some_and(|ends| ends <= now);
        let gives_way = makes_way && now >= on.since.plus(FADES);
        (!has_ended && !gives_way).then_some(&on.shown)
    }

    /// When something of it changes.
    pub(super) fn next(&self, now: BootTime) -> Option<BootTime> {
        let on = self.on.as_ref()?;
        let times = [
            Some(on.since.plus(AT_LEAST)),
            Some(on.since.plus(FADES)),
            on.ends,
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    pub(super) fn history(&self, now: BootTime) -> Vec<PastScan> {
        let past = |(shown, at): &(Shown, BootTime)| PastScan {
            shown: shown.clone(),
            ago_ms: u64::try_from(now.since(*at).as_millis()).unwrap_or(u64::MAX),
        };
        self.history.iter().map(past).collect()
    }

    /// With when it came.
    pub(super) fn newest(&self, now: BootTime) -> Option<(PastScan, BootTime)> {
        let (_, at) = self.history.front()?;
        Some((self.last(now)?, *at))
    }

    /// The newest guest let in, with when; none if that was taken back.
    pub(super) fn newest_admission(&self, now: BootTime) -> Option<(PastScan, BootTime)> {
        let is_admission = |why: &Why| {
            matches!(
                why,
                Why::Admit | Why::Overridden { .. } | Why::TakenBack { .. }
            )
        };
        let mut history = self.history.iter();
        let at = history.position(|(shown, _)| is_admission(&shown.why))?;
        let (shown, came) = self.history.get(at)?;
        let is_inside = !matches!(shown.why, Why::TakenBack { .. });
        is_inside.then_some((self.history(now).swap_remove(at), *came))
    }

    pub(super) fn last(&self, now: BootTime) -> Option<PastScan> {
        self.history(now).into_iter().next()
    }
}
