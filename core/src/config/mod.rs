//! The configuration of the core: `default.toml`, overridden by a file, overridden by the
//! environment. Each context owns the type of its section; this puts them together.

use eventify_kernel::config::{self, ConfigError};
use serde::Deserialize;

use crate::contexts::{fleet, payment, reservation, ticketing};

mod limits;

/// The embedded default, which is also the documentation.
pub const DEFAULT: &str = include_str!("../default.toml");

/// Everything that can be configured. See `default.toml` for meaning and units.
#[derive(Clone, Debug)]
pub struct Config {
    pub kernel: config::Config,
    pub contexts: Contexts,
}

/// The sections of the contexts.
#[derive(Clone, Debug, Deserialize)]
pub struct Contexts {
    pub fleet: fleet::Settings,
    pub payment: payment::Settings,
    pub reservation: reservation::Settings,
    pub ticketing: ticketing::Settings,
}

impl Config {
    /// Merges default, file text and environment, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first key at fault, its value and what is allowed.
    pub fn load(
        file: Option<&str>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let merged = config::merge(DEFAULT, file, env)?;
        limits::check(&merged)?;
        let config = Self {
            kernel: config::read(&merged)?,
            contexts: config::read(&merged)?,
        };
        config.kernel.check()?;
        config.contexts.fleet.check(&config.kernel.bus)?;
        config.contexts.payment.check()?;
        Ok(config)
    }
}
