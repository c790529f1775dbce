//! Logs: one JSON object a line on stderr, with time, level, target, correlation id.
//!
//! No personal data: log ids and codes, never names, addresses, tokens or bodies.

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
