//! The node's settings: defaults, then a file, then the environment (`eventify_settings`).
//! `default.toml` is both the defaults and their documentation.
//!
//! Every setting is checked before the node touches anything.

#[cfg(test)]
mod tests;
mod values;

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_settings::{File, Program, read_file};
use serde::Deserialize;

pub use eventify_settings::SettingsError as ConfigError;

/// The defaults, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../default.toml");

static PROGRAM: Program = Program {
    defaults: DEFAULTS,
    prefix: "EVENTIFY_EDGE__",
    file_variable: "EVENTIFY_EDGE_CONFIG",
    neighbours: &["EVENTIFY_CORE__"],
    open_tables: &[],
    secrets: &[],
    limits: LIMITS,
};

/// Smallest and largest value of each number; a test compares the keys with `default.toml`.
#[rustfmt::skip]
const LIMITS: &[(&str, RangeInclusive<i64>)] = &[
    ("lan.max_connections", 8..=4_096),
    ("lan.max_strangers_per_address", 4..=4_096),
    ("lan.max_scans_waiting", 8..=8_192),
    ("lan.requests_per_second", 1..=10_000),
    ("lan.request_burst", 5..=100_000),
    ("admission.max_cache_age_ms", 0..=MAX_CACHE_AGE.as_millis() as i64),
    ("link.silence_ms", 3_000..=60_000),
    ("link.max_backoff_ms", 200..=60_000),
    ("journal.max_bytes", 1 << 20..=1 << 40),
    ("journal.reserve_bytes", 1 << 16..=1 << 30),
    ("staff.pin_days", 1..=365),
];

/// All settings of a node. Meaning and units stand in `default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Sections")]
pub struct Config {
    /// `node.data_dir`
    pub data_dir: PathBuf,
    /// `[lan]`
    pub lan: LanConfig,
    /// `[admission]`
    pub admission: AdmissionConfig,
    /// `[link]`
    pub link: LinkConfig,
    /// `link.broker`: host and port to use instead of those of the enrolment.
    pub broker: Option<(String, u16)>,
    /// `[journal]`
    pub journal: JournalConfig,
    /// `[staff]`
    pub staff: StaffConfig,
    /// `[log]`
    pub log: LogConfig,
}

/// `[lan]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// `HOST:PORT` in pairing codes, if not the listener's own.
    #[serde(deserialize_with = "values::address_text")]
    pub advertise: Option<String>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Of those, the ones from one address on which no paired scanner has signed a request yet.
    #[serde(rename = "max_strangers_per_address")]
    pub max_unauthenticated_per_address: usize,
    /// Scans that wait for their verdict at once.
    pub max_scans_waiting: usize,
    /// Requests that one scanner may send in the long run.
    pub requests_per_second: u32,
    /// Requests that one scanner may send at once after a pause.
    pub request_burst: u32,
}

/// `[admission]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionConfig {
    /// Age of the oldest cache that may decide.
    #[serde(rename = "max_cache_age_ms", deserialize_with = "values::millis")]
    pub max_cache_age: Duration,
}

/// `[link]`
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// A line without any message for this long is closed.
    pub silence: Duration,
    /// Longest pause between two attempts to connect.
    pub max_backoff: Duration,
}

/// `[journal]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Largest journal.
    pub max_bytes: u64,
    /// With less than this left, scans are not decided.
    pub reserve_bytes: u64,
}

/// `[staff]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffConfig {
    /// How long a PIN is good after the last sign-in with the identity provider.
    #[serde(rename = "pin_days", deserialize_with = "values::days")]
    pub pin_life: Duration,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A `tracing` filter.
    #[serde(deserialize_with = "values::log_filter")]
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The sections as they stand in `default.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    node: NodeSection,
    lan: LanConfig,
    admission: AdmissionConfig,
    link: LinkSection,
    journal: JournalConfig,
    staff: StaffConfig,
    log: LogConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeSection {
    #[serde(deserialize_with = "values::path")]
    data_dir: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkSection {
    #[serde(deserialize_with = "values::address")]
    broker: Option<(String, u16)>,
    #[serde(rename = "silence_ms", deserialize_with = "values::millis")]
    silence: Duration,
    #[serde(rename = "max_backoff_ms", deserialize_with = "values::millis")]
    max_backoff: Duration,
}

impl From<Sections> for Config {
    fn from(sections: Sections) -> Self {
        Self {
            data_dir: sections.node.data_dir,
            lan: sections.lan,
            admission: sections.admission,
            link: LinkConfig {
                silence: sections.link.silence,
                max_backoff: sections.link.max_backoff,
            },
            broker: sections.link.broker,
            journal: sections.journal,
            staff: sections.staff,
            log: sections.log,
        }
    }
}

impl Config {
    /// Reads the settings: defaults, the file if there is one, then the variables.
    ///
    /// # Errors
    /// The first mistake.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = file.map(read_file).transpose()?;
        let name = file.map(|path| path.display().to_string());
        let file = name.as_deref().zip(text.as_deref());
        let settings = PROGRAM.load(file.map(|(name, text)| File { name, text }), variables)?;
        let config: Self = settings.read()?;
        let JournalConfig {
            max_bytes,
            reserve_bytes,
        } = config.journal;
        // A journal that consists of its reserve would answer `NodeFault` to every scan.
        settings.require(
            "journal.reserve_bytes",
            reserve_bytes,
            reserve_bytes < max_bytes,
            &format!("less than journal.max_bytes, which is {max_bytes}"),
        )?;
        Ok(config)
    }
}
