//! What started a piece of work. Goes from the request through every row, message and log line
//! that follows from it.

use eventify_protocol::ids::CorrelationId;

use crate::clock::Clock;

/// Correlation and trace context of the work in hand. An argument of everything that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `X-Correlation-Id` of the request that began it all.
    pub correlation: CorrelationId,
    /// W3C `traceparent`, where a trace is running.
    pub traceparent: Option<String>,
    /// W3C `tracestate`.
    pub tracestate: Option<String>,
}

impl Cause {
    /// A new chain of work, started by time or by an unmarked request.
    #[must_use]
    pub fn fresh(clock: &Clock) -> Self {
        Self::of(CorrelationId(clock.new_id()))
    }

    /// A chain with a known correlation id.
    #[must_use]
    pub fn of(correlation: CorrelationId) -> Self {
        Self {
            correlation,
            traceparent: None,
            tracestate: None,
        }
    }

    /// A tracing span that carries the correlation id into the logs.
    #[must_use]
    pub fn span(&self, what: &str) -> tracing::Span {
        tracing::info_span!("work", what, correlationId = %self.correlation)
    }
}
