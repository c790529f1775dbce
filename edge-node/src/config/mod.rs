//! The node's settings: defaults, then a file, then the environment. `default.toml` is both the
//! defaults and their documentation; a key that does not stand there does not exist.
//!
//! Every setting is checked before the node touches anything: a mistake stops the start with the
//! key, its value, where it came from and what is allowed.

mod layers;
mod texts;
mod variables;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use eventify_protocol::time::MAX_CACHE_AGE;

use layers::Layers;

/// The defaults, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// What a filter for logs may be.
const LOG_FILTER: &str =
    "error, warn, info, debug, trace, off, or a list such as \"info,eventify_edge=debug\"";

/// All settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where identity, journal and replica lie.
    pub data_dir: PathBuf,
    /// The LAN listener.
    pub lan: LanConfig,
    /// Limits on deciding alone.
    pub admission: AdmissionConfig,
    /// The line to the broker.
    pub link: LinkConfig,
    /// `link.broker`: where the broker is reached, if not where the enrolment said.
    pub broker: Option<(String, u16)>,
    /// The journal's limits.
    pub journal: JournalConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// See `[lan]`.
#[derive(Clone, Debug)]
pub struct LanConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// What pairing codes carry, if not that.
    pub advertise: Option<String>,
    /// Connections open at once.
    pub max_connections: usize,
    /// Of those, from one address, the ones on which no paired scanner is known yet.
    pub max_strangers_per_address: usize,
    /// Scans waiting for their verdict at once.
    pub max_scans_waiting: usize,
}

/// See `[admission]`.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionConfig {
    /// The oldest cache that may decide.
    pub max_cache_age: Duration,
}

/// See `[link]`.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// Silence after which a line is given up.
    pub silence: Duration,
    /// Longest pause between attempts.
    pub max_backoff: Duration,
}

/// See `[journal]`.
#[derive(Clone, Copy, Debug)]
pub struct JournalConfig {
    /// Largest journal.
    pub max_bytes: u64,
    /// What must be left for scans to be decided.
    pub reserve_bytes: u64,
}

/// See `[log]`.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// A `tracing` filter.
    pub filter: String,
    /// Lines of JSON instead of text.
    pub json: bool,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("reading {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{origin} is not valid TOML: {error}")]
    Syntax {
        /// Which file.
        origin: String,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// No such setting.
    #[error("unknown setting `{key}` in {origin}; allowed: {allowed}")]
    UnknownKey {
        /// Section and name.
        key: String,
        /// File or variable.
        origin: String,
        /// All keys there are.
        allowed: String,
    },
    /// A variable that no program of Eventify reads.
    #[error(
        "environment variable {name}: nothing reads it; allowed are EVENTIFY_EDGE__SECTION__KEY \
         (upper case, two underscores) and EVENTIFY_EDGE_CONFIG"
    )]
    UnknownVariable {
        /// As it is set.
        name: String,
    },
    /// Not a value of this setting.
    #[error("`{key}` = {value} in {origin} is not allowed; allowed: {allowed}")]
    Value {
        /// Section and name.
        key: String,
        /// As written.
        value: String,
        /// File or variable.
        origin: String,
        /// What would be.
        allowed: String,
    },
}

impl Config {
    /// Reads the settings: defaults, `file` if given, then `environment`.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::defaults();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
                path: path.to_owned(),
                error,
            })?;
            layers.overlay_file(&text, &path.display().to_string())?;
        }
        for (key, name, text) in variables::settings(environment)? {
            layers.overlay_variable(&key, &name, &text)?;
        }
        Self::from_layers(&layers)
    }

    fn from_layers(layers: &Layers) -> Result<Self, ConfigError> {
        let limit = u64::try_from(MAX_CACHE_AGE.as_millis()).unwrap_or(u64::MAX);
        let millis = |key, range| layers.number(key, range).map(Duration::from_millis);
        Ok(Self {
            data_dir: layers.text("node.data_dir", "a path that is not empty", |text| {
                (!text.is_empty()).then(|| PathBuf::from(text))
            })?,
            lan: LanConfig {
                listen: layers.text(
                    "lan.listen",
                    "ADDRESS:PORT, such as 0.0.0.0:8443",
                    |text| text.parse().ok(),
                )?,
                advertise: layers.text("lan.advertise", "HOST:PORT, or empty", |text| {
                    let read = texts::host_and_port_if_any(text)?;
                    Some(read.map(|_| text.to_owned()))
                })?,
                max_connections: layers.count("lan.max_connections", 8..=4_096)?,
                max_strangers_per_address: layers
                    .count("lan.max_strangers_per_address", 4..=4_096)?,
                max_scans_waiting: layers.count("lan.max_scans_waiting", 8..=8_192)?,
            },
            admission: AdmissionConfig {
                max_cache_age: millis("admission.max_cache_age_ms", 0..=limit)?,
            },
            link: LinkConfig {
                silence: millis("link.silence_ms", 3_000..=60_000)?,
                max_backoff: millis("link.max_backoff_ms", 200..=60_000)?,
            },
            broker: layers.text(
                "link.broker",
                "HOST:PORT, or empty",
                texts::host_and_port_if_any,
            )?,
            journal: journal(layers)?,
            log: LogConfig {
                filter: layers.text("log.filter", LOG_FILTER, texts::log_filter)?,
                json: layers.text("log.format", "\"text\" or \"json\"", |text| match text {
                    "text" => Some(false),
                    "json" => Some(true),
                    _ => None,
                })?,
            },
        })
    }
}

/// A journal of which the reserve is the whole would answer `NodeFault` to every scan.
fn journal(layers: &Layers) -> Result<JournalConfig, ConfigError> {
    let max_bytes = layers.number("journal.max_bytes", 1 << 20..=1 << 40)?;
    let reserve_bytes = layers.number("journal.reserve_bytes", 1 << 16..=1 << 30)?;
    if reserve_bytes >= max_bytes {
        let allowed = format!("less than `journal.max_bytes` ({max_bytes})");
        return Err(layers.refused("journal.reserve_bytes", &allowed));
    }
    Ok(JournalConfig {
        max_bytes,
        reserve_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(None, owned.collect::<Vec<_>>().into_iter())
    }

    #[test]
    fn the_defaults_are_allowed_values() {
        let config = load(&[("PATH", "/bin")]).unwrap();
        assert_eq!(config.admission.max_cache_age, MAX_CACHE_AGE);
        assert_eq!(config.lan.listen.port(), 8443);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(
            &path,
            "[lan]\nlisten = \"127.0.0.1:1\"\nmax_connections = 9\n",
        )
        .unwrap();
        let variable = (
            "EVENTIFY_EDGE__LAN__LISTEN".to_owned(),
            "127.0.0.1:2".to_owned(),
        );
        let config = Config::load(Some(&path), std::iter::once(variable)).unwrap();
        assert_eq!(config.lan.listen.port(), 2);
        assert_eq!(config.lan.max_connections, 9);
    }

    #[test]
    fn the_broker_is_where_the_enrolment_said_unless_told_otherwise() {
        assert_eq!(load(&[]).unwrap().broker, None);
        let told = load(&[("EVENTIFY_EDGE__LINK__BROKER", "tunnel.example.org:9883")]).unwrap();
        assert_eq!(told.broker, Some(("tunnel.example.org".to_owned(), 9883)));
        assert!(load(&[("EVENTIFY_EDGE__LINK__BROKER", "tunnel.example.org")]).is_err());
    }

    #[test]
    fn the_limit_can_be_lowered_and_never_raised() {
        let lowered = load(&[("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "20000")]).unwrap();
        assert_eq!(lowered.admission.max_cache_age, Duration::from_secs(20));
        let raised = load(&[("EVENTIFY_EDGE__ADMISSION__MAX_CACHE_AGE_MS", "300001")]).unwrap_err();
        let text = raised.to_string();
        for part in [
            "admission.max_cache_age_ms",
            "300001",
            "MAX_CACHE_AGE_MS",
            "0 to 300000",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn mistakes_name_key_value_and_what_is_allowed() {
        let unknown = load(&[("EVENTIFY_EDGE__LAN__LISTENER", "x")])
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("lan.listener") && unknown.contains("lan.listen,"),
            "{unknown}"
        );
        let kind = load(&[("EVENTIFY_EDGE__LAN__MAX_CONNECTIONS", "many")])
            .unwrap_err()
            .to_string();
        assert!(
            kind.contains("\"many\"") && kind.contains("8 to 4096"),
            "{kind}"
        );
        let address = load(&[("EVENTIFY_EDGE__LAN__LISTEN", "here")])
            .unwrap_err()
            .to_string();
        assert!(address.contains("ADDRESS:PORT"), "{address}");
        let format = load(&[("EVENTIFY_EDGE__LOG__FORMAT", "xml")])
            .unwrap_err()
            .to_string();
        assert!(format.contains("\"json\""), "{format}");
    }

    #[test]
    fn what_can_not_have_been_meant_stops_the_start() {
        for (name, value, parts) in [
            (
                "EVENTIFY_EDGE__JOURNAL__MAX_BYTES",
                "1048576",
                ["journal.reserve_bytes", "16777216", "less than"],
            ),
            (
                "EVENTIFY_EDGE__LOG__FILTER",
                "infoo",
                ["log.filter", "infoo", "eventify_edge=debug"],
            ),
            (
                "EVENTIFY_EDGE__LAN__ADVERTISE",
                "https://gate:8443",
                ["lan.advertise", "https://gate:8443", "HOST:PORT"],
            ),
            (
                "EVENTIFY_EDGE_LAN__LISTEN",
                "0.0.0.0:1",
                [
                    "EVENTIFY_EDGE_LAN__LISTEN",
                    "nothing reads it",
                    "EVENTIFY_EDGE__SECTION__KEY",
                ],
            ),
            (
                "EVENTIFY_EGDE__LAN__LISTEN",
                "0.0.0.0:1",
                [
                    "EVENTIFY_EGDE__LAN__LISTEN",
                    "nothing reads it",
                    "EVENTIFY_EDGE_CONFIG",
                ],
            ),
            (
                "eventify_edge__lan__listen",
                "0.0.0.0:1",
                [
                    "eventify_edge__lan__listen",
                    "upper case",
                    "two underscores",
                ],
            ),
        ] {
            let said = load(&[(name, value)]).unwrap_err().to_string();
            for part in parts {
                assert!(said.contains(part), "'{part}' is missing in: {said}");
            }
        }
        for name in [
            "EVENTIFY_EDGE_CONFIG",
            "EVENTIFY_CORE__HTTP__LISTEN",
            "EVENTIFY_STACK",
        ] {
            assert!(load(&[(name, "x")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_file_with_an_unknown_section_or_a_wrong_type_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        for (text, expected) in [
            ("[lann]\nlisten = \"x\"\n", "lann.listen"),
            ("lan = 3\n", "`lan`"),
            ("[lan]\nmax_connections = \"9\"\n", "lan.max_connections"),
            ("[lan\n", "not valid TOML"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Config::load(Some(&path), std::iter::empty())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
