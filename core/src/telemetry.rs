//! Logs: one JSON object a line on stderr, with time, level, target, correlation id.
//!
//! No personal data: log ids and codes, never names, addresses, tokens or bodies.

use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

/// What is logged if `RUST_LOG` says nothing: `info`, libraries `warn`.
const DEFAULT_FILTER: &str = "warn,eventify_core=info";

/// Starts logging. `RUST_LOG` chooses levels.
///
/// # Errors
/// When a subscriber is installed already.
pub fn start() -> Result<(), tracing_subscriber::util::TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .finish()
        .try_init()
}

/// How often a line that a stranger can cause is written at most.
const SELDOM: Duration = Duration::from_secs(1);

/// Keeps one kind of line from filling the log.
#[derive(Debug, Default)]
pub struct Seldom {
    last: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Whether the line may be written now, and then how many were not since the one before.
    pub fn say(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now < last + SELDOM) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_line_is_written_once_a_second_and_counts_those_that_were_not() {
        let start = Clock::system().instant();
        let mut line = Seldom::default();
        let said = [0, 1, 999, 1_000, 1_001, 2_500]
            .map(|passed| line.say(start + Duration::from_millis(passed)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
