//! Greeting the core: when a `Hello` is due, and for how long its `Welcome` and the deltas after it
//! are waited for (`ADMISSION` 5.3).

use std::time::Duration;

use eventify_protocol::{ids::MessageId, sync::Position, time::BootTime};

use super::{Now, retry_timer::RetryTimer};

/// How long a node waits before it greets a core again whose last answer did not help.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Greatest delay before a replica that was discarded is fetched again, so that many nodes with the
/// same problem don't all ask at once.
pub(super) const MAX_JITTER: Duration = Duration::from_secs(2);

/// When to send `Hello`.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    at: Option<BootTime>,
    open: Option<OpenHello>,
    behind: Option<Behind>,
    welcome: RetryTimer,
    /// For the next delta of those under way.
    delta: RetryTimer,
    /// How far deltas had come when the last wait for them timed out.
    stuck: Position,
}

/// A `Hello` without its `Welcome` yet.
#[derive(Clone, Copy, Debug)]
struct OpenHello {
    hello: MessageId,
    sent: BootTime,
}

/// The core is ahead: the deltas up to `to` should come.
#[derive(Clone, Copy, Debug)]
struct Behind {
    to: Position,
    /// How far they have come, and when.
    reached: Position,
    since: BootTime,
}

impl Greeting {
    pub(super) fn connected(&mut self, now: Now) {
        *self = Self {
            at: Some(now.boottime),
            ..Self::default()
        };
    }

    pub(super) fn disconnected(&mut self) {
        *self = Self::default();
    }

    /// Greets at a time, or earlier if that was planned; not while a `Welcome` is awaited.
    pub(super) fn plan(&mut self, at: BootTime) {
        self.at = Some(self.at.map_or(at, |planned| planned.min(at)));
    }

    /// Greets now, unless a `Welcome` is under way that may be enough.
    pub(super) fn plan_if_idle(&mut self, now: Now) {
        if self.open.is_none() {
            self.plan(now.boottime);
        }
    }

    /// A delta leaves a gap. While others are under way, the missing entries may be among them: a
    /// new `Hello` would only have all of them sent again.
    pub(super) fn on_gap(&mut self, now: Now) {
        if self.behind.is_none() {
            self.plan_if_idle(now);
        }
    }

    pub(super) fn sent(&mut self, hello: MessageId, now: Now) {
        self.open = Some(OpenHello {
            hello,
            sent: now.boottime,
        });
        self.at = None;
        self.behind = None;
    }

    /// A `Welcome` came; false if it does not answer the open `Hello`.
    pub(super) fn close(&mut self, id: MessageId, now: Now) -> bool {
        let open = self.open.take_if(|open| open.hello == id);
        if let Some(open) = open {
            self.welcome.answered_after(now.boottime.since(open.sent));
        }
        open.is_some()
    }

    /// The core is ahead; the store was given deltas up to `reached`.
    pub(super) fn expect_deltas(&mut self, to: Position, reached: Position, now: Now) {
        self.behind.get_or_insert(Behind {
            to,
            reached,
            since: now.boottime,
        });
    }

    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none() && self.open.is_none()
    }

    /// Whether a `Hello` is due; the store was given deltas up to `reached`.
    pub(super) fn poll_hello(&mut self, now: Now, reached: Position) -> bool {
        self.track_deltas(now, reached);
        if self.welcome_due().is_some_and(|due| due <= now.boottime) {
            self.open = None;
            self.welcome.timed_out();
            self.plan(now.boottime);
        }
        self.open.is_none() && self.at.is_some_and(|at| at <= now.boottime)
    }

    /// As long as deltas come, however slowly, they are waited for.
    fn track_deltas(&mut self, now: Now, reached: Position) {
        let Some(behind) = &mut self.behind else {
            return;
        };
        if reached > behind.reached {
            self.delta.answered_after(now.boottime.since(behind.since));
            (behind.reached, behind.since) = (reached, now.boottime);
        }
        if reached >= behind.to {
            self.behind = None;
        } else if self.delta_due().is_some_and(|due| due <= now.boottime) {
            self.behind = None;
            if reached > self.stuck {
                self.delta = RetryTimer::default();
            } else {
                self.delta.timed_out();
            }
            self.stuck = reached;
            self.plan(now.boottime);
        }
    }

    fn welcome_due(&self) -> Option<BootTime> {
        self.open.map(|open| open.sent.plus(self.welcome.delay()))
    }

    fn delta_due(&self) -> Option<BootTime> {
        self.behind
            .map(|behind| behind.since.plus(self.delta.delay()))
    }

    pub(super) fn next_timeout(&self) -> Option<(BootTime, &'static str)> {
        let open = self.welcome_due().map(|due| (due, "welcome"));
        let at = self
            .at
            .filter(|_| self.open.is_none())
            .map(|at| (at, "hello"));
        let behind = self.delta_due().map(|due| (due, "delta"));
        [open, at, behind].into_iter().flatten().min()
    }
}
