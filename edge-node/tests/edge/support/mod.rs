//! What the node's tests are told with: a venue, a scanner, a core at the other end of the broker.

pub(crate) mod core;
mod ledger;
pub(crate) mod scanner;
pub(crate) mod venue;

use std::path::Path;

use eventify_edge::config::Config;

pub(crate) use ledger::admitted;
pub(crate) use scanner::{Refusal, Scanner};
pub(crate) use venue::{Ticket, Venue, scan_id};

/// Settings for a node in a test: a free port, its own folder, and what the test wants else.
pub(crate) fn config(data_dir: &Path, settings: &[(&str, &str)]) -> Config {
    let variables = settings_for(data_dir, settings);
    Config::load(None, variables.into_iter()).unwrap()
}

/// The same as environment variables, for a process of its own.
pub(crate) fn settings_for(data_dir: &Path, settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let folder = data_dir.display().to_string();
    [
        ("node.data_dir", folder.as_str()),
        ("lan.listen", "127.0.0.1:0"),
    ]
    .iter()
    .chain(settings)
    .map(|(key, value)| {
        let name = key.to_uppercase().replace('.', "__");
        (format!("EVENTIFY_EDGE__{name}"), (*value).to_owned())
    })
    .collect()
}

/// TLS needs a provider, once a process; and whoever looks for a defect wants the log (`RUST_LOG`).
pub(crate) fn use_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer();
    drop(lines.try_init());
}
