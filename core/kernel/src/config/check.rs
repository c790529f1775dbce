//! Texts that parse but can't work.

use super::{Config, ConfigError};

/// Slower than that, the daily jobs would run once a quarter.
const MAX_FACTOR: f64 = 100.0;

pub(super) fn kernel(config: &Config) -> Result<(), ConfigError> {
    let roles = &config.process.roles;
    let allowed = "one or more of serve, work, relay and migrate";
    require("process.roles", "[]", !roles.is_empty(), allowed)?;
    let factor = config.jobs.interval_factor;
    require(
        "jobs.interval_factor",
        factor,
        (0.0..=MAX_FACTOR).contains(&factor),
        &format!("0 to {MAX_FACTOR}"),
    )?;
    begins_with(
        "database.url",
        &config.database.url,
        &["postgres://", "postgresql://"],
    )?;
    for (name, own) in &config.database.contexts {
        begins_with(
            &format!("database.contexts.{name}.url"),
            &own.url,
            &["postgres://", "postgresql://"],
        )?;
    }
    begins_with("bus.url", &config.bus.url, &["amqp://", "amqps://"])?;
    begins_with(
        "http.public_url",
        &config.http.public_url,
        &["http://", "https://"],
    )?;
    for (index, issuer) in config.auth.issuers.iter().enumerate() {
        let key = format!("auth.issuers[{index}]");
        begins_with(
            &format!("{key}.issuer"),
            &issuer.issuer,
            &["http://", "https://"],
        )?;
        let named = !issuer.audiences.is_empty();
        require(&format!("{key}.audiences"), "[]", named, "one or more")?;
    }
    Ok(())
}

/// A URL with one of these schemes.
///
/// # Errors
/// [`ConfigError::NotAllowed`].
pub fn begins_with(key: &str, value: &str, schemes: &[&str]) -> Result<(), ConfigError> {
    let fits = schemes.iter().any(|scheme| value.starts_with(scheme));
    // The value may hold a password: only its scheme is shown.
    let shown = value
        .split_once("://")
        .map_or("(no scheme)", |(scheme, _)| scheme);
    require(
        key,
        shown,
        fits,
        &format!("a URL that begins with {}", schemes.join(" or ")),
    )
}

/// A condition on a value.
///
/// # Errors
/// [`ConfigError::NotAllowed`].
pub fn require(
    key: &str,
    value: impl std::fmt::Display,
    fits: bool,
    allowed: &str,
) -> Result<(), ConfigError> {
    if fits {
        return Ok(());
    }
    Err(ConfigError::NotAllowed {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}
