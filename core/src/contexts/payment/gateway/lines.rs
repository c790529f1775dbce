//! One breaker and one pace for each kind of call: a rush of refunds can't close the shop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventify_kernel::alarms::Stops;
use eventify_kernel::breaker::{Breaker, Limits};
use eventify_kernel::clock::Clock;
use eventify_kernel::pace::Pace;

/// Kinds of calls to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// New intents: the shop waits for them.
    Intents,
    /// What becomes of intents that exist: looked up, captured, cancelled.
    Reads,
    Refunds,
    /// Pages of the comparison.
    Comparisons,
}

impl Calls {
    pub(crate) const ALL: [Self; 4] =
        [Self::Intents, Self::Reads, Self::Refunds, Self::Comparisons];
}

/// What a process knows of one kind of call.
#[derive(Debug)]
pub(crate) struct Line {
    /// Names its alarm.
    pub(crate) name: &'static str,
    /// What does not go on while its calls fail. What is authorised is not paid before it is captured.
    pub(crate) stops: &'static [Stops],
    pub(crate) breaker: Breaker,
    pub(crate) pace: Pace,
    /// An alarm may stand for it. True at first: an earlier process may have raised one.
    alarmed: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Lines {
    intents: Line,
    reads: Line,
    refunds: Line,
    comparisons: Line,
}

/// payment → provider.
const PROVIDER: Limits = Limits {
    name: "pay_psp",
    timeout: Duration::from_millis(2_000),
    pauses: &[Duration::from_millis(200), Duration::from_millis(800)],
    window: 50,
    failure_rate: 0.25,
    slow_after: Duration::from_millis(2_000),
    slow_rate: 1.0,
    open_for: Duration::from_millis(45_000),
    half_open_calls: 10,
    at_once: 32,
    queue_for: Duration::from_millis(5_000),
};

impl Lines {
    /// # Errors
    /// Limits that the breaker refuses.
    pub(crate) fn new(clock: &Clock) -> anyhow::Result<Self> {
        let line = |name, breaker, stops| {
            let limits = Limits {
                name: breaker,
                ..PROVIDER
            };
            anyhow::Ok(Line {
                name,
                stops,
                breaker: Breaker::new(limits, clock.clone())?,
                pace: Pace::new(clock.clone()),
                alarmed: AtomicBool::new(true),
            })
        };
        Ok(Self {
            intents: line("intents", "pay_psp_intents", &[Stops::Sales])?,
            reads: line("reads", "pay_psp_reads", &[Stops::Sales])?,
            refunds: line("refunds", "pay_psp_refunds", &[])?,
            comparisons: line("comparisons", "pay_psp_comparisons", &[])?,
        })
    }

    pub(crate) fn of(&self, calls: Calls) -> &Line {
        match calls {
            Calls::Intents => &self.intents,
            Calls::Reads => &self.reads,
            Calls::Refunds => &self.refunds,
            Calls::Comparisons => &self.comparisons,
        }
    }
}

impl Line {
    /// From now on an alarm stands.
    pub(crate) fn is_troubled(&self) {
        self.alarmed.store(true, Ordering::Relaxed);
    }

    /// Whether an alarm may have to be cleared; not a second time.
    pub(crate) fn is_well(&self) -> bool {
        self.alarmed.swap(false, Ordering::Relaxed)
    }
}
