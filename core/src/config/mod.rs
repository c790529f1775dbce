//! The configuration of the core: `default.toml`, overridden by a file, overridden by the
//! environment. Each context owns the type of its section; this puts them together.

use eventify_kernel::config::{self, ConfigError};
use eventify_settings::{File, Program};
use serde::Deserialize;

use crate::contexts::{event_management, fleet, order, payment, reservation, ticketing};

mod limits;

/// The embedded default, which is also the documentation.
pub const DEFAULT: &str = include_str!("../default.toml");

static PROGRAM: Program = Program {
    defaults: DEFAULT,
    prefix: "EVENTIFY_CORE__",
    file_variable: "EVENTIFY_CORE_CONFIG",
    neighbours: &["EVENTIFY_EDGE__"],
    open_tables: &["database.contexts"],
    secrets: &[
        "database.url",
        "database.contexts",
        "alarms.smtp_password",
        "bus.url",
        "fleet.broker_auth_secret",
        "payment.stripe.secret_key",
        "payment.stripe.webhook_secrets",
    ],
    limits: limits::LIMITS,
};

/// Everything that can be configured. See `default.toml` for meaning and units.
#[derive(Clone, Debug)]
pub struct Config {
    pub kernel: config::Config,
    pub contexts: Contexts,
}

/// The sections of the contexts.
#[derive(Clone, Debug, Deserialize)]
pub struct Contexts {
    pub event_management: event_management::Settings,
    pub fleet: fleet::Settings,
    pub order: order::Settings,
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
        let name = "the configuration file";
        let settings = PROGRAM.load(file.map(|text| File { name, text }), env)?;
        let config = Self {
            kernel: settings.read()?,
            contexts: settings.read()?,
        };
        config.kernel.check(&settings)?;
        config.contexts.fleet.check(&config.kernel.bus, &settings)?;
        config.contexts.payment.check(&settings)?;
        Ok(config)
    }
}
