//! Logs: one JSON object a line on stderr, with time, level, target, correlation id.
//!
//! No personal data: log ids and codes, never names, addresses, tokens or bodies.

use std::time::{Duration, Instant};

use eventify_log::Flush;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::ConfigError;

/// What is logged if `RUST_LOG` says nothing: `info`, libraries `warn`.
const DEFAULT_FILTER: &str = "warn,eventify_core=info,eventify_kernel=info";

/// Starts logging; `RUST_LOG` chooses levels. A panic is a line too, in the span that it happens in.
/// What it returns is kept until the end: it waits for the last lines.
///
/// # Errors
/// `RUST_LOG` is no filter, or a subscriber is installed already.
pub fn start() -> anyhow::Result<Flush> {
    let given = std::env::var_os("RUST_LOG").filter(|text| !text.is_empty());
    let filter = match given {
        Some(text) => filter(&text.to_string_lossy())?,
        None => EnvFilter::new(DEFAULT_FILTER),
    };
    let (lines, flush) = eventify_log::to_stderr(of_loss)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(move || lines.clone())
        .finish()
        .try_init()?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let error = panic.payload_as_str();
        tracing::error!(
            code = "process.panicked",
            place,
            error,
            "the program has a defect: this piece of work failed"
        );
    }));
    Ok(flush)
}

/// Its fields are those of the other lines, apart from the time.
fn of_loss(lines: u64) -> String {
    format!(
        "{{\"level\":\"WARN\",\"message\":\"log lines were dropped: their reader is too slow\",\
         \"code\":\"log.lines_lost\",\"lines\":{lines}}}\n"
    )
}

/// A filter without a misspelt level. `tracing` takes a misspelt level for the name of a module
/// of which everything is wanted, and then logs nothing else: a module must come with its level.
fn filter(text: &str) -> Result<EnvFilter, ConfigError> {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let says_level = |part: &str| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level));
    let read = text.parse::<EnvFilter>().ok();
    read.filter(|_| text.split(',').all(says_level))
        .ok_or_else(|| ConfigError::NotAllowed {
            origin: "the environment".to_owned(),
            key: "RUST_LOG".to_owned(),
            value: text.to_owned(),
            allowed: "error, warn, info, debug, trace, off, or a list such as \
                      warn,eventify_core=debug"
                .to_owned(),
        })
}

/// Shortest time between two lines of one kind that anybody can cause.
const INTERVAL: Duration = Duration::from_secs(1);

/// Keeps one kind of line from filling the log.
#[derive(Debug)]
pub struct LogThrottle {
    /// Time in which one more line may be written.
    interval: Duration,
    /// The time of as many lines as may be written at once.
    whole: Duration,
    /// When so many may be again.
    full_at: Option<Instant>,
    suppressed: u64,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::every(INTERVAL)
    }
}

impl LogThrottle {
    /// With another shortest time between two lines.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::bursts(interval, 1)
    }

    /// So many lines at once, and one more each interval.
    #[must_use]
    pub fn bursts(interval: Duration, lines: u32) -> Self {
        Self {
            interval,
            whole: interval.saturating_mul(lines),
            full_at: None,
            suppressed: 0,
        }
    }

    /// Whether the line may be written now, and then how many were suppressed since the last one.
    pub fn permit(&mut self, now: Instant) -> Option<u64> {
        let after = self.full_at.map_or(now, |full| full.max(now)) + self.interval;
        if after - now > self.whole {
            self.suppressed += 1;
            return None;
        }
        self.full_at = Some(after);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_line_is_written_once_a_second_and_counts_those_that_were_not() {
        let start = Clock::system().instant();
        let mut line = LogThrottle::default();
        let permitted = [0, 1, 999, 1_000, 1_001, 2_500]
            .map(|passed| line.permit(start + Duration::from_millis(passed)));
        assert_eq!(permitted, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn a_few_at_once_are_all_written_and_of_a_flood_one_an_interval() {
        let start = Clock::system().instant();
        let mut lines = LogThrottle::bursts(Duration::from_secs(1), 3);
        let permitted = [0, 0, 1, 2, 3, 1_000, 1_001, 60_000]
            .map(|passed| lines.permit(start + Duration::from_millis(passed)));
        let all = [
            Some(0),
            Some(0),
            Some(0),
            None,
            None,
            Some(2),
            None,
            Some(1),
        ];
        assert_eq!(permitted, all);
    }

    #[test]
    fn a_filter_with_a_misspelt_word_is_refused() {
        for good in [
            "info",
            "off",
            DEFAULT_FILTER,
            "warn,[request{method=GET}]=trace",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in [
            "infoo",
            "eventify_core",
            "info,",
            "warn,eventify_core=debgu",
        ] {
            let said = filter(bad).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!(
                    "the environment: RUST_LOG = {bad}: allowed is error"
                )),
                "{said}"
            );
        }
    }
}
