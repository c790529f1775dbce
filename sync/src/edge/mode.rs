//! The tests of `ADMISSION` 2, in their order, as a pure function of the node's state.

use std::time::Duration;

use eventify_protocol::{time::MAX_CACHE_AGE, verdict::Mode};

use super::Reason;

/// Everything that the tests depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeState {
    pub(super) revoked: bool,
    /// The core answers questions in time, and no failure was too recent.
    pub(super) core_answers: bool,
    /// The core has acknowledged every decision that this node made itself.
    pub(super) acknowledged: bool,
    /// There is a complete replica, and the overlay over it is complete.
    pub(super) complete: bool,
    /// No rows are lost whose admissions the replica may not show.
    pub(super) whole: bool,
    pub(super) clock_trusted: bool,
    /// Age of the newest sync point that is applied and has the same digest.
    pub(super) age: Option<Duration>,
    /// The limit in force; zero is off.
    pub(super) limit: Duration,
    /// How long the oldest admission made alone has gone unacknowledged.
    pub(super) oldest_alone: Option<Duration>,
}

/// Who decides, and why it is not the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    /// `Online`, `Degraded` or `Locked`.
    pub(super) mode: Mode,
    pub(super) reason: Option<Reason>,
}

impl NodeState {
    /// Tests 1 to 4.
    pub(super) fn ruling(&self) -> Ruling {
        if self.revoked {
            return locked(Reason::Revoked);
        }
        if self.core_answers && self.acknowledged {
            return Ruling {
                mode: Mode::Online,
                reason: None,
            };
        }
        match self.may_decide_alone() {
            Err(reason) => locked(reason),
            Ok(()) => Ruling {
                mode: Mode::Degraded,
                reason: Some(self.degraded_reason()),
            },
        }
    }

    /// Test 3.
    pub(super) fn may_decide_alone(&self) -> Result<(), Reason> {
        self.cache_may_decide()?;
        if self.oldest_alone.is_some_and(|since| since > MAX_CACHE_AGE) {
            return Err(Reason::Unacknowledged);
        }
        Ok(())
    }

    /// Test 3 without rule 1.7: repeated after the fsync of a decision.
    pub(super) fn cache_may_decide(&self) -> Result<(), Reason> {
        if self.revoked {
            return Err(Reason::Revoked);
        }
        if !self.complete {
            return Err(Reason::NoReplica);
        }
        if !self.whole {
            return Err(Reason::RowsLost);
        }
        if self.limit.is_zero() {
            return Err(Reason::DegradedOff);
        }
        if !self.clock_trusted {
            return Err(Reason::ClockNotTrusted);
        }
        let age = self.age.ok_or(Reason::NoProof)?;
        if age > self.limit {
            Err(Reason::CacheTooOld)
        } else {
            Ok(())
        }
    }

    fn degraded_reason(&self) -> Reason {
        if self.core_answers {
            Reason::CatchingUp
        } else {
            Reason::CoreSilent
        }
    }
}

fn locked(reason: Reason) -> Ruling {
    Ruling {
        mode: Mode::Locked,
        reason: Some(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All is well, but the core is silent.
    fn cut_off() -> NodeState {
        NodeState {
            revoked: false,
            core_answers: false,
            acknowledged: true,
            complete: true,
            whole: true,
            clock_trusted: true,
            age: Some(MAX_CACHE_AGE),
            limit: MAX_CACHE_AGE,
            oldest_alone: Some(MAX_CACHE_AGE),
        }
    }

    fn is(state: NodeState, mode: Mode, reason: Option<Reason>) {
        assert_eq!(state.ruling(), Ruling { mode, reason }, "{state:?}");
    }

    #[test]
    fn a_core_that_answers_decides_whatever_the_lag_of_the_replica() {
        let nothing = NodeState {
            core_answers: true,
            complete: false,
            clock_trusted: false,
            age: None,
            limit: Duration::ZERO,
            ..cut_off()
        };
        is(nothing, Mode::Online, None);
        is(
            NodeState {
                revoked: true,
                ..nothing
            },
            Mode::Locked,
            Some(Reason::Revoked),
        );
    }

    #[test]
    fn own_decisions_have_to_be_acknowledged_first() {
        let waiting = NodeState {
            core_answers: true,
            acknowledged: false,
            ..cut_off()
        };
        is(waiting, Mode::Degraded, Some(Reason::CatchingUp));
    }

    #[test]
    fn the_limits_are_within() {
        is(cut_off(), Mode::Degraded, Some(Reason::CoreSilent));
    }

    #[test]
    fn each_test_alone_locks() {
        let over = MAX_CACHE_AGE + Duration::from_nanos(1);
        let locked = |state, reason| is(state, Mode::Locked, Some(reason));
        locked(
            NodeState {
                revoked: true,
                ..cut_off()
            },
            Reason::Revoked,
        );
        locked(
            NodeState {
                complete: false,
                ..cut_off()
            },
            Reason::NoReplica,
        );
        locked(
            NodeState {
                whole: false,
                ..cut_off()
            },
            Reason::RowsLost,
        );
        locked(
            NodeState {
                clock_trusted: false,
                ..cut_off()
            },
            Reason::ClockNotTrusted,
        );
        locked(
            NodeState {
                age: None,
                ..cut_off()
            },
            Reason::NoProof,
        );
        locked(
            NodeState {
                age: Some(over),
                ..cut_off()
            },
            Reason::CacheTooOld,
        );
        locked(
            NodeState {
                limit: Duration::ZERO,
                ..cut_off()
            },
            Reason::DegradedOff,
        );
        locked(
            NodeState {
                oldest_alone: Some(over),
                ..cut_off()
            },
            Reason::Unacknowledged,
        );
    }

    #[test]
    fn configuration_lowers_the_limit() {
        let lower = NodeState {
            limit: Duration::from_secs(20),
            ..cut_off()
        };
        is(lower, Mode::Locked, Some(Reason::CacheTooOld));
    }
}
