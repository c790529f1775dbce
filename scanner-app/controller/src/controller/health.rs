//! What the node says about its mode, and what time makes of it between two words.

use std::time::Duration;

use eventify_protocol::{
    lan::{NodeStatus, StreamEvent},
    time::BootTime,
};

use super::lan;
use crate::{
    io::Now,
    view::{LockReason, NodeMode, Truth},
};

/// Before the node locks, the person is told at these times.
const ANNOUNCED: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];

#[derive(Debug, Default)]
pub(super) struct Health {
    known: Option<Known>,
    /// Since it was last online.
    was_cut_off: bool,
    /// Since when, in milliseconds since the Unix epoch; the node's first word after the start may be
    /// late.
    locked_since: Option<u64>,
    /// The smallest time that was announced.
    announced: Option<Duration>,
    /// The siren has sounded for this lock.
    alarmed: bool,
}

#[derive(Debug)]
struct Known {
    mode: NodeMode,
    reason: LockReason,
    cache_age: Option<Duration>,
    remaining: Option<Duration>,
    unacknowledged: u64,
    at: BootTime,
}

/// What the person has to be told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warning {
    Locked,
    LocksSoon(Duration),
}

impl Health {
    /// Whether the node is in another mode than before.
    pub(super) fn on_event(&mut self, event: StreamEvent, now: Now) -> bool {
        let StreamEvent::Mode {
            mode,
            reason,
            cache_age_ms,
            remaining_ms,
            unacknowledged,
            ..
        } = event
        else {
            return false;
        };
        let before = self.known.as_ref().map(|known| known.mode);
        self.learn(Known {
            mode: lan::mode(mode),
            reason: lan::lock_reason(reason.as_deref()),
            cache_age: cache_age_ms.map(Duration::from_millis),
            remaining: remaining_ms.map(Duration::from_millis),
            unacknowledged,
            at: now.boot,
        });
        before != Some(lan::mode(mode))
    }

    fn learn(&mut self, known: Known) {
        self.was_cut_off = match known.mode {
            NodeMode::Online => false,
            NodeMode::Resyncing => self.was_cut_off || self.known.is_none(),
            NodeMode::Degraded | NodeMode::Locked | NodeMode::Unreachable => true,
        };
        self.known = Some(known);
    }

    /// A status has no countdown: it only fills the gap before the first event.
    pub(super) fn on_status(&mut self, status: &NodeStatus, now: Now) {
        if self.known.is_none() {
            let limit = Duration::from_millis(status.max_cache_age_ms);
            let age = status.cache_age_ms.map(Duration::from_millis);
            let mode = lan::mode(status.mode);
            let remaining = age.map(|age| limit.saturating_sub(age));
            self.learn(Known {
                mode,
                reason: lan::lock_reason(status.reason.as_deref()),
                cache_age: age,
                remaining: remaining.filter(|_| mode == NodeMode::Degraded),
                unacknowledged: status.journal.unacknowledged,
                at: now.boot,
            });
        }
    }

    /// The node's mode now. Its countdown goes on here: a node that is silent has locked in the end.
    pub(super) fn mode(&self, now: BootTime) -> Option<NodeMode> {
        let known = self.known.as_ref()?;
        match (known.mode, known.remaining(now)) {
            (NodeMode::Degraded | NodeMode::Resyncing, Some(Duration::ZERO)) => {
                Some(NodeMode::Locked)
            }
            (mode, _) => Some(mode),
        }
    }

    pub(super) fn lock_reason(&self) -> LockReason {
        self.known
            .as_ref()
            .filter(|known| known.mode == NodeMode::Locked)
            .map_or(LockReason::CacheTooOld, |known| known.reason)
    }

    pub(super) fn locked_since(&self) -> Option<u64> {
        self.locked_since
    }

    pub(super) fn truth(&self, unreachable: bool, slow: bool, now: BootTime) -> Option<Truth> {
        let mode = if unreachable {
            NodeMode::Unreachable
        } else {
            self.mode(now)?
        };
        let known = self.known.as_ref();
        let age = known.and_then(|known| Some(known.cache_age? + now.since(known.at)));
        let remaining = known.and_then(|known| known.remaining(now));
        let counts_down = matches!(mode, NodeMode::Degraded | NodeMode::Resyncing);
        Some(Truth {
            mode,
            cache_age_ms: age
                .filter(|_| !matches!(mode, NodeMode::Online | NodeMode::Unreachable))
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            locks_in_ms: remaining.filter(|_| counts_down).map(super::ms32),
            to_send: known.map_or(0, |known| known.unacknowledged),
            was_cut_off: self.was_cut_off,
            slow,
        })
    }

    /// Once for each lock, and once for each time before it.
    pub(super) fn warning(&mut self, now: Now) -> Option<Warning> {
        let mode = self.mode(now.boot)?;
        if mode == NodeMode::Locked {
            self.announced = None;
            self.locked_since = self.locked_since.or(Some(now.wall_ms()));
            return (!std::mem::replace(&mut self.alarmed, true)).then_some(Warning::Locked);
        }
        self.locked_since = None;
        self.alarmed = false;
        let remaining = self.known.as_ref()?.remaining(now.boot);
        let remaining = remaining.filter(|_| mode == NodeMode::Degraded);
        let due = remaining.and_then(|left| ANNOUNCED.into_iter().find(|at| left <= *at));
        let is_new = due.is_some_and(|due| self.announced.is_none_or(|last| due < last));
        if due.is_none() || is_new {
            self.announced = due;
        }
        remaining.filter(|_| is_new).map(Warning::LocksSoon)
    }

    /// When the countdown reaches the next announcement or its end.
    pub(super) fn next(&self) -> Option<BootTime> {
        let known = self.known.as_ref()?;
        let remaining = known.remaining?;
        let end = known.at.plus(remaining);
        let announced = ANNOUNCED
            .into_iter()
            .filter(|at| *at < remaining && self.announced.is_none_or(|last| *at < last))
            .map(|at| end.minus(at))
            .min();
        let locks = (!self.alarmed).then_some(end);
        announced.into_iter().chain(locks).min()
    }
}

impl Known {
    fn remaining(&self, now: BootTime) -> Option<Duration> {
        Some(self.remaining?.saturating_sub(now.since(self.at)))
    }
}
