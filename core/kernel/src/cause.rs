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

    /// The same with the trace headers of a request, if they are valid (W3C Trace Context). They
    /// are copied into rows and message headers, so values of another form are left out, as the
    /// standard asks.
    #[must_use]
    pub fn traced(self, parent: Option<&str>, state: Option<&str>) -> Self {
        let traceparent = parent.filter(|text| is_traceparent(text));
        let tracestate = state.filter(|text| traceparent.is_some() && is_tracestate(text));
        Self {
            traceparent: traceparent.map(str::to_owned),
            tracestate: tracestate.map(str::to_owned),
            ..self
        }
    }

    /// A tracing span that carries the correlation id into the logs.
    #[must_use]
    pub fn span(&self, what: &str) -> tracing::Span {
        tracing::info_span!("work", what, correlation_id = %self.correlation)
    }
}

/// Longest `tracestate` that is passed on; the standard asks for at least as much.
const MAX_TRACESTATE: usize = 512;

/// `00-` trace id `-` parent id `-` flags, all lower-case hexadecimal.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
    };
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), ["00", trace, parent, flags]
        if hex(trace, 32) && hex(parent, 16) && hex(flags, 2))
}

fn is_tracestate(text: &str) -> bool {
    text.len() <= MAX_TRACESTATE && text.bytes().all(|c| matches!(c, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn traced(parent: &str, state: &str) -> (bool, bool) {
        let cause = Cause::of(CorrelationId(Uuid::nil())).traced(Some(parent), Some(state));
        (cause.traceparent.is_some(), cause.tracestate.is_some())
    }

    #[test]
    fn only_a_trace_context_is_passed_on() {
        assert_eq!(traced(PARENT, "vendor=1"), (true, true));
        assert_eq!(traced("", "vendor=1"), (false, false));
        assert_eq!(traced(&PARENT.to_uppercase(), ""), (false, false));
        assert_eq!(traced(&format!("{PARENT}-more"), ""), (false, false));
        assert_eq!(traced(PARENT, &"x".repeat(512)), (true, true));
        assert_eq!(traced(PARENT, &"x".repeat(513)), (true, false));
        assert_eq!(traced(PARENT, "a=\u{7f}"), (true, false));
    }
}
