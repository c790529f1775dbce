//! Logs: one JSON object a line on stderr, with time, level, target, correlation id.
//!
//! No personal data: log ids and codes, never names, addresses, tokens or bodies.

use eventify_log::Flush;
pub use eventify_log::LogThrottle;
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

#[cfg(test)]
mod tests {
    use super::*;

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
